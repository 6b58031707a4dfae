"""All stores of a domain in one process, with consumers that work when they are told to: for erasing from them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import redis

from mdm_stream.archive import Archive
from mdm_stream.aws.read_shards import StreamReader
from mdm_stream.contracts.golden import parse_envelope
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.dead_letters import DeadLetters
from mdm_stream.dead_letters.quarantine import QuarantineStore
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.authority import Authority, default_policy
from mdm_stream.engine.batch import Engine
from mdm_stream.erasure.erase import Erase, EraseOptions
from mdm_stream.erasure.places import OwnMachine, Places
from mdm_stream.erasure.receipt import Receipt
from mdm_stream.erasure.search import Search, Searched
from mdm_stream.erasure.values import Values
from mdm_stream.feed.claims import ClaimStore
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.feed.snapshot_store import FeedSnapshots
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.event_source.lanes import Discard
from mdm_stream.local.event_source.mapping import ShardRecord
from mdm_stream.local.event_source.on_failure import OnFailure, put_into
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.report import StreamReport
from mdm_stream.resolve.resolver import DomainResolver, Resolver
from mdm_stream.rules import load_rulesets
from mdm_stream.warehouse import DuckDbWarehouse

RULE_FILES = [str(Path(__file__).parent / "evident_rules" / f"{domain}.yaml") for domain in ("person", "organisation")]
"""The packs, which publish all evidence: that holds values of records too."""

RULESETS = load_rulesets(RULE_FILES)
RULES = RULESETS["person"]
REF = "crm/p-7"

STEWARD_OPS = {"verdict", "override", "erase"}

_NUMBERS = itertools.count()


def upsert(ref: str = REF, version: int = 1, **attributes: Any) -> dict[str, Any]:
    """Return a whole record of a person."""
    source, record_id = ref.split("/", 1)
    event = {"domain": "person", "source": source, "record_id": record_id, "op": "upsert", "version": version}
    common = {"given_name": "Adelgundis", "family_name": "Wintersheim", "birth_date": "1971-02-03"}
    return {**event, "event_time": "2026-03-01T00:00:00Z", "attributes": {**common, **attributes}}


class World:
    """Real stores: Redis, the streams of a local Kinesis API, DuckDB, folders. ``places`` are theirs."""

    def __init__(self, kinesis: Any, client: redis.Redis, folder: Path, own_machine: OwnMachine | None = None) -> None:
        """Make everything, empty."""
        number = next(_NUMBERS)
        self.kinesis, self.client, self.folder = kinesis, client, folder
        self.changes, self.steward, self.golden = (f"{name}-{number}" for name in ("changes", "steward", "golden"))
        for stream in (self.changes, self.steward, self.golden):
            kinesis.create_stream(StreamName=stream, ShardCount=1)
        self.archive = Archive(FolderObjects(folder / "archive"))
        self.quarantine, self.on_failure = FolderObjects(folder / "quarantine"), FolderObjects(folder / "on-failure")
        self.warehouse_file = folder / "warehouse.duckdb"
        self.consuming = True
        self.index = RedisIndex(client, RULES)
        claims_url = (folder / "archive" / "claims").as_uri()
        self.claims = ClaimStore(FolderObjects(folder / "archive" / "claims"), claims_url)
        self.snapshot_objects = FolderObjects(folder / "archive" / "feed-snapshots")
        self.snapshots = FeedSnapshots(self.snapshot_objects)
        golden = FeedPublisher(kinesis, self.golden, claims=self.claims)
        self.resolver = Resolver(
            Intake(Decoder(RULESETS), Authority(default_policy(self.steward))),
            {
                domain: DomainResolver(
                    Engine(rules, index), index, index, MergeWatch(10**6, lambda: 0.0), lambda _: None
                )
                for domain, rules in RULESETS.items()
                for index in [self.index if domain == "person" else RedisIndex(client, rules)]
            },
            archive=self.archive,
            quarantine=QuarantineStore(self.quarantine),
            golden=golden,
            steward=FeedPublisher(kinesis, self.steward),
            now_us=lambda: 0,
            expiries_per_tick_max=10,
        )
        index = RedisIndex(client, RULES)
        self.places = Places(
            decoder=Decoder(RULESETS),
            client=client,
            namespace="main",
            index=index,
            outbox=index,
            changes=StreamReader(kinesis, self.changes),
            steward=StreamReader(kinesis, self.steward),
            golden=StreamReader(kinesis, self.golden),
            archive=self.archive,
            claims=self.claims,
            receipts=FolderObjects(folder / "archive"),
            letters=[DeadLetters(self.quarantine, "quarantine"), DeadLetters(self.on_failure, "on_failure")],
            open_warehouse=self.open_warehouse,
            tell=self.tell,
            own_machine=own_machine,
            snapshots=self.snapshots,
        )
        self._seen: set[tuple[str, str]] = set()

    def options(self, redis_url: str, endpoint_url: str) -> list[str]:
        """Return what names these stores to a command, one by one."""
        return [
            *(option for file in RULE_FILES for option in ("--rules", file)),
            "--redis", redis_url, "--domain", "person", "--endpoint", endpoint_url,
            "--changes-stream", self.changes, "--steward-stream", self.steward, "--golden-stream", self.golden,
            "--archive", str(self.folder / "archive"), "--quarantine", str(self.folder / "quarantine"),
            "--on-failure", (self.folder / "on-failure").as_uri(), "--warehouse", str(self.warehouse_file),
        ]  # fmt: skip

    def open_warehouse(self, writing: bool) -> DuckDbWarehouse | None:
        """Open the warehouse as the places say, if it is there."""
        if not self.warehouse_file.exists():
            return None
        return DuckDbWarehouse(self.warehouse_file, read_only=not writing)

    def send(self, *events: Mapping[str, Any] | bytes) -> StreamReport | None:
        """Put events on the change stream, stewards' on theirs, and have them consumed unless nobody consumes."""
        for event in events:
            raw = event if isinstance(event, bytes) else orjson.dumps(event)
            by_steward = not isinstance(event, bytes) and event.get("op") in STEWARD_OPS
            self._put(self.steward if by_steward else self.changes, raw)
        return self.consume() if self.consuming else None

    def tell(self, events: Sequence[bytes]) -> StreamReport | None:
        """Put bytes on the steward stream, and have them consumed unless nobody consumes."""
        for event in events:
            self._put(self.steward, event)
        return self.consume() if self.consuming else None

    def _put(self, stream: str, raw: bytes) -> None:
        self.kinesis.put_record(StreamName=stream, PartitionKey="k", Data=raw)

    def consume(self) -> StreamReport:
        """Do what the consumers do: resolve what is new on both streams, apply what is new on the golden feed."""
        batch = [
            Delivery.from_kinesis(
                record.data,
                record.sequence_number,
                record.arrival_time_s,
                f"{stream}/{record.shard_id}:{record.sequence_number}",
            )
            for stream in (self.changes, self.steward)
            for record in self._new(stream)
        ]
        report = self.resolver.handle(batch)
        assert report.first_failed is None, report.cause
        warehouse = DuckDbWarehouse(self.warehouse_file)
        warehouse.apply([parse_envelope(record.data, self.claims.fetch) for record in self._new(self.golden)])
        warehouse.close()
        return report

    def give_up(self, *events: Mapping[str, Any] | bytes, stream: str | None = None) -> None:
        """Write a batch into the on-failure destination, as the event source does."""
        raws = [event if isinstance(event, bytes) else orjson.dumps(event) for event in events]
        records = tuple(ShardRecord(str(n), "key", raw, 1.7e9) for n, raw in enumerate(raws, 1))
        arn = f"arn:aws:kinesis:us-east-1:123456789012:stream/{stream or self.changes}"
        put = put_into(str(self.folder / "on-failure"), lambda: None)
        OnFailure(put, function_name="f", stream_arn=arn).write(
            Discard(records, "RecordAgeExceeded", 1), "shardId-0", 0
        )

    def golden_messages(self) -> list[bytes]:
        """Return everything on the golden feed."""
        return [record.data for record in StreamReader(self.kinesis, self.golden).records()]

    def erase(
        self, *refs: str, values: Sequence[str] = (), options: EraseOptions | None = None
    ) -> tuple[Receipt, Searched]:
        """Erase records (by default the one that all is about), without waiting for other machines."""
        naps: list[float] = []
        erasure = Erase(self.places, RULES, refs or [REF], options or EraseOptions(wait_s=5), sleep=naps.append)
        receipt, left, _ = erasure.run(erasure.known(values), "a reason")
        return receipt, left

    def search(self, *values: str, refs: Sequence[str] = (REF,)) -> Searched:
        """Look for what is left."""
        return Search(self.places, RULES, refs, Values(values, refs)).run()

    def _new(self, stream: str) -> list[Any]:
        found = []
        for record in StreamReader(self.kinesis, stream).records():
            if (stream, record.sequence_number) not in self._seen:
                self._seen.add((stream, record.sequence_number))
                found.append(record)
        return found


def _resolver_of(index: RedisIndex, rules: Ruleset) -> DomainResolver:
    return DomainResolver(Engine(rules, index), index, index, MergeWatch(10**6, lambda: 0.0), lambda _: None)


def places_of(left: Searched) -> dict[str, int]:
    """Return how much was found in each store."""
    found: dict[str, int] = {}
    for finding in left.findings:
        found[finding.store] = found.get(finding.store, 0) + finding.count
    return found
