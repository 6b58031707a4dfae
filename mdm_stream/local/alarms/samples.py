"""Samples of metrics, as lines in the embedded metric format (EMF) bring them, and their statistics by period."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from mdm_stream.local.alarms.definitions import MetricQuery

DIMENSIONS_MAX = 30
"""Dimensions of one metric; a line with more is refused by CloudWatch."""
VALUES_MAX = 100
"""Values of one metric on one line."""


@dataclass(frozen=True, slots=True)
class MetricSample:
    """One value of a metric, at a time in seconds since 1970: a metric is namespace, name and all dimensions."""

    namespace: str
    metric: str
    dimensions: frozenset[tuple[str, str]]
    time_s: float
    value: float

    def at(self, time_s: float) -> MetricSample:
        """Return the sample as it would be at another time."""
        return replace(self, time_s=time_s)


def samples_of(line: str | bytes) -> list[MetricSample]:
    """Return what CloudWatch makes of a line of a log: the samples of an EMF document, none of any other line.

    Once for each set of dimensions. ``ValueError`` for a document that says that it is EMF and is not: CloudWatch
    would drop it without a word.
    """
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(document, dict) or not isinstance(document.get("_aws"), dict):
        return []
    try:
        return list(_samples(document))
    except (KeyError, TypeError) as error:
        raise ValueError(f"a line of metrics that CloudWatch would drop: {type(error).__name__}") from error


def _samples(document: Mapping[str, Any]) -> Iterator[MetricSample]:
    time_s = document["_aws"]["Timestamp"] / 1_000
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            if len(names) > DIMENSIONS_MAX or not all(isinstance(document[name], str) for name in names):
                raise ValueError("a line of metrics that CloudWatch would drop: dimensions")
            dimensions = frozenset((name, document[name]) for name in names)
            for metric in directive["Metrics"]:
                found = document[metric["Name"]]
                values = found if isinstance(found, list) else [found]
                if len(values) > VALUES_MAX:
                    raise ValueError("a line of metrics that CloudWatch would drop: values")
                for value in values:
                    yield MetricSample(directive["Namespace"], metric["Name"], dimensions, time_s, float(value))


class MetricHistory:
    """Samples that were taken, in any order. Not for threads."""

    def __init__(self, samples: Iterable[MetricSample] = ()) -> None:
        self._samples: dict[tuple[str, str, frozenset[tuple[str, str]]], list[MetricSample]] = {}
        self.add(samples)

    def add(self, samples: Iterable[MetricSample]) -> None:
        """Take samples."""
        for sample in samples:
            key = (sample.namespace, sample.metric, sample.dimensions)
            self._samples.setdefault(key, []).append(sample)

    def names(self) -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
        """Return namespace, name and dimensions of every metric that has a sample."""
        return set(self._samples)

    def series(self, query: MetricQuery, period_s: int) -> dict[int, float]:
        """Return a metric's statistic for each period that has a sample; periods begin at multiples of their length."""
        key = (query.namespace, query.metric, frozenset(query.dimensions.items()))
        periods: dict[int, list[float]] = {}
        for sample in self._samples.get(key, ()):
            periods.setdefault(int(sample.time_s // period_s) * period_s, []).append(sample.value)
        return {start: statistic_of(query.statistic, values) for start, values in sorted(periods.items())}


def statistic_of(statistic: str, values: list[float]) -> float:
    """Return a statistic of values, of which there is one at least. A percentile is the value at its rank."""
    match statistic:
        case "Sum":
            return math.fsum(values)
        case "Average":
            return math.fsum(values) / len(values)
        case "Minimum":
            return min(values)
        case "Maximum":
            return max(values)
        case "SampleCount":
            return float(len(values))
    rank = math.ceil(float(statistic.removeprefix("p")) / 100 * len(values))
    return sorted(values)[max(1, rank) - 1]
