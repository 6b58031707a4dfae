"""The search finds whatever is left wherever it is left, and says of nothing else that it is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import redis
from erase_world import REF, RULES, World, places_of, upsert

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import EraseEvent, RecordEvent
from mdm_stream.core.record import Record, build_record
from mdm_stream.engine.batch import Engine
from mdm_stream.erasure.evidence import Evidence, Remnant
from mdm_stream.erasure.in_index import look_into_index
from mdm_stream.erasure.values import Values
from mdm_stream.index.redis.codec import STAMP_LENGTH, encode_block, encode_pair, encode_record
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.pages import Page, encode_page

MARKER = "Markermund"
EPOCH = "mdm:{main:person}:1:"
STAMP = "1" * STAMP_LENGTH


def record(ref: str = REF) -> Record:
    """Return a live record."""
    source, record_id = ref.split("/")
    event = RecordEvent("person", source, record_id, "upsert", 1, 0, {"family_name": MARKER})
    return build_record(RULES, ref, fold(EMPTY, event, ref).state)


def golden(source: str, record_id: str, members: list[dict[str, str]]) -> bytes:
    """Return a golden record with one value."""
    origin = {"source": source, "record_id": record_id, "version": 1, "event_time": "t", "strategy": "s"}
    content = {"golden_id": "g1", "domain": "person", "op": "upsert", "members": members}
    return orjson.dumps({**content, "values": {"family_name": MARKER}, "provenance": {"family_name": [origin]}})


KEY = {"source": "crm", "record_id": "p-7"}
COMPONENT = STAMP.encode() + encode_page(Page((REF,), ("0" * 16,), (), (), ()))
LEFTOVERS: dict[str, Callable[[Any], object]] = {
    "record that is not erased": lambda client: client.hset(EPOCH + "rec", REF, encode_record(record())),
    "golden record with a value of theirs": lambda client: client.hset(EPOCH + "gold", "g1", golden("crm", "p-7", [])),
    "override in a golden record": lambda client: client.hset(EPOCH + "gold", "g1", golden("steward", REF, [])),
    "membership": lambda client: client.hset(EPOCH + "gold", "g1", golden("erp", "1", [KEY])),
    "golden change in the outbox": lambda client: client.xadd(EPOCH + "out", {"c": golden("crm", "p-7", []), "t": 1}),
    "crosswalk entry": lambda client: client.hset(EPOCH + "xw", REF, "g1"),
    "component": lambda client: client.hset(EPOCH + "of", REF, "erp/1"),
    "component itself": lambda client: client.hset(EPOCH + "comp", REF, COMPONENT),
    "review item": lambda client: client.hset(EPOCH + "review", encode_pair(REF, "erp/1"), "{}"),
    "review item, its age": lambda client: client.zadd(EPOCH + "since", {encode_pair(REF, "erp/1"): 1}),
    "review edge": lambda client: client.hset(EPOCH + f"e:{REF}", "erp/1", b"[]"),
    "review edge of another": lambda client: client.hset(EPOCH + "e:erp/1", REF, b"[]"),
    "blocking key": lambda client: client.hset(EPOCH + "block", "k", STAMP + encode_block({REF: "r"})),
    "blocking key, suspended": lambda client: client.hset(EPOCH + f"b:{MARKER}", REF, "r"),
    "expiry of an override": lambda client: client.zadd(EPOCH + "exp", {REF: 1}),
    "record in an epoch that was dropped half-way": lambda client: client.hset(
        EPOCH.replace(":1:", ":7:") + "rec", REF, encode_record(record())
    ),
}


@pytest.mark.parametrize("what", LEFTOVERS)
def test_every_key_of_the_index_is_looked_into(redis_client: redis.Redis, what: str) -> None:
    """Of an erased record anything but the tombstone is found: in every kind of key, in whatever epoch."""
    index = RedisIndex(redis_client, RULES)
    other = RecordEvent("person", "erp", "1", "upsert", 1, 0, {"family_name": "Kim", "birth_date": "1950-01-01"})
    Engine(RULES, index).process([EraseEvent("person", REF, 0), other])

    def found() -> list[Remnant]:
        evidence = Evidence([REF], Values([MARKER]))
        look_into_index(SimpleNamespace(index=index, client=redis_client, namespace="main"), "person", evidence)
        return evidence.findings()

    assert found() == []
    LEFTOVERS[what](redis_client)
    [finding] = found()
    assert (finding.store, finding.count) == ("index", 1)


@pytest.mark.one_redis
def test_a_tombstone_that_is_missing_is_a_finding(world: World) -> None:
    """A record that the index does not know would come back with a late delivery."""
    world.send(upsert("erp/1"))
    [finding] = world.search().findings
    assert "late delivery" in finding.what
    world.erase()
    assert places_of(world.search()) == {}
    world.client.hdel(EPOCH + "rec", REF)
    assert places_of(world.search()) == {"index": 1}


@pytest.mark.one_redis
def test_a_value_is_shared_if_others_have_or_had_it(world: World) -> None:
    """In their present state, in what they were once, or in a dead letter of theirs; else it is a finding anywhere."""
    world.send(upsert(family_name=MARKER, city="Altmarkerstadt", street="Nur Hier 5"))
    world.send(upsert("erp/1", family_name=MARKER, city="Altmarkerstadt"), upsert("erp/1", 2, family_name=MARKER))
    world.erase()
    left = world.search(MARKER, "Altmarkerstadt", "Nur Hier 5", "Nirgends")
    assert left.own == {"Nur Hier 5", "Nirgends"}
    assert (left.values, left.shared) == (4, 2)
    assert set(places_of(left)) == {"change_stream", "golden_feed"}


@pytest.mark.one_redis
def test_the_warehouse_is_searched_by_value_and_by_provenance(world: World) -> None:
    """A value that somebody put back by hand is found, in tables and in pages of the file that nothing refers to."""
    world.send(upsert(family_name=MARKER), upsert("erp/1"))
    world.erase()
    assert "warehouse" not in places_of(world.search(MARKER))
    import duckdb  # noqa: PLC0415

    with duckdb.connect(str(world.warehouse_file)) as connection:
        connection.execute("CREATE TABLE aside (x VARCHAR)")
        connection.execute("INSERT INTO aside VALUES (?)", [MARKER * 3])
    [finding] = [each for each in world.search(MARKER).findings if each.store == "warehouse" and "aside" in each.what]
    assert finding.count == 1
    with duckdb.connect(str(world.warehouse_file)) as connection:
        connection.execute("DROP TABLE aside")
    left = [each.what for each in world.search(MARKER).findings if each.store == "warehouse"]
    assert left == ["value of theirs alone in warehouse.duckdb"]
    world.erase(values=[MARKER])
    assert "warehouse" not in places_of(world.search(MARKER))
