"""Time and haste on the stream: overrides end by themselves, and a merge storm is held back without a loss."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from end_state import stream_records
from open_authority import ANYBODY
from storyline import ANN, BOB, DAY_US, RULES, clusters, override, record, values

from consumers.resolve.measure import report_metrics
from mdm_stream.archive import open_archive
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import resolve
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.index.redis.epochs import hold, release
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.report import StreamReport
from mdm_stream.resolve.resolver import DomainResolver, Resolver

pytestmark = pytest.mark.one_redis

BATCH = 10


@pytest.fixture(scope="module")
def kinesis() -> Iterator[KinesisServer]:
    """A Kinesis API on loopback."""
    with KinesisServer() as server:
        yield server


class Stream:
    """The change stream, and the one consumer that reads it: all is real but its clock."""

    def __init__(self, client: redis.Redis, kinesis: KinesisServer, folder: Path, name: str) -> None:
        self.kinesis = kinesis.client()
        self.changes, self.golden = f"{name}-changes", f"{name}-golden"
        for stream in (self.changes, self.golden):
            self.kinesis.create_stream(StreamName=stream, ShardCount=1)
        self.now_us = 0
        self.now_s = 0.0
        self.read = 0
        self.index = RedisIndex(client, RULES)
        parts = DomainResolver(
            Engine(RULES, self.index, sleep=lambda _: None),
            self.index,
            self.index,
            MergeWatch(20, lambda: self.now_s),
            partial(hold, client, "main", "person"),
        )
        self.resolver = Resolver(
            Intake(Decoder({"person": RULES}), ANYBODY),
            {"person": parts},
            archive=open_archive((folder / "archive").as_uri()),
            quarantine=open_quarantine((folder / "quarantine").as_uri()),
            golden=FeedPublisher(self.kinesis, self.golden),
            steward=FeedPublisher(self.kinesis, self.changes),
            now_us=lambda: self.now_us,
            expiries_per_tick_max=100,
        )

    def send(self, *events: ChangeEvent) -> None:
        """Put events on the stream."""
        FeedPublisher(self.kinesis, self.changes).publish([("one", encode_event(event)) for event in events])

    def consume(self) -> list[StreamReport]:
        """Read on, batch by batch, until nothing is left or a batch must be delivered again; return the reports."""
        waiting = list(stream_records(self.kinesis, self.changes))[self.read :]
        reports = []
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            report = self.resolver.handle([Delivery.from_kinesis(r["Data"], r["SequenceNumber"], 0.0) for r in batch])
            reports.append(report)
            self.read += len(batch) if report.first_failed is None else report.first_failed
            if report.first_failed is not None:
                break
        return reports

    def messages(self) -> list[dict[str, Any]]:
        """Return what the golden feed was told."""
        return [orjson.loads(r["Data"]) for r in stream_records(self.kinesis, self.golden)]


@pytest.fixture
def stream(redis_client: redis.Redis, kinesis: KinesisServer, tmp_path: Path, request: pytest.FixtureRequest) -> Stream:
    """A stream of which nothing was read yet."""
    return Stream(redis_client, kinesis, tmp_path, f"s{abs(hash(request.node.name))}")


def test_an_override_ends_by_itself_when_its_time_has_come(stream):
    """The consumer's tick puts the end on the change stream; consumed, it is in the archive and on the feed."""
    events = [record("crm/1", ANN, day=1), override("crm/1", version=3, expires_day=50, given_name="Wilma")]
    stream.send(*events)
    stream.consume()
    stream.now_us = 50 * DAY_US - 1
    assert stream.resolver.tick().expired == 0
    assert stream.consume() == []
    assert values(stream.index.snapshot(), "crm/1")["given_name"] == "Wilma"

    stream.now_us = 50 * DAY_US
    assert stream.resolver.tick().expired == 1
    assert stream.resolver.tick().expired == 0, "it is on its way"
    (report,) = stream.consume()
    assert (report.records, report.totals.absorbed, report.archived) == (1, 0, 1)
    assert values(stream.index.snapshot(), "crm/1")["given_name"] == "Ann"
    assert stream.messages()[-1]["data"]["values"]["given_name"] == "Ann"
    assert stream.resolver.tick().expired == 0


def test_an_override_that_is_renewed_before_its_end_is_consumed_stands(stream):
    """The end that is under way names the version that it ends."""
    stream.send(record("crm/1", ANN, day=1), override("crm/1", version=3, expires_day=50, given_name="Wilma"))
    stream.consume()
    stream.now_us = 50 * DAY_US
    stream.send(override("crm/1", version=4, day=50, given_name="Ulla"))
    stream.resolver.tick()
    stream.consume()
    assert values(stream.index.snapshot(), "crm/1")["given_name"] == "Ulla"


PAIRS = [record(f"erp/{n}", {}, day=200 + n, email=(f"a{n}@x.org", f"b{n}@x.org")) for n in range(40)]
SINGLES = [record(f"crm/{side}{n}", {}, day=n, email=(f"{side}{n}@x.org",)) for n in range(40) for side in ("a", "b")]
"""Eighty people, of whom forty bridges make forty."""


def test_a_merge_storm_is_told_and_held_and_nothing_of_it_is_lost(stream, redis_client):
    """Past the limit an alarm is raised and the domain held; after the release the state is that without a hold."""
    events = [*SINGLES, *PAIRS]
    stream.send(*SINGLES)
    assert not [report for report in stream.consume() if report.storms]
    stream.send(*PAIRS)
    reports = stream.consume()
    stormy, refused = reports[-2], reports[-1]
    assert [sum(report.totals.merges for report in reports) > 20, stormy.storms] == [True, ["person"]]
    assert metric_of(stormy, "MergeStorms") == 1
    assert (refused.first_failed, "merge faster" in refused.cause) == (0, True)
    assert stream.index.epochs.held_because()

    told = len(stream.messages())
    assert [report.first_failed for report in stream.consume()] == [0]
    assert stream.resolver.tick().first_failed is None
    assert len(stream.messages()) == told
    held = stream.index.snapshot()
    assert 40 < len(held.golden) < 80

    release(redis_client, "main", "person")
    stream.now_s = 61.0
    while stream.consume():
        release(redis_client, "main", "person")
    assert stream.read == len(events)
    expected = resolve(RULES, events)
    assert stream.index.snapshot() == expected
    assert len(expected.golden) == 40
    newest = {message["data"]["golden_id"]: message["data"] for message in stream.messages()}
    assert {golden for golden, change in newest.items() if change["op"] == "upsert"} == expected.golden.keys()


def test_records_that_join_a_golden_record_are_no_storm(stream):
    """Only a golden record that ends in another one is a merge: a person with many new records raises no alarm."""
    stream.send(*(record(f"crm/{n}", ANN, day=n) for n in range(30)), *(record(f"web/{n}", BOB) for n in range(15)))
    reports = stream.consume()
    assert not [report for report in reports if report.storms]
    assert len(clusters(stream.index.snapshot())) == 2


def metric_of(report: StreamReport, name: str) -> float:
    """Return a count that the consumer reports of a batch."""
    found: dict[str, float] = {}

    class Metrics:
        def add_metric(self, metric: str, _unit: object, value: float) -> None:
            found[metric] = value

    report_metrics(Metrics(), [Delivery.unplaced(b"")] * report.records, report)  # type: ignore[arg-type]
    return found[name]
