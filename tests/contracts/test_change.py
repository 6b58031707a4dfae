"""The canonical contract."""

import sys

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mdm_stream.contracts.change import (
    ATTRIBUTE_NAME_CHARS_MAX,
    ATTRIBUTES_MAX,
    LIST_ITEMS_MAX,
    RECORD_ID_CHARS_MAX,
    TEXT_CHARS_MAX,
    RecordDelete,
    RecordWrite,
    VerdictChange,
    are_plain,
    check_value,
    encode_event,
    has_control_character,
    validate_change,
)
from mdm_stream.contracts.schema import contract_names, contract_schema
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.written_numbers import WrittenNumber

UPSERT = {
    "domain": "person",
    "source": "crm",
    "record_id": "42",
    "op": "upsert",
    "version": 17,
    "event_time": "2026-01-01T00:00:00Z",
    "attributes": {"given_name": "Ada", "emails": ["a@example.com", None], "age": 36, "active": True, "city": None},
}
VERDICT = {
    "domain": "person",
    "op": "verdict",
    "a": {"source": "crm", "record_id": "42"},
    "b": {"source": "erp", "record_id": "7"},
    "verdict": "link",
    "version": 3,
    "event_time": "2026-01-01T00:00:00Z",
    "steward": "reviewer",
}


def test_the_four_operations():
    """Each operation is read into its own model; a delete needs no attributes and may carry the last ones."""
    assert isinstance(validate_change(UPSERT), RecordWrite)
    assert isinstance(validate_change({**UPSERT, "op": "patch"}), RecordWrite)
    assert isinstance(validate_change({**UPSERT, "op": "delete"}), RecordDelete)
    assert isinstance(
        validate_change({k: v for k, v in UPSERT.items() if k != "attributes"} | {"op": "delete"}), RecordDelete
    )
    assert isinstance(validate_change(VERDICT), VerdictChange)


@pytest.mark.parametrize(
    "wrong",
    [
        {"domain": "Person"},
        {"domain": "p" * 64},
        {"source": "a/b"},
        {"source": "crm\n"},
        {"source": ""},
        {"record_id": 42},
        {"record_id": ""},
        {"record_id": "x" * (RECORD_ID_CHARS_MAX + 1)},
        {"record_id": "a\u0085b"},
        {"version": True},
        {"version": 1.0},
        {"version": 2**63},
        {"version": ""},
        {"version": "a\tb"},
        {"event_time": 1},
        {"event_time": "yesterday"},
        {"attributes": None},
        {"attributes": [["a", 1]]},
        {"attributes": {"": 1}},
        {"attributes": {"a": {"b": 1}}},
        {"attributes": {"a": [["b"]]}},
        {"attributes": {"a": "x" * (TEXT_CHARS_MAX + 1)}},
        {"attributes": {"a": [0] * (LIST_ITEMS_MAX + 1)}},
        {"attributes": {"a": "x\x00"}},
        {"attributes": {"a\x00": "x"}},
        {"attributes": {str(n): n for n in range(ATTRIBUTES_MAX + 1)}},
        {"op": "UPSERT"},
        {"op": None},
        {"versoin": 1},
    ],
)
def test_what_the_contract_refuses(wrong):
    """Nothing is converted, cut or guessed: an event with one wrong member is refused."""
    with pytest.raises(ValidationError):
        validate_change({**UPSERT, **wrong})


@pytest.mark.parametrize("member", ["domain", "source", "record_id", "op", "attributes"])
def test_required_members_of_a_write(member):
    """A write without its attributes would empty the record, so they are required like its key."""
    with pytest.raises(ValidationError):
        validate_change({name: value for name, value in UPSERT.items() if name != member})


def test_line_breaks_in_values_are_ordinary():
    """An address of several lines is a value; a bell is not."""
    assert check_value("1 High St\r\nLeeds\t") == "1 High St\r\nLeeds\t"
    assert check_value(["a", None, 1.5]) == ("a", None, 1.5)
    with pytest.raises(ValueError, match="control character"):
        check_value("\x07")


def test_a_row_that_is_plain_at_a_glance_is_taken_as_it_is():
    """Of every character: a value is plain only if reading it changes nothing, and no printable text is refused."""
    for code in range(sys.maxunicode + 1):
        if are_plain([chr(code)]):
            assert check_value(chr(code)) == chr(code)
            assert not has_control_character(chr(code))
    for value in (None, True, 1, 2**70, 1.5, "", " ", "é", "x" * TEXT_CHARS_MAX):
        assert are_plain(["a", value])
    for other in (
        "\x07",
        "a\tb",
        "\x7f",
        "\x85",
        "x" * (TEXT_CHARS_MAX + 1),
        [],
        ["a"],
        {},
        ("a",),
        WrittenNumber("1e9"),
    ):
        assert not are_plain(["a", other])


@pytest.mark.parametrize(
    ("attributes", "wrong"),
    [
        ({"a": "\x07"}, ("attributes", "a")),
        ({"a": "b", "c": {}}, ("attributes", "c")),
        ({"a": "x" * (TEXT_CHARS_MAX + 1)}, ("attributes", "a")),
        ({"": "a"}, ("attributes", "", "[key]")),
        ({"\x01": "a"}, ("attributes", "\x01", "[key]")),
        ({"n" * (ATTRIBUTE_NAME_CHARS_MAX + 1): "a"}, ("attributes", "n" * (ATTRIBUTE_NAME_CHARS_MAX + 1), "[key]")),
        ({1: "a"}, ("attributes", 1, "[key]")),
        ({f"a{number}": "b" for number in range(ATTRIBUTES_MAX + 1)}, ("attributes",)),
        ([], ("attributes",)),
    ],
)
def test_a_row_with_something_wrong_is_read_value_by_value(attributes, wrong):
    """What is wrong is told with its place, however plain the rest of the row is."""
    with pytest.raises(ValidationError) as caught:
        validate_change({**UPSERT, "attributes": attributes})
    assert [error["loc"][1:] for error in caught.value.errors()] == [wrong]
    assert validate_change({**UPSERT, "attributes": {"a\u00a0": "b\n", "c": ["d"]}}).attributes == {
        "a\u00a0": "b\n",
        "c": ("d",),
    }


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
versions = st.integers(-(2**63), 2**63 - 1) | texts
record_events = st.builds(
    RecordEvent,
    st.just("person"),
    st.just("crm"),
    texts,
    st.sampled_from(["upsert", "patch"]),
    versions,
    st.integers(-(10**15), 10**15),
    st.dictionaries(texts, scalars | st.lists(scalars, max_size=3).map(tuple), max_size=4),
)


@given(record_events)
def test_what_is_encoded_meets_the_contract(event):
    """Every event that the core can hold is written as a canonical event that says the same."""
    change = validate_change(orjson.loads(encode_event(event)))
    assert isinstance(change, RecordWrite)
    assert (change.op, change.record_id, change.version) == (event.op, event.record_id, event.version)
    assert change.attributes == event.attributes


def test_verdicts_and_deletes_are_encoded():
    """A verdict's references become its two sides, a delete has no attributes."""
    verdict = VerdictEvent("person", "crm/4/2", "erp/7", "separate", 3, 0, "reviewer")
    written = orjson.loads(encode_event(verdict))
    assert written["a"] == {"source": "crm", "record_id": "4/2"}
    assert isinstance(validate_change(written), VerdictChange)
    assert "attributes" not in orjson.loads(encode_event(RecordEvent("person", "crm", "1", "delete", 1, 0)))


def test_every_contract_has_a_schema():
    """Each contract is exported as JSON Schema, with the limits that the models check."""
    assert {"change", "steward", "golden", "lookup", "explanation", "review"} <= set(contract_names())
    for name in contract_names():
        schema = contract_schema(name)
        assert schema["$schema"].endswith("2020-12/schema")
    assert str(TEXT_CHARS_MAX).encode() in orjson.dumps(contract_schema("change"))
    with pytest.raises(ValueError, match="change, steward"):
        contract_schema("nonsense")
