"""F of one archive under two rule sets, on Spark: both of the same deliveries, while more of them come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mdm_stream.archive.object_names import ArchiveObject
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.rebuild.kept import digest_of_exclusions
from mdm_stream.reconcile.components import ROUNDS_MAX
from mdm_stream.reconcile.folded_states import OpenArchive, counted, fold_archive
from mdm_stream.reconcile.impact import require_comparable
from mdm_stream.reconcile.recompute import Recomputed, read_all, resolve_folded
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

OLD, NEW = "old", "new"


def recompute_both(
    spark: SparkSession,
    workspace_of: Callable[[str], Workspace],
    old: Ruleset,
    new: Ruleset,
    opened: OpenArchive,
    rounds_max: int = ROUNDS_MAX,
) -> tuple[Recomputed, Recomputed]:
    """Return F of all that is archived of a domain under two rule sets.

    What is read is read for both before either goes on: whatever is archived meanwhile is in both states or in neither,
    so that all that differs between them comes of the rules. ``workspace_of`` returns the workspace of a name: of
    ``read``, of ``old`` and of ``new``. Errors as those of ``recompute`` and ``require_comparable``.
    """
    require_comparable(old, new)
    archive, packed = opened(), {OLD: WorkerRules.of(old), NEW: WorkerRules.of(new)}
    exclusions = archive.sources(old.domain).read().exclusions

    def fold(objects: Sequence[ArchiveObject]) -> DataFrame:
        sides = {side: fold_archive(spark, rules, opened, objects, exclusions) for side, rules in packed.items()}
        named = [frame.selectExpr("*", f"'{side}' AS side") for side, frame in sides.items()]
        return named[0].unionByName(named[1])

    taken_out = digest_of_exclusions(exclusions)  # tables that another job has left are of this

    folded, objects = read_all(workspace_of("read").within(taken_out), archive, old.domain, fold)

    def of(side: str, rules: Ruleset) -> Recomputed:
        own = folded.where(f"side = '{side}'")
        return Recomputed(
            resolve_folded(workspace_of(side).within(taken_out), rules, own, rounds_max), counted(own), objects
        )

    return of(OLD, old), of(NEW, new)
