"""A rebuild whose first fill is Spark's is a rebuild: the same epoch, the same differences told, killed or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from index_content import index_content
from rebuild_world import OPTIONS, RULES, World, events_of
from small_world import small_rules

from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.redis.bulk import BulkWriter
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.kept import CopyOfKept
from mdm_stream.rebuild.run import Rebuild, RebuildReport
from mdm_stream.reconcile.folded_states import ArchiveAt
from mdm_stream.reconcile.spark_fill import SparkFill

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NEW_RULES = small_rules(max_block_size=6, max_cluster_size=3)

pytestmark = pytest.mark.one_redis


class SparkWorld(World):
    """A world that is rebuilt on Spark."""

    def __init__(self, spark: SparkSession, client: redis.Redis, url: str, folder: Path) -> None:
        super().__init__(client, url, folder)
        self.spark, self.folder = spark, folder

    def fill(self, rules: Ruleset) -> SparkFill:
        """Return Spark's way to fill an epoch."""
        place = (self.folder / f"work-{rules.digest}").as_uri()
        opened = ArchiveAt((self.folder / "archive").as_uri())
        return SparkFill(self.spark, place, rules, opened, self.url, "main")

    def rebuild_on_spark(self, rules: Ruleset, **options) -> RebuildReport:
        """Make a new epoch."""
        options = replace(OPTIONS, **({"first": self.fill(rules)} | options))
        return Rebuild(
            rules, self.url, "main", archive=self.archive, golden=self.feed, published=self.feed, options=options
        ).run()


@pytest.fixture
def world(spark: SparkSession, redis_client: redis.Redis, redis_url: str, tmp_path: Path) -> SparkWorld:
    """An empty world."""
    return SparkWorld(spark, redis_client, redis_url, tmp_path)


def test_new_rules_are_put_to_use_and_taken_back(world: SparkWorld) -> None:
    """The epoch is that of an ordinary rebuild; a writer that went on is in it; the one before comes back whole."""
    events = events_of(1)
    world.deliver(events[:40])

    def approve(epoch: int) -> bool:
        world.deliver(events[40:])
        return epoch == 2

    report = world.rebuild_on_spark(NEW_RULES, approve=approve, keep_before=True)
    expected = resolve(NEW_RULES, events)
    assert RedisIndex(world.client, NEW_RULES).snapshot() == expected
    assert world.feed.state() == (expected.golden, expected.crosswalk)
    assert (report.events, report.replaced) == (len(events), 1)
    on_spark = index_content(world.client, "main", "person", 2)
    world.rebuild_on_spark(RULES, first=CopyOfKept(world.client, RULES, "main"))
    before = resolve(RULES, events)
    assert RedisIndex(world.client, RULES).snapshot() == before
    assert world.feed.state() == (before.golden, before.crosswalk)
    world.rebuild_on_spark(NEW_RULES, first=None)
    assert index_content(world.client, "main", "person", 4) == on_spark


def test_one_that_was_killed_goes_on_with_its_tables(world: SparkWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run recomputes nothing, and what was archived in between is in its epoch all the same."""
    events = events_of(0)
    world.deliver(events[:40])
    whole = SparkFill.__call__

    def killed(fill: SparkFill, *arguments):
        whole(fill, *arguments)
        raise ConnectionError("injected")

    monkeypatch.setattr(SparkFill, "__call__", killed)
    with pytest.raises(ConnectionError):
        world.rebuild_on_spark(NEW_RULES)
    monkeypatch.setattr(SparkFill, "__call__", whole)
    world.deliver(events[40:])
    stages: list[str] = []
    fill = world.fill(NEW_RULES)

    def noted(epoch: int, exclusions, _on_progress):
        return fill(epoch, exclusions, lambda what, *_: stages.append(what))

    report = world.rebuild_on_spark(NEW_RULES, first=noted)
    done = {stage.split(" done in ")[0]: stage.endswith(" 0.0 s") for stage in stages}
    assert all(done[stage] for stage in ("folded-0", "records", "scored", "resolved", "review"))
    assert not done[f"written-{report.epoch}-records"]
    assert RedisIndex(world.client, NEW_RULES).snapshot() == resolve(NEW_RULES, events)


def test_an_epoch_that_was_dropped_meanwhile_is_not_written_again(world: SparkWorld) -> None:
    """A task that goes on after its job was overtaken leaves nothing in Redis."""
    world.deliver(events_of(0))
    world.rebuild()
    writer = BulkWriter(world.client, RULES, "main", 1)
    writer.put_place("crm/1", "g")
    with pytest.raises(Exception, match="not there any more"):
        writer.flush()
    assert world.client.keys("mdm:{main:person}:1:*") == []
