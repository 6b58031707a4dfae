"""Traces of a Lambda function, by X-Ray, in those invocations that are traced.

Lambda tells each invocation whether it is: by ``_X_AMZN_TRACE_ID``, and not before, since the daemon's address is there
in every function. The SDK is loaded with the first that is, a tenth of the time that an import of a handler takes
otherwise, and most functions are never traced. From then on it stays.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools import Tracer

Handler = Callable[[dict[str, Any], Any], Any]

_TRACE = "_X_AMZN_TRACE_ID"
_SAMPLED = "Sampled=1"
_DISABLED = "POWERTOOLS_TRACE_DISABLED"
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})


class Tracing:
    """Segments of one service's invocations. Neither an answer nor an error's text is ever a part of them."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._tracer: Tracer | None = None

    def of_handler(self, handler: Handler) -> Handler:
        """Decorate a handler: a traced invocation has a segment of its own."""

        @functools.wraps(handler)
        def traced(event: dict[str, Any], context: Any) -> Any:
            tracer = self._of_this_invocation()
            if tracer is None:
                return handler(event, context)
            capture = tracer.capture_lambda_handler(handler, capture_response=False, capture_error=False)
            return capture(event, context)

        return traced

    def part(self, name: str) -> AbstractContextManager[Any]:
        """Return what makes a part of an invocation a segment within its own; nothing where it is not traced."""
        if self._tracer is None:
            return nullcontext()
        segment: AbstractContextManager[Any] = self._tracer.provider.in_subsegment(name)
        return segment

    def _of_this_invocation(self) -> Tracer | None:
        if self._tracer is None and _is_traced():
            from aws_lambda_powertools import Tracer  # noqa: PLC0415 - makes the SDK load, which most do without

            from mdm_stream.aws.value_free_traces import keep_values_out  # noqa: PLC0415 - loads the SDK, too

            self._tracer = Tracer(service=self._service)
            keep_values_out()
        return self._tracer


def _is_traced() -> bool:
    if os.environ.get(_DISABLED, "").lower() in _TRUE:
        return False
    return _SAMPLED in os.environ.get(_TRACE, "").split(";")
