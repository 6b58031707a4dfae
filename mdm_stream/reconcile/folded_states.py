"""From the archive to one folded state a record: the first stage of F on Spark.

Each task folds the objects that it reads by itself, as far as its memory goes; then the partial states of a record meet
and are joined. Folding commutes, so neither which object lies in which task, nor how often an object is read, changes
anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import orjson

from mdm_stream.archive import Archive, Exclusion, open_archive
from mdm_stream.archive.object_names import ArchiveObject
from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.fold import RecordState, join_states, state_from_wire, state_to_wire
from mdm_stream.decode import Decoder
from mdm_stream.rebuild.load import LoadCounters, states_of
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in
from mdm_stream.reconcile.worker_rules import WorkerRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TASK_BYTES = 32 * 1024**2
"""Archived bytes, before compression, that one task reads and folds: some 30,000 ordinary records."""

STATES_MAX = 20_000
"""Folded states in a task's memory at once (some 2 KB each; fewer where they are large)."""

FOLDED = "ref string, state binary, object string, present boolean, counters binary"
"""A row has one of three: a partial state of ``ref``; the name of an object that was to be read, and whether it was
``present`` or had been replaced by then; what a task counted, as JSON."""

OpenArchive = Callable[[], Archive]


@dataclass(frozen=True, slots=True)
class ArchiveAt:
    """Opens an archive by its address: on the driver, and on each worker."""

    url: str

    def __call__(self) -> Archive:
        """Open it."""
        return open_archive(self.url)


def fold_archive(
    spark: SparkSession,
    rules: WorkerRules,
    opened: OpenArchive,
    objects: Sequence[ArchiveObject],
    exclusions: Sequence[Exclusion] = (),
) -> DataFrame:
    """Return partial states of all records in some objects of the archive, and what was counted (``FOLDED``)."""
    groups = list(_grouped(objects))
    named = spark.sparkContext.parallelize([([each.name for each in group],) for group in groups], max(1, len(groups)))
    tasks = spark.createDataFrame(named, "names array<string>")
    return tasks.mapInArrow(partial(_fold_objects, rules, opened, tuple(exclusions)), FOLDED)


def joined(rows: Iterable[tuple[str, list[tuple[str, bytes]]]]) -> Iterator[tuple[str, bytes, RecordState]]:
    """Yield reference, canonical JSON and state of each record, from the partial states of it."""
    for ref, several in rows:
        contents = {content for _, content in several}
        state: RecordState | None = None
        for content in contents:
            found = state_from_wire(orjson.loads(content))
            state = found if state is None else join_states(state, found)
        assert state is not None  # a run of rows has at least one
        yield ref, contents.pop() if len(contents) == 1 else canonical_json(state_to_wire(state)), state


def _grouped(objects: Iterable[ArchiveObject]) -> Iterator[list[ArchiveObject]]:
    held: list[ArchiveObject] = []
    size = 0
    for each in objects:
        if held and size + each.content_bytes > TASK_BYTES:
            yield held
            held, size = [], 0
        held.append(each)
        size += each.content_bytes
    if held:
        yield held


def _fold_objects(
    rules: WorkerRules, opened: OpenArchive, exclusions: Sequence[Exclusion], batches: Batches
) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([
        ("ref", pa.string()), ("state", pa.binary()), ("object", pa.string()), ("present", pa.bool_()),
        ("counters", pa.binary()),
    ])  # fmt: skip
    archive = opened()
    for (names,) in rows_in(batches, ["names"]):
        yield from batches_of(_folded(rules, archive, names, exclusions), schema)


def _folded(
    rules: WorkerRules, archive: Archive, names: Sequence[str], exclusions: Sequence[Exclusion]
) -> Iterator[tuple[str | None, bytes | None, str | None, bool | None, bytes | None]]:
    domain = rules.rules.domain
    decoder = Decoder({domain: rules.rules}, archived=True)
    counters = LoadCounters()
    missing: list[str] = []
    for states in states_of(archive.read_present(names, missing), domain, decoder, counters, STATES_MAX, exclusions):
        for each in states:
            yield each.ref, canonical_json(state_to_wire(each.state)), None, None, None
    replaced = set(missing)
    for name in names:
        yield None, None, name, name not in replaced, None
    yield None, None, None, None, _encode_counters(counters)


def counted(folded: DataFrame) -> LoadCounters:
    """Return what all tasks have counted, without the references."""
    total = LoadCounters()
    for row in folded.where("counters IS NOT NULL").select("counters").toLocalIterator():
        found = orjson.loads(row["counters"])
        total.rows += found["rows"]
        total.events += found["events"]
        total.excluded += found["excluded"]
        total.rejected.update(found["rejected"])
        total.faults.update(found["faults"])
    return total


def _encode_counters(counters: LoadCounters) -> bytes:
    return orjson.dumps({
        "rows": counters.rows,
        "events": counters.events,
        "excluded": counters.excluded,
        "rejected": dict(counters.rejected),
        "faults": dict(counters.faults),
    })  # fmt: skip
