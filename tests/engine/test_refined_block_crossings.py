"""Blocks that cross their limits up and down, by inserts, updates, deletes and values that become generic."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import learned, small_rules

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex

SHARED = ("info@x.org",)
PEOPLE = {
    "plain": {"given_name": "Ann", "birth_date": "1980-01-01", "email": SHARED},
    "twin": {"given_name": "Abe", "birth_date": "1980-01-01", "email": SHARED},
    "other_year": {"given_name": "Ann", "birth_date": "1991-05-05"},
    "sparse": {"given_name": None},
    "own_mail": {"given_name": "Bob", "birth_date": "1980-01-02", "email": ("bob@x.org", *SHARED)},
}


def suspended_above(rules, tag, limit):
    """Return rules of which one key is suspended above a number of its own, and nothing refines it."""
    blocking = tuple(replace(each, refined_above=limit) if each.tag == tag else each for each in rules.blocking)
    return replace(rules, digest=f"{rules.digest}-{tag}-{limit}", blocking=blocking)


RULES = {
    "refined": small_rules(4, 50, refined_above=2),
    "generic": small_rules(3, 50, refined_above=3),
    "suspended": suspended_above(small_rules(5, 9, refined_above=3), "g", 2),
    "evidence": learned(small_rules(3, 50, refined_above=2, clustering="evidence", also=True)),
    "few kept": small_rules(4, 9, kept=2, refined_above=2),
}


@st.composite
def waves(draw):
    """Return events of one family, each record's with rising versions: it comes, changes, leaves the family, goes."""
    versions = dict.fromkeys(range(7), 0)
    events = []
    for _ in range(draw(st.integers(4, 24))):
        number = draw(st.sampled_from(sorted(versions)))
        versions[number] += 1
        act = draw(st.sampled_from(["come", "come", "come", "leave", "go"]))
        values = dict(PEOPLE[draw(st.sampled_from(sorted(PEOPLE)))])
        values["family_name"] = "Roth" if act == "leave" else "Lee"
        at_us = len(events) * 1_000_000
        op = "delete" if act == "go" else "upsert"
        source = ("crm", "web")[number % 2]
        args = ("person", source, str(number), op, versions[number], at_us)
        events.append(RecordEvent(*args) if act == "go" else RecordEvent(*args, values))
    return events


def ended(rules, events, size):
    """Return what an engine makes of events, in batches of a size."""
    index = MemoryIndex(rules)
    engine = Engine(rules, index)
    for start in range(0, len(events), size):
        engine.process(events[start : start + size])
    engine.drain()
    return index.snapshot()


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_any_order_of_a_wave_ends_in_f(rules):
    """However blocks grew and shrank on the way, the engine ends where the reference does, which has no way."""

    @settings(max_examples=40, deadline=None)
    @given(waves(), st.randoms(use_true_random=False), st.integers(1, 5))
    def agree(events, chance, size):
        shuffled = list(events)
        chance.shuffle(shuffled)
        expected = resolve(rules, events)
        assert resolve(rules, shuffled) == expected
        assert ended(rules, events, size) == expected
        assert ended(rules, shuffled, size) == expected

    agree()


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_a_wave_that_is_over_leaves_nothing_behind(rules):
    """Records that came and went, and closed blocks while they were there, leave the golden records as they were."""

    @settings(max_examples=30, deadline=None)
    @given(waves(), st.lists(st.sampled_from(sorted(PEOPLE)), min_size=1, max_size=6), st.integers(1, 4))
    def same(events, guests, size):
        before = ended(rules, events, size)
        wave = [
            RecordEvent("person", "erp", f"g{place}", "upsert", 1, 90_000_000, {**PEOPLE[name], "family_name": "Lee"})
            for place, name in enumerate(guests)
        ]
        gone = [RecordEvent("person", "erp", f"g{place}", "delete", 2, 91_000_000) for place in range(len(guests))]
        after = ended(rules, [*events, *wave, *gone], size)
        assert after.golden == before.golden
        assert after == resolve(rules, [*gone, *events, *wave])

    same()
