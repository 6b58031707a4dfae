"""A rebuild whose first fill is Spark's is a rebuild: the same epoch, the same differences told, killed or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from index_content import index_content
from rebuild_world import OPTIONS, RULES, World, events_of, rows_of
from small_world import small_rules

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.bulk import BulkWriter
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.kept import CopyOfKept
from mdm_stream.rebuild.run import Rebuild, RebuildReport
from mdm_stream.reconcile.folded_states import ArchiveAt
from mdm_stream.reconcile.spark_fill import SparkFill
from mdm_stream.reconcile.switch import RulesSwitch, SwitchForecast
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NEW_RULES = small_rules(max_block_size=6, max_cluster_size=3)

pytestmark = [pytest.mark.one_redis, pytest.mark.long, pytest.mark.timeout(900)]


class SparkWorld(World):
    """A world that is rebuilt on Spark."""

    def __init__(self, spark: SparkSession, client: redis.Redis, url: str, folder: Path) -> None:
        super().__init__(client, url, folder)
        self.spark, self.folder = spark, folder

    def fill(self, rules: Ruleset) -> SparkFill:
        """Return Spark's way to fill an epoch."""
        workspace = Workspace(self.spark, (self.folder / f"work-{rules.digest}").as_uri())
        opened = ArchiveAt((self.folder / "archive").as_uri())
        return SparkFill(workspace, rules, opened, self.url, "main")

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
    (written,) = [
        stage for stage in done if stage.startswith(f"written-{report.epoch}-") and stage.endswith("-records")
    ]
    assert not done[written]
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


def test_a_forecast_is_what_comes_of_it_while_writers_go_on(world: SparkWorld) -> None:
    """Records that change between forecast and switch are left out of both; of the others both say the same."""
    world.deliver(families(24))
    fill = world.fill(NEW_RULES)
    workspace = Workspace(world.spark, (world.folder / "switch").as_uri())
    switch = RulesSwitch(workspace, (RULES, NEW_RULES), world.client, "main", world.archive, sleep=lambda _: None)
    forecasts: list[SwitchForecast] = []

    def approve(_epoch: int) -> bool:
        world.deliver(families(4, version=2))
        assert fill.computed is not None
        forecasts.append(switch.forecast(fill.computed, ()))
        world.deliver(families(6, version=3))
        return True

    report = world.rebuild_on_spark(NEW_RULES, first=fill, approve=approve, keep_before=True)
    late = families(8, version=4)
    Engine(NEW_RULES, RedisIndex(world.client, NEW_RULES)).process(late)
    world.archive.append("person", rows_of(late), RedisIndex(world.client, NEW_RULES).position())
    outcome = switch.outcome(report.replaced)
    assert outcome.is_as_forecast
    assert outcome.actual.clusters["split"].before == (24 - 8)
    assert forecasts[0].impact.clusters["split"].before == 24 - 4
    assert (forecasts[0].left_out, outcome.left_out) == (4 * 4, 8 * 4)


def test_what_was_not_forecast_is_seen(world: SparkWorld) -> None:
    """A golden record that is not what F says, on the side that is live, is not as forecast."""
    world.deliver(families(6))
    fill = world.fill(NEW_RULES)
    workspace = Workspace(world.spark, (world.folder / "switch").as_uri())
    switch = RulesSwitch(workspace, (RULES, NEW_RULES), world.client, "main", world.archive, sleep=lambda _: None)

    def approve(_epoch: int) -> bool:
        assert fill.computed is not None
        switch.forecast(fill.computed, ())
        return True

    report = world.rebuild_on_spark(NEW_RULES, first=fill, approve=approve, keep_before=True)
    key = f"mdm:{{main:person}}:{report.epoch}:xw"
    world.client.hset(key, "crm/0-0", world.client.hget(key, "crm/1-0"))
    assert not switch.outcome(report.replaced).is_as_forecast


def families(count: int, version: int = 1) -> list[RecordEvent]:
    """Return so many people of four records each: one cluster under the old rules, under the new three and one."""
    return [
        RecordEvent(
            "person",
            "crm",
            f"{number}-{place}",
            "upsert",
            version,
            version * 1_000_000 + place,
            {"given_name": "Ann", "email": (f"p{number}@x.org",)},
        )
        for number in range(count)
        for place in range(4)
    ]
