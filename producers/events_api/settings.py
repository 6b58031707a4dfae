"""What the events API needs to know of its surroundings, and what it takes at most."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from mdm_stream.aws.put_records import RECORD_BYTES_MAX
from mdm_stream.settings import Count, Settings

PARTITION_KEY_BYTES_MAX = 1_024
"""A stream counts the partition key with the record: 256 characters of up to 4 bytes."""
EVENT_BYTES_MAX = RECORD_BYTES_MAX - PARTITION_KEY_BYTES_MAX
BATCH_BYTES_MAX = 4_194_304
"""Lambda takes 6 MB a request, and a body that API Gateway hands over in base64 is a third longer."""
BATCH_EVENTS_MAX = 500
"""What one PutRecords takes."""
HEADER_BYTES_MAX = 10_240
"""What API Gateway takes; a token of any issuer is shorter."""
PATH_CHARS_MAX = 8_192
"""An id has some 200 characters; one of an event with all names at their greatest lengths has 5,000."""


class EventsApiSettings(Settings):
    """The settings of the events API; environment names are ``MDM_`` and the upper case.

    ``rules``, ``redis_url``, ``changes_stream``, ``steward_stream``, ``quarantine_url``, ``namespace``, ``authority``,
    ``signing_keys``, ``kinesis_endpoint_url``, ``redis_timeout_s`` and ``aws_timeout_s`` are those of the resolve
    consumer, and have to be the same: it is asked what it would say.

    ``api_id_keys`` is where the key is that seals the ids of events, as ``signing_keys`` says where keys are;
    ``api_id_key`` is its name. ``api_jwks`` is where the keys are
    that verify tokens: an ``https://`` address, a path, or the JSON Web Key Set itself; empty where API Gateway's
    authorizer or IAM says who calls. ``api_jwt_issuer`` and ``api_jwt_audience``: what ``iss`` and ``aud`` must be.
    ``api_sources_claim``: the claim that lists the sources that a caller may write.

    ``api_event_bytes_max``, ``api_batch_bytes_max`` and ``api_batch_events_max`` bound a request,
    ``api_header_bytes_max`` its headers. ``api_in_flight_max``: requests that one process works on at a time; one more
    is asked to come later. ``api_body_timeout_s``: how long a body may take to arrive. ``api_attempts_max``: attempts
    of one event at the stream before its sender is asked to send it again after ``api_retry_after_s``.
    ``api_idempotency_hours``: how long an ``Idempotency-Key`` is remembered. ``api_clock_skew_s``: by how much the
    clock of a token's issuer may differ.
    """

    needed_for: ClassVar[str] = "the events API"

    rules: str
    redis_url: str
    changes_stream: str
    quarantine_url: str
    api_id_keys: str
    steward_stream: Annotated[str, Field(min_length=1)] = "mdm-steward"
    authority: str = ""
    signing_keys: str = ""
    namespace: str = "main"
    kinesis_endpoint_url: str = ""
    redis_timeout_s: float = 5.0
    aws_timeout_s: float = 10.0
    api_id_key: Annotated[str, Field(min_length=1)] = "events-api"
    api_jwks: str = ""
    api_jwt_issuer: str = ""
    api_jwt_audience: str = ""
    api_sources_claim: Annotated[str, Field(min_length=1)] = "mdm_sources"
    api_event_bytes_max: Annotated[int, Field(ge=1, le=EVENT_BYTES_MAX)] = EVENT_BYTES_MAX
    api_batch_bytes_max: Annotated[int, Field(ge=1, le=BATCH_BYTES_MAX)] = BATCH_BYTES_MAX
    api_batch_events_max: Annotated[int, Field(ge=1, le=BATCH_EVENTS_MAX)] = BATCH_EVENTS_MAX
    api_header_bytes_max: Count = HEADER_BYTES_MAX
    api_in_flight_max: Count = 32
    api_body_timeout_s: Annotated[float, Field(gt=0)] = 30.0
    api_attempts_max: Count = 3
    api_retry_after_s: Count = 2
    api_idempotency_hours: Annotated[int, Field(ge=1, le=720)] = 24
    api_clock_skew_s: Annotated[int, Field(ge=0, le=600)] = 30
