"""A cluster of one takes a short way through survivorship that must not be seen in the result."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.cluster import survive as module
from mdm_stream.core.cluster.survival_trace import trace_survival
from mdm_stream.core.cluster.survive import STRATEGY_NAMES
from mdm_stream.core.fold import EMPTY, fold_record
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.ruleset import Attribute, Strategy, SurvivorshipRule
from mdm_stream.core.standardise import standardise_record
from mdm_stream.rules import load_ruleset

RULES = load_ruleset("person")
COLUMNS = st.fixed_dictionaries(
    {},
    optional={
        "given_name": st.sampled_from(["Ann", "n/a", ""]),
        "birth_date": st.sampled_from(["1980-02-30", "1980-02-03", "x"]),
        "email": st.lists(st.sampled_from(["a@x.org", "B@x.org", "bad"]), max_size=3).map(tuple),
        "phone": st.sampled_from(["0", "+1 202 555 0123", "12345678"]),
        "city": st.sampled_from(["York", ""]),
        "street": st.sampled_from(["14 Kirkgate"]),
        "full_name": st.sampled_from(["Ann Lee", "Bob Kim"]),
    },
)


@given(upsert=COLUMNS, patch=COLUMNS)
def test_one_member_survives_as_the_general_way_has_it(upsert, patch):
    """Values and provenance of a single record are those that the strategies give when they are run."""
    state = fold_record(EMPTY, RecordEvent("person", "crm", "1", "upsert", 1, 5, upsert)).state
    state = fold_record(state, RecordEvent("person", "crm", "1", "patch", 2, 9, patch)).state
    record = build_record(RULES, "crm/1", state)
    assert module.survive(RULES, [record]) == trace_survival(RULES, [record])[0]
    rules = replace(RULES, survivorship=tuple(map(without_compose, RULES.survivorship)))
    expected = {}
    for plan in module._plans(rules):
        module._survive_together(
            rules, plan, module._candidates(plan, [record], ["crm"]), module._Origins(rules), expected
        )
    assert module.survive(rules, [record]) == expected


def without_compose(rule):
    """Return a rule that builds no wholes: those are looked at when all rules have been followed."""
    return replace(rule, strategies=tuple(each for each in rule.strategies if each.name != "compose"))


OPTIONS = {"trust": {"half_life_days": 1.0}, "source_priority": {"sources": ("web", "crm")}}
SINGLE = st.lists(
    st.sampled_from(sorted(set(STRATEGY_NAMES) - {"union", "compose"})), min_size=1, max_size=3, unique=True
)
ATTRIBUTES = (
    Attribute("given", "name", pattern="[A-Z].*"),
    Attribute("family", "name"),
    Attribute("whole", "full_name", fills={"given": "given", "family": "family"}),
    Attribute("email", "email", multi=True),
    Attribute("code", "identifier", multi=True, pattern="[A-Z][0-9]"),
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "given": st.sampled_from(["Ann", "ann", "n/a"]),
        "family": st.sampled_from(["Lee", ""]),
        "whole": st.sampled_from(["Bob Kim", "bob", "Kim, Bob"]),
        "email": st.lists(st.sampled_from(["a@x.org", "A@x.org", "bad", "worse"]), max_size=3).map(tuple),
        "code": st.lists(st.sampled_from(["A1", "a1", "zz", "B2"]), max_size=4).map(tuple),
    },
)


@st.composite
def any_rules(draw):
    """Rules of any grouping of the attributes, in any order, by any strategies; a union of multi-valued ones."""
    order = draw(st.permutations(range(len(ATTRIBUTES))))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1))))
    groups = [tuple(order[a:b]) for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    ruled = []
    for group in groups:
        names = draw(SINGLE)
        if all(ATTRIBUTES[place].multi for place in group) and draw(st.booleans()):
            names = [*names, "union"]
        ruled.append(SurvivorshipRule(group, tuple(Strategy(name, OPTIONS.get(name, {})) for name in names)))
    return replace(RULES, attributes=ATTRIBUTES, blocking=(), survivorship=tuple(ruled))


@given(rules=any_rules(), upsert=VALUES, patch=VALUES)
def test_one_member_survives_so_under_any_rules(rules, upsert, patch):
    """No strategy, group, filter or union makes the short way and the general way differ; nothing invalid is kept."""
    state = fold_record(EMPTY, RecordEvent("person", "crm", "1", "upsert", 1, 5, upsert)).state
    state = fold_record(state, RecordEvent("person", "crm", "1", "patch", 2, 9, patch)).state
    record = build_record(rules, "crm/1", state)
    expected = {}
    for plan in module._plans(rules):
        module._survive_together(
            rules, plan, module._candidates(plan, [record], ["crm"]), module._Origins(rules), expected
        )
    kept = module.survive(rules, [record])
    assert kept == expected
    for rule in rules.survivorship:
        for place in rule.attributes:
            survivor = kept.get(ATTRIBUTES[place].name)
            if survivor is not None:
                single = isinstance(survivor.value, str)
                assert len(survivor.origins) in {1, 1 if single else len(survivor.value)}
            if survivor is not None and "valid_only" in [strategy.name for strategy in rule.strategies]:
                texts = [survivor.value] if isinstance(survivor.value, str) else survivor.value
                standardise = standardise_record(rules, "crm", {ATTRIBUTES[place].name: tuple(texts)})[place]
                assert standardise.valid
                assert not standardise.invalid
