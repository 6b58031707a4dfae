"""Spans by OTLP over HTTP. Importing it loads the OpenTelemetry SDK (extra ``otel``).

The spans of a batch are sent when it has ended, in one request, by the thread that worked it: there is no thread that a
frozen function or a fork would lose, and a batch waits ``TIMEOUT_S`` for it at most. After a request that failed
nothing is sent for ``PAUSE_S``, so that a collector which does not answer costs next to nothing.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Span, Status, StatusCode

from mdm_stream.telemetry.spans import Fact, OpenSpan

TIMEOUT_S = 1.0
"""What one request may take, unless ``OTEL_EXPORTER_OTLP_TIMEOUT`` says otherwise."""
PAUSE_S = 60.0
"""How long nothing is sent after a request that failed."""
ANSWER_S = 0.2
"""What is left of an invocation for its answer, after spans were sent."""
TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")

_LOG = logging.getLogger(__name__)


class OtlpSpans:
    """Sends spans to a collector. One instance is for one batch at a time."""

    def __init__(
        self,
        resource: Mapping[str, str],
        exporter: SpanExporter | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the attributes of the resource; the exporter of the environment's variables is used if left out."""
        given = next((os.environ[name] for name in TIMEOUTS if os.environ.get(name)), None)
        self._timeout_s = TIMEOUT_S if given is None else float(given)
        self._exporter = exporter or OTLPSpanExporter(timeout=self._timeout_s)
        self._ended = _EndedSpans()
        provider = TracerProvider(resource=Resource.create(dict(resource)), shutdown_on_exit=False)
        provider.add_span_processor(self._ended)
        self._tracer = provider.get_tracer("mdm_stream")
        self._monotonic_s = monotonic_s
        self._left_s: Callable[[], float] = lambda: float("inf")
        self._silent_until_s = float("-inf")
        self._depth = 0

    def within(self, left_s: Callable[[], float]) -> None:
        """Send nothing that may not be done in the time that is left, in seconds."""
        self._left_s = left_s

    def open(self, name: str) -> AbstractContextManager[OpenSpan | None]:
        """Open a span; when the outermost one has ended, all are sent."""
        return self._opened(name)

    @contextmanager
    def _opened(self, name: str) -> Iterator[_OtelSpan | None]:
        self._depth += 1
        try:
            # No text of an exception: the SDK would keep it as an event of the span, and in its status.
            with self._tracer.start_as_current_span(
                name, record_exception=False, set_status_on_exception=False
            ) as span:
                try:
                    yield _OtelSpan(span) if span.is_recording() else None
                except BaseException as error:
                    span.set_status(Status(StatusCode.ERROR))
                    span.set_attribute("error.type", type(error).__name__)
                    raise
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._send(self._ended.take())

    def _send(self, spans: list[ReadableSpan]) -> None:
        now_s = self._monotonic_s()
        if not spans or now_s < self._silent_until_s or self._left_s() < self._timeout_s + ANSWER_S:
            return
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - whatever a library or a server does, the batch goes on
            _LOG.warning("spans could not be sent: %s", type(error).__name__)
            result = SpanExportResult.FAILURE
        if result is not SpanExportResult.SUCCESS:
            self._silent_until_s = self._monotonic_s() + PAUSE_S
            _LOG.warning("%d spans are lost, and none are sent for %g s", len(spans), PAUSE_S)


class _OtelSpan:
    """A span of OpenTelemetry, with facts and figures as its attributes."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def note(self, facts: Mapping[str, Fact]) -> None:
        """Keep facts."""
        self._span.set_attributes({f"mdm.{name}": fact for name, fact in facts.items()})

    def measured(self, figures: Mapping[str, int]) -> None:
        """Keep figures."""
        self._span.set_attributes({f"mdm.stages.{name}": figure for name, figure in figures.items()})


class _EndedSpans(SpanProcessor):
    """Gathers the spans that have ended."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span until it is sent."""
        self._spans.append(span)

    def take(self) -> list[ReadableSpan]:
        """Return what has ended since the last time."""
        spans, self._spans = self._spans, []
        return spans
