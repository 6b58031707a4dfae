"""Filling an epoch of the index with a state that was recomputed: Spark's tasks write it, each a share.

Tasks write what is a function of the state to an epoch that nobody reads yet (``index.redis.bulk``), so they may be
done twice, and in any order. Each table is a stage of the workspace: a job that was killed goes on with the table that
it was at. ``writers`` tasks write at a time, each one call after another and with a pause after it, which bounds what
Redis has to do at once and leaves it time for those who use the live epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from mdm_stream.core.canonical import digest_of
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.fold import state_from_wire
from mdm_stream.core.plan.commit import HeldReview
from mdm_stream.core.record import build_record
from mdm_stream.index.redis.bulk import BulkSettings, BulkWriter
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.codec import encode_record
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in, runs_of
from mdm_stream.reconcile.closed_keys import limit_sql
from mdm_stream.reconcile.edges import EDGE_COLUMNS
from mdm_stream.reconcile.recompute import Resolved
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

WRITERS = 2
"""Tasks that write at a time."""

WRITTEN = "written long, calls long, bytes long"
"""What a task has written: rows of its table, calls to Redis, and bytes."""

_MEMBERS_PER_CALL = 1_000
"""Members of a suspended block that are put at once."""

Put = Callable[[WorkerRules, BulkWriter, Batches], Iterator[int]]
"""Puts the rows of a table, and yields how many by how many."""


@dataclass(frozen=True, slots=True)
class EpochAt:
    """An epoch that is being built, as Spark's workers reach it. ``server`` is the one that is trusted with it: an
    epoch of this number that another Redis has, or has after it was lost, is another one.
    """

    redis_url: str = field(repr=False)
    namespace: str
    epoch: int
    server: str = ""
    writers: int = WRITERS
    settings: BulkSettings = field(default_factory=BulkSettings)

    @property
    def name(self) -> str:
        """A name that no other epoch has, of whatever Redis."""
        return f"{self.epoch}-{digest_of([self.redis_url, self.namespace, self.server])}"

    def open(self, rules: WorkerRules) -> BulkWriter:
        """Open it, in a process of its own."""
        client = open_client(self.redis_url)
        return BulkWriter(client, rules.rules, self.namespace, self.epoch, self.settings)


@dataclass(slots=True)
class EpochWritten:
    """What was written: rows of the tables, calls to Redis (each some hundreds of rows), and bytes."""

    rows: int = 0
    calls: int = 0
    bytes_written: int = 0


def fill_epoch(workspace: Workspace, rules: WorkerRules, state: Resolved, target: EpochAt) -> EpochWritten:
    """Fill an epoch that is being built with a state that was recomputed ``for_index``.

    ``EpochChangedError`` (as a fault of the job) if it may not be written any more. Repeated in its workspace, it goes
    on with the table that it was at.
    """
    revisions = _keyed(state.records)
    sizes = state.sizes.selectExpr("key", f"members > {limit_sql(rules.rules)} AS suspended")
    blocks = revisions.join(sizes, "key")
    opened = blocks.where("NOT suspended").select("key", "ref", "revision")
    closed = blocks.where("suspended").select("key", "ref", "revision")
    tables: list[tuple[str, DataFrame, Put]] = [
        ("records", state.records.select("ref", "state", "stored", "expires_us"), _put_records),
        ("blocks", opened.repartition("key").sortWithinPartitions("key", "ref"), _put_blocks),
        ("suspended", closed, _put_suspended),
        ("held", state.held, _put_held),
        ("crosswalk", state.crosswalk, _put_places),
        ("golden", state.golden.select("golden_id", "content"), _put_golden),
        ("doubts", state.links.where("NOT link").select(*EDGE_COLUMNS, "by_a", "by_b"), _put_doubts),
        ("review", state.review.select("a", "b", "item"), _put_review),
    ]
    total = EpochWritten()
    for name, table, put in tables:
        write = partial(_write, rules, target, put)
        shared = table.coalesce(target.writers)
        done = workspace.keep(
            f"written-{target.name}-{name}",
            lambda shared=shared, write=write: shared.mapInArrow(write, WRITTEN),  # type: ignore[misc]
        )
        row = done.selectExpr("sum(written) AS written", "sum(calls) AS calls", "sum(bytes) AS bytes").first()
        assert row is not None  # an aggregate without groups has one row
        total.rows += int(row["written"] or 0)
        total.calls += int(row["calls"] or 0)
        total.bytes_written += int(row["bytes"] or 0)
    return total


def _keyed(records: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    return records.where("live").select("ref", "revision", F.explode("keys").alias("key"))


def _write(rules: WorkerRules, target: EpochAt, put: Put, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    writer = target.open(rules)
    rows = sum(put(rules, writer, batches))
    writer.flush()
    schema = pa.schema([("written", pa.int64()), ("calls", pa.int64()), ("bytes", pa.int64())])
    yield from batches_of([(rows, writer.calls, writer.bytes_written)], schema)


def _put_records(rules: WorkerRules, writer: BulkWriter, batches: Batches) -> Iterator[int]:
    for ref, state, stored, expires_us in rows_in(batches, ["ref", "state", "stored", "expires_us"]):
        if stored is None:  # deleted or erased
            stored = encode_record(build_record(rules.rules, ref, state_from_wire(orjson.loads(state))))  # noqa: PLW2901
        writer.put_record(ref, stored, expires_us)
        yield 1


def _put_blocks(_rules: WorkerRules, writer: BulkWriter, batches: Batches) -> Iterator[int]:
    for key, rows in runs_of(rows_in(batches, ["key", "ref", "revision"])):
        writer.put_block(key, {ref: revision for _, ref, revision in rows})
        yield len(rows)


def _put_suspended(_rules: WorkerRules, writer: BulkWriter, batches: Batches) -> Iterator[int]:
    """Put suspended blocks, whatever their sizes: what a batch happens to have of each."""
    held: dict[str, list[str]] = {}
    count = 0
    for key, ref, revision in rows_in(batches, ["key", "ref", "revision"]):
        held.setdefault(key, []).extend((ref, revision))
        count += 1
        if count >= _MEMBERS_PER_CALL:
            for each, members in held.items():
                writer.put_suspended(each, members)
                yield len(members) // 2
            held, count = {}, 0
    for each, members in held.items():
        writer.put_suspended(each, members)
        yield len(members) // 2


def _put_held(_rules: WorkerRules, writer: BulkWriter, batches: Batches) -> Iterator[int]:
    for kind, first, second, content in rows_in(batches, ["kind", "first", "second", "content"]):
        if kind == "member":
            writer.put_member(first, second)
        elif kind == "page":
            writer.put_page(first, content)
        else:
            writer.put_component(first, content)
        yield 1


def _put_places(_rules: WorkerRules, writer: BulkWriter, batches: Batches) -> Iterator[int]:
    for ref, golden_id in rows_in(batches, ["ref", "golden_id"]):
        writer.put_place(ref, golden_id)
        yield 1


def _put_golden(_rules: WorkerRules, writer: BulkWriter, batches: Batches) -> Iterator[int]:
    for golden_id, content in rows_in(batches, ["golden_id", "content"]):
        writer.put_golden(golden_id, content)
        yield 1


def _put_doubts(_rules: WorkerRules, writer: BulkWriter, batches: Batches) -> Iterator[int]:
    for *edge, by_a, by_b in rows_in(batches, [*EDGE_COLUMNS, "by_a", "by_b"]):
        writer.put_doubt(HeldReview(Edge(*edge), by_a, by_b))
        yield 1


def _put_review(_rules: WorkerRules, writer: BulkWriter, batches: Batches) -> Iterator[int]:
    rows: Iterator[tuple[Any, ...]] = rows_in(batches, ["a", "b", "item"])
    for a, b, item in rows:
        writer.put_review((a, b), item)
        yield 1
