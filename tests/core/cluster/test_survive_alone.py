"""A cluster of one takes a short way through survivorship that must not be seen in the result."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.cluster import survive as module
from mdm_stream.core.fold import EMPTY, fold_record
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.record import build_record
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
    },
)


@given(upsert=COLUMNS, patch=COLUMNS)
def test_one_member_survives_as_the_general_way_has_it(upsert, patch):
    """Values and provenance of a single record are those that the strategies give when they are run."""
    state = fold_record(EMPTY, RecordEvent("person", "crm", "1", "upsert", 1, 5, upsert)).state
    state = fold_record(state, RecordEvent("person", "crm", "1", "patch", 2, 9, patch)).state
    record = build_record(RULES, "crm/1", state)
    expected = {}
    for plan in module._plans(RULES):
        module._survive_together(RULES, plan, [record], expected)
    assert module.survive(RULES, [record]) == expected
