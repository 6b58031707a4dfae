"""Deliberate changes of our own documents: each with who it breaks, and words that its finding must have."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Documents = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the documents, and what the comparison must say of it."""

    name: str
    apply: Callable[[Documents], object]
    said: str = ""
    breaks: str = ""

    def applied(self, documents: Documents) -> Documents:
        """Return the documents with the change."""
        changed = copy.deepcopy(documents)
        self.apply(changed)
        return changed


def _write(documents: Documents) -> dict[str, Any]:
    return documents["change"]["$defs"]["RecordWrite"]


def _field(documents: Documents, name: str) -> dict[str, Any]:
    return _write(documents)["properties"][name]


def _golden(documents: Documents) -> dict[str, Any]:
    return documents["golden"]["$defs"]["GoldenChange"]


def _rename(owner: dict[str, Any], old: str, new: str) -> None:
    owner["properties"][new] = owner["properties"].pop(old)
    owner["required"] = [new if each == old else each for each in owner["required"]]


def _add_message(documents: Documents, channel: str, operation: str) -> None:
    streams = documents["asyncapi"]
    streams["components"]["messages"]["further"] = {"payload": {"type": "object"}}
    streams["channels"][channel]["messages"]["further"] = {"$ref": "#/components/messages/further"}
    streams["operations"][operation]["messages"].append({"$ref": f"#/channels/{channel}/messages/further"})


def _new_feed_type(documents: Documents) -> None:
    envelope = documents["golden"]["$defs"]["FeedEnvelope"]["properties"]
    envelope["type"]["enum"].append("mdm.golden.split")
    parts = {"type": "array", "items": {"type": "string"}}
    split = {"type": "object", "title": "Split", "properties": {"parts": parts}, "required": ["parts"]}
    documents["golden"]["$defs"]["Split"] = split
    envelope["data"]["anyOf"].append({"$ref": "#/$defs/Split"})


def _reworded(node: Any) -> None:
    """Change every description and title below a node."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in ("description", "title") and isinstance(value, str):
                node[name] = f"{value} In other words."
            else:
                _reworded(value)
    elif isinstance(node, list):
        for each in node:
            _reworded(each)


def _renamed_definition(documents: Documents) -> None:
    schema = documents["change"]
    schema["$defs"]["Write"] = schema["$defs"].pop("RecordWrite")
    schema["oneOf"] = [
        {"$ref": "#/$defs/Write"} if each["$ref"].endswith("/RecordWrite") else each for each in schema["oneOf"]
    ]


def _attribute_values(documents: Documents) -> list[dict[str, Any]]:
    return _field(documents, "attributes")["additionalProperties"]["anyOf"]


PRODUCER, SUBSCRIBER = "breaks_producer", "breaks_subscriber"

BREAKING = (
    Change(
        "a new required field",
        lambda d: (_write(d)["properties"].update(batch={"type": "string"}), _write(d)["required"].append("batch")),
        "batch is required now",
        PRODUCER,
    ),
    Change("a required one that was optional", lambda d: _write(d)["required"].append("version"), "required", PRODUCER),
    Change("a shorter text", lambda d: _field(d, "record_id").update(maxLength=100), "maxLength 256 -> 100", PRODUCER),
    Change("fewer operations", lambda d: _field(d, "op").update(enum=["upsert"]), "'patch' is refused", PRODUCER),
    Change("no lists as values", lambda d: _attribute_values(d).pop(), "type array is refused now", PRODUCER),
    Change("a renamed field", lambda d: _rename(_write(d), "source", "origin"), "origin has its schema", PRODUCER),
    Change("a removed field", lambda d: _write(d)["properties"].pop("log"), "log is removed", PRODUCER),
    Change(
        "another pattern", lambda d: _field(d, "domain").update(pattern="^[a-z]{1,9}$"), "cannot be shown", PRODUCER
    ),
    Change("a format where there was none", lambda d: _field(d, "source").update(format="email"), "format", PRODUCER),
    Change("fewer attributes", lambda d: _field(d, "attributes").update(maxProperties=50), "maxProperties", PRODUCER),
    Change("an operation that is gone", lambda d: d["change"]["oneOf"].pop(), "RecordDelete is refused", PRODUCER),
    Change(
        "a verdict that cannot be taken back",
        lambda d: d["steward"]["$defs"]["VerdictChange"]["properties"]["verdict"]["enum"].remove("none"),
        "value 'none' is refused now",
        PRODUCER,
    ),
    Change(
        "another default",
        lambda d: d["change"]["$defs"]["LogOfRow"]["properties"]["server_id"].update(default="0"),
        "default '' -> '0'",
        PRODUCER,
    ),
    Change("a document that is gone", lambda d: d.pop("csv_row"), "the document is gone", PRODUCER),
    Change("a field less on the feed", lambda d: _golden(d)["properties"].pop("anchor"), "is removed", SUBSCRIBER),
    Change(
        "a field that may be absent", lambda d: _golden(d)["required"].remove("members"), "optional now", SUBSCRIBER
    ),
    Change(
        "numbers among golden values",
        lambda d: _golden(d)["properties"]["values"]["additionalProperties"]["anyOf"].append({"type": "number"}),
        "type number is new",
        SUBSCRIBER,
    ),
    Change(
        "a new state of files",
        lambda d: d["file_manifest"]["properties"]["state"]["enum"].append("paused"),
        "'paused' is new",
        SUBSCRIBER,
    ),
    Change(
        "a bound that is lifted",
        lambda d: d["quarantined_event"]["properties"]["raw_bytes"].pop("minimum"),
        "minimum 0 -> none",
        SUBSCRIBER,
    ),
    Change(
        "a message less on the change stream",
        lambda d: d["asyncapi"]["operations"]["receiveChanges"]["messages"].pop(),
        "the message is removed",
        PRODUCER,
    ),
    Change(
        "a message less on the feed",
        lambda d: d["asyncapi"]["operations"]["sendGolden"]["messages"].pop(),
        "the message is removed",
        SUBSCRIBER,
    ),
    Change(
        "another name of a message type",
        lambda d: d["asyncapi"]["components"]["messages"]["goldenUpserted"]["payload"]["properties"]["type"].update(
            const="mdm.golden.changed"
        ),
        "alternative goldenUpserted is new",
        SUBSCRIBER,
    ),
    Change(
        "another partition key",
        lambda d: d["asyncapi"]["channels"]["changes"]["bindings"]["x-kinesis"].update(partitionKey="domain"),
        "bindings of the channel differs",
        PRODUCER,
    ),
    Change(
        "a stream that nothing is read from",
        lambda d: d["asyncapi"]["operations"].pop("receiveDecisions"),
        "the operation is removed",
        PRODUCER,
    ),
)
"""What must be caught."""

SAFE = (
    Change("a new optional field", lambda d: _write(d)["properties"].update(batch={"type": "string"}), "new field"),
    Change("a longer text", lambda d: _field(d, "record_id").update(maxLength=512), "maxLength 256 -> 512"),
    Change("a further operation", lambda d: _field(d, "op")["enum"].append("merge"), "value 'merge' is new"),
    Change("no pattern any more", lambda d: _field(d, "domain").pop("pattern"), "-> none"),
    Change("more attributes", lambda d: _field(d, "attributes").update(maxProperties=900), "maxProperties 500 -> 900"),
    Change("a field that may be left out", lambda d: _write(d)["required"].remove("attributes"), "is optional now"),
    Change("unknown fields are ignored", lambda d: _write(d).pop("additionalProperties"), "unknown fields"),
    Change("a deprecated field", lambda d: _field(d, "log").update(deprecated=True), "is deprecated now"),
    Change("other words", _reworded),
    Change("another name of a definition", _renamed_definition),
    Change("alternatives in another order", lambda d: _attribute_values(d).reverse()),
    Change("a constant as a list of one", lambda d: d["golden"]["$defs"]["FeedEnvelope"]["properties"].update(
        specversion={"enum": ["1.0"], "default": "1.0", "type": "string"})),
    Change("a field more on the feed", lambda d: _golden(d)["properties"].update(trust={"type": "number"}), "is a new"),
    Change("a message more on the feed", lambda d: _add_message(d, "golden", "sendGolden"), "new message"),
    Change("a new message type", _new_feed_type, "'mdm.golden.split' is new"),
    Change("a field that is always there", lambda d: _golden(d)["required"].append("values"), "is required now"),
    Change(
        "a message type that is sent no more",
        lambda d: d["golden"]["$defs"]["ClaimCheck"]["properties"]["type"].update(enum=["mdm.golden.upserted"]),
        "'mdm.golden.retired' is refused now",
    ),
    Change(
        "a narrower number on the feed",
        lambda d: d["file_manifest"]["properties"]["rows"].update(maximum=10**9),
        "maximum 9223372036854775807 -> 1000000000",
    ),
    Change("a message more on the change stream", lambda d: _add_message(d, "changes", "receiveChanges"), "is a new"),
    Change("another version of the streams", lambda d: d["asyncapi"]["info"].update(version="0.2.0")),
    Change("a new document", lambda d: d.update(further={"type": "object"}), "is a new document"),
)  # fmt: skip
"""What must pass."""
