"""Overrides, expiries and erasures in a record's state: any order, any repetition, and states that join."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from small_world import VALUES, record_events, verdict_events

from mdm_stream.core.fold import EMPTY, ERASED, Delivered, fold, join_states, state_from_wire, state_to_wire
from mdm_stream.core.model import EraseEvent, OverrideEvent
from mdm_stream.core.overrides import expiries_due, next_expiry_us

REF = "crm/1"


@st.composite
def override_events(draw):
    """An override of one or two attributes of one record, a withdrawal, or an expiry of it."""
    version = draw(st.integers(1, 4))
    names = draw(st.lists(st.sampled_from(["given_name", "family_name"]), min_size=1, max_size=2, unique=True))
    if draw(st.booleans()):
        return OverrideEvent("person", REF, version, draw(st.integers(10, 12)), "", dict.fromkeys(names), expired=True)
    values = {name: draw(VALUES[name]) for name in names}
    end_us = draw(st.sampled_from([None, 10, 11, 12]))
    return OverrideEvent("person", REF, version, draw(st.integers(0, 3)), "steward-1", values, end_us)


EVENTS = st.lists(
    st.one_of(
        record_events().map(lambda event: replace(event, source="crm", record_id="1")),
        verdict_events().map(lambda event: replace(event, a=REF, b="erp/1")),
        override_events(),
    ),
    max_size=8,
)


def folded(events):
    """Return the state of events, in their order."""
    state = EMPTY
    for event in events:
        state = fold(state, event, REF).state
    return state


@given(EVENTS, st.randoms(use_true_random=False), st.booleans())
def test_any_order_with_any_repetition_gives_one_state(events, chance, erased):
    """Folding commutes and absorbs duplicates, with overrides, expiries and an erasure among the events."""
    events = [*events, EraseEvent("person", REF, 5)] if erased else events
    again = [*events, *chance.sample(events, len(events) // 2)]
    chance.shuffle(again)
    assert folded(again) == folded(events)
    assert (folded(events) == ERASED) == erased


@given(EVENTS, EVENTS)
def test_states_join_as_their_events_do(left, right):
    """The join of two states is the state of both histories; it commutes, and a state joined with itself is itself."""
    whole = folded([*left, *right])
    joined = join_states(folded(left), folded(right))
    assert joined == whole == join_states(folded(right), folded(left))
    assert join_states(whole, whole) == whole
    assert fold(folded(left), Delivered("person", REF, folded(right)), REF).state == whole


@given(EVENTS, st.booleans())
def test_a_state_is_written_and_read_as_it_was(events, erased):
    """The wire form has all of a state, and equal states have equal forms."""
    state = ERASED if erased else folded(events)
    assert state_from_wire(state_to_wire(state)) == state


def test_an_expiry_ends_its_own_override_and_no_newer_one():
    """Of one version the expiry wins, whichever comes first; an override of a newer version stands."""
    first = OverrideEvent("person", REF, 1, 0, "steward-1", {"given_name": "Ada"}, 10)
    newer = OverrideEvent("person", REF, 2, 1, "steward-1", {"given_name": "Eva"}, 20)
    (expiry,) = expiries_due("person", REF, folded([first]), now_us=10)
    assert expiries_due("person", REF, folded([first]), now_us=9) == []
    assert next_expiry_us(folded([first])) == 10
    assert folded([first, expiry]) == folded([expiry, first])
    assert folded([first, expiry]).overrides["given_name"].value is None
    assert next_expiry_us(folded([first, expiry])) is None
    for order in ([first, expiry, newer], [newer, expiry, first], [expiry, newer, first]):
        assert folded(order).overrides["given_name"].value == "Eva"
        assert next_expiry_us(folded(order)) == 20


def test_an_erased_key_stays_erased():
    """Whatever is delivered after an erasure, or was before it, leaves one and the same state."""
    chance = random.Random(1)
    override = OverrideEvent("person", REF, 1, 0, "steward-1", {"given_name": "Ada"})
    events = [override, EraseEvent("person", REF, 5), EraseEvent("person", REF, 6)]
    for _ in range(6):
        chance.shuffle(events)
        assert folded(events) == ERASED
