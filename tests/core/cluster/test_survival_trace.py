"""The trace of survivorship is of what survives, and leaves no competitor without a reason."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import SOURCES, VALUES, small_rules

from mdm_stream.core.cluster.survival_trace import trace_survival
from mdm_stream.core.cluster.survive import OVERRIDE, survive
from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import OverrideEvent, RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.ruleset import Strategy, SurvivorshipRule

SMALL = small_rules()
WITH_FILTERS = replace(
    SMALL,
    survivorship=(
        SurvivorshipRule((0,), (Strategy("valid_only"), Strategy("source_priority"), Strategy("longest"))),
        SurvivorshipRule((1, 2), (Strategy("most_frequent"), Strategy("most_recent"))),
        SurvivorshipRule((3,), (Strategy("valid_only"), Strategy("union"))),
    ),
)


@st.composite
def clusters(draw):
    """Rules, and one to five live records under them."""
    rules = draw(st.sampled_from([SMALL, WITH_FILTERS]))
    refs = draw(st.lists(st.tuples(SOURCES, st.sampled_from("123")), min_size=1, max_size=5, unique=True))
    members = []
    for source, record_id in refs:
        attributes = {name: draw(values) for name, values in VALUES.items()}
        event = RecordEvent("person", source, record_id, "upsert", 1, draw(st.integers(0, 9)) * 10**11, attributes)
        ref = f"{source}/{record_id}"
        state = fold(EMPTY, event, ref).state
        if draw(st.integers(0, 4)) == 0:
            set_by = OverrideEvent("person", ref, 2, 10**12, "s-1", {"birth_date": "1999-09-09"})
            state = fold(state, set_by, ref).state
        members.append(build_record(rules, ref, state))
    return rules, members


@given(clusters())
@settings(max_examples=200, deadline=None)
def test_the_trace_is_of_what_survives(cluster):
    """Survivors are those of ``survive``; a value comes from a competitor that did not lose, by what decided."""
    rules, members = cluster
    survivors, traces = trace_survival(rules, members)
    assert survivors == survive(rules, members)
    assert trace_survival(rules, members[::-1]) == (survivors, traces)
    by_name = {rules.attributes[place].name: trace for trace in traces for place in trace.rule.attributes}
    for name, survivor in survivors.items():
        for origin in survivor.origins:
            if origin.strategy == OVERRIDE:
                continue
            trace = by_name[name]
            assert origin.strategy == trace.decided_by
            assert next(each for each in trace.competitors if each.ref == origin.ref).lost_by == ""


@given(clusters())
@settings(max_examples=100, deadline=None)
def test_every_record_with_a_value_competes_and_has_a_reason(cluster):
    """Each member that has a value of the rule is there once; one survives, or all that a union keeps, or none."""
    rules, members = cluster
    _, traces = trace_survival(rules, members)
    for trace in traces:
        names = [strategy.name for strategy in trace.rule.strategies]
        refs = [each.ref for each in trace.competitors]
        having = {m.ref for m in members if any(m.values[place].value is not None for place in trace.rule.attributes)}
        assert set(refs) == having
        assert len(refs) == len(having)
        left = [each for each in trace.competitors if not each.lost_by]
        assert all(each.lost_by in [*names, "record_key", ""] for each in trace.competitors)
        if "union" not in names:
            assert len(left) == 1 or "valid_only" in {each.lost_by for each in trace.competitors}
            assert len(left) <= 1
