"""What may differ because events came meanwhile, which is no drift.

F was computed of what the archive held at one moment. Records whose state is another one with what was archived later
have *moved*. What else these, and records that wait for re-evaluation, can have changed is named here; the argument is
in ``reconcile.compare``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from mdm_stream.archive import Archive, Exclusion
from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.fold import EMPTY, join_states, state_from_wire, state_to_wire
from mdm_stream.core.record import build_record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.rebuild.load import LoadCounters, states_of
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in, runs_of
from mdm_stream.reconcile.closed_keys import limit_sql
from mdm_stream.reconcile.live_tables import LiveIndex
from mdm_stream.reconcile.session import gathered
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STATES_MAX = 20_000
MOVED = "ref string, state binary, keys array<string>"


def write_later_states(
    archive: Archive, rules: Ruleset, seen: set[str], exclusions: Sequence[Exclusion], workspace: Workspace
) -> int:
    """Write the folded states of rows in objects that are not in ``seen``, which grows by them; return how many rows.

    A compaction that went on meanwhile brings old rows again, in new objects: they are folded too, and move nothing.
    """
    counters = LoadCounters()
    decoder = Decoder({rules.domain: rules}, archived=True)
    rows = archive.read_new(rules.domain, seen)
    with workspace.table_files({"later": {"ref": "string", "state": "binary"}}) as tables:
        for states in states_of(rows, rules.domain, decoder, counters, STATES_MAX, exclusions):
            tables.add("later", ((each.ref, canonical_json(state_to_wire(each.state))) for each in states))
    return counters.rows


def moved_records(rules: WorkerRules, records: DataFrame, workspace: Workspace) -> DataFrame:
    """Return the records whose state is another one with the later states (``MOVED``): the new one, and their keys
    before and after.
    """
    later = workspace.read("later")
    before = records.select("ref", "state").join(later.select("ref"), "ref", "left_semi")
    several = before.selectExpr("ref", "state", "true AS before").unionByName(
        later.selectExpr("ref", "state", "false AS before")
    )
    return gathered(several, "ref").mapInArrow(partial(_moved, rules), MOVED)


def touched_records(
    rules: Ruleset,
    moved: DataFrame,
    scanned: DataFrame,
    links: DataFrame,
    live: LiveIndex,
    asked: DataFrame | None = None,
) -> DataFrame:
    """Return the records about which nothing can be said (``ref``).

    ``moved`` has ``ref, keys``; ``scanned`` are all records of the index (``ref, keys``), ``links`` F's edges, ``live``
    what was read of the index: components, who is near whom, what waits. ``asked``: only these records (``ref``) were
    read, with the components that they are in.
    """
    unsettled = moved.select("ref").unionByName(live.waiting.select("ref")).distinct().cache()
    theirs = moved.selectExpr("explode(keys) AS key").unionByName(
        scanned.join(unsettled, "ref", "left_semi").selectExpr("explode(keys) AS key")
    )
    theirs = theirs.distinct()
    # A key with more records than may share one is suspended, whatever the moved ones do: it makes nobody a candidate.
    sharers = scanned.selectExpr("ref", "explode(keys) AS key").join(theirs, "key", "left_semi")
    always = sharers.join(unsettled, "ref", "left_anti").groupBy("key").count()
    suspended = always.where(f"count > {limit_sql(rules)}").select("key")
    mates = sharers.join(suspended, "key", "left_anti").select("ref")
    near = live.near.join(unsettled.withColumnRenamed("ref", "other"), "other", "left_semi").select("ref")
    first = unsettled.unionByName(mates).unionByName(near).distinct()
    both = both_ways(links)
    beside = both.join(first.withColumnRenamed("ref", "b"), "b", "left_semi").selectExpr("a AS ref")
    second = first.unionByName(beside).distinct()
    if asked is not None:
        read = asked.unionByName(live.members.select("ref")).withColumnRenamed("ref", "b")
        second = second.unionByName(both.join(read, "b", "left_anti").selectExpr("a AS ref")).distinct()
    components = live.members.join(second, "ref", "left_semi").select("component_id").distinct()
    inside = live.members.join(components, "component_id", "left_semi").select("ref")
    return second.unionByName(inside).distinct()


def both_ways(links: DataFrame) -> DataFrame:
    """Return the LINK edges from each of their ends: ``a, b``."""
    both = links.where("link").select("a", "b")
    return both.unionByName(both.selectExpr("b AS a", "a AS b"))


def _moved(rules: WorkerRules, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([("ref", pa.string()), ("state", pa.binary()), ("keys", pa.list_(pa.string()))])
    yield from batches_of(_moved_of(rules, batches), schema)


def _moved_of(rules: WorkerRules, batches: Batches) -> Iterator[tuple[Any, ...]]:
    for ref, rows in runs_of(rows_in(batches, ["ref", "state", "before"])):
        before = state = EMPTY
        for _, content, is_before in rows:
            found = state_from_wire(orjson.loads(content))
            state = join_states(state, found)
            before = join_states(before, found) if is_before else before
        if canonical_json(state_to_wire(state)) != canonical_json(state_to_wire(before)):
            keys = {*build_record(rules.rules, ref, before).keys, *build_record(rules.rules, ref, state).keys}
            yield ref, canonical_json(state_to_wire(state)), sorted(keys)
