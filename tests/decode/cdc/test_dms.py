"""AWS DMS records through the decoder."""

import itertools
import random
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulesets import PERSONS, ruleset

from mdm_stream.core.model import version_order
from mdm_stream.core.ruleset import Source
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import RejectedEventError

FIXTURES = Path(__file__).parents[2] / "fixtures" / "dms"
COLUMNS = ("contact_id", "given_name", "family_name", "email", "city", "born_on", "credit_limit", "opted_in")
CONTACTS = {"contact": ruleset("contact", COLUMNS, Source("crm", "dms", "crm.contact", ("contact_id",)))}
DECODER = Decoder(PERSONS)
RECEIVED = Delivery.from_row(b"", 1)
METADATA = {
    "timestamp": "2026-03-02T08:14:22.010552Z",
    "record-type": "data",
    "operation": "update",
    "schema-name": "sales",
    "table-name": "client",
    "transaction-record-id": 1,
    "stream-position": "00000002/0A1B2C3D",
}
ROW = {"company": "A|B", "client_no": 7, "name1": "Ada", "name2": None, "other": 1}


def record(row=None, *, image=None, **metadata):
    """The events of one record of the client table."""
    merged = {**METADATA, **{name.replace("_", "-"): value for name, value in metadata.items()}}
    event = {"data": ROW if row is None else row, "metadata": {n: v for n, v in merged.items() if v is not None}}
    return DECODER.decode(replace(RECEIVED, raw=orjson.dumps({**event, **(image or {})})))


def refused(*arguments, **members):
    """The (code, path) of the one reason for which a record is rejected."""
    with pytest.raises(RejectedEventError) as caught:
        record(*arguments, **members)
    (reason,) = caught.value.reasons
    return reason.code, reason.path


def test_the_sample_stream_ends_as_documented():
    """Whatever the order of arrival, the sample ends in its documented rows; the old key leaves no record behind."""
    decoder = Decoder(CONTACTS)
    lines = (FIXTURES / "stream.ndjson").read_bytes().splitlines()
    events = [event for line in lines for event in decoder.decode(replace(RECEIVED, raw=line))]
    assert len(events) == 7
    wanted = orjson.loads((FIXTURES / "final_state.json").read_bytes())
    for seed in range(10):
        random.Random(seed).shuffle(events)
        state = {}
        for event in events:
            if event.ref not in state or version_order(event.version) > version_order(state[event.ref].version):
                state[event.ref] = event
        live = [state[ref].attributes for ref in sorted(state) if state[ref].op != "delete"]
        assert live == wanted


def test_control_records_do_nothing():
    """Control records, and whatever DMS writes of its own tables, are no changes."""
    assert DECODER.decode(replace(RECEIVED, raw=(FIXTURES / "control_minimal.json").read_bytes())) == ()
    assert record(schema_name="", table_name="awsdms_status") == ()


def test_several_key_columns_make_one_id():
    """Key columns are joined so that no two keys give one id."""
    (event,) = record()
    assert event.ref == r"erp/A\|B|7"
    assert event.attributes == {"name1": "Ada", "name2": None}
    assert record({**ROW, "company": "A\\", "client_no": "|7"})[0].record_id == r"A\\|\|7"


parts = st.text(st.sampled_from("a|\\"), min_size=0, max_size=4)


@given(st.tuples(parts, parts), st.tuples(parts, parts))
def test_joined_keys_are_unique(a, b):
    """Different keys never share an id, whatever separators they hold."""
    first, second = (record({"company": key[0], "client_no": key[1]})[0].record_id for key in (a, b))
    assert (first == second) == (a == b)


@pytest.mark.parametrize("name", ["before-image", "BI"])
def test_a_changed_key_deletes_the_old_record(name):
    """Under whatever name the image before comes: the old record is deleted at the version of the new one."""
    deleted, written = record(image={name: {"client_no": 6}})
    assert (deleted.op, deleted.ref) == ("delete", r"erp/A\|B|6")
    assert (written.op, written.ref) == ("upsert", r"erp/A\|B|7")
    assert deleted.version == written.version
    assert len(record(image={name: {"name1": "Eve"}})) == 1
    assert len(record(image={name: {"client_no": None}})) == 1


def test_a_delete_finds_its_key_in_either_image():
    """Other columns may be null, and the key may be in the image before alone."""
    (event,) = record({"company": "A", "client_no": 7, "name1": None}, operation="delete")
    assert (event.op, event.ref, event.attributes) == ("delete", "erp/A|7", {})
    (event,) = record({"name1": None}, operation="delete", image={"before-image": {"company": "A", "client_no": 7}})
    assert event.ref == "erp/A|7"


def test_loads_lie_below_every_change():
    """A full load's rows need no position, and never overwrite a change, however late they come."""
    (load,) = record(operation="load", stream_position=None, timestamp="2030-01-01T00:00:00Z")
    (later,) = record(operation="load", stream_position=None, timestamp="2030-01-01T00:00:01Z")
    (insert,) = record(operation="insert")
    (delete,) = record(operation="delete")
    assert load.version < later.version < delete.version < insert.version
    assert load.event_time_us == 1_893_456_000_000_000


@pytest.mark.parametrize(
    "positions",
    [
        ["00000002/FF", "00000002/0A1B2C3D", "00000002/0a1b2c3e", "10/1", "A0/1"],
        ["binlog.000042.5120.7", "binlog.000042.51200.7", "binlog.000043.4.7"],
        ["mysql-bin.9:4:1", "mysql-bin.10:4:1"],
        ["0000002b:00000e13:0001", "0000002B:00000e13:0002"],
        ["99", "100"],
    ],
)
def test_stream_positions_follow_the_log(positions):
    """Decimal and hexadecimal tokens of any width give texts in the order of the log."""
    versions = [record(stream_position=position)[0].version for position in positions]
    assert all(a < b for a, b in itertools.pairwise(versions)), versions


def test_records_of_one_transaction_keep_their_order():
    """At one stream position the number in the transaction decides, as a number."""
    assert record(transaction_record_id=9)[0].version < record(transaction_record_id=10)[0].version


def test_what_is_refused():
    """Each fault has its code and place; a missing position says which task setting brings it."""
    assert refused(stream_position=None) == ("no_position", "metadata.stream-position")
    with pytest.raises(RejectedEventError, match="IncludeTransactionDetails"):
        record(operation="delete", stream_position=None)
    assert refused(stream_position="x" * 300) == ("wrong_format", "metadata.stream-position")
    assert refused(transaction_record_id="x") == ("wrong_format", "metadata.transaction-record-id")
    assert refused(operation="upsert") == ("unknown_value", "metadata.operation")
    assert refused(operation=[]) == ("unknown_value", "metadata.operation")
    assert refused(record_type="other") == ("unknown_value", "metadata.record-type")
    assert refused(table_name="orders") == ("unknown_table", "table")
    assert refused(table_name=None) == ("missing", "metadata.table-name")
    assert refused([]) == ("wrong_type", "data")
    assert refused({"company": "A"}) == ("missing", "data.client_no")
    assert refused(timestamp="yesterday") == ("wrong_format", "metadata.timestamp")
    assert refused({"company": "", "client_no": "x" * 300}) == ("too_long", "data.company")
    assert refused(image={"old": {}, "older": {}}) == ("ambiguous_shape", "")
