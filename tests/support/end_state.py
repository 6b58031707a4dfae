"""What a stack has come to, read from each of its ends: change stream, index, golden feed, warehouse, rejected events.

Streams are read through the Kinesis API and the warehouse through its views, as a subscriber or an analyst would.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from mdm_stream.contracts.evidence import EVIDENCE_TYPE_OF_OP, EvidenceKey
from mdm_stream.contracts.golden import FILE_LOADED, QUARANTINED
from mdm_stream.core.model import ChangeEvent, make_ref
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.deployment import WAREHOUSE_FILE
from mdm_stream.errors import RejectedEventError
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, STEWARD_STREAM, LocalStack
from mdm_stream.warehouse import DuckDbWarehouse

LOCK_WAIT_MS = 20_000
"""The warehouse consumer lets go of its file some seconds after the last batch."""

CONTENT = ("domain", "golden_id", "members", "values", "provenance")
"""What a feed message says of a golden record, beside where it stands in the feed."""


@dataclass(slots=True)
class GoldenState:
    """Golden records by id, and the crosswalk from reference to golden id."""

    golden: dict[str, dict[str, Any]] = field(default_factory=dict)
    crosswalk: dict[str, str] = field(default_factory=dict)


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0, interval_s: float = 0.02) -> None:
    """Wait until a condition holds, asking for it at an interval; fail if it does not in time."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(interval_s)


def settle(stack: LocalStack, rules: Ruleset, timeout_s: float = 90.0) -> Resolution:
    """Wait until nothing waits anywhere (streams, re-evaluations, outbox), and return the state of the index."""
    index = RedisIndex(stack.redis.client(), rules)
    stack.wait_idle(timeout_s)
    wait_for(lambda: not index.pending(1) and not index.read(1), timeout_s)
    stack.wait_idle(timeout_s)
    return index.snapshot()


def stream_records(client: Any, stream: str) -> Iterator[dict[str, Any]]:
    """Yield everything that is on a stream, shard by shard in order, as GetRecords has it."""
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = client.get_shard_iterator(**place)["ShardIterator"]
        while page := (answer := client.get_records(ShardIterator=iterator))["Records"]:
            yield from page
            iterator = answer["NextShardIterator"]


def change_events(client: Any, rules: Ruleset) -> list[ChangeEvent]:
    """Return every event on the change and the steward stream, as the resolve consumer decodes it; without what it
    rejects.

    Position and arrival time are those that Kinesis gave each record, so that events without a version or a time come
    out as they did in the consumer.
    """
    decoder = Decoder({rules.domain: rules})
    events: list[ChangeEvent] = []
    known = client.list_streams()["StreamNames"]
    streams = [stream for stream in (CHANGES_STREAM, STEWARD_STREAM) if stream in known]
    for record in (record for stream in streams for record in stream_records(client, stream)):
        arrival_s = record["ApproximateArrivalTimestamp"].timestamp()
        try:
            events += decoder.decode(Delivery.from_kinesis(record["Data"], record["SequenceNumber"], arrival_s))
        except RejectedEventError:
            continue
    return events


def expected_state(client: Any, rules: Ruleset) -> Resolution:
    """Return F of all that is on the change stream, by the slow reference."""
    return resolve(rules, change_events(client, rules))


def feed_changes(client: Any) -> list[dict[str, Any]]:
    """Return the golden changes of the feed in order, each once; a repeated one must be the same, byte for byte."""
    return [message["data"] for message in feed_messages(client)]


def feed_messages(client: Any) -> list[dict[str, Any]]:
    """Return the messages of what ``feed_changes`` returns."""
    messages: dict[tuple[int, int], bytes] = {}
    for record in stream_records(client, GOLDEN_STREAM):
        envelope = orjson.loads(record["Data"])
        if envelope["type"] in (QUARANTINED, FILE_LOADED):
            continue
        place = (envelope["data"]["epoch"], envelope["data"]["sequence"])
        assert messages.setdefault(place, record["Data"]) == record["Data"], f"change {place} was restated"
    return [orjson.loads(messages[place]) for place in sorted(messages)]


def state_of_feed(changes: list[dict[str, Any]]) -> GoldenState:
    """Return what a subscriber ends with that applies the newest change of each golden id and of each record."""
    state = GoldenState()
    for change in changes:
        if change["op"] in EVIDENCE_TYPE_OF_OP:
            continue
        for key in change["removed"]:
            state.crosswalk.pop(make_ref(**key), None)
        if change["op"] == "retire":
            state.golden.pop(change["golden_id"], None)
            continue
        state.golden[change["golden_id"]] = {name: change[name] for name in CONTENT}
        state.crosswalk.update({make_ref(**key): change["golden_id"] for key in change["members"]})
    return state


def state_of_warehouse(path: Path) -> GoldenState:
    """Return what the warehouse's current views say; members are those that its crosswalk names."""
    reader = DuckDbWarehouse(path, read_only=True, lock_wait_ms=LOCK_WAIT_MS)
    try:
        records = reader.query("SELECT domain, golden_id, golden_values, provenance FROM current_golden_record")
        claims = reader.query("SELECT source, record_id, golden_id FROM current_crosswalk")
    finally:
        reader.close()
    crosswalk = {make_ref(source, record_id): golden_id for source, record_id, golden_id in claims}
    members: dict[str, list[dict[str, str]]] = {}
    for source, record_id, golden_id in sorted(claims):
        members.setdefault(golden_id, []).append({"source": source, "record_id": record_id})
    golden = {}
    for domain, golden_id, values, provenance in records:
        parts = (domain, golden_id, members.get(golden_id, []), orjson.loads(values), orjson.loads(provenance))
        golden[golden_id] = dict(zip(CONTENT, parts, strict=True))
    return GoldenState(golden, crosswalk)


def evidence_of_warehouse(path: Path) -> dict[EvidenceKey, str]:
    """Return the digest of each record, link and review item that the warehouse knows, by what it is about."""
    reader = DuckDbWarehouse(path, read_only=True, lock_wait_ms=LOCK_WAIT_MS)
    try:
        return {said.key: said.digest for said in reader.published_evidence("person") if said.digest is not None}
    finally:
        reader.close()


def warehouse_rows(state: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return what a query finds in a stack's warehouse, waiting for the consumer to let go of the file."""
    reader = DuckDbWarehouse(state / WAREHOUSE_FILE, read_only=True, lock_wait_ms=LOCK_WAIT_MS)
    try:
        return reader.query(sql)
    finally:
        reader.close()


def files_below(folder: Path) -> list[Path]:
    """Return the files in a folder that may not exist, hidden ones too."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
