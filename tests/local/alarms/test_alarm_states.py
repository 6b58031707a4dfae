"""The state of an alarm is what CloudWatch's user guide says that it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.local.alarms import AlarmState, next_state

RETAIN = "retain"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
THREE_OF_THREE = {
    "0 - X - X": ("OK", "OK", "OK", "OK"),
    "0 - - - -": ("OK", "OK", "OK", "OK"),
    "- - - - -": ("INSUFFICIENT_DATA", RETAIN, "ALARM", "OK"),
    "0 X X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "- - X - -": ("ALARM", RETAIN, "ALARM", "OK"),
}
TWO_OF_THREE = {
    "0 - X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0 0 X 0 X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0 - X - -": ("OK", "OK", "ALARM", "OK"),
    "- - - - 0": ("OK", "OK", "ALARM", "OK"),
    "- - - X -": ("ALARM", RETAIN, "ALARM", "OK"),
}
"""Both tables of "Configuring how CloudWatch alarms treat missing data", by the treatments in their order."""
CASES = [
    (needed, row, treatment, state)
    for needed, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for row, states in table.items()
    for treatment, state in zip(TREATMENTS, states, strict=True)
]
POINTS = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=9)


def points_of(row: str) -> list[bool | None]:
    """Return the periods of a row of the guide."""
    return [{"0": False, "X": True, "-": None}[each] for each in row.split()]


@pytest.mark.parametrize("before", list(AlarmState))
@pytest.mark.parametrize(("needed", "row", "treatment", "state"), CASES)
def test_the_tables_of_the_user_guide_hold(needed, row, treatment, state, before):
    """Every row, for each treatment of missing data, from every state before it."""
    found = next_state(points_of(row), before, needed=needed, evaluated=3, missing=treatment)
    assert found == (before if state == RETAIN else state)


@pytest.mark.parametrize("row", ["- - - - X", "- - - X -"])
def test_points_that_are_too_new_do_not_raise_an_alarm(row):
    """Three of three are needed, and the next one may be good."""
    for treatment in ("missing", "ignore", "notBreaching"):
        found = next_state(points_of(row), AlarmState.OK, needed=3, evaluated=3, missing=treatment)
        assert found == AlarmState.OK


@given(points=POINTS, evaluated=st.integers(1, 7), data=st.data())
def test_periods_with_data_decide_alone_where_there_are_enough(points, evaluated, data):
    """The treatment of missing data and the state before make a difference only where periods lack."""
    needed = data.draw(st.integers(1, evaluated))
    found = {
        next_state(points, before, needed=needed, evaluated=evaluated, missing=treatment)
        for before in AlarmState
        for treatment in TREATMENTS
    }
    real = [point for point in points if point is not None]
    if len(real) >= evaluated:
        assert found == {AlarmState.ALARM if sum(real[-evaluated:]) >= needed else AlarmState.OK}


@given(points=POINTS, evaluated=st.integers(1, 7), data=st.data(), before=st.sampled_from(list(AlarmState)))
def test_treatments_are_ordered(points, evaluated, data, before):
    """What is in alarm where missing data do not breach is so under every treatment, and all of it where they do."""
    needed = data.draw(st.integers(1, evaluated))
    alarms = {
        treatment: next_state(points, before, needed=needed, evaluated=evaluated, missing=treatment) == AlarmState.ALARM
        for treatment in TREATMENTS
    }
    assert not alarms["notBreaching"] or all(alarms.values())
    if before != AlarmState.ALARM:
        assert alarms["breaching"] or not any(alarms.values())


@given(points=POINTS, evaluated=st.integers(1, 7), data=st.data(), treatment=st.sampled_from(TREATMENTS))
def test_one_more_breaching_period_never_ends_an_alarm(points, evaluated, data, treatment):
    """A good period made a bad one leaves an alarm in alarm."""
    needed = data.draw(st.integers(1, evaluated))
    rules = {"needed": needed, "evaluated": evaluated, "missing": treatment}
    if next_state(points, AlarmState.OK, **rules) == AlarmState.ALARM:
        worse = [point is not None or None for point in points]
        assert next_state(worse, AlarmState.OK, **rules) == AlarmState.ALARM
