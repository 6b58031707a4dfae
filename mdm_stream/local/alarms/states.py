"""The state of an alarm by CloudWatch's rules: M of N periods, and what periods without data count for.

The rules are those of "Configuring how CloudWatch alarms treat missing data" and "Avoiding premature transitions to
alarm state" in CloudWatch's user guide; the tests hold both tables of that page.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from mdm_stream.local.alarms.definitions import Alarm, MissingData
from mdm_stream.local.alarms.expressions import MetricExpression
from mdm_stream.local.alarms.samples import MetricHistory

EXTRA_PERIODS = 2
"""Periods before the evaluated ones that are looked at too: two in CloudWatch's examples, which promise no number."""


class AlarmState(StrEnum):
    """The three states of an alarm; a new one has insufficient data."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


def state_at(
    alarm: Alarm, history: MetricHistory, now_s: float, before: AlarmState = AlarmState.INSUFFICIENT_DATA
) -> AlarmState:
    """Return the state at a time (seconds since 1970), of the periods that have ended by then."""
    rules = alarm.definition
    series = {name: history.series(query, rules.period_s) for name, query in alarm.metrics.items()}
    expression = MetricExpression(rules.expression or next(iter(series)))
    values = expression.apply(series)
    end = int(now_s // rules.period_s) * rules.period_s
    starts = [end - back * rules.period_s for back in range(1, rules.evaluation_periods + EXTRA_PERIODS + 1)]
    points = [alarm.breaches(values[start]) if start in values else None for start in reversed(starts)]
    return next_state(
        points,
        before,
        needed=rules.datapoints_to_alarm,
        evaluated=rules.evaluation_periods,
        missing=rules.treat_missing_data,
    )


def next_state(
    points: Sequence[bool | None], before: AlarmState, *, needed: int, evaluated: int, missing: MissingData
) -> AlarmState:
    """Return the state after periods, oldest first: breaching, not breaching, or without data (None).

    ``needed`` of ``evaluated`` periods must breach. Where that many periods have data, the newest of these decide and
    ``missing`` counts for nothing. Otherwise it fills what lacks. The documents do not say what becomes of an alarm
    whose few points all breach and are too new to raise it: here it keeps its state.
    """
    real = [point for point in points if point is not None]
    breaching, lacking = sum(real), evaluated - len(real)
    if lacking <= 0:
        return _by_count(sum(real[-evaluated:]), needed)
    if missing == "breaching":
        return _by_count(breaching + lacking, needed)
    if missing == "notBreaching" or not all(real) or breaching >= needed:
        return _by_count(breaching, needed)
    if missing == "ignore":
        return before
    return _of_few(points, before, needed) if real else AlarmState.INSUFFICIENT_DATA


def _of_few(points: Sequence[bool | None], before: AlarmState, needed: int) -> AlarmState:
    """Return the state by points that all breach: the oldest raises the alarm once it is old enough."""
    oldest = next(place for place, point in enumerate(points) if point is not None)
    return AlarmState.ALARM if len(points) - oldest >= needed else before


def _by_count(breaching: int, needed: int) -> AlarmState:
    return AlarmState.ALARM if breaching >= needed else AlarmState.OK
