"""Golden ids: made from the anchor alone, given back by a separation, and of what is gone without a trace."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenarios.storyline import ANN, BOB, delete, erasure, patch, record, verdict
from small_world import HISTORIES, small_rules

from mdm_stream.core.cluster.golden import anchor_named_by, anchor_of, golden_id_of
from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import fold_events, resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex

RULES = small_rules(max_block_size=50, max_cluster_size=50)


def hashed(domain, source, record_id):
    """Return what the documents say of an id: ``g`` and 24 hex digits of BLAKE2b over a JSON list."""
    text = json.dumps([domain, source, record_id], separators=(",", ":"), ensure_ascii=False)
    return "g" + hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def both(events):
    """Return F of events, which the engine, event by event, has too."""
    found = resolve(RULES, events)
    index = MemoryIndex(RULES)
    for event in events:
        assert Engine(RULES, index).process([event]).failed == []
    assert index.snapshot() == found
    return found


def record_of(ref, *times_us):
    """Return a live record with events at these times, versions upwards."""
    state = EMPTY
    source, _, record_id = ref.partition("/")
    for version, time_us in enumerate(times_us):
        event = RecordEvent("person", source, record_id, "upsert", version, time_us, {"given_name": "Ann"})
        state = fold(state, event, ref).state
    return build_record(RULES, ref, state)


@pytest.mark.parametrize("ref", ["crm/1", "crm/a/b/c", "crm/", "erp/ü 1", 'web/"x"'])
def test_an_id_is_the_hash_of_domain_source_and_record_id(ref):
    """The first slash of a reference separates; nothing else goes into the id."""
    source, _, record_id = ref.partition("/")
    assert golden_id_of("person", ref) == hashed("person", source, record_id)
    assert golden_id_of("organisation", ref) != golden_id_of("person", ref)


@pytest.mark.parametrize(
    ("members", "anchor"),
    [
        ({"erp/1": (5,), "crm/1": (7,)}, "erp/1"),
        ({"erp/1": (7,), "crm/1": (7,)}, "crm/1"),
        ({"crm/2": (7,), "crm/10": (7,)}, "crm/10"),
        ({"crm.x/1": (7,), "crm/1": (7,)}, "crm/1"),
        ({"crm-b/1": (7,), "crm/1": (7,)}, "crm/1"),
        ({"erp/1": (9, 8, 3, 9), "crm/1": (7, 4)}, "erp/1"),
        ({"erp/1": (-5,), "crm/1": (0,)}, "erp/1"),
    ],
    ids=["born first", "source", "record id as text", "source, not reference", "dash", "late events", "before 1970"],
)
def test_the_anchor_is_the_least_by_birth_source_and_record_id(members, anchor):
    """Born is the earliest time ever delivered; sources and record ids are compared one by one, as texts."""
    records = [record_of(ref, *times_us) for ref, times_us in members.items()]
    assert anchor_of(records) == anchor_of(reversed(records)) == anchor
    assert anchor_named_by("person", golden_id_of("person", anchor), members) == anchor
    assert anchor_named_by("person", "g0", members) is None


def test_merging_and_separating_gives_the_old_ids_back():
    """The merged record has the older one's id; each has its own again by a change of values and by a verdict."""
    apart = [record("erp/1", ANN, day=1), record("crm/1", BOB, day=2)]
    before = both(apart)
    assert before.crosswalk == {"crm/1": hashed("person", "crm", "1"), "erp/1": hashed("person", "erp", "1")}
    merged = [*apart, record("crm/1", ANN, day=3, version=2)]
    assert set(both(merged).crosswalk.values()) == {hashed("person", "erp", "1")}
    assert both([*merged, record("crm/1", BOB, day=4, version=3)]).crosswalk == before.crosswalk
    assert both([*merged, verdict("crm/1", "erp/1", "separate")]).crosswalk == before.crosswalk


def test_an_id_moves_with_its_anchor_and_comes_back_with_it():
    """A record without its anchor has the id of the next one; the anchor's return brings the old id, older or not."""
    three = [record("crm/1", ANN, day=1), record("erp/1", ANN, day=2), record("web/1", ANN, day=3)]
    assert set(both(three).crosswalk.values()) == {hashed("person", "crm", "1")}
    without = [*three, delete("crm/1")]
    assert set(both(without).crosswalk.values()) == {hashed("person", "erp", "1")}
    again = [*without, record("crm/1", ANN, day=200, version=10)]
    assert both(again).crosswalk == both(three).crosswalk


@pytest.mark.parametrize("end", [delete("erp/9"), erasure("erp/9")], ids=["delete", "erasure"])
@pytest.mark.parametrize("values", [ANN, BOB], ids=["linked", "alone"])
def test_adding_and_removing_leaves_no_trace(values, end):
    """A record that came, changed and went is in nothing that F says, whichever came first."""
    kept = [record("crm/1", ANN, day=5), record("erp/1", ANN, day=6)]
    passing = [record("erp/9", values, day=1), patch("erp/9", version=2, email="a@x.org"), end]
    expected = both(kept)
    assert both([*kept, *passing]) == both([*passing, *kept]) == both([end, *kept, *passing[:2]]) == expected


@given(HISTORIES)
def test_ids_depend_on_members_alone(history):
    """In any history each golden record has the hash of its least member, whatever values and verdicts there are."""
    states = fold_events(history)
    for golden_id, golden in resolve(small_rules(), history).golden.items():
        keys = [(member["source"], member["record_id"]) for member in golden["members"]]
        born = {key: min(e.event_time_us for e in history if getattr(e, "ref", None) == "/".join(key)) for key in keys}
        assert {key: states["/".join(key)].born_at_us for key in keys} == born
        assert golden_id == hashed("person", *min(keys, key=lambda key: (born[key], key)))


@given(HISTORIES, st.randoms(use_true_random=False))
def test_ids_depend_on_no_order(history, chance):
    """The same events in another order give the same crosswalk."""
    shuffled = chance.sample(history, len(history))
    assert resolve(small_rules(), shuffled).crosswalk == resolve(small_rules(), history).crosswalk
