"""The laws of the fold, over every kind of event at once, and what wins, told by a naive maximum over all events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.canonical import digest_of
from mdm_stream.core.fold import EMPTY, ERASED, Delivered, fold, join_states
from mdm_stream.core.model import EraseEvent, OverrideEvent, RecordEvent, VerdictEvent, version_order

REF = "crm/1"
VERSIONS = st.sampled_from([1, 2, 3, 10, -1, "1", "10", "2", "a"])
TIMES = st.integers(0, 4)
NAMES = ("given_name", "family_name", "email")
VALUES = st.sampled_from(["Ann", "Bob", 7, True, None, ("a@x.org", "b@x.org")])
ATTRIBUTES = st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1)


@st.composite
def record_writes(draw):
    """An upsert, a patch or a delete of the record; versions are few, so equal ones with other content are many."""
    op = draw(st.sampled_from(["upsert", "patch", "patch", "delete"]))
    attributes = {} if op == "delete" else draw(ATTRIBUTES)
    return RecordEvent("person", "crm", "1", op, draw(VERSIONS), draw(TIMES), attributes)


@st.composite
def verdicts(draw):
    """A verdict on the record and one of two others, one before and one after it in order."""
    a, b = sorted((REF, draw(st.sampled_from(["aaa/1", "erp/1"]))))
    word = draw(st.sampled_from(["link", "separate", "none"]))
    return VerdictEvent("person", a, b, word, draw(VERSIONS), draw(TIMES), draw(st.sampled_from(["s-1", "s-2"])))


@st.composite
def overrides(draw):
    """An override of the record, a withdrawal, or the expiry of one."""
    if draw(st.booleans()):
        nothing = dict.fromkeys(draw(ATTRIBUTES))
        return OverrideEvent("person", REF, draw(VERSIONS), draw(TIMES), "", nothing, expired=True)
    ends = draw(st.sampled_from([None, 10, 11]))
    return OverrideEvent("person", REF, draw(VERSIONS), draw(TIMES), "s-1", draw(ATTRIBUTES), ends)


EVENTS = st.one_of(record_writes(), record_writes(), verdicts(), overrides())
ERASURES = st.builds(EraseEvent, st.just("person"), st.just(REF), TIMES)
HISTORIES = st.lists(EVENTS, max_size=10)
HISTORIES_WITH_ERASURES = st.lists(st.one_of(*[EVENTS] * 12, ERASURES), max_size=10)


def folded(events, state=EMPTY):
    """Return the state of events folded in their order."""
    for event in events:
        state = fold(state, event, REF).state
    return state


@given(HISTORIES_WITH_ERASURES, EVENTS, EVENTS)
def test_two_events_commute(before, first, second):
    """Over whatever was delivered before, two events give the same state in either order."""
    state = folded(before)
    assert folded([first, second], state) == folded([second, first], state)


@given(HISTORIES_WITH_ERASURES, st.randoms(use_true_random=False))
def test_a_history_folds_to_one_state_in_any_order(history, chance):
    """No order and no repetition of a history is seen in its state."""
    again = [*history, *chance.sample(history, len(history) // 2)]
    chance.shuffle(again)
    assert folded(again) == folded(history)


@given(HISTORIES_WITH_ERASURES, st.data())
def test_an_event_that_was_folded_changes_nothing_again(history, data):
    """What was folded once is absorbed, wherever it was in the history: the very same state comes back."""
    state = folded(history)
    if history:
        assert fold(state, data.draw(st.sampled_from(history)), REF).state is state


@given(HISTORIES_WITH_ERASURES, st.one_of(EVENTS, ERASURES))
def test_folding_an_event_is_joining_its_own_state(history, event):
    """``fold`` of an event is the join with the state of that event alone."""
    assert folded([event], folded(history)) == join_states(folded(history), folded([event]))


@given(HISTORIES_WITH_ERASURES, HISTORIES_WITH_ERASURES, HISTORIES_WITH_ERASURES)
def test_joining_is_a_semilattice(first, second, third):
    """Joining commutes, associates, absorbs, has the empty state as its least and the erased one as its greatest."""
    a, b, c = folded(first), folded(second), folded(third)
    assert join_states(a, b) == join_states(b, a) == folded([*first, *second])
    assert join_states(join_states(a, b), c) == join_states(a, join_states(b, c))
    assert join_states(a, a) == a == join_states(a, EMPTY)
    assert join_states(a, ERASED) == ERASED


@given(HISTORIES_WITH_ERASURES, HISTORIES_WITH_ERASURES)
def test_a_folded_state_stands_for_its_events(first, second):
    """A state that was folded elsewhere is delivered like its events; once more, it changes nothing."""
    whole = folded([*first, *second])
    delivered = fold(folded(first), Delivered("person", REF, folded(second)), REF).state
    assert delivered == whole
    assert fold(delivered, Delivered("person", REF, folded(second)), REF).state is delivered


@given(HISTORIES)
def test_columns_are_those_of_the_newest_writes(history):
    """Per column the greatest version wins, an upsert writes all of them; a record lives by its newest whole write."""
    state = folded(history)
    writes = [event for event in history if isinstance(event, RecordEvent)]

    def order(event):
        digest = digest_of([event.op, event.event_time_us, dict(event.attributes)])
        return version_order(event.version), digest

    whole = max((event for event in writes if event.op != "patch"), key=order, default=None)
    patches = [event for event in writes if event.op == "patch" and (whole is None or order(event) > order(whole))]
    expected = {}
    for name in NAMES:
        of_column = [event for event in patches if name in event.attributes]
        newest = max(of_column, key=order, default=whole)
        if newest is not None and newest.attributes.get(name) is not None:
            expected[name] = newest.attributes[name]
        if newest is not None:
            assert state.written(name) == (newest.version, newest.event_time_us)
    assert state.columns() == expected
    assert state.live == (bool(patches) or (whole is not None and whole.op == "upsert"))
    assert state.born_at_us == min((event.event_time_us for event in writes), default=None)


@given(HISTORIES)
def test_verdicts_are_the_newest_on_each_pair(history):
    """Per other record the verdict of the greatest version stands, a withdrawal too."""
    state = folded(history)
    words = [event for event in history if isinstance(event, VerdictEvent)]
    for other in ("aaa/1", "erp/1"):
        about = [event for event in words if other in event.refs]
        newest = max((version_order(event.version) for event in about), default=None)
        standing = {event.verdict for event in about if version_order(event.version) == newest}
        held = state.verdicts.get(other)
        assert (held is None) == (not about)
        assert held is None or (held.verdict in standing and version_order(held.version) == newest)


@given(HISTORIES)
def test_overrides_are_the_newest_of_each_attribute(history):
    """Per attribute the greatest version stands, and of that version its expiry, which leaves no value."""
    state = folded(history)
    given_ = [event for event in history if isinstance(event, OverrideEvent)]
    for name in NAMES:
        about = [event for event in given_ if name in event.attributes]
        newest = max((version_order(event.version) for event in about), default=None)
        last = [event for event in about if version_order(event.version) == newest]
        held = state.overrides.get(name)
        assert (held is None) == (not about)
        if held is not None:
            assert version_order(held.version) == newest
            assert held.expired == any(event.expired for event in last)
            assert held.value in ({None} if held.expired else {event.attributes[name] for event in last})


@given(EVENTS.filter(lambda event: not getattr(event, "expired", False)), st.data())
def test_of_equal_versions_the_greater_digest_wins_and_is_counted(event, data):
    """Two different events of one version give one state in either order, and the second is told as a collision."""
    same = EVENTS.filter(lambda other: type(other) is type(event) and not getattr(other, "expired", False))
    other = data.draw(same)
    fields = {name: getattr(other, name) for name in other.__dataclass_fields__} | {"version": event.version}
    other = type(other)(**fields)
    first, second = fold(EMPTY, event, REF).state, fold(EMPTY, other, REF).state
    assert folded([event, other]) == folded([other, event])
    if _meet(first, second):
        assert fold(first, other, REF).collided
        assert fold(second, event, REF).collided
    if event == other:
        assert not fold(first, other, REF).collided


def _meet(first, second):
    """Whether two states of one event each hold different writes in one place."""
    places = [(first.base, second.base)]
    for left, right in ((first.patches, second.patches), (first.verdicts, second.verdicts)):
        places += [(left[name], right[name]) for name in left.keys() & right.keys()]
    places += [(first.overrides[n], second.overrides[n]) for n in first.overrides.keys() & second.overrides.keys()]
    return any(a is not None and b is not None and a.digest != b.digest for a, b in places)


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [(1, 2), (2, 10), (-5, 0), (2**62, "0"), (10, "1"), ("10", "2"), ("A", "a"), ("", "0")],
)
def test_versions_are_ordered_as_documented(lesser, greater):
    """Integers by value, then texts by code point; every integer sorts below every text."""
    old = RecordEvent("person", "crm", "1", "upsert", lesser, 5, {"given_name": "old"})
    new = RecordEvent("person", "crm", "1", "upsert", greater, 5, {"given_name": "new"})
    for events in ([old, new], [new, old]):
        assert folded(events).columns() == {"given_name": "new"}
        assert not fold(folded(events[:1]), events[1], REF).collided


def test_what_makes_a_record_live():
    """A patch asserts that its record exists, also after a delete; a verdict and an override assert nothing."""
    upsert = RecordEvent("person", "crm", "1", "upsert", 1, 5, {"given_name": "Ann", "email": "a@x.org"})
    delete = RecordEvent("person", "crm", "1", "delete", 2, 6)
    patch = RecordEvent("person", "crm", "1", "patch", 3, 7, {"email": None})
    verdict = VerdictEvent("person", REF, "erp/1", "link", 9, 0, "s-1")
    override = OverrideEvent("person", REF, 9, 0, "s-1", {"given_name": "Eva"})
    assert folded([upsert]).live
    assert not folded([delete, upsert]).live
    assert folded([upsert, delete, patch]).live
    assert folded([upsert, delete, patch]).columns() == {}
    assert folded([upsert, patch]).columns() == {"given_name": "Ann"}
    assert not folded([verdict, override]).live
    assert folded([verdict, override]).born_at_us is None
    assert folded([delete, upsert]).born_at_us == 5
