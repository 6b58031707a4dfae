"""A full name and its parts survive together, from one record, whatever records and stewards have of them."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from survive_world import DAY_US, golden, record, rules_of, strategies

from mdm_stream.core.cluster.survive import survive
from mdm_stream.core.fold import fold
from mdm_stream.core.model import OverrideEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.ruleset import Attribute
from mdm_stream.errors import ConfigurationError
from mdm_stream.index.redis.codec import decode_record, encode_record
from mdm_stream.rules import load_ruleset
from mdm_stream.steward.decide import override_event

RULES = load_ruleset("person")
PARTS = {"given_name": "Ann", "family_name": "Lee"}
MIDDLE = PARTS | {"middle_name": "Marie"}
ANN = PARTS | {"full_name": "Ann Lee"}
ANN_MARIE = MIDDLE | {"full_name": "Ann Marie Lee"}
WHOLE = {"full_name": "Bob Kim"}
FILLED = {"full_name": "Bob Kim", "given_name": "Bob", "family_name": "Kim"}


def test_a_record_alone_keeps_what_it_has():
    """A full name alone gives its parts, and parts give a full name; one part alone does not."""
    assert golden(RULES, {"crm/1": (0, WHOLE)}) == FILLED
    assert golden(RULES, {"crm/1": (0, PARTS)}) == ANN
    assert golden(RULES, {"crm/1": (0, {"family_name": "Lee"})}) == {"family_name": "Lee"}


def test_parts_of_one_and_the_full_name_of_another_are_not_mixed():
    """The newer record gives the whole name; if it has no full name, that is built from its parts."""
    assert golden(RULES, {"crm/1": (0, PARTS), "erp/1": (1, WHOLE)}) == FILLED
    assert golden(RULES, {"crm/1": (1, PARTS), "erp/1": (0, WHOLE)}) == ANN


def test_a_full_name_does_not_count_for_more_than_its_parts():
    """Of equally old records two with the same parts outvote one that is longer or has a cell more."""
    members = {"crm/1": (0, PARTS), "crm/2": (0, PARTS), "erp/1": (0, {"full_name": "Barbara Kimberley"})}
    for refs in permutations(members):
        assert golden(RULES, {ref: members[ref] for ref in refs}) == ANN
    assert golden(RULES, {"crm/1": (0, PARTS), "web/1": (0, {"full_name": "Ann Lee"}), "erp/1": (0, WHOLE)}) == ANN


def test_a_part_alone_does_not_take_the_others_away():
    """A newer record with only a family name, or only a given name, leaves the name whole; at any age."""
    for later in (1, 5000):
        for sparse in ({"family_name": "Kim"}, {"given_name": "Bob"}, {"full_name": "Bob"}):
            assert golden(RULES, {"crm/1": (0, PARTS), "erp/1": (later, sparse)}) == ANN


def test_a_middle_name_is_kept_between_equals():
    """Within a half-life the fuller name stands; a newer one that is as full wins."""
    assert golden(RULES, {"crm/1": (0, MIDDLE), "erp/1": (9, PARTS)}) == ANN_MARIE
    newer = MIDDLE | {"middle_name": "Rose"}
    assert golden(RULES, {"crm/1": (0, MIDDLE), "erp/1": (9, newer)}) == newer | {"full_name": "Ann Rose Lee"}


NAMES = st.fixed_dictionaries(
    {},
    optional={
        "given_name": st.sampled_from(["Ann", "Bob"]),
        "middle_name": st.sampled_from(["Marie", "J"]),
        "family_name": st.sampled_from(["Lee", "Kim"]),
        "full_name": st.sampled_from(["Ann Lee", "Bob J Kim", "Lee, Ann", "Ann"]),
    },
)


@given(st.lists(st.tuples(st.sampled_from(["crm", "erp", "web"]), st.integers(0, 900), NAMES), min_size=1, max_size=5))
def test_the_golden_name_is_the_name_of_one_record(drawn):
    """Values and origins of all four attributes are those of one member, in any order of the members."""
    members = [record(RULES, f"{source}/{i}", names, day) for i, (source, day, names) in enumerate(drawn)]
    kept = survive(RULES, members)
    assert kept == survive(RULES, members[::-1])
    refs = {origin.ref for survivor in kept.values() for origin in survivor.origins}
    assert len(refs) == (1 if any(names for _, _, names in drawn) else 0)
    for held in members:
        if held.ref in refs:
            values = zip(RULES.attributes, held.values, strict=True)
            whole = {attribute.name: value.value for attribute, value in values if value.value is not None}
            shown = {name: survivor.value for name, survivor in kept.items()}
            assert shown | {"full_name": ""} == whole | {"full_name": ""}
            assert shown.keys() >= whole.keys()


def overridden(columns, *overrides):
    """Return the golden values of one record and of an older one beside it, after overrides of the day each has."""
    held = record(RULES, "crm/1", columns)
    state = held.state
    for day, values in overrides:
        event = OverrideEvent("person", "crm/1", day, day * DAY_US, "s-1", values)
        state = fold(state, event, "crm/1").state
    held = build_record(RULES, "crm/1", state)
    assert decode_record("crm/1", encode_record(held)) == held
    beside = record(RULES, "old/1", {"full_name": "Zoe Zett", "city": "York"}, -5)
    alone = {name: survivor.value for name, survivor in survive(RULES, [held]).items()}
    among = {name: survivor.value for name, survivor in survive(RULES, [held, beside]).items()}
    assert {name: value for name, value in among.items() if name != "city"} == alone
    return alone


def test_an_override_of_a_full_name_gives_its_parts():
    """Parts that it lacks go; a part overridden with it or after it stands, and reaches the full name."""
    assert overridden(MIDDLE, (1, WHOLE)) == FILLED
    middle = {"middle_name": "J", "full_name": "Bob J Kim"}
    assert overridden(MIDDLE, (1, WHOLE | {"middle_name": "J"})) == FILLED | middle
    assert overridden(MIDDLE, (1, {"given_name": "Eve"}), (2, WHOLE)) == FILLED
    assert overridden(MIDDLE, (2, WHOLE), (3, {"full_name": None})) == ANN_MARIE


def test_an_override_of_a_part_reaches_the_full_name():
    """What stands is what the steward said, and the other parts; the full name is built from them."""
    eve = {"given_name": "Eve", "family_name": "Kim", "full_name": "Eve Kim"}
    assert overridden(WHOLE, (1, {"given_name": "Eve"})) == eve
    assert overridden(PARTS, (1, WHOLE), (2, {"given_name": "Eve"})) == eve
    assert overridden(WHOLE, (1, {"given_name": "Eve"}), (2, {"given_name": None})) == FILLED


def test_overrides_of_several_members_do_not_mix_a_full_name_with_others_parts():
    """The newest override counts for each part, the derived ones too."""
    members = []
    for ref, day, values in (("crm/1", 1, WHOLE), ("erp/1", 2, {"full_name": "Eve Moss"}), ("web/1", 0, PARTS)):
        state = record(RULES, ref, MIDDLE).state
        event = OverrideEvent("person", ref, 1, day * DAY_US, "s-1", values)
        members.append(build_record(RULES, ref, fold(state, event, ref).state))
    kept = {name: survivor.value for name, survivor in survive(RULES, members).items()}
    assert kept == {"full_name": "Eve Moss", "given_name": "Eve", "family_name": "Moss"}
    assert {o.ref for survivor in survive(RULES, members).values() for o in survivor.origins} == {"steward/erp/1"}


def test_an_override_with_one_invalid_value_is_refused():
    """A steward's slip in one of several emails is told, though the others are good."""
    values = {"email": ("a@x.org", "not an email")}
    with pytest.raises(ConfigurationError, match="the value for email is not valid"):
        override_event(RULES, "crm/1", values, steward="s", version=1, time_us=1)
    with pytest.raises(ConfigurationError, match="the value for given_name is not valid"):
        override_event(RULES, "crm/1", {"full_name": "Bob Kim", "given_name": "n/a"}, steward="s", version=1, time_us=1)


def test_a_full_name_of_several_fills_from_a_valid_one():
    """An invalid spelling is split only if there is no other."""
    names = Attribute("names", "full_name", multi=True, pattern="[A-Z].*", fills={"family": "family"})
    rules = rules_of(names, Attribute("family", "name"), by=strategies("most_recent"))
    assert golden(rules, {"crm/1": (0, {"names": ("aaron aa", "Bob Kim")})})["family"] == "Kim"
    assert golden(rules, {"crm/1": (0, {"names": ("aaron aa", "bob kim")})})["family"] == "aa"
