"""Messages of the PostgreSQL reader through the decoder."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulesets import PERSONS, ruleset

from mdm_stream.core.model import version_order
from mdm_stream.core.ruleset import Source
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import RejectedEventError

DECODER = Decoder(PERSONS)
RECEIVED = Delivery.from_row(b"", 1)
BLOCK = {
    "system": "7345",
    "timeline": 1,
    "database": "shop",
    "schema": "public",
    "table": "buyer",
    "commit_lsn": "1/F0",
    "lsn": "1/E0",
    "time": "2026-03-02T08:14:22.010552Z",
}
ROW = {"id": "7", "first": "Ada", "town": "Leeds"}


def change(op="update", *, block=None, types=None, identity=("id",), decoder=DECODER, **members):
    """The events of one message about the buyer table."""
    event = {"postgres": {**BLOCK, **(block or {})}, "op": op, "identity": identity, "types": types or {}, **members}
    return decoder.decode(replace(RECEIVED, raw=orjson.dumps(event)))


def refused(*arguments, **members):
    """The (code, path) of the one reason for which a message is rejected."""
    with pytest.raises(RejectedEventError) as caught:
        change(*arguments, **members)
    (reason,) = caught.value.reasons
    return reason.code, reason.path


def test_a_row_is_an_upsert_of_the_columns_that_the_rules_use():
    """Its version is commit and change position at full width, its time that of the commit."""
    (event,) = change("insert", row={**ROW, "secret": "x"}, types={"id": "int8"})
    assert (event.op, event.ref, event.attributes) == ("upsert", "shop/7", {"first": "Ada", "town": "Leeds"})
    assert event.version == f"{2**32 + 0xF0:020d}.{2**32 + 0xE0:020d}.2"
    assert event.event_time_us == 1_772_439_262_010_552


def test_changes_of_one_transaction_are_ordered_and_lie_above_the_snapshot():
    """Commit first, then the change's own position; the snapshot at a commit's position is below that commit."""
    places = [
        ("read", "1/F0", "0/0"),
        ("insert", "1/F0", "1/D0"),
        ("update", "1/F0", "1/E0"),
        ("update", "2/0", "1/C0"),
    ]
    versions = [
        version_order(change(op, row=ROW, block={"commit_lsn": commit, "lsn": lsn})[0].version)
        for op, commit, lsn in places
    ]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)


def test_an_unlogged_value_is_left_as_it_was():
    """An update that did not log a large value is a patch without it; where the rules do not use it, an upsert."""
    (event,) = change(row={"id": "7", "first": "Ada"}, unchanged=["town"])
    assert (event.op, event.attributes) == ("patch", {"first": "Ada"})
    (event,) = change(row=ROW, unchanged=["photo"])
    assert event.op == "upsert"


def test_a_changed_key_deletes_the_old_record():
    """The old key comes along where it was another one."""
    deleted, written = change(row=ROW, old={"id": "6"})
    assert [(deleted.op, deleted.ref), (written.op, written.ref)] == [("delete", "shop/6"), ("upsert", "shop/7")]
    (only,) = change(row=ROW, old={"id": "7"})
    assert only.op == "upsert"


def test_a_delete_needs_only_the_key():
    """The old image of the replica identity has it."""
    (event,) = change("delete", old={"id": "7"})
    assert (event.op, event.ref) == ("delete", "shop/7")
    assert refused("delete", row=ROW) == ("missing", "old")


def test_a_key_that_the_database_does_not_log_is_refused():
    """Were it to change, the old record would stay for ever, so no row of such a table is taken."""
    for op in ("read", "insert", "update", "delete"):
        assert refused(op, row=ROW, old=ROW, identity=["number"]) == ("key_not_logged", "identity")


def test_a_value_that_was_left_out_for_its_size_is_told():
    """It is refused where the rules use it, and makes no difference where they do not."""
    assert refused("insert", row={"id": "7"}, too_large=["town"]) == ("too_large", "row.town")
    assert change("insert", row=ROW, too_large=["photo"]) == change("insert", row=ROW)


def test_a_truncation_is_refused_loudly():
    """It says that rows went, and not which."""
    assert refused("truncate") == ("truncate", "op")


def test_an_unknown_table_is_refused():
    """So is a message that names none."""
    assert refused("insert", row=ROW, block={"table": "orders"}) == ("unknown_table", "table")
    assert refused("insert", row=ROW, block={"table": None}) == ("missing", "postgres.table")


@pytest.mark.parametrize("lsn", ["", "1", "1/", "g/0", "1/000000000", "123456789/0", 5])
def test_a_position_of_another_form_is_refused(lsn):
    """A version is never made of half a position."""
    assert refused("insert", row=ROW, block={"lsn": lsn}) == ("wrong_format", "postgres.lsn")
    assert refused("insert", row=ROW, block={"commit_lsn": None}) == ("no_position", "postgres.commit_lsn")


@pytest.mark.parametrize(
    ("type_name", "text", "value"),
    [
        ("int4", "-42", -42),
        ("int8", "9223372036854775807", 2**63 - 1),
        ("oid", "4294967295", 2**32 - 1),
        ("numeric", "12345678901234567890.10", "12345678901234567890.10"),
        ("numeric", "NaN", "NaN"),
        ("float8", "0.1", 0.1),
        ("float8", "-1.5e-07", -1.5e-07),
        ("float8", "Infinity", "Infinity"),
        ("float8", "1e999", "1e999"),
        ("bool", "t", True),
        ("bool", "false", False),
        ("date", "1985-07-14", "1985-07-14"),
        ("date", "infinity", "infinity"),
        ("timestamp", "2026-01-31 09:30:00.123", "2026-01-31T09:30:00.123"),
        ("timestamptz", "2026-01-31 09:30:00+00", "2026-01-31T09:30:00Z"),
        ("timestamptz", "0044-03-15 12:00:00+00 BC", "0044-03-15 12:00:00+00 BC"),
        ("bpchar", "DE   ", "DE"),
        ("uuid", "0b9f0f3e-6bd2-4a0c-9c71-1d2f6a2b9d10", "0b9f0f3e-6bd2-4a0c-9c71-1d2f6a2b9d10"),
        ("_text", '{Ada,"Leeds, UK",NULL,"a\\"b\\\\c"}', ("Ada", "Leeds, UK", None, 'a"b\\c')),
        ("_int4", "{1,NULL,3}", (1, None, 3)),
        ("_int4", "{}", ()),
        ("_int4", "{{1,2},{3,4}}", "{{1,2},{3,4}}"),
        ("_int4", "[0:1]={1,2}", "[0:1]={1,2}"),
        ("_text", "{a,", "{a,"),
        ("_text", '{"a', '{"a'),
        ("int4", "", ""),
        ("int4", "9" * 30, "9" * 30),
    ],
)
def test_a_text_means_what_its_type_says(type_name, text, value):
    """Numbers keep their digits, times have one form, lists are lists; what cannot be read stays as it was written."""
    (event,) = change("insert", row={**ROW, "town": text}, types={"town": type_name})
    assert event.attributes["town"] == value
    assert type(event.attributes["town"]) is type(value)


def test_nulls_and_values_without_a_type_stay():
    """Text columns have no entry among the types."""
    (event,) = change("insert", row={"id": "7", "first": None, "town": "12"})
    assert event.attributes == {"first": None, "town": "12"}
    assert refused("insert", row={"id": "7", "first": 5}) == ("wrong_type", "row")


def test_columns_may_order_and_date_the_rows():
    """A version column of the rules is read by its type, and so is a time column."""
    source = Source(
        "shop", "postgres", "public.buyer", ("id",), version="rev", event_time="seen", version_kind="integer"
    )
    decoder = Decoder({"person": ruleset("person", ("first",), source)})
    row = {"id": "7", "rev": "12", "seen": "2026-01-31 09:30:00+00"}
    (event,) = change("insert", decoder=decoder, row=row, types={"rev": "int8", "seen": "timestamptz"})
    assert event.version == f"{2**63 + 12:020d}"
    assert event.event_time_us == 1_769_851_800_000_000


@given(text=st.text(alphabet='{},"\\abN UL1', max_size=40), name=st.sampled_from(["_text", "_int4", "_bool", "_xml"]))
def test_any_text_of_an_array_is_read_or_kept(text, name):
    """Malformed lists raise nothing: they stay the text that they are."""
    (event,) = change("insert", row={**ROW, "town": text}, types={"town": name})
    assert isinstance(event.attributes["town"], tuple) or event.attributes["town"] == text
