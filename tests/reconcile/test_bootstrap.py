"""A domain's first epoch comes from its archive: index, feed and warehouse have F, whatever ends the job on the way."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
import redis
from index_content import index_content
from rebuild_world import Feed, events_of, rows_of
from reconcile_world import RULES

from mdm_stream.archive import open_archive
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.feed.publisher import publish_outbox
from mdm_stream.index.errors import IndexInDoubtError
from mdm_stream.index.redis.epochs import Epochs
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.reconcile.bootstrap import Bootstrap, BootstrapReport
from mdm_stream.reconcile.folded_states import ArchiveAt
from mdm_stream.reconcile.spark_fill import SparkFill
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.one_redis, pytest.mark.long, pytest.mark.timeout(900)]


class EmptyWorld:
    """An archive, and neither an index nor anything told."""

    def __init__(self, spark: SparkSession, client: redis.Redis, url: str, folder: Path) -> None:
        self.spark, self.client, self.url, self.folder = spark, client, url, folder
        self.archive = open_archive((folder / "archive").as_uri())
        self.feed = Feed()
        self.snapshot: list[bytes] = []

    def archived(self, events: list[ChangeEvent]) -> None:
        """Archive events."""
        self.archive.append("person", rows_of(events), EpochPosition(0, 0, 0))

    def tell(self, messages: Iterable[bytes]) -> None:
        """Take what is told in bulk: for a subscriber it is a part of the feed."""
        self.snapshot = list(messages)
        self.feed.messages += self.snapshot

    def bootstrap(self, work: str = "work", tell=None, clock_us=lambda: 1_700_000_000_000_000) -> BootstrapReport:
        """Run the job in a workspace."""
        workspace = Workspace(self.spark, (self.folder / work).as_uri())
        opened = ArchiveAt((self.folder / "archive").as_uri())
        fill = SparkFill(workspace, RULES, opened, self.url, "main")
        return Bootstrap(
            fill,
            self.archive,
            published=self.feed,
            tell=tell or self.tell,
            golden=self.feed,
            clock_us=clock_us,
        ).run()


@pytest.fixture
def world(spark: SparkSession, redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> EmptyWorld:
    """An empty world."""
    return EmptyWorld(spark, redis_client, redis_url, tmp_path)


def test_everything_has_f_and_a_consumer_goes_on(world: EmptyWorld) -> None:
    """What came while it ran is in it once, and waited for the switch; the feed's numbers have no gap."""
    events = events_of(1)
    world.archived(events[:30])
    waited = []

    def tell(messages: Iterable[bytes]) -> None:
        world.tell(messages)
        with pytest.raises(IndexInDoubtError):
            RedisIndex(world.client, RULES, witness=lambda: None).bind()
        waited.append(True)
        world.archived(events[30:45])  # by consumers of before

    report = world.bootstrap(tell=tell)
    index = RedisIndex(world.client, RULES)
    assert waited
    assert index.snapshot() == resolve(RULES, events[:45])
    Engine(RULES, index).process(events[45:])
    publish_outbox(index, world.feed)
    expected = resolve(RULES, events)
    assert index.snapshot() == expected
    assert world.feed.state() == (expected.golden, expected.crosswalk)
    data = [orjson.loads(each)["data"] for each in world.feed.messages]
    told = sorted((each["epoch"], each["sequence"]) for each in data)
    assert told == [(1, number) for number in range(1, len(told) + 1)]
    assert (report.epoch, report.told) == (1, len(world.snapshot))
    assert {orjson.loads(each)["data"]["op"] for each in world.snapshot} >= {"upsert", "record", "match"}
    live = RedisIndex(world.client, RULES, "engine")
    engine = Engine(RULES, live)
    engine.process(events)
    engine.drain()
    assert index_content(world.client, "main", "person", 1) == index_content(world.client, "engine", "person", 1)


def test_one_that_was_killed_goes_on_in_its_epoch_and_tells_the_same(world: EmptyWorld) -> None:
    """In its workspace; in another one it is another job, which does not tell things twice."""
    events = events_of(0)
    world.archived(events)
    first: list[bytes] = []

    def killed(messages: Iterable[bytes]) -> None:
        first.extend(messages)
        world.feed.messages += first[:10]
        raise ConnectionError("injected")

    with pytest.raises(ConnectionError):
        world.bootstrap(tell=killed)
    with pytest.raises(TerminalError, match="knows an index of domain 'person' already"):
        world.bootstrap("elsewhere")
    report = world.bootstrap()
    assert report.epoch == 1
    assert sorted(world.snapshot) == sorted(first)
    assert RedisIndex(world.client, RULES).snapshot() == resolve(RULES, events)
    with pytest.raises(TerminalError, match="has an index already"):
        world.bootstrap()


def test_one_that_was_killed_after_the_switch_does_the_rest(world: EmptyWorld) -> None:
    """Consumers have gone on meanwhile; what they had archived before the switch is in the index all the same."""
    events = events_of(2)
    world.archived(events[:30])

    def tell(messages: Iterable[bytes]) -> None:
        world.tell(messages)
        world.archived(events[30:45])  # by consumers of before

    publish, world.feed.publish = world.feed.publish, lambda _: (_ for _ in ()).throw(ConnectionError("injected"))
    with pytest.raises(ConnectionError):
        world.bootstrap(tell=tell)
    world.feed.publish = publish
    index = RedisIndex(world.client, RULES)
    assert index.snapshot() != resolve(RULES, events)
    Engine(RULES, index).process(events[45:])
    with pytest.raises(TerminalError, match="has an index already"):
        world.bootstrap("elsewhere")
    report = world.bootstrap(tell=lambda _: pytest.fail("it was told"))
    expected = resolve(RULES, events)
    assert (report.epoch, report.told, index.snapshot()) == (1, 0, expected)
    assert world.feed.state() == (expected.golden, expected.crosswalk)
    with pytest.raises(TerminalError, match="has an index already"):
        world.bootstrap()


def test_one_that_began_while_another_told_tells_nothing(world: EmptyWorld) -> None:
    """It had looked for what was told before there was anything."""
    events = events_of(3)
    world.archived(events)

    def another_ran() -> int:
        world.bootstrap("another")
        return 1_700_000_000_000_000

    with pytest.raises(TerminalError, match="knows an index of domain 'person' already"):
        world.bootstrap(tell=lambda _: pytest.fail("it was told twice"), clock_us=another_ran)
    assert RedisIndex(world.client, RULES).snapshot() == resolve(RULES, events)


def test_one_that_was_overtaken_puts_nothing_live(world: EmptyWorld) -> None:
    """Another epoch was begun while it was told."""
    world.archived(events_of(0, 20))

    def tell(messages: Iterable[bytes]) -> None:
        world.tell(messages)
        Epochs(world.client, RULES, "main").begin()

    with pytest.raises(TransientError, match="another epoch of domain 'person' was begun"):
        world.bootstrap(tell=tell)
    assert Epochs(world.client, RULES, "main").live() == 0
