"""Metrics for Prometheus over HTTP (extra ``prometheus``): to be read, and nothing else.

It answers any GET with the same text, by whatever name it is asked: a page in a browser whose name leads to this
address (DNS rebinding) could read counts, of which none is a value of a record, and change nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from mdm_stream.errors import ConfigurationError
from mdm_stream.metrics.totals import BUCKETS_S, Distribution, MetricFamily, MetricTotals

if TYPE_CHECKING:
    from prometheus_client.core import Metric

LOOPBACK = "127.0.0.1"


class TotalsCollector:
    """What Prometheus' library asks for metrics at each scrape."""

    def __init__(self, totals: MetricTotals) -> None:
        self._totals = totals

    def describe(self) -> list[Any]:
        """Return nothing: a metric is there once it had a sample."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now."""
        for family in self._totals.families():
            yield _exposed(family)


@contextmanager
def metrics_endpoint(totals: MetricTotals, port: int, address: str = LOOPBACK) -> Iterator[str]:
    """Offer metrics while inside, and yield where; port 0 takes a free one.

    ``ConfigurationError`` where the port cannot be had, or the extra is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415 - an extra of its own
    except ImportError as error:
        raise ConfigurationError(
            "the library of Prometheus is not installed; install mdm-stream with the extra 'prometheus'"
        ) from error
    registry = CollectorRegistry()
    registry.register(TotalsCollector(totals))
    try:
        server, thread = start_http_server(port, addr=address, registry=registry)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"metrics cannot be offered at {address} port {port}: {getattr(error, 'strerror', None) or error}"
        ) from error
    try:
        yield f"http://{address}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        _join(thread)


def _join(thread: threading.Thread) -> None:
    if thread is not threading.current_thread():
        thread.join()


def _exposed(family: MetricFamily) -> Metric:
    from prometheus_client.core import (  # noqa: PLC0415 - an extra of its own
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
        for values, held in family.series.items():
            if isinstance(held, Distribution):
                ends = [*map(str, BUCKETS_S), "+Inf"]
                buckets = list(zip(ends, map(float, accumulate(held.counts)), strict=True))
                histogram.add_metric(values, buckets, held.total_s)
        return histogram
    made = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    exposed = made(family.name, family.meaning, labels=family.labels)
    for values, held in family.series.items():
        if isinstance(held, float):
            exposed.add_metric(values, held)
    return exposed
