"""Aurora DSQL's change records, as AWS's guide describes them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from rulesets import ruleset

from mdm_stream.core.model import ChangeEvent, version_order
from mdm_stream.core.ruleset import Source
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.formats import FORMATS
from mdm_stream.errors import RejectedEventError

RULES = {"person": ruleset("person", ("name", "credit"), Source("club", "dsql", "public.member", ("club", "id")))}
MADE_NS = 1_750_000_000_123_000_000


def record(op: str = "c", made_ns: int = MADE_NS, **members: Any) -> dict[str, Any]:
    """A record of a row, of the shape in the guide."""
    row = {"club": 4, "id": 7, "name": "Ada", "credit": "29.90"}
    source = {"version": "1.0", "ts_ms": made_ns // 10**6, "ts_ns": made_ns, "txId": "qvtiesgmd5", "db": "postgres"}
    source |= {"schema": "public", "table": "member", "cluster": "kmabugltfm"}
    images = {"before": {"club": 4, "id": 7}, "after": None} if op == "d" else {"before": None, "after": row}
    return {"type": "full", "op": op, **images, "source": source, "ts_ms": 1, "ts_ns": 1, **members}


def changes(event: dict[str, Any]) -> tuple[ChangeEvent, ...]:
    """What a record says."""
    return Decoder(RULES).decode(Delivery.from_row(orjson.dumps(event), 1))


def test_rows_become_changes():
    """Inserted, updated, and by an operation that is not known yet written; deleted by the key alone."""
    for op in ("c", "u", "merge"):
        (written,) = changes(record(op))
        assert (written.op, written.record_id) == ("upsert", "4|7")
        assert written.attributes == {"name": "Ada", "credit": "29.90"}
        assert written.event_time_us == MADE_NS // 1_000
    (deleted,) = changes(record("d"))
    assert (deleted.op, deleted.record_id) == ("delete", "4|7")


def test_the_time_of_the_commit_orders_changes():
    """In nanoseconds, whatever the order and the place of delivery; a coarser time alone will do."""
    versions = [
        version_order(changes(record(op, MADE_NS + late))[0].version) for op, late in (("c", 0), ("d", 1), ("c", 2))
    ]
    assert versions == sorted(set(versions))
    coarse = record()
    del coarse["source"]["ts_ns"]
    assert changes(coarse)[0].version == changes(record())[0].version
    elsewhere = Decoder(RULES).decode(Delivery.from_row(orjson.dumps(record()), 99))
    assert elsewhere == changes(record())


def test_a_debezium_message_is_none_of_these():
    """Both have a source and an op; the type, and the connector that DSQL has not, tell them apart."""
    assert [form.name for form in FORMATS if form.matches(record())] == ["dsql"]
    debezium = record()
    debezium["source"]["connector"] = "postgresql"
    assert [form.name for form in FORMATS if form.matches(debezium)] == ["debezium"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"type": "partial"}, ("unknown_value", "type")),
        ({"op": None}, ("missing", "op")),
        ({"op": 1}, ("wrong_type", "op")),
        ({"after": None}, ("missing", "after")),
        ({"before": 5}, ("wrong_type", "before")),
        ({"op": "d", "before": None}, ("missing", "before")),
        ({"source": {}}, ("missing", "source.table")),
        ({"source": {"table": "stray"}}, ("unknown_table", "table")),
        ({"source": {"table": "member", "schema": "public"}}, ("no_position", "source.ts_ns")),
        ({"source": {"table": "member", "schema": "public", "ts_ns": 2**64 - 1}}, None),
        ({"source": {"table": "member", "schema": "public", "ts_ms": 2**63}}, ("out_of_range", "source.ts_ns")),
    ],
)
def test_what_lacks_a_part_is_refused(members: dict[str, Any], reason: tuple[str, str] | None):
    """Each with its place and what is wrong there; a row in parts is refused, since its parts are not put together."""
    if reason is None:
        assert changes(record(**members))
        return
    with pytest.raises(RejectedEventError) as caught:
        changes(record(**members))
    assert [(each.code, each.path) for each in caught.value.reasons] == [reason]
