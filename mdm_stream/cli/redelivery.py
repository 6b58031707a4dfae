"""How `dlq redrive` puts messages on streams: by the publisher that producers use, under their partition keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from mdm_stream.aws.put_records import BYTES_PER_CALL_MAX
from mdm_stream.dead_letters.redrive import Deliver, Message
from mdm_stream.errors import TransientError
from producers.delivery import DeliveryFailure, PublishError, PublisherSettings
from producers.partition_key import partition_key_of
from producers.publisher import Publisher

NOT_SENT = "NotSent"
"""The code of what was not handed to the publisher, because too many events had failed before."""


SETTINGS = PublisherSettings(record_bytes_max=BYTES_PER_CALL_MAX)
"""How large a record may be is a matter of each stream, which refuses one that is too large for itself."""


def deliver_with(client: Any, settings: PublisherSettings = SETTINGS) -> Deliver:
    """Return the delivery through a Kinesis client: batched, retried with backoff, in order for each partition key."""

    def deliver(messages: Sequence[Message]) -> Mapping[int, str]:
        failures: dict[int, str] = {}
        for stream in dict.fromkeys(message.stream for message in messages):
            places = [place for place, message in enumerate(messages) if message.stream == stream]
            failures |= _deliver(client, stream, {place: messages[place] for place in places}, settings)
        return failures

    return deliver


def change_key_of(raw: bytes) -> str | None:
    """Return the key that the publisher gives a canonical event; of others only their senders know it.

    Where it is not known any key will do: the order of a record's changes is in their versions, and one shard for all
    of them only saves conflicts.
    """
    try:
        event = orjson.loads(raw)
        return partition_key_of(event) if isinstance(event, dict) else None
    except ValueError:
        return None


def _deliver(client: Any, stream: str, messages: Mapping[int, Message], settings: PublisherSettings) -> dict[int, str]:
    codes: dict[bytes, str] = {}
    handed_over: set[int] = set()

    def note(failure: DeliveryFailure) -> None:
        codes[failure.data] = failure.code

    try:
        with Publisher(client, stream, settings=settings, on_failure=note) as publisher:
            for place, message in messages.items():
                publisher.put(message.data, message.partition_key)
                handed_over.add(place)
    except (PublishError, TransientError):
        pass  # The publisher noted each event that failed; what was not handed over is counted below.
    lost = {place: codes[message.data] for place, message in messages.items() if message.data in codes}
    return {place: NOT_SENT for place in messages if place not in handed_over} | lost
