"""What the values of a record are, and where they are found in bytes."""

from __future__ import annotations

import orjson
import pytest
from erase_world import RULES, upsert

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import OverrideEvent, RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.erasure.values import Values, values_of_events, values_of_record

REF = "crm/p-7"


def event(version: int, **attributes: object) -> RecordEvent:
    """Return an upsert of the record."""
    return RecordEvent("person", "crm", "p-7", "upsert", version, 0, attributes)


def test_a_value_is_known_in_all_its_forms() -> None:
    """As delivered, as shown, as compared; of every event, not only of the newest; numbers and lists too."""
    override = OverrideEvent("person", REF, 1, 0, "steward-name", {"city": "Overridalia"})
    old = event(1, given_name="  ADELGUNDIS ", phone=["+49 (30) 123 4987"], unused=1234567, flag=True)
    found = values_of_events(RULES, [old, event(2, email="A.W@Example.org"), override], [REF])
    assert found >= {"  ADELGUNDIS ", "ADELGUNDIS", "adelgundis", "+49 (30) 123 4987", "+49301234987", "1234567"}
    assert found >= {"A.W@Example.org", "a.w@example.org", "Overridalia"}
    assert not {"steward-name", "True", "crm", "person"} & found
    assert values_of_events(RULES, [old], ["crm/other"]) == set()


def test_the_state_of_a_record_has_them_too() -> None:
    """Columns, patches and overrides, whoever set them last."""
    patch = RecordEvent("person", "crm", "p-7", "patch", 3, 0, {"city": "Zwirnsdorf"})
    override = OverrideEvent("person", REF, 1, 0, "s", {"given_name": "Overridalia"})
    state = EMPTY
    for each in (event(1, family_name="Wintersheim"), patch, override):
        state = fold(state, each, REF).state
    assert values_of_record(RULES, build_record(RULES, REF, state)) >= {"Wintersheim", "Zwirnsdorf", "Overridalia"}


def test_a_telephone_number_is_known_without_its_country() -> None:
    """Whoever writes it down at home leaves that out."""
    assert "301234987" in values_of_events(RULES, [event(1, phone="+49 30 1234987")], [REF])


def test_short_values_and_parts_of_the_key_are_left_to_the_key() -> None:
    """They occur by chance, or are what stays known of an erased record. Two Chinese characters are no short value."""
    values = Values(["Anna", "Anton", "\u674e\u5c0f", "customer-77", "", "77", "custom"], ["crm/customer-77"])
    assert values.texts == {"Anton", "\u674e\u5c0f"}
    assert values.short == {"Anna"}
    assert values.too_short == 1


@pytest.mark.parametrize(
    "raw",
    [
        "x Müller-Lüdenscheidt y".encode(),
        b'{"deep": [{"name": "M\\u00fcller-L\\u00fcdenscheidt"}]}',
        b"\xff\xfe" + "Müller-Lüdenscheidt".encode() + b"\x00",
    ],
    ids=["plain", "escaped", "binary"],
)
def test_a_value_is_found_however_it_is_written(raw: bytes) -> None:
    """Plain, in JSON with escapes, in the middle of binary data."""
    assert Values(["Müller-Lüdenscheidt", "Anton"]).found_in(raw) == {"Müller-Lüdenscheidt"}


def test_escaped_bytes_that_are_no_json_are_searched_too() -> None:
    """A payload that was cut off has escapes all the same."""
    assert Values(["Anton"]).found_in(b"\\u0041nton {") == {"Anton"}
    assert Values(["Anton"]).found_in(b"\\ Anton {") == {"Anton"}
    assert Values([]).found_in(orjson.dumps(upsert())) == set()
