"""The streams as an AsyncAPI 3.0 document: who puts which messages on which stream, under which key and limits.

AsyncAPI has no binding for Kinesis, so what a client of a stream has to know stands under ``x-kinesis``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mdm_stream.contracts import examples
from mdm_stream.contracts.change import (
    EVENT_BYTES_MAX,
    ErasureChange,
    OverrideChange,
    OverrideExpiry,
    RecordDelete,
    RecordWrite,
    VerdictChange,
)
from mdm_stream.contracts.csv_row import CsvRowEvent
from mdm_stream.contracts.evidence import (
    MATCH_CHANGED,
    RECORD_CHANGED,
    REVIEW_CHANGED,
    MatchChanged,
    RecordChanged,
    ReviewChanged,
)
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.golden import (
    ERASED,
    FILE_LOADED,
    QUARANTINED,
    RETIRED,
    UPSERTED,
    ClaimCheck,
    FeedEnvelope,
    GoldenChange,
    QuarantinedEvent,
    RecordErased,
)
from mdm_stream.contracts.schema import opened

ASYNCAPI_VERSION = "3.0.0"
_SCHEMAS = "#/components/schemas"
_RECORD_KEY = "domain/source/record_id; longer than 256 characters: its first 223, a tilde and a BLAKE2b digest"


class StreamMessage(NamedTuple):
    """One message: its name, what it says, the model of its payload, and payloads."""

    name: str
    summary: str
    model: type[BaseModel]
    payloads: Sequence[Mapping[str, Any]]


class FeedMessageKind(NamedTuple):
    """One type of message of the golden feed, the model of its data, and payloads."""

    name: str
    summary: str
    kind: str
    data: type[BaseModel]
    payloads: Sequence[Mapping[str, Any]]


CHANGES = (
    StreamMessage("recordWrite", "A record was written, whole or in part", RecordWrite, examples.CHANGES[:2]),
    StreamMessage("recordDelete", "A record was deleted", RecordDelete, examples.CHANGES[2:3]),
    StreamMessage("csvRow", "A row of a file that its reader could not read", CsvRowEvent, [examples.CSV_ROW]),
)
STEWARD = (
    StreamMessage("verdict", "Two records are one thing, or are not", VerdictChange, examples.STEWARD_CHANGES[:1]),
    StreamMessage("override", "Values that stand above the rules", OverrideChange, examples.STEWARD_CHANGES[1:2]),
    StreamMessage("overrideExpired", "The end of an override", OverrideExpiry, examples.STEWARD_CHANGES[2:3]),
    StreamMessage("erasure", "A record is to be forgotten for good", ErasureChange, examples.STEWARD_CHANGES[3:]),
)
GOLDEN = (
    FeedMessageKind("goldenUpserted", "A golden record, whole", UPSERTED, GoldenChange, [examples.UPSERTED]),
    FeedMessageKind("goldenRetired", "A golden id names nothing any more", RETIRED, GoldenChange, [examples.RETIRED]),
    FeedMessageKind("recordErased", "Values of a record must be forgotten", ERASED, RecordErased, [examples.ERASED]),
    FeedMessageKind(
        "recordChanged", "A source record, whole", RECORD_CHANGED, RecordChanged, [examples.RECORD_CHANGED]
    ),
    FeedMessageKind("matchChanged", "A link and its evidence", MATCH_CHANGED, MatchChanged, [examples.MATCH_CHANGED]),
    FeedMessageKind(
        "reviewChanged", "A question to stewards", REVIEW_CHANGED, ReviewChanged, [examples.REVIEW_CHANGED]
    ),
    FeedMessageKind("eventQuarantined", "An event was rejected", QUARANTINED, QuarantinedEvent, [examples.QUARANTINED]),
    FeedMessageKind(
        "fileLoaded", "The load of a file came to a state", FILE_LOADED, FileManifest, [examples.FILE_LOADED]
    ),
)
"""Every type that ``FeedEnvelope`` knows; a claim check stands in the place of the first two."""
_CLAIM_CHECK = "goldenByReference"


def asyncapi_document(version: str) -> dict[str, Any]:
    """Return the document of a release."""
    messages = {
        each.name: _message(each.name, each.summary, each.model, each.payloads) for each in (*CHANGES, *STEWARD)
    }
    messages |= {each.name: _feed_message(each) for each in GOLDEN}
    messages[_CLAIM_CHECK] = _message(
        _CLAIM_CHECK, "A golden change whose data is in an object store", ClaimCheck, [examples.CLAIM_CHECK]
    )
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "mdm-stream",
            "version": version,
            "description": (
                "Changes of source records in, golden records out. Delivery is at least once, both ways: versions and "
                "sequence numbers make a repetition harmless. docs/guide/write-a-producer.md says how to take part."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kinesis": _server()},
        "channels": {
            "changes": _channel("changes", "mdm-changes", _RECORD_KEY, CHANGES),
            "steward": _channel("steward", "mdm-steward", f"{_RECORD_KEY}; of a verdict the pair, sorted", STEWARD),
            "golden": _channel("golden", "mdm-golden", "subject", GOLDEN, _CLAIM_CHECK),
        },
        "operations": {
            "receiveChanges": _operation("receive", "changes", CHANGES, "Sources put changes of their records here."),
            "receiveDecisions": _operation("receive", "steward", STEWARD, "Stewards put their decisions here."),
            "sendGolden": _operation("send", "golden", GOLDEN, "Subscribers read golden records here.", _CLAIM_CHECK),
        },
        "components": {"schemas": _schemas(), "messages": messages, "securitySchemes": {"sigv4": _sigv4()}},
    }


def _server() -> dict[str, Any]:
    return {
        "host": "kinesis.{region}.amazonaws.com",
        "protocol": "kinesis",
        "description": "PutRecords to send, GetRecords or SubscribeToShard to read.",
        "variables": {"region": {"default": "eu-west-1", "description": "Where the streams are."}},
        "security": [{"$ref": "#/components/securitySchemes/sigv4"}],
    }


def _sigv4() -> dict[str, Any]:
    return {
        "type": "httpApiKey",
        "name": "Authorization",
        "in": "header",
        "description": (
            "AWS Signature Version 4: IAM says who may write to a stream. What a writer may say is the deployment's "
            "authority policy; an event may prove its sender with its member `signature`."
        ),
    }


def _channel(
    name: str, default: str, key: str, held: Sequence[StreamMessage | FeedMessageKind], *further: str
) -> dict[str, Any]:
    names = [*(each.name for each in held), *further]
    return {
        "address": "{stream}",
        "title": f"The {name} stream",
        "parameters": {"stream": {"default": default, "description": "The stream's name in the deployment."}},
        "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in names},
        "bindings": {
            "x-kinesis": {
                "partitionKey": key,
                "recordBytesMax": EVENT_BYTES_MAX,
                "ordering": "by partition key; a version orders what arrives otherwise",
                "aggregation": "none" if name == "golden" else "none, or the Kinesis Producer Library's",
            }
        },
    }


def _operation(
    action: str, channel: str, held: Sequence[StreamMessage | FeedMessageKind], summary: str, *further: str
) -> dict[str, Any]:
    names = [*(each.name for each in held), *further]
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{each}"} for each in names],
    }


def _message(name: str, summary: str, model: type[BaseModel], payloads: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return _described(name, summary, {"$ref": f"{_SCHEMAS}/{model.__name__}"}, payloads)


def _feed_message(message: FeedMessageKind) -> dict[str, Any]:
    """Return a message of the golden feed: the envelope, with one type and the data that goes with it."""
    envelope = opened(FeedEnvelope.model_json_schema())
    properties = {
        **envelope["properties"],
        "type": {"const": message.kind, "type": "string"},
        "data": {"$ref": f"{_SCHEMAS}/{message.data.__name__}"},
    }
    payload = {"type": "object", "title": message.name, "properties": properties, "required": envelope["required"]}
    return _described(message.name, message.summary, payload, message.payloads)


def _described(
    name: str, summary: str, payload: Mapping[str, Any], payloads: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "name": name,
        "summary": summary,
        "contentType": "application/json",
        "payload": payload,
        "examples": [{"payload": each} for each in payloads],
    }


def _schemas() -> dict[str, Any]:
    """Return the schemas of all payloads: closed where we consume them, open where we produce them."""
    consumed: list[type[BaseModel]] = [each.model for each in (*CHANGES, *STEWARD)]
    produced: list[type[BaseModel]] = [*dict.fromkeys(each.data for each in GOLDEN), ClaimCheck]
    return {**_definitions(consumed), **{name: opened(each) for name, each in _definitions(produced).items()}}


def _definitions(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """Return the schemas of models, and of all that they refer to."""
    wanted: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        (each, "validation") for each in models
    ]
    _, schema = models_json_schema(wanted, ref_template=f"{_SCHEMAS}/{{model}}")
    return dict(schema["$defs"])
