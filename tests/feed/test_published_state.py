"""What was published, read from the warehouse and the feed, is what the engine said: digests included."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import HISTORIES, small_rules

from mdm_stream.contracts.golden import FeedEnvelope, PublishedGolden, content_digest, parse_envelope
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.model import EraseEvent, OverrideEvent, RecordEvent, make_ref
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.feed.envelope import change_message
from mdm_stream.feed.published import PublishedState
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse
from mdm_stream.warehouse.warehouse import SqlWarehouse

RULES = small_rules()
ODD = 'Zoë "O\'Brien" \\ 北京 🙂\u2028\t'


def person(source: str, record_id: str, version: int | str, **attributes: Any) -> RecordEvent:
    """An upsert of one record."""
    return RecordEvent("person", source, record_id, "upsert", version, 1_000_000 * len(record_id), attributes)


HISTORY = [
    person("crm", "1", 2**63 - 1, given_name=ODD, family_name="Lee", email=("b@x.org", "a@x.org")),
    person("erp", 'odd "id"/ü', -(2**63), given_name="Ann", family_name="Lee", email=("a@x.org",)),
    person("web", "3", "0001:é", given_name="Bob", birth_date="1980-01-01"),
    person("web", "4", 1, given_name="Kim", email=("k@x.org",)),
    OverrideEvent("person", "web/3", 5, 7_000_000, "steward-1", {"given_name": "Robert"}),
    EraseEvent("person", "web/4", 9_000_000),
    RecordEvent("person", "crm", "1", "delete", 2**63 - 1, 9_000_000),
]


def published_by_engine(history: list[Any]) -> tuple[Resolution, list[FeedEnvelope]]:
    """The state that a history leads to, and the feed of getting there, event by event."""
    index = MemoryIndex(RULES)
    engine = Engine(RULES, index, sleep=lambda _: None)
    for event in history:
        assert not engine.process([event]).failed
    engine.drain()
    return index.snapshot(), [parse_envelope(change_message(entry)[1]) for entry in index.read(10_000)]


def expected_of(state: Resolution) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Digest and members of each golden record, from the index."""
    return {
        golden_id: (digest_of(content), tuple(make_ref(**key) for key in content["members"]))
        for golden_id, content in state.golden.items()
    }


def live(state: PublishedState) -> dict[str, tuple[str | None, tuple[str, ...]]]:
    """The same from what was published."""
    return {golden.golden_id: (golden.digest, golden.members) for golden in state.live()}


@pytest.fixture(params=["duckdb", "snowflake"])
def warehouse(request: pytest.FixtureRequest) -> Iterator[SqlWarehouse]:
    """A warehouse of either kind."""
    if request.param == "duckdb":
        opened: SqlWarehouse = DuckDbWarehouse(":memory:")
        yield opened
        opened.close()
        return
    server = request.getfixturevalue("snowflake_server")
    opened = SnowflakeWarehouse({**server, "database": "mdm", "schema": "published"})
    yield opened
    opened.close()


def test_the_warehouse_gives_the_digests_of_the_core(warehouse: SqlWarehouse) -> None:
    """Other scripts, quotes, 64-bit versions, lists and key order come back so that every digest is the engine's."""
    state, feed = published_by_engine(HISTORY[:3])
    shuffled = random.Random(1).sample(feed, len(feed))
    warehouse.apply(shuffled)
    published = PublishedState("person")
    for golden in warehouse.published("person"):
        published.apply(golden)
    assert live(published) == expected_of(state)
    assert len(state.golden) == 2
    assert published.position == warehouse.position("person") == (1, len(feed))
    assert list(warehouse.published("org")) == []
    assert warehouse.position("org") == (0, 0)


def test_the_warehouse_is_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every golden id comes once, in order, retired ones with no digest, however small the pages are."""
    monkeypatch.setattr("mdm_stream.warehouse.warehouse.PUBLISHED_PER_QUERY", 2)
    state, feed = published_by_engine(HISTORY)
    warehouse = DuckDbWarehouse(":memory:")
    warehouse.apply(feed)
    published = list(warehouse.published("person"))
    assert [golden.golden_id for golden in published] == sorted({golden.golden_id for golden in published})
    retired = {golden.golden_id for golden in published if golden.digest is None}
    assert retired
    assert {golden.golden_id for golden in published} - retired == set(state.golden)
    assert all(golden.members == () for golden in published if golden.golden_id in retired)
    warehouse.close()


def test_erasures_and_overrides_end_in_the_tables_as_f_says() -> None:
    """Through engine, feed and warehouse: what is live equals the reference, and the erased record has left nothing."""
    feed = published_by_engine(HISTORY)[1]
    assert [message.type for message in feed].count("mdm.record.erased") == 1
    warehouse = DuckDbWarehouse(":memory:")
    for message in random.Random(2).sample(feed, len(feed)):
        warehouse.apply([message])
    rows = warehouse.query("SELECT golden_id, golden_values, provenance FROM current_golden_record")
    shown = {golden_id: (json.loads(values), json.loads(origins)) for golden_id, values, origins in rows}
    expected = resolve(RULES, HISTORY)
    assert shown == {golden_id: (c["values"], c["provenance"]) for golden_id, c in expected.golden.items()}
    assert warehouse.mentions("person", "web", "4") == []
    assert warehouse.search(["k@x.org"]) == []
    assert "steward" in json.dumps(list(shown.values()))
    warehouse.close()


@given(history=HISTORIES, split=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_any_overlap_of_warehouse_and_feed_gives_the_newest(history: list[Any], split: float, seed: int) -> None:
    """In any order, with repetitions, the greatest (epoch, sequence) of each golden id is what counts as published."""
    state, feed = published_by_engine(history)
    shuffled = random.Random(seed).sample(feed * 2, len(feed) * 2)
    of_warehouse = PublishedState("person")
    for message in shuffled[: int(len(shuffled) * split)]:
        of_warehouse.apply(message)
    published = PublishedState("person")
    for said in random.Random(seed).sample([*shuffled, *of_warehouse._newest.values()], len(shuffled)):
        published.apply(said)
    for message in shuffled:
        published.apply(message)
    assert live(published) == expected_of(state)
    assert published.position == ((1, len(feed)) if feed else (0, 0))


def test_a_later_epoch_wins_whatever_its_sequence() -> None:
    """Epochs come before sequences; another domain, and a position seen elsewhere, change no golden record."""
    published = PublishedState("person")
    published.apply(PublishedGolden("g1", 2, 1, "new", ("crm/1",)))
    published.apply(PublishedGolden("g1", 1, 9, "old", ("crm/2",)))
    published.advance(1, 12)
    assert published.get("g1") == PublishedGolden("g1", 2, 1, "new", ("crm/1",))
    assert published.get("g2") is None
    assert published.position == (2, 1)
    published.advance(3, 4)
    assert published.position == (3, 4)
    other = PublishedState("org")
    for message in published_by_engine(HISTORY)[1]:
        other.apply(message)
    assert (len(other), other.position, len(published)) == (0, (0, 0), 1)


def test_a_digest_is_of_the_content_alone() -> None:
    """Where a change stands in the feed, and which members it removed, is not part of the golden record."""
    feed = published_by_engine(HISTORY[:1])[1]
    change = feed[0].data
    moved = change.model_copy(update={"epoch": 9, "sequence": 8, "removed": change.members, "rules_version": 7})
    assert content_digest(moved) == content_digest(change)
    assert content_digest(change.model_copy(update={"values": {}})) != content_digest(change)
