"""What samples of metrics add up to: counters, gauges and histograms, as Prometheus has them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from mdm_stream.metrics.catalogue import METRICS, MetricDefinition, MetricKind
from mdm_stream.metrics.emf import MetricSample

PREFIX = "mdm_stream_"

BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0)
"""Upper ends of a histogram's buckets, in seconds; what is above all of them is counted too."""

SERIES_MAX = 1_000
"""Sets of labels of one metric; further ones are not counted. Labels are names of services, domains and rules."""


@dataclass(slots=True)
class Distribution:
    """How many values ended in each bucket (the last: above all), and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total_s: float = 0.0

    def add(self, value_s: float) -> None:
        """Count a value."""
        self.counts[bisect_left(BUCKETS_S, value_s)] += 1
        self.total_s += value_s


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """A metric under its name in Prometheus, without the suffix ``_total``, and its series by values of ``labels``."""

    name: str
    kind: MetricKind
    meaning: str
    labels: tuple[str, ...]
    series: Mapping[tuple[str, ...], float | Distribution]


class MetricTotals:
    """Adds samples up, each under its metric of the catalogue. Safe for use by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._families: dict[tuple[str, str], MetricFamily] = {}
        self._series: dict[tuple[str, str], dict[tuple[str, ...], float | Distribution]] = {}

    def add(self, samples: Iterable[MetricSample]) -> None:
        """Take samples. What is in no catalogue, or under dimensions that are not those of its metric, counts for
        nothing: a sample under fewer is a sum of others.
        """
        with self._lock:
            for sample in samples:
                self._add(sample)

    def families(self) -> list[MetricFamily]:
        """Return all metrics that had a sample, as they are now, by name."""
        with self._lock:
            return [
                MetricFamily(each.name, each.kind, each.meaning, each.labels, _copied(self._series[key]))
                for key, each in sorted(self._families.items(), key=lambda item: item[1].name)
            ]

    def _add(self, sample: MetricSample) -> None:
        definition, labels = METRICS.get(sample.metric), dict(sample.dimensions)
        if definition is None:
            return
        by = definition.by if definition.by in labels else ""
        names = (*definition.labels, by) if by else definition.labels
        if labels.keys() != set(names):
            return
        key = (sample.metric, by)
        if key not in self._families:
            name = prometheus_name(definition) + (f"_by_{by}" if by else "")
            self._families[key] = MetricFamily(name, definition.kind, definition.meaning, names, {})
        series, values = self._series.setdefault(key, {}), tuple(labels[name] for name in names)
        if values not in series and len(series) >= SERIES_MAX:
            return
        if definition.kind == "histogram":
            held = series.setdefault(values, Distribution())
            assert isinstance(held, Distribution)
            held.add(_seconds(definition, sample.value))
        else:
            before = series.get(values, 0.0) if definition.kind == "counter" else 0.0
            assert isinstance(before, float)
            series[values] = before + sample.value


def prometheus_name(definition: MetricDefinition) -> str:
    """Return a metric's name in Prometheus: in snake case, with its base unit, without the suffix ``_total``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", definition.name).lower()
    unit = {"Milliseconds": "seconds", "Seconds": "seconds", "Bytes": "bytes"}.get(definition.unit, "")
    return PREFIX + (words if unit in words.split("_") or not unit else f"{words}_{unit}")


def _seconds(definition: MetricDefinition, value: float) -> float:
    return value / 1_000 if definition.unit == "Milliseconds" else value


def _copied(series: Mapping[tuple[str, ...], float | Distribution]) -> dict[tuple[str, ...], float | Distribution]:
    return dict(_copies(series))


def _copies(
    series: Mapping[tuple[str, ...], float | Distribution],
) -> Iterator[tuple[tuple[str, ...], float | Distribution]]:
    for values, held in sorted(series.items()):
        yield values, Distribution(list(held.counts), held.total_s) if isinstance(held, Distribution) else held
