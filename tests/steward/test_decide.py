"""A steward's decision becomes an event whose version counts, or an error that says why it could not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import small_rules

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import RecordEvent, version_order
from mdm_stream.core.record import build_record
from mdm_stream.errors import ConfigurationError
from mdm_stream.rules import load_ruleset
from mdm_stream.steward.decide import (
    next_version,
    override_event,
    override_versions,
    verdict_event,
    verdict_versions,
)

RULES = small_rules()
NOW_US = 1_800_000_000_000_000


@given(st.lists(st.integers(-(2**63), 2**62)), st.integers(0, 2**62))
def test_a_version_is_above_all_that_stand(held, now_us):
    """Whatever versions were ever given, the next one is greater, so a decision is never silently too old."""
    version = next_version(held, now_us)
    assert all(version_order(version) > version_order(each) for each in held)
    assert held or version == now_us


def test_a_clock_that_goes_ahead_silences_nobody():
    """Somebody whose clock is an hour ahead decides first; the next decision, by a right clock, still counts."""
    first = verdict_event(
        "person",
        ("crm/1", "erp/2"),
        "link",
        steward="s-1",
        version=next_version([], NOW_US + 3_600_000_000),
        time_us=NOW_US,
    )
    state = fold(EMPTY, first, "crm/1").state
    version = next_version(verdict_versions(state, "erp/2"), NOW_US)
    second = verdict_event("person", ("erp/2", "crm/1"), "separate", steward="s-2", version=version, time_us=NOW_US)
    assert fold(state, second, "crm/1").state.verdicts["erp/2"].verdict == "separate"


def test_an_override_beats_those_of_its_own_attributes():
    """Versions of other attributes, and of expiries, count as they should."""
    first = override_event(RULES, "crm/1", {"given_name": "Ann"}, steward="s", version=9, time_us=NOW_US)
    ended = replace(first, attributes={"birth_date": None}, version=NOW_US + 5, expired=True)
    state = fold(fold(EMPTY, first, "crm/1").state, ended, "crm/1").state
    assert override_versions(state, ["given_name", "email"]) == [9]
    assert next_version(override_versions(state, ["birth_date"]), NOW_US) == NOW_US + 6


@pytest.mark.parametrize(
    ("attributes", "expires_at_us", "said"),
    [
        ({"surname": "Lee"}, None, "no attribute 'surname'"),
        ({"birth_date": "not a date: 77"}, None, "value for birth_date is not valid"),
        ({"given_name": "   "}, None, "value for given_name is not valid"),
        ({"given_name": "Ann"}, NOW_US, "end before it begins"),
    ],
)
def test_an_override_that_is_a_slip_is_refused(attributes, expires_at_us, said):
    """An unknown attribute, a value that is none, and a time gone by are errors at once; no value is repeated."""
    with pytest.raises(ConfigurationError, match=said) as raised:
        override_event(RULES, "crm/1", attributes, steward="s", version=1, time_us=NOW_US, expires_at_us=expires_at_us)
    assert "77" not in str(raised.value)


def test_a_national_number_is_read_as_of_the_records_country():
    """The consumer reads an override beside its record; the command that refuses slips reads it the same way."""
    rules = load_ruleset("person")
    of_france = RecordEvent("person", "crm", "1", "upsert", 1, 0, {"country": "FR"})
    state = fold(EMPTY, of_france, "crm/1").state
    number = {"phone": ("01 42 68 53 00",)}
    event = override_event(rules, "crm/1", number, steward="s", version=1, time_us=NOW_US, held=state)
    (applied,) = build_record(rules, "crm/1", fold(state, event, "crm/1").state).overrides
    assert (applied.value.match, applied.value.valid) == (("+33142685300",), True)
    with pytest.raises(ConfigurationError, match="not valid: it has not the form"):
        override_event(rules, "crm/1", {"phone": ("0142",)}, steward="s", version=1, time_us=NOW_US, held=state)


def test_taking_back_needs_no_value():
    """Null is a value that an override may have, and a verdict on one record is none."""
    event = override_event(RULES, "crm/1", {"birth_date": None}, steward="s", version=1, time_us=NOW_US)
    assert event.attributes == {"birth_date": None}
    with pytest.raises(ConfigurationError, match="one record"):
        verdict_event("person", ("crm/1", "crm/1"), "link", steward="s", version=1, time_us=NOW_US)
