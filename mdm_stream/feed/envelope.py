"""Feed messages: CloudEvents envelopes of golden changes, erasures and quarantine reports, as bytes."""

from __future__ import annotations

import orjson

from mdm_stream.contracts.golden import QUARANTINED, TYPE_OF_OP, FeedEnvelope, QuarantinedEvent
from mdm_stream.core.times import format_time_us
from mdm_stream.index.port import OutboxEntry

SOURCE = "mdm-stream"


def change_message(entry: OutboxEntry) -> tuple[str, bytes]:
    """Return ``(partition key, message)`` of an outbox entry: the same bytes whenever the entry is read again.

    The entry's content is the data of the message without epoch, sequence and commit time; its ``op`` tells the type.
    """
    content = orjson.loads(entry.content)
    committed_at = format_time_us(entry.committed_at_us)
    data = {**content, "epoch": entry.epoch, "sequence": entry.sequence, "committed_at": committed_at}
    message = {
        "specversion": "1.0",
        "id": f"{content['domain']}/{entry.epoch}/{entry.sequence}",
        "source": f"{SOURCE}/{content['domain']}",
        "type": TYPE_OF_OP[content["op"]],
        "subject": content["golden_id"],
        "time": committed_at,
        "datacontenttype": "application/json",
        "data": data,
    }
    return content["golden_id"], orjson.dumps(message)


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
    return event.quarantine_id, message.model_dump_json().encode()
