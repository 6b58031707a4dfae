"""What is stored of a live side, in the form in which F has it: decoded and judged by Spark's workers, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.cluster.golden import digest_of_content, digest_of_item, golden_id_of
from mdm_stream.core.fold import ERASED, state_to_wire
from mdm_stream.core.model import make_ref
from mdm_stream.core.record import build_record
from mdm_stream.index.redis.codec import decode_record
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in
from mdm_stream.reconcile.live_warehouse import digest_of_values
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ERASED_STATE = canonical_json(state_to_wire(ERASED)).decode()
"""What ``records.state`` holds of every erased record."""

RECORDS = "ref string, state binary, keys array<string>, readable boolean, sound boolean"
GOLDEN = "golden_id string, digest string, members array<string>, origins array<string>"
REVIEW = "a string, b string, digest string"


@dataclass(frozen=True, slots=True)
class LiveIndex:
    """The index as tables. ``records``: ``readable`` unless the stored form is none, ``sound`` if revision, values and
    keys follow from the state. ``golden``: ``members`` and ``origins`` are the records that the content names.
    """

    records: DataFrame
    golden: DataFrame
    review: DataFrame
    crosswalk: DataFrame
    places: DataFrame
    members: DataFrame
    links: DataFrame
    waiting: DataFrame
    near: DataFrame


@dataclass(frozen=True, slots=True)
class LiveWarehouse:
    """The warehouse as tables; see ``live_warehouse.TABLES``."""

    golden: DataFrame
    crosswalk: DataFrame
    evidence: DataFrame


def live_index(rules: WorkerRules, workspace: Workspace) -> LiveIndex:
    """Return what ``live_index.write_index`` or ``write_again`` has left in a workspace."""
    table = workspace.read
    return LiveIndex(
        records=table("stored_records").dropDuplicates(["ref"]).mapInArrow(partial(_records, rules), RECORDS),
        golden=table("stored_golden").dropDuplicates(["golden_id"]).mapInArrow(_golden, GOLDEN),
        review=table("stored_review").dropDuplicates(["a", "b"]).mapInArrow(_review, REVIEW),
        crosswalk=table("crosswalk").dropDuplicates(["ref"]),
        places=table("places").dropDuplicates(["ref"]),
        members=table("members").dropDuplicates(["component_id", "ref"]),
        links=table("links").dropDuplicates(["a", "b"]),
        waiting=table("waiting").distinct(),
        near=table("near").distinct(),
    )


def live_warehouse(workspace: Workspace) -> LiveWarehouse:
    """Return what ``live_warehouse.write_warehouse`` has left in a workspace."""
    return LiveWarehouse(*map(workspace.read, ("golden", "crosswalk", "evidence")))


def warehouse_form(golden: DataFrame) -> DataFrame:
    """Return F's golden records with the digest that the warehouse's have: ``golden_id, digest``."""
    return golden.select("golden_id", "content").mapInArrow(_in_warehouse, "golden_id string, digest string")


def own_ids(rules: WorkerRules, crosswalk: DataFrame) -> DataFrame:
    """Return the golden id that each record would give, and where the record is: ``golden_id, own, leads_to``."""
    return crosswalk.mapInArrow(partial(_own, rules), "golden_id string, own string, leads_to string")


def _records(rules: WorkerRules, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([
        ("ref", pa.string()), ("state", pa.binary()), ("keys", pa.list_(pa.string())), ("readable", pa.bool_()),
        ("sound", pa.bool_()),
    ])  # fmt: skip

    def judged() -> Iterator[tuple[Any, ...]]:
        for ref, stored in rows_in(batches, ["ref", "stored"]):
            try:
                held = decode_record(ref, stored)
                state = canonical_json(state_to_wire(held.state))
                sound = held == build_record(rules.rules, ref, held.state)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                yield ref, None, [], False, False
            else:
                yield ref, state, list(held.keys), True, sound

    yield from batches_of(judged(), schema)


def _golden(batches: Iterable[Any]) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([
        ("golden_id", pa.string()), ("digest", pa.string()), ("members", pa.list_(pa.string())),
        ("origins", pa.list_(pa.string())),
    ])  # fmt: skip
    rows = (
        (golden_id, digest_of_content(content), *_named(content))
        for golden_id, content in rows_in(iter(batches), ["golden_id", "content"])
    )
    yield from batches_of(rows, schema)


def _named(content: bytes) -> tuple[list[str], list[str]]:
    """Return the records that a golden record names as members, and as origins of values; none of what is no record."""
    try:
        said = orjson.loads(content)
        members = [make_ref(key["source"], key["record_id"]) for key in said["members"]]
        origins = {make_ref(o["source"], o["record_id"]) for several in said["provenance"].values() for o in several}
    except (AttributeError, LookupError, TypeError, ValueError):
        return [], []
    return members, sorted(origins)


def _review(batches: Iterable[Any]) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([("a", pa.string()), ("b", pa.string()), ("digest", pa.string())])
    yield from batches_of(
        ((a, b, _item_digest(item)) for a, b, item in rows_in(iter(batches), ["a", "b", "item"])), schema
    )


def _item_digest(item: bytes) -> str:
    try:
        return digest_of_item(orjson.loads(item))
    except (TypeError, ValueError):
        return "unreadable"


def _in_warehouse(batches: Iterable[Any]) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([("golden_id", pa.string()), ("digest", pa.string())])

    def said() -> Iterator[tuple[str, str]]:
        for golden_id, content in rows_in(iter(batches), ["golden_id", "content"]):
            golden = orjson.loads(content)
            yield golden_id, digest_of_values(golden["values"], golden["provenance"], len(golden["members"]))

    yield from batches_of(said(), schema)


def _own(rules: WorkerRules, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([("golden_id", pa.string()), ("own", pa.string()), ("leads_to", pa.string())])
    domain = rules.rules.domain
    rows = ((golden_id_of(domain, ref), ref, golden_id) for ref, golden_id in rows_in(batches, ["ref", "golden_id"]))
    yield from batches_of(rows, schema)
