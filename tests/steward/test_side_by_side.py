"""Two records side by side: what is the same, and where two texts differ."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import small_rules

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.steward.side_by_side import COMPARED_CHARS_MAX, agreement_of, differences

RULES = small_rules()
TEXTS = st.text(st.sampled_from("abc \u0301\u200dé漢"), max_size=12)


def record(ref, op="upsert", **attributes):
    """One source record."""
    source, record_id = ref.split("/")
    event = RecordEvent("person", source, record_id, op, 1, 0, attributes)
    return build_record(RULES, ref, fold(EMPTY, event, ref).state)


@given(left=TEXTS, right=TEXTS)
@settings(max_examples=200, deadline=None)
def test_segments_are_the_texts_and_what_is_shared_is_shared(left, right):
    """Nothing of a text is lost, neighbours differ in kind, and what is not marked is the same in both, in order."""
    ours, theirs = differences(left, right)
    for text, segments in ((left, ours), (right, theirs)):
        assert "".join(each.text for each in segments) == text
        assert all(a.differs != b.differs for a, b in pairwise(segments))
    shared = ["".join(each.text for each in segments if not each.differs) for segments in (ours, theirs)]
    assert shared[0] == shared[1]
    assert (left == right) == (not any(each.differs for each in [*ours, *theirs]))


def test_an_accent_differs_with_its_letter():
    """A mark alone is nothing that a person can see: its letter is marked with it."""
    ours, theirs = differences("Jose\u0301", "Jose")
    assert [each.text for each in ours if each.differs] == ["e\u0301"]
    assert [each.text for each in theirs if each.differs] == ["e"]


def test_a_text_too_long_to_compare_differs_as_a_whole():
    """Comparing takes time by the square of the length, so very long texts are marked whole."""
    ours, _ = differences("a" * (COMPARED_CHARS_MAX + 1), "a")
    assert [each.differs for each in ours] == [True]


def test_agreement_is_as_matching_sees_values():
    """The same after folding is the same; of several values one in common is said; a deleted record has none."""
    a = record("crm/1", given_name="ANN", family_name="Lee", email=("a@x.org", "b@x.org"))
    b = record("erp/1", given_name="Ann", family_name="Kim", birth_date="1980-01-01", email=("b@x.org",))
    assert agreement_of(RULES, a, b) == {
        "given_name": "same",
        "family_name": "differs",
        "birth_date": "missing",
        "email": "partly",
    }
    gone = record("web/1", op="delete")
    assert set(agreement_of(RULES, a, gone).values()) == {"missing"}
    assert agreement_of(RULES, gone, gone) == {}
