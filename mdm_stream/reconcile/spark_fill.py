"""The first fill of a new epoch on Spark: F of the archive recomputed, and written by Spark's tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mdm_stream.archive import Exclusion
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.redis.bulk import BulkSettings
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.epochs import Epochs
from mdm_stream.rebuild.fill import FirstFilled, Progress
from mdm_stream.reconcile.components import ROUNDS_MAX
from mdm_stream.reconcile.fill_epoch import WRITERS, EpochAt, EpochWritten, fill_epoch
from mdm_stream.reconcile.folded_states import OpenArchive
from mdm_stream.reconcile.recompute import Recomputed, recompute
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace


@dataclass(slots=True)
class SparkFill:
    """A ``FirstFill`` on Spark.

    ``workspace`` is the caller's, gets values of records, and is the caller's to remove.
    One that is given what a killed one has left there goes on with its recomputation, if the same is excluded; what is
    archived since is filled in after it. ``computed`` and ``written`` say afterwards what was done.
    """

    workspace: Workspace
    rules: Ruleset
    opened: OpenArchive
    redis_url: str = field(repr=False)
    namespace: str
    writers: int = WRITERS
    settings: BulkSettings = field(default_factory=BulkSettings)
    rounds_max: int = ROUNDS_MAX
    computed: Recomputed | None = None
    written: EpochWritten | None = None

    def __call__(self, epoch: int, exclusions: Sequence[Exclusion], on_progress: Progress) -> FirstFilled:
        """Fill the epoch. ``TransientError`` if compaction outruns the reading."""

        def note(stage: str, seconds: float) -> None:
            on_progress(f"{stage} done in {seconds:.1f} s", 0, 0)

        workspace = self.workspace.within("recomputed", note)
        computed = recompute(
            workspace.spark,
            workspace,
            self.rules,
            self.opened,
            exclusions=exclusions,
            rounds_max=self.rounds_max,
            for_index=True,
        )
        server = Epochs(open_client(self.redis_url), self.rules, self.namespace).server_of(epoch)
        target = EpochAt(self.redis_url, self.namespace, epoch, server, self.writers, self.settings)
        self.computed = computed
        self.written = fill_epoch(workspace, WorkerRules.of(self.rules), computed.state, target)
        counters = computed.counters
        counters.states = computed.state.records.count()
        erased = computed.state.records.where("erased").select("ref").toLocalIterator()
        counters.erased.update(row["ref"] for row in erased)
        return FirstFilled(counters, computed.objects)
