"""What the events API says over HTTP: bodies of requests and answers, and problems as RFC 9457 has them.

No answer repeats a value of an event. Events themselves are those of ``mdm_stream.contracts.change``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mdm_stream.contracts.change import RecordChange

PROBLEM_TYPE = "urn:mdm-stream:problem:"
"""Begins the type of every problem; its ``code`` goes on."""

ProblemCode = Literal[
    "malformed_body",  # 400: no JSON object, or not the body that the route takes
    "malformed_request",  # 400: a header that cannot be read, or a bad Idempotency-Key
    "unauthenticated",  # 401
    "not_authorised",  # 403: what the caller, or the stream, may not say
    "not_found",  # 404: no such route
    "unknown_event",  # 404: no id that this API has given
    "method_not_allowed",  # 405
    "body_timeout",  # 408: the body did not arrive in time
    "idempotency_key_in_use",  # 409: a request with this key is under way
    "too_large",  # 413
    "path_too_long",  # 414
    "unsupported_media_type",  # 415: another content type, or a content encoding
    "event_rejected",  # 422: the consumer would reject the event, for these reasons
    "idempotency_key_reused",  # 422: the key was used with another body
    "throttled",  # 429: the stream takes no more at present
    "headers_too_large",  # 431
    "fault",  # 500
    "unavailable",  # 503: the stream or the index does not answer, or too many requests are under way
]


class _ApiModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProblemReason(_ApiModel):
    """One reason of a rejection: the code, the place in the event and the sentence that the consumer would give."""

    code: str
    path: str
    message: str


class Problem(_ApiModel):
    """A problem (RFC 9457, ``application/problem+json``): ``type`` is ``urn:mdm-stream:problem:`` and the code."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    code: ProblemCode
    reasons: list[ProblemReason] = []
    request_id: str | None = None


class EventBatch(_ApiModel):
    """Several events in one request, each judged for itself."""

    events: Annotated[list[RecordChange], Field(min_length=1)]


class EventAccepted(_ApiModel):
    """An event that is on the change stream. ``id`` is what ``GET /v1/events/{id}`` takes."""

    id: str
    state: Literal["accepted"] = "accepted"


class BatchItem(_ApiModel):
    """What became of one event of a batch, by its place in it (0 is the first). Either ``id`` or ``problem`` is set."""

    index: Annotated[int, Field(ge=0)]
    status: Annotated[int, Field(ge=200, le=599)]
    id: str | None = None
    problem: Problem | None = None


class BatchAnswer(_ApiModel):
    """What became of a batch: ``accepted`` and ``refused`` add up to its events."""

    accepted: Annotated[int, Field(ge=0)]
    refused: Annotated[int, Field(ge=0)]
    items: list[BatchItem]


class GoldenPlace(_ApiModel):
    """The golden record that the event's source record is in now, and how far the golden feed tells of the event.

    Who has applied the feed's messages of the domain through ``(epoch, sequence)`` has the event's effect.
    """

    golden_id: str | None
    epoch: Annotated[int, Field(ge=1)]
    sequence: Annotated[int, Field(ge=0)]


Effect = Literal["standing", "superseded", "erased", "none"]


class EventStatus(_ApiModel):
    """What became of an event.

    ``accepted``: it is on the stream, and not yet done. ``rejected``: it is in quarantine, for ``reasons``.
    ``applied``: it counts. Its ``effect`` is then ``standing`` (it set what the record says now), ``superseded`` (a
    newer version of the record counts in its place), ``erased`` (the record was erased, and nothing of it counts) or
    ``none`` (it carried no attribute that the rules use). ``golden_id`` is null while the record is deleted or erased.
    """

    id: str
    state: Literal["accepted", "rejected", "applied"]
    domain: str
    source: str
    effect: Effect | None = None
    golden: GoldenPlace | None = None
    reasons: list[ProblemReason] = []
