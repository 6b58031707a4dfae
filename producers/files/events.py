"""What invokes the gatekeeper: that an object was written, in each form in which AWS tells it.

    S3 notification      {"Records": [{"eventName": "ObjectCreated:Put", "s3": {...}}]}
    EventBridge          {"detail-type": "Object Created", "detail": {"bucket": {...}, "object": {...}}}
    SQS                  {"Records": [{"eventSource": "aws:sqs", "body": one of the two, or SNS with one inside}]}

S3's ``s3:TestEvent``, deletions and the placeholders of folders are no drops; an event of another service is an error.
Keys are percent-encoded in notifications and not in EventBridge's events.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import orjson

from mdm_stream.errors import TerminalError


@dataclass(frozen=True, slots=True)
class Drop:
    """An object that was written. Without ``version_id`` the bucket keeps no versions."""

    bucket: str
    key: str
    version_id: str | None = None


_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", re.ASCII)
"""Errors name the bucket, so what cannot be the name of one is not taken for it."""


class UnreadableEventError(TerminalError):
    """An invocation or message that is none of the forms."""


def is_queue_event(event: Mapping[str, Any]) -> bool:
    """Tell whether an invocation brings messages of a queue, which fail one by one."""
    records = event.get("Records")
    return bool(records) and isinstance(records, list) and records[0].get("eventSource") == "aws:sqs"


def body_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON object in a message of a queue; ``UnreadableEventError`` for anything else."""
    try:
        body = orjson.loads(message["body"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableEventError("the message holds no JSON") from error
    if not isinstance(body, dict):
        raise UnreadableEventError("the message holds no JSON object")
    return body


def drops_in(event: Mapping[str, Any]) -> list[Drop]:
    """Return the objects that an event tells of, none for a test; ``UnreadableEventError`` for what is no event."""
    try:
        if event.get("Event") == "s3:TestEvent":
            return []
        if event.get("Type") == "Notification":
            return drops_in(body_of({"body": event["Message"]}))
        found = [_notified(each) for each in event["Records"]] if "Records" in event else [_bridged(event)]
    except (AttributeError, KeyError, TypeError) as error:
        raise UnreadableEventError("the message is no event of S3") from error
    drops = [drop for drop in found if drop is not None and not drop.key.endswith("/")]
    if not all(_BUCKET_NAME.fullmatch(drop.bucket) for drop in drops):
        raise UnreadableEventError("the event names no bucket of S3")
    return drops


def _notified(record: Mapping[str, Any]) -> Drop | None:
    if not record["eventName"].removeprefix("s3:").startswith("ObjectCreated"):
        return None
    told = record["s3"]
    return Drop(told["bucket"]["name"], unquote_plus(told["object"]["key"]), _version(told["object"].get("versionId")))


def _bridged(event: Mapping[str, Any]) -> Drop | None:
    if event["detail-type"] != "Object Created":
        if event["source"] != "aws.s3":
            raise UnreadableEventError("the event is none of S3; correct the rule of EventBridge that sends it")
        return None
    detail = event["detail"]
    return Drop(detail["bucket"]["name"], detail["object"]["key"], _version(detail["object"].get("version-id")))


def _version(version_id: str | None) -> str | None:
    return None if version_id in (None, "", "null") else version_id
