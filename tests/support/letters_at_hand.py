"""Dead letters to test with, on either store, made by what makes them in earnest."""

from __future__ import annotations

from typing import Any

import orjson

from mdm_stream.dead_letters import DeadLetters
from mdm_stream.dead_letters.quarantine import QuarantineEntry, QuarantineStore
from mdm_stream.decode import Delivery, claimed_identity
from mdm_stream.errors import Reason
from mdm_stream.local.event_source.lanes import Discard
from mdm_stream.local.event_source.mapping import ShardRecord
from mdm_stream.local.event_source.on_failure import OnFailure
from mdm_stream.objects.store import ObjectStore

CHANGES, GOLDEN = "changes", "golden"
SHARD = "shardId-000000000000"


def change(record_id: str, source: str = "crm", domain: str = "person", **members: Any) -> bytes:
    """Return a canonical event without version or time."""
    event = {"domain": domain, "source": source, "record_id": record_id, "op": "upsert", "attributes": {}}
    return orjson.dumps(event | members)


def delivered(raw: bytes, number: int, origin: str | None = None) -> Delivery:
    """Return the n-th event of the change stream, which arrived in the n-th second of 1970."""
    return Delivery.from_kinesis(raw, str(number), float(number), origin or f"{CHANGES}/{SHARD}:{number}")


def reject(objects: ObjectStore, raw: bytes, number: int, code: str = "unknown_source", place: bool = True) -> str:
    """Put an event into the quarantine, as the resolver does; return its id."""
    claimed = claimed_identity(raw)
    entry = QuarantineEntry(
        delivery=delivered(raw, number) if place else Delivery.unplaced(raw, f"{CHANGES}/{SHARD}:{number}"),
        reasons=(Reason(code, "source", "is not known"),),
        quarantined_at_us=10**15,
        domain=claimed.domain,
        source=claimed.source,
        record_id=claimed.record_id,
    )
    QuarantineStore(objects).put([entry])
    return entry.quarantine_id


def give_up(objects: ObjectStore, raws: list[bytes], first: int, stream: str = CHANGES, suffix: str = "") -> str:
    """Write a batch into the on-failure destination, as the event source does; return its id."""
    records = tuple(ShardRecord(str(n), f"key-{n}", raw, float(n)) for n, raw in enumerate(raws, start=first))
    keys = []

    def put(key: str, document: bytes) -> None:
        keys.append(key)
        objects.put(key + suffix, document)

    arn = f"arn:aws:kinesis:us-east-1:123456789012:stream/{stream}"
    writer = OnFailure(put, function_name="resolve", stream_arn=arn)
    writer.write(Discard(records, "RetryAttemptsExhausted", 3), SHARD, 1_800_000_000.0)
    return keys[0][-36:]


def names(objects: ObjectStore) -> list[str]:
    """Return the names of all objects."""
    return [stored.name for stored in objects.list("")]


def both(objects: ObjectStore) -> list[DeadLetters]:
    """Return the letters of both kinds that share one store."""
    return [DeadLetters(objects, "quarantine"), DeadLetters(objects, "on_failure")]
