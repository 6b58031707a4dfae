"""Events a second of the publisher, plain and aggregated, into a local Kinesis API: how many reach the stream, and how.

    python benchmarks/publisher.py [--events 40000] [--shards 4]

The API is the local stack's, in a process of its own, so both sides share the machine. Each run ends when the stream
has taken everything; then the stream is read back, unpacked, and compared with what was put: all of it, the versions of
each key in order.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import orjson
from show import Show

from mdm_stream.aws.read_shards import StreamReader
from mdm_stream.decode import Delivery, unpack
from mdm_stream.local.kinesis.server import KinesisServer
from producers import Publisher, PublisherSettings, partition_key_of

EVENTS, SHARDS = 40_000, 4
RECORDS = 2_000
"""Records that the events are of: each changes several times."""
AGGREGATE_BYTES_MAX = 100_000
GAIN_MIN = 1.3


@dataclass(frozen=True, slots=True)
class Published:
    """One run: how long it took, and what is on the stream."""

    seconds: float
    requests: int
    records: int
    bytes_of_records: int
    in_order: bool


def run(settings: PublisherSettings, *, aggregated: bool, events: int = EVENTS, shards: int = SHARDS) -> Published:
    """Publish events to a new stream, and read it back. ``aggregated`` names the stream alone."""
    with KinesisServer() as server:
        client = server.client("kinesis")
        stream = "aggregated" if aggregated else "plain"
        client.create_stream(StreamName=stream, ShardCount=shards)
        changes = [_event(number) for number in range(events)]
        began_s = time.perf_counter()
        with Publisher(client, stream, settings=settings) as publisher:
            for change in changes:
                publisher.put(change)
            publisher.flush()
            counts = publisher.counts
        seconds = time.perf_counter() - began_s
        return _read_back(StreamReader(client, stream), changes, seconds, counts.requests)


def figures(show: Show, events: int = EVENTS, shards: int = SHARDS) -> None:
    """Show both ways."""
    plain = run(PublisherSettings(), aggregated=False, events=events, shards=shards)
    packed = run(
        PublisherSettings(aggregate_bytes_max=AGGREGATE_BYTES_MAX), aggregated=True, events=events, shards=shards
    )
    for name, ran in (("plain", plain), ("aggregated", packed)):
        show.fact(f"{name}: events/s", f"{events / ran.seconds:,.0f}")
        show.fact(
            f"{name}: requests, records, bytes a record",
            f"{ran.requests:,}, {ran.records:,}, {ran.bytes_of_records / ran.records:,.0f}",
        )
        show.figure(
            f"{name}: read back",
            "all, each key in order" if ran.in_order else "not all",
            floor="all",
            holds=ran.in_order,
        )
    gain = plain.seconds / packed.seconds
    show.figure("aggregated is faster by", f"{gain:.1f} times", floor=f"{GAIN_MIN:g} times", holds=gain >= GAIN_MIN)


def _event(number: int) -> dict[str, Any]:
    return {
        "domain": "person",
        "source": "web",
        "record_id": str(number % RECORDS),
        "op": "upsert",
        "version": number,
        "event_time": "2026-01-01T00:00:00Z",
        "attributes": {"given_name": f"Given{number}", "family_name": "Family", "email": f"m{number}@example.org"},
    }


def _read_back(reader: StreamReader, changes: list[dict[str, Any]], seconds: float, requests: int) -> Published:
    wanted, found = defaultdict(list), defaultdict(list)
    for change in changes:
        wanted[partition_key_of(change)].append(change["version"])
    records = size = 0
    for record in reader.records():
        records, size = records + 1, size + len(record.data)
        for each in unpack(Delivery.from_kinesis(record.data, record.sequence_number, record.arrival_time_s)):
            event = orjson.loads(each.raw)
            found[partition_key_of(event)].append(event["version"])
    return Published(seconds, requests, records, size, found == wanted)


def main() -> int:
    """Run and print; 1 if a floor is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--shards", type=int, default=SHARDS)
    options = parser.parse_args()
    return Show().run({"publisher": lambda show: figures(show, options.events, options.shards)}, ())


if __name__ == "__main__":
    sys.exit(main())
