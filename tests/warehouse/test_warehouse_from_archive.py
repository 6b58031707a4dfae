"""A warehouse is filled from the archive: the state of today, below everything that the feed says from then on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from erase_world import RULES, World, upsert

from mdm_stream.archive import Archive
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.errors import TerminalError
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.rebuild.run import Rebuild, RebuildOptions
from mdm_stream.rebuild.warehouse_fill import WarehouseFill
from mdm_stream.rebuild.warehouse_from_archive import ArchiveReplay
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.warehouse import SqlWarehouse

pytestmark = pytest.mark.one_redis

NAMES = (
    "Adelgundis",
    "Bertold",
    "Clothilde",
    "Dankwart",
    "Edeltraud",
    "Friedhelm",
    "Gisberta",
    "Hartmut",
    "Irmgard",
    "Jobst",
)

QUERIES = (
    "SELECT domain, golden_id, golden_values, provenance, member_count FROM golden_record WHERE status = 'live'",
    "SELECT domain, source, record_id, golden_id FROM crosswalk WHERE golden_id IS NOT NULL",
    "SELECT domain, source, record_id, golden_id FROM erased_record",
    "SELECT domain, source, record_id, status, golden_id, attributes, overrides, verdicts FROM source_record",
    "SELECT domain, a_source, a_record_id, b_source, b_record_id, status, rule, evidence FROM match_decision",
    "SELECT domain, a_source, a_record_id, b_source, b_record_id, reason, confidence, evidence FROM review_item",
)
"""What an archive says of a warehouse's tables."""


@pytest.fixture(scope="module")
def kinesis() -> Iterator[Any]:
    """A Kinesis API of this module's own."""
    with KinesisServer() as running:
        yield running.client()


@pytest.fixture
def world(kinesis: Any, redis_client: redis.Redis, tmp_path: Path) -> World:
    """People who merged, were deleted, overridden and erased."""
    world = World(kinesis, redis_client, tmp_path)
    for number, name_of in enumerate(NAMES):
        name = {"given_name": name_of, "family_name": name_of[::-1].title(), "email": [f"{name_of}@example.org"],
                "birth_date": f"19{60 + number}-0{number % 9 + 1}-1{number % 10}"}  # fmt: skip
        world.send(upsert(f"crm/{number}", **name), upsert(f"erp/{number % 8}", **name))
    world.send(
        upsert("crm/1", version=2, email=["other@example.org"]),
        {"domain": "person", "source": "crm", "record_id": "2", "op": "delete", "version": 2},
    )
    world.erase("crm/3")
    return world


def state(warehouse: SqlWarehouse) -> list[list[tuple[Any, ...]]]:
    """What is compared, with JSON as values."""
    return [
        sorted((tuple(_parsed(cell) for cell in row) for row in warehouse.query(query)), key=repr) for query in QUERIES
    ]


def _parsed(cell: Any) -> Any:
    return orjson.loads(cell) if isinstance(cell, str) and cell[:1] in {"{", "["} else cell


def original(world: World) -> list[list[tuple[Any, ...]]]:
    """The tables that the consumer made."""
    with closing(DuckDbWarehouse(world.warehouse_file, read_only=True)) as warehouse:
        return state(warehouse)


def fill(warehouse: SqlWarehouse, world: World) -> ArchiveReplay:
    """Fill a warehouse from the archive."""
    replay = ArchiveReplay(RULES, world.archive)
    WarehouseFill(warehouse, follow=world.claims.fetch).apply(replay.messages())
    return replay


def test_the_state_is_equal_and_what_comes_later_is_newer(warehouse: SqlWarehouse, world: World) -> None:
    """On both kinds of schema and both databases; the feed then goes on, from before the replay too."""
    seen = world.golden_messages()
    assert fill(warehouse, world).counters.rejected == {}
    assert state(warehouse) == original(world)
    assert len(original(world)[0]) > 5
    world.send(upsert("crm/1", version=3, email=["third@example.org"]))
    world.send({"domain": "person", "source": "crm", "record_id": "4", "op": "delete", "version": 9})
    told = world.golden_messages()
    fresh = told[len(seen) :]
    assert fresh
    WarehouseFill(warehouse, follow=world.claims.fetch).apply([*seen[-3:], *fresh])
    assert state(warehouse) == original(world)


def test_a_later_epoch_stands_above_the_replay(world: World, redis_url: str) -> None:
    """After a rebuild of the index the replay has the numbers of the epoch before."""
    publisher = FeedPublisher(world.kinesis, world.golden, claims=world.claims)
    silence = type("Silence", (), {"read": lambda *_: None, "finish": lambda *_: None})()
    Rebuild(RULES, redis_url, "main", archive=world.archive, golden=publisher, published=silence,
            options=RebuildOptions(workers=1, publish_grace_s=0.0)).run()  # fmt: skip
    world.consume()
    with closing(DuckDbWarehouse(":memory:")) as rebuilt:
        fill(rebuilt, world)
        assert rebuilt.position("person")[0] == 1
        assert state(rebuilt) == original(world)


def test_twice_is_once(world: World) -> None:
    """Killed and run again, it says the same."""
    with closing(DuckDbWarehouse(":memory:")) as rebuilt:
        fill(rebuilt, world)
        fill(rebuilt, world)
        assert state(rebuilt) == original(world)


def test_without_an_archive_there_is_nothing(tmp_path: Path) -> None:
    """A domain that never had an event."""
    assert list(ArchiveReplay(RULES, Archive(FolderObjects(tmp_path))).messages()) == []


def test_numbers_that_the_feed_has_yet_to_use_are_not_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the feed says next must be newer than all of it."""
    monkeypatch.setattr(Archive, "witness", lambda *_: EpochPosition(1, 9, 3))
    with pytest.raises(TerminalError, match="3 messages only"):
        list(ArchiveReplay(RULES, world.archive).messages())
