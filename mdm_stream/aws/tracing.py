"""Traces of a Lambda function, by X-Ray, in those invocations that are traced.

Lambda tells each invocation whether it is: by ``_X_AMZN_TRACE_ID``, and not before, since the daemon's address is there
in every function. The SDK is loaded with the first that is, a tenth of the time that an import of a handler takes
otherwise, and most functions are never traced. From then on it stays.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from mdm_stream.telemetry.otel import span_backends
from mdm_stream.telemetry.spans import BackendSpans, Fact, OpenSpan

if TYPE_CHECKING:
    from aws_lambda_powertools import Tracer

Handler = Callable[[dict[str, Any], Any], Any]

_TRACE = "_X_AMZN_TRACE_ID"
_SAMPLED = "Sampled=1"
_DISABLED = "POWERTOOLS_TRACE_DISABLED"
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
FIGURES = "mdm_stream"
"""The namespace of a subsegment's metadata in which the times of its stages are."""


class Tracing(BackendSpans):
    """Segments of one service's invocations. Neither an answer nor an error's text is ever a part of them.

    As ``Spans`` it makes subsegments of batches and their stages, and spans by OpenTelemetry where an endpoint is set.
    """

    def __init__(self, service: str, environment: Mapping[str, str] = os.environ) -> None:
        """Take the service's name, and the environment that says where spans go beside X-Ray."""
        self._service = service
        self._tracer: Tracer | None = None
        x_ray = _XRay(lambda: self._tracer if _is_traced() else None)
        super().__init__(x_ray, *span_backends(service, environment))

    def of_handler(self, handler: Handler) -> Handler:
        """Decorate a handler: a traced invocation has a segment of its own."""

        @functools.wraps(handler)
        def traced(event: dict[str, Any], context: Any) -> Any:
            if hasattr(context, "get_remaining_time_in_millis"):
                self.within(lambda: context.get_remaining_time_in_millis() / 1_000)
            tracer = self._of_this_invocation()
            if tracer is None:
                return handler(event, context)
            capture = tracer.capture_lambda_handler(handler, capture_response=False, capture_error=False)
            return capture(event, context)

        return traced

    def _of_this_invocation(self) -> Tracer | None:
        if self._tracer is None and _is_traced():
            from aws_lambda_powertools import Tracer  # noqa: PLC0415 - makes the SDK load, which most do without

            from mdm_stream.aws.value_free_traces import keep_values_out  # noqa: PLC0415 - loads the SDK, too

            self._tracer = Tracer(service=self._service)
            keep_values_out()
        return self._tracer


class _XRay:
    """Subsegments within the segment of an invocation that is traced."""

    def __init__(self, tracer: Callable[[], Tracer | None]) -> None:
        self._tracer = tracer

    def open(self, name: str) -> AbstractContextManager[OpenSpan | None]:
        """Open a subsegment."""
        return self._opened(name)

    def within(self, left_s: Callable[[], float]) -> None:
        """Nothing is waited for: segments go to the daemon by UDP."""

    @contextmanager
    def _opened(self, name: str) -> Iterator[_SubsegmentSpan | None]:
        tracer = self._tracer()
        if tracer is None:
            yield None
            return
        with tracer.provider.in_subsegment(name) as subsegment:
            yield None if subsegment is None else _SubsegmentSpan(subsegment)


class _SubsegmentSpan:
    """A subsegment, by the facts that X-Ray can search for and the figures that it shows."""

    def __init__(self, subsegment: Any) -> None:
        self._subsegment = subsegment

    def note(self, facts: Mapping[str, Fact]) -> None:
        """Keep facts as annotations, each of which is a filter such as ``annotation.first``."""
        for name, fact in facts.items():
            self._subsegment.put_annotation(name, fact)

    def measured(self, figures: Mapping[str, int]) -> None:
        """Keep figures as metadata."""
        self._subsegment.put_metadata("stages", dict(figures), FIGURES)


def _is_traced() -> bool:
    if os.environ.get(_DISABLED, "").lower() in _TRUE:
        return False
    return _SAMPLED in os.environ.get(_TRACE, "").split(";")
