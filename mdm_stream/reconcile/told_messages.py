"""All that the feed would have been told of a state, as its messages, numbered from 1: made by Spark's tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from mdm_stream.core.plan import changes
from mdm_stream.core.plan.commit import OutboxChange
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.port import OutboxEntry
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in
from mdm_stream.reconcile.expected import CHANGES, Expected, contents_of, evidence_changes
from mdm_stream.reconcile.recompute import Resolved
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MESSAGES_PER_PART = 10_000
"""Messages that the driver reads at once."""

_ROW_BITS = 33
"""Of a number that Spark gives a row, those below are the row's in its partition."""


@dataclass(frozen=True, slots=True)
class ToldMessages:
    """Messages of the feed, ``count`` of them, numbered from 1. The same ones whenever they are read."""

    table: DataFrame
    count: int

    def __iter__(self) -> Iterator[bytes]:
        """Yield them, in no order; a part of them is in memory at a time."""
        parts = max(1, -(-self.count // MESSAGES_PER_PART))
        for row in self.table.repartition(parts).toLocalIterator(prefetchPartitions=False):
            yield bytes(row["message"])


def told_messages(
    workspace: Workspace, rules: WorkerRules, state: Resolved, epoch: int, committed_at_us: int
) -> ToldMessages:
    """Return what the feed is to be told of a state that nothing was told of, in one epoch: erasures, golden records,
    and the evidence that the rules publish.
    """
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    expected = Expected(state.records, state.links, state.crosswalk, state.golden, state.review)
    erased = state.records.where("erased").select("ref").mapInArrow(partial(_erased, rules), CHANGES)
    golden = state.golden.select("golden_id", "content").mapInArrow(partial(_upserted, rules), CHANGES)
    told = erased.unionByName(golden).unionByName(evidence_changes(rules, expected))
    kept = workspace.keep(
        "told", lambda: told.select("content", F.spark_partition_id().alias("part"), _row_number().alias("place"))
    )
    sizes = {int(row["part"]): int(row["count"]) for row in kept.groupBy("part").count().toLocalIterator()}
    parts = sorted(sizes)
    firsts = list(accumulate((sizes[part] for part in parts), initial=0))
    offsets = workspace.spark.createDataFrame(list(zip(parts, firsts[:-1], strict=True)), "part int, before long")
    numbered = kept.join(F.broadcast(offsets), "part").selectExpr("before + place + 1 AS sequence", "content")
    table = numbered.mapInArrow(partial(_messages, epoch, committed_at_us), "message binary")
    return ToldMessages(table, firsts[-1])


def _row_number() -> Any:
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    return F.monotonically_increasing_id().bitwiseAND((1 << _ROW_BITS) - 1)


def _erased(rules: WorkerRules, batches: Batches) -> Batches:
    return contents_of(changes.erased(rules.rules, ref) for (ref,) in rows_in(batches, ["ref"]))


def _upserted(rules: WorkerRules, batches: Batches) -> Batches:
    def told() -> Iterator[OutboxChange]:
        for golden_id, content in rows_in(batches, ["golden_id", "content"]):
            yield changes.upserted(rules.rules, golden_id, content, ())

    return contents_of(told())


def _messages(epoch: int, committed_at_us: int, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    rows = rows_in(batches, ["sequence", "content"])
    made = ((change_message(OutboxEntry(epoch, at, content, committed_at_us))[1],) for at, content in rows)
    yield from batches_of(made, pa.schema([("message", pa.binary())]))
