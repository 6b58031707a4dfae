"""An epoch that Spark's tasks fill is the one that the engine fills: key by key, and so for all that comes after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from index_content import index_content
from small_world import small_rules
from spark_worlds import folded_rows, worlds

from mdm_stream.core.fold import Delivered
from mdm_stream.core.model import ChangeEvent, RecordEvent
from mdm_stream.core.reference import fold_events, resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.bulk import BulkSettings
from mdm_stream.index.redis.epochs import Epochs
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.reconcile.fill_epoch import EpochAt, EpochWritten, fill_epoch
from mdm_stream.reconcile.recompute import resolve_folded
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HISTORIES = 24
ALIKE = 150

pytestmark = pytest.mark.one_redis


def filled_by_engine(client: redis.Redis, rules: Ruleset, events: Sequence[ChangeEvent]) -> RedisIndex:
    """Return an index that the engine has filled."""
    index = RedisIndex(client, rules, "engine")
    engine = Engine(rules, index)
    engine.process([Delivered(rules.domain, ref, state) for ref, state in fold_events(events).items()])
    engine.drain()
    return index


class Job:
    """Spark's way from events to an epoch that is being built, in a folder that a second one goes on in."""

    def __init__(self, spark: SparkSession, rules: Ruleset, redis_url: str, folder: Path) -> None:
        self.rules = rules
        self.stages: list[tuple[str, float]] = []
        self._spark = spark
        self._redis_url = redis_url
        self._workspace = Workspace(spark, str(folder), lambda stage, seconds: self.stages.append((stage, seconds)))

    def fill(self, events: Sequence[ChangeEvent], epoch: int) -> EpochWritten:
        """Fill the epoch."""
        folded = self._spark.createDataFrame(folded_rows(events, tasks=3), "ref string, state binary")
        state = resolve_folded(self._workspace, self.rules, folded, for_index=True)
        target = EpochAt(self._redis_url, "bulk", epoch, settings=BulkSettings(call_bytes=4_096))
        return fill_epoch(self._workspace, WorkerRules.of(self.rules), state, target)


def alike() -> list[ChangeEvent]:
    """Return records that are all one person: their component is stored in pages."""
    values = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1970-01-02", "email": ("ann@example.com",)}
    return [RecordEvent("person", "crm", str(n), "upsert", 1, n + 1, dict(values)) for n in range(ALIKE)]


@pytest.mark.parametrize("rules_seed", [4, 13, None])
def test_an_epoch_holds_what_the_engine_would_have_written(
    spark: SparkSession, redis_client: redis.Redis, redis_url: str, tmp_path: Path, rules_seed: int | None
) -> None:
    """Records, tombstones, blocks, suspended ones, components, pages, edges, questions and when overrides end."""
    if rules_seed is None:
        rules, events = small_rules(max_block_size=2 * ALIKE, max_cluster_size=2 * ALIKE), alike()
    else:
        world = worlds(rules_seed, range(HISTORIES))
        rules, events = world.rules, world.events
    live = filled_by_engine(redis_client, rules, events)
    epoch = Epochs(redis_client, rules, "bulk").begin()
    job = Job(spark, rules, redis_url, tmp_path)
    written = job.fill(events, epoch)
    expected = index_content(redis_client, "engine", rules.domain, live.epoch)
    found = index_content(redis_client, "bulk", rules.domain, epoch)
    assert expected.keys() == found.keys()
    assert {name for name in expected if expected[name] != found[name]} == set()
    kinds = {name.split(":")[0] for name in expected}
    assert {"page"} <= kinds if rules_seed is None else {"b", "block", "comp", "e", "es", "exp", "review"} <= kinds
    assert written.rows > written.calls >= 8
    job.stages.clear()
    assert job.fill(events, epoch) == written
    assert all(seconds == 0 for stage, seconds in job.stages if not stage.startswith("links"))


def test_events_that_come_after_it_find_all_that_they_need(
    spark: SparkSession, redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    """An engine goes on in the epoch where Spark has left it, and comes to F of everything."""
    world = worlds(4, range(HISTORIES))
    epoch = Epochs(redis_client, world.rules, "bulk").begin()
    Job(spark, world.rules, redis_url, tmp_path).fill(world.events[::2], epoch)
    index = RedisIndex(redis_client, world.rules, "bulk", building=epoch)
    engine = Engine(world.rules, index)
    engine.process(world.events[1::2])
    engine.drain()
    assert index.snapshot() == resolve(world.rules, world.events)
    live = filled_by_engine(redis_client, world.rules, world.events)
    found = index_content(redis_client, "bulk", world.rules.domain, epoch)
    assert found == index_content(redis_client, "engine", world.rules.domain, live.epoch)
