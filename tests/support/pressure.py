"""A resolve consumer, built as in production, on servers that can be put under pressure, and called as Lambda calls."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
from botocore.exceptions import ClientError
from end_state import GoldenState, feed_changes, state_of_feed

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.index.redis.epochs import epoch_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.local.stack import GOLDEN_STREAM
from mdm_stream.resolve.build import build_resolver
from mdm_stream.resolve.report import StreamReport
from mdm_stream.resolve.resolver import Resolver
from mdm_stream.rules import load_ruleset

RULES = load_ruleset("person")
PAGE_BYTES = 4096
OUTBOX = epoch_prefix("main", "person", 1) + "out"

Event = dict[str, Any]


@dataclass(slots=True)
class Consumer:
    """A resolver, and what it is connected to. ``delivered`` is everything that it was ever given."""

    resolver: Resolver
    redis: RedisServer
    kinesis: KinesisServer
    folder: Path
    delivered: dict[str, Delivery] = field(default_factory=dict)

    def records(self, events: Sequence[Event | bytes]) -> list[Delivery]:
        """Give events their places on the change stream."""
        found = []
        for event in events:
            number = len(self.delivered) + 1
            raw = event if isinstance(event, bytes) else orjson.dumps(event)
            record = Delivery(raw, f"{number:06d}", number * 1_000_000, f"changes/{number}")
            self.delivered[record.origin] = record
            found.append(record)
        return found

    def deliver_until_done(self, batch: list[Delivery], attempts_max: int = 50) -> list[StreamReport]:
        """Deliver a batch, and from the first failed record on again, as Lambda does; return the reports."""
        reports = []
        for _ in range(attempts_max):
            report = self.resolver.handle(batch)
            reports.append(report)
            if report.first_failed is None:
                return reports
            batch = batch[report.first_failed :]
        raise AssertionError(f"the batch was never done: {reports[-1].cause}")

    def expected(self, records: Sequence[Delivery] | None = None) -> Resolution:
        """Return F of what was delivered, or of a part of it, by the slow reference."""
        decoder = Decoder({"person": RULES})
        events: list[ChangeEvent] = []
        for record in self.delivered.values() if records is None else records:
            events += decoder.decode(record)
        return resolve(RULES, events)

    def state(self) -> Resolution:
        """Return the state of the index."""
        with self.redis.client() as client:
            return RedisIndex(client, RULES, create=False).snapshot()

    def outbox_size(self) -> int:
        """Return how many golden changes wait to be published."""
        with self.redis.client() as client:
            return int(client.xlen(OUTBOX))

    def changes(self) -> list[dict[str, Any]]:
        """Return the feed's golden changes, each once, in order."""
        return feed_changes(self.kinesis.client())

    def assert_exact(self) -> None:
        """Nothing is lost, and nothing is there twice: index and feed are what F says of everything delivered."""
        self.resolver.tick()
        expected, state, changes = self.expected(), self.state(), self.changes()
        assert state.crosswalk == expected.crosswalk
        assert state.golden == expected.golden
        assert state.review == expected.review
        assert [change["sequence"] for change in changes] == list(range(1, len(changes) + 1))
        assert state_of_feed(changes) == GoldenState(expected.golden, expected.crosswalk)
        assert self.outbox_size() == 0


@contextmanager
def running_consumer(folder: Path | None = None, **settings: str) -> Iterator[Consumer]:
    """Start the servers and build a resolver; ``settings`` are those of the environment, without ``MDM_``.

    ``folder`` is where everything is kept that is kept in files, Redis' append-only file too.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mdm-") as short,
        RedisServer(None if folder is None else folder / "redis", socket_path=Path(short) / "s") as redis_server,
        KinesisServer() as kinesis,
        pytest.MonkeyPatch.context() as patch,
    ):
        home = folder or Path(short)
        kinesis.client().create_stream(StreamName=GOLDEN_STREAM, ShardCount=1)
        environment = {
            "RULES": "person",
            "REDIS_URL": f"unix://{short}/s",
            "REDIS_TIMEOUT_S": "0.3",
            "BACKOFF_MS_MAX": "40",
            "CHANGES_STREAM": "mdm-changes",
            "GOLDEN_STREAM": GOLDEN_STREAM,
            "QUARANTINE_URL": (home / "quarantine").as_uri(),
            "ARCHIVE_URL": (home / "archive").as_uri(),
            **settings,
        }
        for name, value in loopback_environment(kinesis.endpoint_url, kinesis.keys, {}).items():
            patch.setenv(name, value)
        # boto3 remembers the credentials that a process had first: those of an earlier test's server.
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        resolver = build_resolver({f"MDM_{name}": value for name, value in environment.items()})
        yield Consumer(resolver, redis_server, kinesis, home)


class ThrottledKinesis:
    """A Kinesis client that refuses calls and single records by a seeded schedule, and passes the others on.

    ``share`` is the part of calls that is refused as a whole, and of records in the others; 1 refuses all.
    """

    def __init__(self, client: Any, seed: int, share: float) -> None:
        self._client = client
        self._randomness = random.Random(seed)
        self.share = share
        self.calls = self.refused_calls = self.refused_records = 0

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS's
        """Put the records that are not refused."""
        self.calls += 1
        if self._refuses():
            self.refused_calls += 1
            raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "PutRecords")
        taken = [not self._refuses() for _ in Records]
        passed = [record for record, take in zip(Records, taken, strict=True) if take]
        answers: list[dict[str, Any]] = []
        if passed:
            answers = self._client.put_records(StreamName=StreamName, Records=passed)["Records"]
        waiting = iter(answers)
        refusal = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}
        self.refused_records += taken.count(False)
        return {
            "FailedRecordCount": taken.count(False),
            "Records": [next(waiting) if take else refusal for take in taken],
        }

    def _refuses(self) -> bool:
        return self._randomness.random() < self.share


def people(first: int, count: int, version: int = 1) -> list[Event]:
    """Return ``count`` records of the CRM and as many of the web shop, who are the same people."""
    return [
        {
            "domain": "person",
            "source": source,
            "record_id": str(number),
            "op": "upsert",
            "version": version,
            "event_time": f"2026-01-01T00:00:{version:02d}Z",
            "attributes": {
                "given_name": ("Ann", "Bob", "Cleo", "Dan", "Eva")[number % 5],
                "family_name": f"{FAMILIES[number % 7]}{FAMILIES[number // 7 % 7].lower()}",
                "birth_date": f"19{50 + number % 40}-0{1 + number % 9}-1{number % 10}",
                "email": f"person{number}@example.org",
                "city": f"Town {version}",
            },
        }
        for number in range(first, first + count)
        for source in ("crm", "web")
    ]


FAMILIES = ("Abbot", "Brook", "Carter", "Dunn", "Ellis", "Frost", "Grant")


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


@contextmanager
def timed(limit_s: float) -> Iterator[None]:
    """Fail if the block takes longer than it may."""
    started_s = time.monotonic()
    yield
    took_s = time.monotonic() - started_s
    assert took_s < limit_s, f"it took {took_s:.1f} s"
