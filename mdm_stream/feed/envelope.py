"""Feed messages: CloudEvents envelopes of golden changes, erasures, quarantine reports and manifests, as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.golden import (
    FILE_LOADED,
    QUARANTINED,
    TYPE_OF_OP,
    FeedEnvelope,
    QuarantinedEvent,
    encode_message,
)
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.model import make_ref
from mdm_stream.core.times import format_time_us
from mdm_stream.index.port import OutboxEntry

SOURCE = "mdm-stream"

FILE_MESSAGE_BYTES_MAX = 262_144
"""A manifest that is larger goes without its profile and with its last delivery alone; the whole one is an object."""


def change_message(entry: OutboxEntry) -> tuple[str, bytes]:
    """Return ``(partition key, message)`` of an outbox entry: the same bytes whenever the entry is read again.

    The entry's content is the data of the message without epoch, sequence and commit time; its ``op`` tells the type.
    """
    content = orjson.loads(entry.content)
    subject = _subject_of(content)
    committed_at = format_time_us(entry.committed_at_us)
    data = {**content, "epoch": entry.epoch, "sequence": entry.sequence, "committed_at": committed_at}
    message: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{content['domain']}/{entry.epoch}/{entry.sequence}",
        "source": f"{SOURCE}/{content['domain']}",
        "type": TYPE_OF_OP[content["op"]],
        "subject": subject,
        "time": committed_at,
        "datacontenttype": "application/json",
        "data": data,
    }
    if entry.wave_last:
        message["wave"] = entry.wave_last
    return subject, orjson.dumps(message)


def _subject_of(content: Mapping[str, Any]) -> str:
    """Return the golden id of a change or erasure; of evidence, the one that its first record has as an anchor."""
    if "golden_id" in content:
        return str(content["golden_id"])
    key = content.get("a", content)
    return golden_id_of(content["domain"], make_ref(key["source"], key["record_id"]))


def quarantine_message(event: QuarantinedEvent) -> tuple[str, bytes]:
    """Return ``(partition key, message)`` that reports a rejected event."""
    message = FeedEnvelope(
        id=f"quarantine/{event.quarantine_id}",
        source=f"{SOURCE}/quarantine",
        type=QUARANTINED,
        subject=event.quarantine_id,
        time=event.quarantined_at,
        data=event,
    )
    return event.quarantine_id, encode_message(message)


def file_message(manifest: FileManifest) -> tuple[str, bytes]:
    """Return ``(partition key, message)`` with the manifest of a load, or with what of it fits."""
    message = _file_message(manifest)
    if len(message) > FILE_MESSAGE_BYTES_MAX:
        message = _file_message(manifest.model_copy(update={"profile": [], "deliveries": manifest.deliveries[-1:]}))
    return manifest.load_id, message


def _file_message(manifest: FileManifest) -> bytes:
    envelope = FeedEnvelope(
        id=f"file/{manifest.load_id}/{manifest.revision}",
        source=f"{SOURCE}/files",
        type=FILE_LOADED,
        subject=manifest.load_id,
        time=manifest.ended_at or manifest.received_at,
        data=manifest,
    )
    return encode_message(envelope)
