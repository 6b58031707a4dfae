"""Debezium events through the decoder."""

import itertools
import random
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from rulesets import PERSON, PERSONS, ruleset

from mdm_stream.core.model import version_order
from mdm_stream.core.ruleset import Source
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import RejectedEventError

FIXTURES = Path(__file__).parents[2] / "fixtures" / "debezium"
PRODUCTS = {
    "product": ruleset(
        "product",
        ("name", "description", "weight"),
        Source("shop", "debezium", "inventory.products", ("id",)),
    )
}
WEIGHTS = {101: 3.14, 102: 8.1, 103: 0.8, 104: 0.75, 105: 0.875, 106: 1.0, 107: 5.1, 108: 0.1, 109: 22.2, 110: 0.5}
DECODER = Decoder(PERSONS)
RECEIVED = Delivery.from_row(b"", 1)
SOURCE = {"connector": "postgresql", "schema": "public", "table": "customer", "ts_ms": 1_600_000_000_000, "lsn": 100}


def change(op="u", *, before=None, after=None, source=None, **members):
    """The events of one change of the customer table."""
    event = {"op": op, "before": before, "after": after, "source": {**SOURCE, **(source or {})}, "ts_ms": 1, **members}
    return DECODER.decode(replace(RECEIVED, raw=orjson.dumps(event)))


def refused(*arguments, **members):
    """The (code, path) of the one reason for which a change is rejected."""
    with pytest.raises(RejectedEventError) as caught:
        change(*arguments, **members)
    (reason,) = caught.value.reasons
    return reason.code, reason.path


def last_state(events):
    """Fold by the rule of the records map: per record the greatest version wins."""
    state = {}
    for event in events:
        if event.ref not in state or version_order(event.version) >= version_order(state[event.ref].version):
            state[event.ref] = event
    return {ref: event.attributes for ref, event in state.items() if event.op != "delete"}


@pytest.mark.parametrize("name", ["debezium-data-schema-include.txt", "debezium-postgres-data-schema-exclude.txt"])
def test_captured_streams_end_as_documented(name):
    """The MySQL and the Postgres sample end in their documented state, in whatever order their events arrive."""
    decoder = Decoder(PRODUCTS)
    events = [
        e for line in (FIXTURES / name).read_bytes().splitlines() for e in decoder.decode(replace(RECEIVED, raw=line))
    ]
    assert len(events) == 16
    for seed in range(5):
        random.Random(seed).shuffle(events)
        state = last_state(events)
        assert {int(ref.split("/")[1]): row["weight"] for ref, row in state.items()} == pytest.approx(WEIGHTS)
        assert state["shop/106"]["description"] == "18oz carpenter hammer"
        assert state["shop/110"]["description"] == "new water resistent white wind breaker"


def test_captured_times_are_the_databases():
    """The time of a change is the database's; where an old snapshot says 0, it is the capture's."""
    decoder = Decoder(PRODUCTS)
    lines = (FIXTURES / "debezium-data-schema-include.txt").read_bytes().splitlines()
    (snapshot,), (update,) = (
        decoder.decode(replace(RECEIVED, raw=lines[0])),
        decoder.decode(replace(RECEIVED, raw=lines[9])),
    )
    assert snapshot.event_time_us == 1_589_355_606_100_000
    assert update.event_time_us == 1_589_361_987_000_000


def test_columns_are_kept_by_the_rules():
    """A row becomes an upsert with the columns that the rules map, under their own names."""
    (event,) = change("c", after={"id": 7, "first": "Ada", "town": None, "secret": "x"})
    assert (event.op, event.ref, event.attributes) == ("upsert", "crm/7", {"first": "Ada", "town": None})


@pytest.mark.parametrize(
    "value",
    ["__debezium_unavailable_value", ["__debezium_unavailable_value"], "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="],
)
def test_unavailable_values_stay_as_they_were(value):
    """A value that the database did not log is left out of a patch; in a column that is not used it does not matter."""
    (event,) = change(after={"id": 7, "first": value, "town": "Leeds"})
    assert (event.op, event.attributes) == ("patch", {"town": "Leeds"})
    (event,) = change(after={"id": 7, "first": "Ada", "town": "Leeds", "notes": value})
    assert event.op == "upsert"


def test_a_delete_needs_only_the_key():
    """The image before a delete may hold nothing but the key."""
    (event,) = change("d", before={"id": 7, "first": None})
    assert (event.op, event.ref, event.attributes) == ("delete", "crm/7", {})
    assert refused("d") == ("missing", "before")
    assert refused("d", before={"first": "x"}) == ("missing", "before.id")


def test_a_changed_key_deletes_the_old_record():
    """Told as one update or as a delete and a create at one position: the old record goes, the new one comes."""
    deleted, written = change(before={"id": 6}, after={"id": 7, "first": "Ada"})
    assert [(deleted.op, deleted.ref), (written.op, written.ref)] == [("delete", "crm/6"), ("upsert", "crm/7")]
    assert deleted.version == written.version
    (only,) = change(before={"id": 7, "first": "Eve"}, after={"id": 7, "first": "Ada"})
    assert only.op == "upsert"


def test_a_create_wins_over_the_delete_at_its_position():
    """If the changed key is not the one that the rules use, delete and create name one record: it lives."""
    (deleted,) = change("d", before={"id": 7})
    (created,) = change("c", after={"id": 7})
    assert deleted.version < created.version


@pytest.mark.parametrize(
    "event",
    [
        {"ts_ms": 1},
        {"ts_ms": 1, "ts_us": 1, "ts_ns": 1},
        {"schema": {}, "payload": {"ts_ms": 1}},
        {"schema": None, "payload": None},
        {"id": "1", "type": "COMPLETED", "aggregate_type": "Initial Snapshot", "additional_data": {}, "timestamp": 1},
        {"status": "BEGIN", "id": "571:53195829", "event_count": None, "data_collections": None, "ts_ms": 1},
        {"status": "END", "id": "571:53195832", "event_count": 2, "data_collections": [], "ts_ms": 1},
        {"source": SOURCE, "databaseName": "inventory", "ddl": "ALTER TABLE t", "tableChanges": []},
        {"op": "m", "source": SOURCE, "message": {"prefix": "p", "content": "Zm9v"}},
    ],
)
def test_messages_between_changes_do_nothing(event):
    """Heartbeats, transaction marks, schema changes, logical messages and tombstones are no changes of a record."""
    assert DECODER.decode(replace(RECEIVED, raw=orjson.dumps(event))) == ()
    for tombstone in (b"", b"null", b" null\n"):
        assert DECODER.decode(replace(RECEIVED, raw=tombstone)) == ()


def test_what_is_refused():
    """A truncation, an unknown table, a missing image or a wrong type each have their code and place."""
    assert refused("t") == ("truncate", "op")
    assert refused("x", after={"id": 1}) == ("unknown_value", "op")
    assert refused(["c"], after={"id": 1}) == ("unknown_value", "op")
    assert refused("c", after={"id": 1}, source={"table": "orders"}) == ("unknown_table", "table")
    assert refused("c", after={"id": 1}, source={"table": None}) == ("missing", "source.table")
    assert refused("c") == ("missing", "after")
    assert refused("c", after={"id": {"scale": 0}}) == ("wrong_type", "after.id")
    assert refused("c", after={"id": 1e17}) == ("imprecise_key", "after.id")
    assert refused("c", after={"id": "a\x00"}) == ("control_character", "after.id")
    assert refused("c", after={"id": "x" * 300}) == ("too_long", "after.id")
    assert refused("c", after={"id": 1, "first": {"x": 1}}) == ("wrong_type", "after.first")
    assert refused("c", after={"id": 1}, source={"ts_ms": "now"}) == ("wrong_type", "source.ts_ms")
    assert refused("c", after={"id": 1}, source={"ts_ms": 10**17}) == ("out_of_range", "source.ts_ms")
    assert refused("c", after={"id": 1}, source={"lsn": None}) == ("no_position", "source")


def test_dates_of_wrapped_events_become_text():
    """Where the schema says that a column counts days, it arrives as an ISO date; other numbers stay numbers."""
    columns = [{"field": "first", "type": "int32", "name": "io.debezium.time.Date"}, {"field": "town", "type": "int32"}]
    schema = {"type": "struct", "fields": [{"field": "after", "type": "struct", "fields": columns}]}
    payload = {"op": "c", "before": None, "after": {"id": 1, "first": 5_283, "town": 5}, "source": SOURCE}
    (event,) = DECODER.decode(replace(RECEIVED, raw=orjson.dumps({"schema": schema, "payload": payload})))
    assert event.attributes == {"first": "1984-06-19", "town": 5}


def test_tables_are_found_by_their_most_precise_name():
    """The longer name of a table is tried before the shorter; MySQL's database is its schema."""
    sources = (Source("a", "debezium", "t", ("id",)), Source("b", "debezium", "s.t", ("id",)))
    decoder = Decoder({"person": ruleset("person", PERSON, *sources)})
    for block, name in (
        ({"schema": "s"}, "b"),
        ({"db": "s"}, "b"),
        ({"db": "d", "schema": "s"}, "b"),
        ({"db": "x"}, "a"),
    ):
        event = {"op": "c", "after": {"id": 1}, "source": {"table": "t", "lsn": 1, **block}}
        assert decoder.decode(replace(RECEIVED, raw=orjson.dumps(event)))[0].source == name


POSTGRES = [
    {"lsn": 100, "snapshot": "true", "sequence": '[null,"100"]'},
    {"lsn": 100, "snapshot": "false", "sequence": None},
    {"lsn": 150, "sequence": [None, "150"]},
    {"lsn": 180, "sequence": '["170","180"]'},
    # Two transactions interleave in the log; the one that commits later starts earlier.
    {"lsn": 175, "sequence": '["190","175"]'},
    {"lsn": 10_000, "sequence": '["200","10000"]'},
]
MYSQL = [
    {"file": "mysql-bin.000009", "pos": 4, "row": 0, "snapshot": "last"},
    {"file": "mysql-bin.000009", "pos": 4, "row": 0},
    {"file": "mysql-bin.000009", "pos": 900, "row": 2},
    {"file": "mysql-bin.000009", "pos": 900, "row": 10},
    {"file": "mysql-bin.000009", "pos": 1_000, "row": None},
    {"file": "mysql-bin.000010", "pos": 4, "row": 0},
    {"file": "mysql-bin.1000000", "pos": 4, "row": 0},
]
SQL_SERVER = [
    {"commit_lsn": "00000027:00000758:0003", "change_lsn": None, "snapshot": "true"},
    {"commit_lsn": "00000027:00000758:0003", "change_lsn": "00000027:00000758:0002", "event_serial_no": 1},
    {"commit_lsn": "00000027:00000758:0003", "change_lsn": "00000027:00000758:0002", "event_serial_no": 2},
    {"commit_lsn": "00000027:00000ac0:0003", "change_lsn": "00000027:00000758:0001", "event_serial_no": 1},
    {"commit_lsn": "0000002A:00000001:0001", "change_lsn": "0000002A:00000001:0001", "event_serial_no": 1},
]
ORACLE = [
    {"scn": "99", "snapshot": "true"},
    {"scn": "98", "commit_scn": "100", "ssn": 0},
    {"scn": "98", "commit_scn": "100", "ssn": 3},
    {"scn": "101", "commit_scn": "1000", "ssn": None},
]
TIMES = [{"ts_ms": 5}, {"ts_us": 6_000}, {"ts_ns": 6_000_001}, {"ts_ns": 7_000_000, "ts_ms": 1}]


@pytest.mark.parametrize("positions", [POSTGRES, MYSQL, SQL_SERVER, ORACLE, TIMES])
def test_versions_follow_the_log(positions):
    """Each database's positions give texts in the order of its log, snapshots below changes at the same place."""
    versions = []
    for position in positions:
        event = {"op": "c", "after": {"id": 1}, "source": {"schema": "public", "table": "customer", **position}}
        versions.append(DECODER.decode(replace(RECEIVED, raw=orjson.dumps(event)))[0].version)
    assert all(a < b for a, b in itertools.pairwise(versions)), versions


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ({"lsn": "x"}, ("wrong_format", "source.lsn")),
        ({"lsn": True}, ("wrong_format", "source.lsn")),
        ({"lsn": -1}, ("wrong_format", "source.lsn")),
        ({"lsn": 1, "sequence": "["}, ("wrong_format", "source.sequence")),
        ({"lsn": 1, "sequence": ["1"]}, ("wrong_format", "source.sequence")),
        ({"lsn": None, "sequence": [None, None]}, ("no_position", "source.lsn")),
        ({"lsn": None, "file": "binlog", "pos": 1}, ("no_position", "source.file")),
        ({"lsn": None, "file": "binlog.1"}, ("no_position", "source.pos")),
        ({"lsn": None, "commit_lsn": "zz"}, ("wrong_format", "source.commit_lsn")),
        ({"lsn": None, "connector": "other", "ts_ms": None}, ("no_position", "source")),
    ],
)
def test_wrong_positions_are_refused(position, expected):
    """A position that cannot be read is never replaced by a guess."""
    assert refused("c", after={"id": 1}, source=position) == expected


def test_a_version_column_orders_instead_of_the_log():
    """Rules may order a source by a column of its rows; a deletion lies just above the row's last write."""
    source = Source("a", "debezium", "t", ("id",), version="rev", event_time="seen", version_kind="integer")
    decoder = Decoder({"person": ruleset("person", PERSON, source)})

    def version(op, row):
        image = {"before" if op == "d" else "after": {"id": 1, **row}}
        (event,) = decoder.decode(replace(RECEIVED, raw=orjson.dumps({"op": op, "source": {"table": "t"}, **image})))
        return event.version, event.event_time_us

    order = [version("c", {"rev": -5}), version("u", {"rev": 9}), version("d", {"rev": 9}), version("c", {"rev": 10})]
    assert order == sorted(order)
    assert version("c", {"rev": 1, "seen": "2026-01-01T00:00:00+01:00"})[1] == 1_767_222_000_000_000
    assert version("c", {"rev": 1, "seen": 1_600_000_000_000})[1] == 1_600_000_000_000_000
    assert version("c", {"rev": 1, "seen": None})[1] == RECEIVED.arrival_time_us
    for wrong, code in (({}, "no_position"), ({"rev": "9"}, "version_kind"), ({"rev": 1.5}, "version_kind")):
        with pytest.raises(RejectedEventError) as caught:
            version("c", wrong)
        assert caught.value.reasons[0].code == code
