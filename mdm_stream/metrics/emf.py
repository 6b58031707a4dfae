"""Lines in CloudWatch's embedded metric format (EMF): written, and read as CloudWatch reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from mdm_stream.metrics.catalogue import METRICS

DIMENSIONS_MAX = 30
"""Dimensions of one metric; a line with more is refused by CloudWatch."""
VALUES_MAX = 100
"""Values of one metric on one line."""


def emf_document(
    namespace: str,
    time_ms: int,
    dimensions: Mapping[str, str],
    figures: Mapping[str, float],
    sets: Sequence[Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Return a line: figures of metrics of the catalogue by name, under all dimensions together.

    ``sets`` are the names of dimensions under which they are counted instead, each set for itself.
    """
    directive = {
        "Namespace": namespace,
        "Dimensions": [list(dimensions)] if sets is None else [list(each) for each in sets],
        "Metrics": [{"Name": name, "Unit": METRICS[name].unit} for name in figures],
    }
    return {"_aws": {"Timestamp": time_ms, "CloudWatchMetrics": [directive]}, **dimensions, **figures}


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
