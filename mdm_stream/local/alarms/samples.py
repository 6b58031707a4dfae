"""Samples of metrics over time, and their statistics by period."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mdm_stream.local.alarms.definitions import MetricQuery
from mdm_stream.metrics.emf import MetricSample


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
