"""Rows that Maxwell writes: their order, key changes, bootstraps, and what says no change."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from rulesets import ruleset

from mdm_stream.core.model import ChangeEvent, History, RecordEvent, version_order
from mdm_stream.core.ruleset import Source
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import RejectedEventError

RULES = {"person": ruleset("person", ("name", "city"), Source("till", "maxwell", "shop.customer", ("shop", "id")))}
TS = 1_700_000_000


def row(kind: str = "insert", **members: Any) -> dict[str, Any]:
    """A row of the table, of a transaction of its own unless that is said otherwise."""
    data = {"shop": 3, "id": 7, "name": "Ada", "city": None}
    whole = {"database": "shop", "table": "customer", "type": kind, "ts": TS, "xid": 5, "commit": True, "data": data}
    return {name: value for name, value in {**whole, **members}.items() if value is not ...}


def changes(event: dict[str, Any]) -> tuple[ChangeEvent, ...]:
    """What a row says."""
    return Decoder(RULES).decode(Delivery.from_row(orjson.dumps(event), 1))


def change(event: dict[str, Any]) -> RecordEvent:
    """The one change that a row says."""
    (found,) = changes(event)
    assert isinstance(found, RecordEvent)
    return found


def test_rows_become_changes():
    """Inserts and updates write the whole row, deletes remove it, at the time of the log."""
    written = change(row())
    assert (written.op, written.record_id, written.event_time_us) == ("upsert", "3|7", TS * 1_000_000)
    assert written.attributes == {"name": "Ada", "city": None}
    assert change(row("update", old={"name": "A"})).attributes == written.attributes
    assert change(row("delete")).op == "delete"


def test_an_update_of_the_key_moves_the_record():
    """The old key's record goes, at the same position, below the write of the new one."""
    old, new = changes(row("update", old={"id": 6}))
    assert [(each.record_id, each.op) for each in (old, new)] == [("3|6", "delete"), ("3|7", "upsert")]


def test_rows_are_ordered_by_transaction_and_place_in_it():
    """The last row of a transaction has no offset but says commit; numbers are compared as numbers."""
    log = [
        row(xid=9, xoffset=2, commit=...),
        row(xid=9, xoffset=10, commit=...),
        row(xid=9),
        row(xid=10, xoffset=0, commit=...),
        row(xid=10),
        row(position="master.000006:99"),
        row(position="master.000006:100", xid=1),
        row(position="master.000010:4[0]"),
    ]
    versions = [version_order(change(each).version) for each in log]
    assert versions == sorted(set(versions))
    assert version_order(change(row("delete")).version) < version_order(change(row()).version)


def test_a_bootstrap_lies_below_the_log():
    """Its rows say what was there, whatever the log has said since; its marks say nothing."""
    loaded = change(row("bootstrap-insert", xid=..., commit=...))
    assert version_order(loaded.version) < version_order(change(row(xid=0)).version)
    assert loaded.attributes == {"name": "Ada", "city": None}
    for kind in ("bootstrap-start", "bootstrap-complete"):
        assert changes(row(kind, data={})) == ()


@pytest.mark.parametrize("kind", ["table-create", "table-alter", "table-drop", "database-create", "database-drop"])
def test_a_schema_change_says_no_change(kind: str):
    """Whatever statement it holds, of whatever table."""
    assert changes({"type": kind, "database": "x", "table": "y", "old": {}, "def": {}, "ts": TS, "sql": "..."}) == ()


def test_a_key_that_was_filtered_out_stands_beside_the_row():
    """With output_primary_keys a row has its key even where a filter takes the columns out."""
    event = row(data={"name": "Ada"}, primary_key=[3, 7], primary_key_columns=["shop", "id"])
    assert change(event).record_id == "3|7"
    for wrong in ({"primary_key": [3]}, {"primary_key_columns": "shop"}, {"primary_key_columns": [["a"], 1]}):
        with pytest.raises(RejectedEventError) as caught:
            changes({**event, **wrong})
        assert caught.value.reasons[0].code == "missing"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"type": "truncate"}, ("unknown_value", "type")),
        ({"table": ...}, ("missing", "table")),
        ({"table": "other"}, ("unknown_table", "table")),
        ({"data": ...}, ("missing", "data")),
        ({"data": [1]}, ("wrong_type", "data")),
        ({"type": "update", "old": 5}, ("wrong_type", "old")),
        ({"xid": ...}, ("no_position", "position")),
        ({"xid": -1}, ("wrong_format", "xid")),
        ({"xoffset": "a"}, ("wrong_format", "xoffset")),
        ({"position": "master:7"}, ("wrong_format", "position")),
        ({"position": 7}, ("wrong_format", "position")),
        ({"ts": "now"}, ("wrong_type", "ts")),
        ({"ts": 10**15}, ("out_of_range", "ts")),
    ],
)
def test_what_lacks_a_part_is_refused(members: dict[str, Any], reason: tuple[str, str]):
    """Each with its place and what is wrong there."""
    with pytest.raises(RejectedEventError) as caught:
        changes(row(**members))
    assert [(each.code, each.path) for each in caught.value.reasons] == [reason]


def test_a_failover_is_declared_by_the_server_or_the_gtid_that_rows_name():
    """A new server's lower positions win from its first row on, without a time at which it took over."""
    old = {"server_id": 1, "gtid": "3e11fa47-71ca-11e1-9e33-c80aa9429562:881", "position": "binlog.000812:10"}
    new = {"server_id": 2, "gtid": "9C22FA47-71ca-11e1-9e33-c80aa9429999:5", "position": "binlog.000031:10"}
    for history in (History(server_id="2"), History(gtid_source="9c22fa47-71ca-11e1-9e33-c80aa9429999")):
        source = Source("till", "maxwell", "shop.customer", ("shop", "id"), histories=(history,))
        decoder = Decoder({"person": ruleset("person", ("name", "city"), source)})
        for kind in ("insert", "update", "delete"):
            before, after = (
                decoder.decode(Delivery.from_row(orjson.dumps(row(kind, **log)), 1))[0] for log in (old, new)
            )
            assert version_order(before.version) < version_order(after.version)
    assert change(row(**old)).version > change(row(**new)).version
