"""Problems (RFC 9457): one error type, and how reasons of a rejection become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mdm_stream.contracts.events_api import PROBLEM_TYPE, Problem, ProblemCode, ProblemReason
from mdm_stream.errors import Reason

PROBLEM_JSON: Final = "application/problem+json"

_KINDS: Final[Mapping[ProblemCode, tuple[int, str]]] = {
    "malformed_body": (400, "The body cannot be read"),
    "malformed_request": (400, "The request cannot be read"),
    "unauthenticated": (401, "No valid credentials"),
    "not_authorised": (403, "The caller has no right to this"),
    "not_found": (404, "There is no such route"),
    "unknown_event": (404, "There is no such event"),
    "method_not_allowed": (405, "The route does not take this method"),
    "body_timeout": (408, "The body did not arrive in time"),
    "idempotency_key_in_use": (409, "A request with this Idempotency-Key is under way"),
    "too_large": (413, "The body is too large"),
    "path_too_long": (414, "The path is too long"),
    "unsupported_media_type": (415, "The body is of a type that is not taken"),
    "event_rejected": (422, "The event cannot be applied"),
    "idempotency_key_reused": (422, "The Idempotency-Key was used with another body"),
    "throttled": (429, "The change stream takes no more at present"),
    "headers_too_large": (431, "The headers are too large"),
    "fault": (500, "An unexpected fault of the API"),
    "unavailable": (503, "The API cannot work at present"),
}
RETRIABLE: Final[frozenset[ProblemCode]] = frozenset({"idempotency_key_in_use", "throttled", "unavailable"})
"""The same request may succeed later: the answer says when with ``Retry-After``."""
PROBLEM_STATUSES: Final = tuple(sorted({status for status, _ in _KINDS.values()}))

_BY_REASON: Final[Mapping[str, ProblemCode]] = {
    "empty": "malformed_body",
    "binary": "malformed_body",
    "not_utf8": "malformed_body",
    "truncated_json": "malformed_body",
    "invalid_json": "malformed_body",
    "not_an_object": "malformed_body",
    "too_large": "too_large",
    "not_authorised": "not_authorised",
    "engine_fault": "fault",
}


@dataclass(eq=False)
class ProblemError(Exception):
    """A request, or one event of it, that is refused. ``detail`` and ``reasons`` repeat no value of an event."""

    code: ProblemCode
    detail: str
    reasons: tuple[Reason, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _KINDS[self.code][0]

    def problem(self, request_id: str | None = None) -> Problem:
        """Return it as the body of an answer."""
        status, title = _KINDS[self.code]
        return Problem(
            type=f"{PROBLEM_TYPE}{self.code}",
            title=title,
            status=status,
            detail=self.detail,
            code=self.code,
            reasons=[ProblemReason(code=each.code, path=each.path, message=each.message) for each in self.reasons],
            request_id=request_id,
        )


def rejected(reasons: Sequence[Reason]) -> ProblemError:
    """Return the problem of an event that the consumer would reject."""
    code = _BY_REASON.get(reasons[0].code, "event_rejected")
    first = reasons[0]
    return ProblemError(code, f"{first.path or 'the event'} {first.message}", tuple(reasons))
