"""The settings of a Kinesis event source, and the event and context that a Lambda function is given.

The names and limits are those of Lambda's event source mapping for Kinesis.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

import orjson

from mdm_stream.aws.loopback import ACCOUNT_ID, REGION
from mdm_stream.contracts.invocation import TICK_SOURCE, TICK_TYPE
from mdm_stream.errors import ConfigurationError

PAYLOAD_BYTES_MAX = 6 * 1024 * 1024
"""A synchronous invocation carries at most 6 MB, with the records in base64."""

ENVELOPE_BYTES = 512
"""What one record of an event needs beside its data and partition key, rounded up."""

NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """One record of a shard. ``sequence`` is compared as an integer; ``arrived_s`` is seconds since 1970."""

    sequence: str
    partition_key: str
    data: bytes
    arrived_s: float

    @property
    def event_bytes(self) -> int:
        """What the record adds to an event."""
        return (len(self.data) + 2) // 3 * 4 + len(self.partition_key.encode()) + ENVELOPE_BYTES


@dataclass(frozen=True, slots=True)
class EventSource:
    """How records of a stream become invocations, and what happens to those that fail.

    A batch is closed by ``batch_size`` records, by ``window_s`` after its first record came, or by 6 MB. The records
    of a shard are spread over ``parallelization_factor`` lanes by partition key; within a lane one batch runs at a
    time, in order. ``maximum_retry_attempts`` and ``maximum_record_age_s`` may be -1, no limit. Retries wait
    ``retry_backoff_s``, doubled with each failure in a row up to ``retry_backoff_s_max``. ``on_failure`` is a folder
    or an ``s3://bucket/prefix`` for what is given up; without one it is dropped, as on Lambda.
    """

    batch_size: int = 100
    window_s: float = 0.0
    parallelization_factor: int = 1
    starting_position: Literal["TRIM_HORIZON", "LATEST"] = "TRIM_HORIZON"
    bisect_on_error: bool = True
    maximum_record_age_s: float = NO_LIMIT
    maximum_retry_attempts: int = NO_LIMIT
    report_batch_item_failures: bool = True
    on_failure: str | None = None
    retry_backoff_s: float = 0.1
    retry_backoff_s_max: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what Lambda would refuse; ``ConfigurationError`` names the setting."""
        age_is_valid = self.maximum_record_age_s == NO_LIMIT or 0 < self.maximum_record_age_s <= 604_800
        checks = {
            "batch_size: 1 to 10000": 1 <= self.batch_size <= 10_000,
            "window_s: 0 to 300": 0 <= self.window_s <= 300,
            "parallelization_factor: 1 to 10": 1 <= self.parallelization_factor <= 10,
            "starting_position: TRIM_HORIZON or LATEST": self.starting_position in ("TRIM_HORIZON", "LATEST"),
            "maximum_record_age_s: -1, or up to 604800": age_is_valid,
            "maximum_retry_attempts: -1 to 10000": NO_LIMIT <= self.maximum_retry_attempts <= 10_000,
            "retry_backoff_s: more than 0, at most retry_backoff_s_max": (
                0 < self.retry_backoff_s <= self.retry_backoff_s_max
            ),
        }
        if wrong := [text for text, holds in checks.items() if not holds]:
            raise ConfigurationError(f"event source setting out of range: {'; '.join(wrong)}")

    def to_json(self) -> str:
        """Return the settings as one JSON object."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read settings; those that are absent keep their defaults. ``ConfigurationError`` for anything else."""
        try:
            given = dict(orjson.loads(text))
            if unknown := given.keys() - {setting.name for setting in fields(cls)}:
                raise ConfigurationError(f"event source settings: there is none named {', '.join(sorted(unknown))}")
            return cls(**given)
        except (orjson.JSONDecodeError, TypeError, ValueError) as error:
            raise ConfigurationError("event source settings: a JSON object of settings is expected") from error


@dataclass(slots=True)
class FunctionContext:
    """The context object of one invocation, with the attributes that Powertools and handlers read.

    The time limit is told, not enforced: a thread cannot be killed, and a handler that honours the remaining time
    needs no killing.
    """

    function_name: str
    timeout_s: float = 60.0
    memory_limit_in_mb: int = 1024
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    log_group_name: str = "/aws/lambda/local"
    log_stream_name: str = "local"
    client_context: None = None
    identity: None = None
    _started_s: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        """The function's ARN."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left of the time limit, never below 0."""
        return max(0, int((self._started_s + self.timeout_s - time.monotonic()) * 1000))


def kinesis_event(records: Sequence[ShardRecord], shard_id: str, stream_arn: str) -> dict[str, Any]:
    """Return the event of one batch: the shape that Lambda gives a function of a Kinesis event source."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": record.partition_key,
                    "sequenceNumber": record.sequence,
                    "data": base64.b64encode(record.data).decode("ascii"),
                    "approximateArrivalTimestamp": record.arrived_s,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard_id}:{record.sequence}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": f"arn:aws:iam::{ACCOUNT_ID}:role/lambda-role",
                "awsRegion": REGION,
                "eventSourceARN": stream_arn,
            }
            for record in records
        ]
    }


def schedule_event(stream_arn: str, now_s: float) -> dict[str, Any]:
    """Return the event of a tick: EventBridge's scheduled event with the source ``mdm.schedule``."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": TICK_TYPE,
        "source": TICK_SOURCE,
        "account": ACCOUNT_ID,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s)),
        "region": REGION,
        "resources": [stream_arn],
        "detail": {},
    }
