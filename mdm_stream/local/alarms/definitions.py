"""Definitions of alarms, as Terraform deploys them, and one alarm of each for each thing that is watched.

A text that begins with ``@`` names a value of the watched thing: ``@function_name``, ``@iterator_age_ms_max``; of each
``@metrics_namespace``, the namespace of the deployment's own metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mdm_stream.errors import ConfigurationError
from mdm_stream.local.alarms.expressions import MetricExpression

HOUR_S, DAY_S, WEEK_S = 3_600, 86_400, 604_800
"""CloudWatch looks back for a day at most, or for a week where a period has an hour or more."""
METRICS_OF_ALARM_MAX = 10
"""Metrics that one alarm may name."""

ThresholdComparison = Literal[
    "GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"
]
MissingData = Literal["missing", "ignore", "breaching", "notBreaching"]
WatchedKind = Literal[
    "service", "function", "reserved_function", "event_source", "queue", "stream", "index_node",
    "replicated_index", "slot", "domain", "api",
]  # fmt: skip
"""Of what there is one alarm each."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricQuery(_Strict):
    """One metric of an alarm: its name and dimensions, and what makes one number of a period's samples.

    ``statistic``: ``Sum``, ``Average``, ``Minimum``, ``Maximum``, ``SampleCount`` or a percentile (``p99``, ``p99.9``).
    """

    namespace: Annotated[str, Field(min_length=1)]
    metric: Annotated[str, Field(min_length=1)]
    dimensions: dict[str, str]
    statistic: Annotated[str, Field(pattern=r"^(Sum|Average|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d{1,2})?)$")]

    def of(self, values: Mapping[str, str]) -> Self:
        """Return the query of one watched thing; ``ConfigurationError`` where it lacks a value."""
        named = {"namespace": _filled(self.namespace, values), "metric": _filled(self.metric, values)}
        dimensions = {_filled(name, values): _filled(value, values) for name, value in self.dimensions.items()}
        return self.model_copy(update={**named, "dimensions": dimensions})


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm on one watched thing, with the rules of its definition."""

    definition: AlarmDefinition
    metrics: Mapping[str, MetricQuery]
    threshold: float

    def breaches(self, value: float) -> bool:
        """Tell whether a period's value is on the wrong side of the threshold."""
        match self.definition.comparison:
            case "GreaterThanThreshold":
                return value > self.threshold
            case "GreaterThanOrEqualToThreshold":
                return value >= self.threshold
            case "LessThanThreshold":
                return value < self.threshold
            case "LessThanOrEqualToThreshold":
                return value <= self.threshold


class AlarmDefinition(_Strict):
    """An alarm as the file defines it. ``each`` is what there is one of it for; ``only`` some of these, by their key.

    It is in alarm when ``datapoints_to_alarm`` of the last ``evaluation_periods`` periods breach the threshold.
    ``expression`` computes with the metrics by their names; it may be left out where there is one.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{2,40}$")]
    group: Annotated[str, Field(pattern=r"^[a-z]+$")]
    severity: Literal["page", "ticket"]
    each: WatchedKind
    only: tuple[str, ...] = ()
    summary: Annotated[str, Field(pattern=r"^[A-Z].*\.$", max_length=200)]
    runbook: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.md$")]
    metrics: Annotated[dict[str, MetricQuery], Field(min_length=1, max_length=METRICS_OF_ALARM_MAX)]
    expression: str | None = None
    period_s: Annotated[int, Field(ge=60, multiple_of=60)]
    datapoints_to_alarm: Annotated[int, Field(ge=1)]
    evaluation_periods: Annotated[int, Field(ge=1)]
    comparison: ThresholdComparison
    threshold: float | Annotated[str, Field(pattern=r"^@\w+$")]
    treat_missing_data: MissingData

    @model_validator(mode="after")
    def _fit(self) -> Self:
        """Refuse what CloudWatch would refuse, and what its documents leave open."""
        if self.datapoints_to_alarm > self.evaluation_periods:
            raise ValueError("datapoints_to_alarm must not be above evaluation_periods")
        if self.period_s * self.evaluation_periods > (WEEK_S if self.period_s >= HOUR_S else DAY_S):
            raise ValueError("evaluation_periods reach back further than CloudWatch does")
        if self.expression is None and len(self.metrics) > 1:
            raise ValueError("an expression must say what becomes of several metrics")
        if self.expression is not None and MetricExpression(self.expression).names != set(self.metrics):
            raise ValueError("expression and metrics must have the same names")
        if self.treat_missing_data in ("missing", "ignore") and self.evaluation_periods > 1:
            raise ValueError("treat_missing_data: missing and ignore go with one period alone")
        return self

    def of(self, values: Mapping[str, str]) -> Alarm:
        """Return the alarm of one watched thing; ``ConfigurationError`` where it lacks a value or has no number."""
        metrics = {name: query.of(values) for name, query in self.metrics.items()}
        threshold = self.threshold
        if isinstance(threshold, str):
            try:
                return Alarm(self, metrics, float(_filled(threshold, values)))
            except ValueError:
                raise ConfigurationError(
                    f"alarm {self.name}: {threshold.removeprefix('@')} should be a number"
                ) from None
        return Alarm(self, metrics, threshold)


class _AlarmFile(_Strict):
    format: Literal[1]
    alarms: tuple[AlarmDefinition, ...]


def load_alarms(path: Path) -> dict[str, AlarmDefinition]:
    """Return the definitions of a file by name, in its order; ``ConfigurationError`` says where it is wrong."""
    try:
        found = _AlarmFile.model_validate_json(path.read_bytes()).alarms
    except OSError as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"{path.name}: {where}: {first['msg']}") from None
    by_name = {each.name: each for each in found}
    if len(by_name) < len(found):
        raise ConfigurationError(f"{path.name}: two alarms have one name")
    return by_name


def _filled(text: str, values: Mapping[str, str]) -> str:
    if not text.startswith("@"):
        return text
    if text[1:] not in values:
        raise ConfigurationError(f"an alarm needs {text[1:]} of what it watches")
    return values[text[1:]]
