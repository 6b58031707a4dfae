"""Lines of metrics become numbers by period, and definitions that CloudWatch would refuse are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.errors import ConfigurationError
from mdm_stream.local.alarms import (
    AlarmDefinition,
    AlarmState,
    MetricHistory,
    MetricQuery,
    MetricSample,
    load_alarms,
    samples_of,
    state_at,
)
from mdm_stream.local.alarms.expressions import MetricExpression
from mdm_stream.local.alarms.samples import statistic_of

DEFINITION = {
    "name": "files-fail",
    "group": "files",
    "severity": "page",
    "each": "service",
    "summary": "Files fail.",
    "runbook": "files-fail.md",
    "metrics": {
        "failed": {"namespace": "n", "metric": "Failed", "statistic": "Sum", "dimensions": {"service": "@service"}},
        "done": {"namespace": "n", "metric": "Done", "statistic": "Sum", "dimensions": {"service": "@service"}},
    },
    "expression": "100 * failed / (failed + done)",
    "period_s": 60,
    "datapoints_to_alarm": 2,
    "evaluation_periods": 3,
    "comparison": "GreaterThanThreshold",
    "threshold": "@share_max",
    "treat_missing_data": "notBreaching",
}
VALUES = {"service": "files", "share_max": "50"}


def line(time_s: float, **values: object) -> str:
    """Return a line of metrics of the service ``files``."""
    metrics = [{"Name": name} for name in values]
    directive = {"Namespace": "n", "Dimensions": [["service"], []], "Metrics": metrics}
    header = {"Timestamp": int(time_s * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": header, "service": "files", **values})


def test_an_alarm_follows_the_share_of_what_failed():
    """Two minutes of three above the threshold raise it; minutes without an attempt have no share."""
    alarm = AlarmDefinition.model_validate(DEFINITION).of(VALUES)
    history, states = MetricHistory(), []
    for minute, (failed, done) in enumerate([(1, 9), (9, 1), (0, 0), (9, 1), (0, 9), (0, 9), (0, 9)]):
        history.add(samples_of(line(600 + 60 * minute, Failed=failed, Done=[done])))
        states.append(state_at(alarm, history, 660 + 60 * minute))
    assert states == [AlarmState.OK] * 3 + [AlarmState.ALARM] * 2 + [AlarmState.OK] * 2


def test_a_period_counts_once_it_has_ended():
    """CloudWatch evaluates whole periods: the present one does not raise an alarm."""
    rules = DEFINITION | {"datapoints_to_alarm": 1, "evaluation_periods": 1}
    alarm = AlarmDefinition.model_validate(rules).of(VALUES)
    history = MetricHistory(samples_of(line(600, Failed=1, Done=0)))
    assert state_at(alarm, history, 659) == AlarmState.OK
    assert state_at(alarm, history, 660) == AlarmState.ALARM


def test_a_line_is_counted_under_each_set_of_its_dimensions():
    """A metric is name and all dimensions: a query for fewer finds another metric."""
    history = MetricHistory(samples_of(line(0, Failed=[1, 2])))
    query = MetricQuery(namespace="n", metric="Failed", statistic="Sum", dimensions={"service": "files"})
    assert history.series(query, 60) == {0: 3}
    assert history.series(query.model_copy(update={"dimensions": {}}), 60) == {0: 3}
    assert history.series(query.model_copy(update={"dimensions": {"service": "other"}}), 60) == {}


@pytest.mark.parametrize("text", ["", "START RequestId: 1", '{"message": "batch"}', "[1]", '{"_aws": 1}'])
def test_other_lines_of_a_log_have_no_metrics(text):
    """A log holds more than metrics."""
    assert samples_of(text) == []


@pytest.mark.parametrize(
    "change",
    [
        {"Failed": list(range(101))},
        {"Failed": None},
        {"service": 7},
        {"_aws": {"Timestamp": 1}},
        {"_aws": {"CloudWatchMetrics": []}},
    ],
)
def test_a_line_that_cloudwatch_would_drop_is_an_error(change):
    """Metrics that are silently lost would leave an alarm silent."""
    with pytest.raises(ValueError, match="CloudWatch would drop"):
        samples_of(json.dumps(json.loads(line(0, Failed=1)) | change))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_statistics_are_those_of_the_values(values):
    """Percentiles are values that were there, and rise with their rank."""
    found = {name: statistic_of(name, values) for name in ("Minimum", "p1", "p50", "p99.9", "Maximum")}
    assert list(found.values()) == sorted(found.values())
    assert set(found.values()) <= set(values)
    assert statistic_of("SampleCount", values) == len(values)
    assert statistic_of("Sum", values) == pytest.approx(sum(values))
    assert statistic_of("Average", values) == pytest.approx(sum(values) / len(values))


@pytest.mark.parametrize("text", ["", "a b", "__import__('os')", "a ** 9", "a if a else a", "'a'", "True * a", "1 + 1"])
def test_an_expression_is_arithmetic_and_nothing_else(text):
    """It is never evaluated as a program."""
    with pytest.raises(ValueError, match="expression"):
        MetricExpression(text)


@given(st.dictionaries(st.integers(0, 5), st.integers(0, 3)), st.dictionaries(st.integers(0, 5), st.integers(0, 3)))
def test_an_expression_has_a_value_where_all_its_metrics_have_one(first, second):
    """And none where it would divide by zero."""
    expected = {at: -first[at] / second[at] for at in first.keys() & second.keys() if second[at]}
    assert MetricExpression("-a / b").apply({"a": first, "b": second}) == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"datapoints_to_alarm": 4}, "datapoints_to_alarm"),
        ({"period_s": 30}, "period_s"),
        ({"period_s": 3_600, "evaluation_periods": 169}, "evaluation_periods"),
        ({"evaluation_periods": 1_441}, "evaluation_periods"),
        ({"expression": None}, "expression"),
        ({"expression": "failed"}, "expression"),
        ({"treat_missing_data": "ignore"}, "ignore"),
        ({"threshold": "high"}, "threshold"),
        ({"runbook": "../secrets.md"}, "runbook"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(tmp_path: Path, change, said):
    """With the place in the file."""
    file = tmp_path / "alarms.json"
    file.write_text(json.dumps({"format": 1, "alarms": [DEFINITION | change]}))
    with pytest.raises(ConfigurationError, match=said) as refused:
        load_alarms(file)
    assert "alarms.json: alarms.0" in str(refused.value)


def test_definitions_are_found_by_name(tmp_path: Path):
    """In the order of the file; two of one name are an error, and so is a file that is not there."""
    file = tmp_path / "alarms.json"
    file.write_text(json.dumps({"format": 1, "alarms": [DEFINITION, DEFINITION | {"name": "other"}]}))
    assert list(load_alarms(file)) == ["files-fail", "other"]
    file.write_text(json.dumps({"format": 1, "alarms": [DEFINITION, DEFINITION]}))
    with pytest.raises(ConfigurationError, match="two alarms have one name"):
        load_alarms(file)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_alarms(tmp_path / "absent.json")


def test_what_is_watched_must_have_the_values_that_its_alarm_needs():
    """A missing value and a threshold that is no number are errors, not alarms that never fire."""
    definition = AlarmDefinition.model_validate(DEFINITION)
    with pytest.raises(ConfigurationError, match="needs service"):
        definition.of({"share_max": "1"})
    with pytest.raises(ConfigurationError, match="share_max should be a number"):
        definition.of(VALUES | {"share_max": "half"})


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", [51.0]),
        ("GreaterThanOrEqualToThreshold", [50.0, 51.0]),
        ("LessThanThreshold", [49.0]),
        ("LessThanOrEqualToThreshold", [49.0, 50.0]),
    ],
)
def test_comparisons_are_those_of_their_names(comparison, breaching):
    """At the threshold and on both sides of it."""
    alarm = AlarmDefinition.model_validate(DEFINITION | {"comparison": comparison}).of(VALUES)
    assert [value for value in (49.0, 50.0, 51.0) if alarm.breaches(value)] == breaching


def test_a_sample_can_be_moved():
    """A test gives minutes to what it did in seconds."""
    sample = MetricSample("n", "Failed", frozenset(), 1.0, 2.0)
    assert (sample.at(60).time_s, sample.at(60).value) == (60, 2.0)
