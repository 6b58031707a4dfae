"""A golden feed for the sections about the local warehouse: messages as the publisher writes them, some 2 KB each."""

from __future__ import annotations

import hashlib
import random

import orjson

from mdm_stream.decode import Delivery
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.port import OutboxEntry

ATTRIBUTES = (
    "first_name",
    "last_name",
    "email",
    "phone",
    "birth_date",
    "street",
    "postcode",
    "city",
    "country",
    "company",
)
SOURCES = ("crm", "erp", "web")
COMMITTED_US = 1_772_366_400_000_000


def golden_feed(count: int, golden_ids: int, seed: int = 1, first: int = 1) -> list[Delivery]:
    """Return so many changes of so many golden records of one to three members, ten attributes with provenance."""
    chance = random.Random(seed)
    feed = []
    for sequence in range(first, first + count):
        number = chance.randrange(golden_ids)
        members = [{"source": source, "record_id": f"{source}-{number}"} for source in SOURCES[: 1 + number % 3]]
        origins = {
            name: [{**chance.choice(members), "version": sequence, "event_time": "2026-03-01T12:00:00.000000Z",
                    "strategy": "most_recent"}]
            for name in ATTRIBUTES
        }  # fmt: skip
        content = {
            "domain": "person",
            "op": "upsert",
            "golden_id": f"g{hashlib.sha256(str(number).encode()).hexdigest()[:31]}",
            "members": members,
            "removed": [],
            "merged_into": None,
            "anchor": None,
            "values": {name: f"{name} {number} é {sequence % 7}" for name in ATTRIBUTES},
            "provenance": origins,
            "rules_version": 3,
            "rules_digest": "a1b2c3d4+1.1.e5f6",
        }
        entry = OutboxEntry(1, sequence, orjson.dumps(content), COMMITTED_US + sequence)
        feed.append(Delivery.unplaced(change_message(entry)[1]))
    return feed
