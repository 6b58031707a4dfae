"""Versions of one declared kind, and versions and times that their arrival allows."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulesets import PERSON, ruleset

from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.ruleset import DAY_US, FLOOR_US, Source
from mdm_stream.core.times import TIME_US_MAX, TIME_US_MIN, format_time_us
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.redrive_envelope import check_first_place, unwrap, wrap
from mdm_stream.errors import RejectedEventError

ARRIVAL_US = 1_780_000_000_000_000
ARRIVED = Delivery(b"", "7".zfill(64), ARRIVAL_US, "changes/s:7")
UNITS = {"integer": 1, "seconds": 10**9, "milliseconds": 10**6, "microseconds": 10**3, "nanoseconds": 1}
KINDS = (*UNITS, "text", "position", "time")


def decoded(source: Source, delivery: Delivery = ARRIVED, **members: object) -> RecordEvent:
    """The event of an upsert of a source, with the members given."""
    whole = {"domain": "person", "source": source.name, "record_id": "1", "op": "upsert", "attributes": {}}
    raw = orjson.dumps({**whole, "event_time": format_time_us(ARRIVAL_US), **members})
    (event,) = Decoder({"person": ruleset("person", PERSON, source)}).decode(replace(delivery, raw=raw))
    assert isinstance(event, RecordEvent)
    return event


def refusal(source: Source, delivery: Delivery = ARRIVED, **members: object) -> tuple[str, str]:
    """The code and the sentence for which an upsert is rejected."""
    with pytest.raises(RejectedEventError) as caught:
        decoded(source, delivery, **members)
    (reason,) = caught.value.reasons
    return reason.code, reason.message


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_of_the_declared_kind_is_refused(kind):
    """Integers, texts, times and no version at all: each source takes what it declares, whatever came first."""
    source = Source("a", version_kind=kind)
    taken = set()
    for version in (5, "b", "2026-01-01T00:00:00Z", None):
        members = {} if version is None else {"version": version}
        try:
            decoded(source, **members)
            taken.add(version)
        except RejectedEventError as error:
            (reason,) = error.reasons
            assert (reason.code, reason.path) == ("version_kind", "version")
            assert kind in reason.message
    allowed = {"text": {"b", "2026-01-01T00:00:00Z"}, "position": {None}, "time": {5, "2026-01-01T00:00:00Z"}}
    assert taken == allowed.get(kind, {5})


def test_a_refusal_says_what_came_and_the_line_to_write():
    """The reason names kinds alone, never the version, and how rules would take it."""
    code, said = refusal(Source("a"), version="Marker")
    assert (code, "text" in said, "version_kind: text" in said, "Marker" in said) == ("version_kind", True, True, False)
    assert "version_kind: position" in refusal(Source("a"))[1]
    assert "version_kind: integer" in refusal(Source("a", version_kind="text"), version=9)[1]


@given(st.sampled_from(sorted(UNITS)), st.integers(-10, 10), st.booleans())
def test_a_version_may_lie_a_day_ahead_of_its_arrival_and_no_further(kind, beyond, known):
    """The bound is exact, and nothing without an arrival is judged by one."""
    version = (ARRIVAL_US + DAY_US) * 1_000 // UNITS[kind] + beyond
    delivery = ARRIVED if known else Delivery.from_row(b"", 7)
    members = {"version": version, "event_time": "2026-01-01T00:00:00Z"}
    if known and beyond > 0:
        assert refusal(Source("a", version_kind=kind), delivery, **members)[0] == "version_ahead"
    else:
        assert decoded(Source("a", version_kind=kind), delivery, **members).version == version


def test_times_as_versions_compare_whatever_their_offset():
    """They are kept as microseconds, which canonical form carries back."""
    source = Source("a", version_kind="time")
    later, earlier = (decoded(source, version=text) for text in ("2026-01-01T00:30:00Z", "2026-01-01T01:00:00+01:00"))
    assert later.version - earlier.version == 1_800_000_000
    again = orjson.loads(encode_event(later))
    assert decoded(source, version=again["version"]).version == later.version


@given(st.integers(TIME_US_MIN, TIME_US_MAX), st.booleans(), st.integers(0, 100), st.none() | st.integers(-1, 1))
def test_an_event_time_is_judged_by_floor_and_arrival_and_so_is_a_birth(time_us, known, backdating_days, history):
    """Refused before the floor and a day ahead; born at its time, but no longer before its arrival than allowed."""
    until_us = None if history is None else ARRIVAL_US + history
    source = Source("a", backdating_us=backdating_days * DAY_US, history_until_us=until_us)
    delivery = ARRIVED if known else Delivery.from_row(b"", 7)
    members = {"version": 1, "event_time": format_time_us(time_us)}
    if time_us < FLOOR_US:
        assert refusal(source, delivery, **members)[0] == "event_time_before_floor"
    elif known and time_us > ARRIVAL_US + DAY_US:
        assert refusal(source, delivery, **members)[0] == "event_time_ahead"
    else:
        event = decoded(source, delivery, **members)
        born_us = time_us if event.born_at_us is None else event.born_at_us
        free = not known or (until_us is not None and until_us > ARRIVAL_US)
        assert born_us == (time_us if free else max(time_us, ARRIVAL_US - backdating_days * DAY_US))


@pytest.mark.parametrize(
    ("position", "arrival_us", "allowed"),
    [
        (6, ARRIVAL_US - 1, True),
        (7, ARRIVAL_US, True),
        (8, ARRIVAL_US - 1, False),
        (6, ARRIVAL_US + 1, False),
        (6, ARRIVAL_US - 401 * DAY_US, False),
        (6, 0, False),
    ],
)
def test_an_envelope_claims_no_place_that_cannot_be(position, arrival_us, allowed):
    """What it holds came before it: a claim of another time would lift the limits that go by arrival."""
    redriven = unwrap(wrap(Delivery(b"{}", str(position).zfill(64), arrival_us, "changes/s:1")))
    assert redriven is not None
    if allowed:
        check_first_place(redriven, ARRIVED)
    else:
        with pytest.raises(RejectedEventError, match="bad_envelope"):
            check_first_place(redriven, ARRIVED)


def test_positions_of_two_shards_say_nothing_of_each_other():
    """An envelope may go to another shard than its event did, whose positions are all lower."""
    redriven = unwrap(wrap(Delivery(b"{}", "8".zfill(64), ARRIVAL_US - 1, "changes/other:8")))
    assert redriven is not None
    check_first_place(redriven, ARRIVED)


def test_a_row_of_a_file_has_no_position_behind_its_own_either():
    """Where versions are positions of the stream, the version of a row's load is judged as one that an event brings."""
    row = {
        "file": "a.csv", "line": 2, "row": 1, "header": ["record_id"], "delimiter": ",", "quote": '"', "line_end": "\n",
        "encoding": "utf-8", "source": "a", "loaded_at": "2026-01-31T00:00:00Z", "text": "1\n", "record": None,
    }  # fmt: skip
    decoder = Decoder({"person": ruleset("person", PERSON, Source("a", version_kind="position"))})
    raw = orjson.dumps({"csv_row": row})
    with pytest.raises(RejectedEventError) as caught:
        decoder.decode(replace(ARRIVED, raw=raw))
    assert [reason.code for reason in caught.value.reasons] == ["version_ahead"]
    (event,) = decoder.decode(replace(ARRIVED, raw=raw, position="4".ljust(56, "9").zfill(64)))
    (again,) = decoder.decode(replace(ARRIVED, raw=encode_event(event), position="4".ljust(56, "9").zfill(64)))
    assert again.version == event.version
