"""One contract for everything that reads an index: in memory, on Redis, and on Redis without the right to write."""

from __future__ import annotations

import time
from dataclasses import replace

import orjson
import pytest
from small_world import small_rules

from mdm_stream.core.cluster.golden import Golden
from mdm_stream.core.model import EraseEvent, RecordEvent, VerdictEvent, make_ref
from mdm_stream.core.plan.commit import Commit
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TerminalError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.port import IndexDepths
from mdm_stream.index.reader import ReviewPage, review_items
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.reader import RedisReader, open_reader

RULES = small_rules(max_block_size=50)
MANY = 700
"""Items of a queue that Redis does not keep in one piece any more, so that a page is a part of it."""


def person(number: int, op: str = "upsert", version: int = 1, **changes: object) -> RecordEvent:
    """One source record."""
    attributes = {"given_name": "Ann", "family_name": "Lee", "birth_date": f"1980-01-{number:02}", **changes}
    return RecordEvent("person", "crm", str(number), op, version, number, attributes if op == "upsert" else {})


EVENTS = [
    *(person(number) for number in (1, 1, 2, 3, 4, 5)),
    person(4, "delete", 2),
    person(6, family_name="Kim", birth_date="1990-01-01"),
    person(7, family_name="Kim", birth_date="1990-01-02", given_name="Anne"),
    VerdictEvent("person", "crm/1", "crm/2", "link", 1, 9, "steward-1"),
    VerdictEvent("person", "crm/1", "web/9", "separate", 1, 9, "steward-1"),
    EraseEvent("person", "crm/5", 10),
]


@pytest.fixture(params=["memory", "redis", "redis_reader"])
def index_and_reader(request, redis_client):
    """An index, and what reads it: itself, or a reader that was opened beside it."""
    index = MemoryIndex(RULES) if request.param == "memory" else RedisIndex(redis_client, RULES)
    return index, open_reader(redis_client, RULES) if request.param == "redis_reader" else index


@pytest.fixture
def filled(index_and_reader):
    """A reader of an index that holds the events."""
    index, reader = index_and_reader
    engine = Engine(RULES, index)
    assert not engine.process(EVENTS).failed
    engine.drain()
    return reader


def test_an_empty_index_reads_as_empty(index_and_reader):
    """Nothing that can be asked is an error where nothing is."""
    _, reader = index_and_reader
    reader.refresh()
    assert (reader.golden_of([]), reader.golden_of(["crm/1"]), reader.golden_record("g1")) == ({}, {}, None)
    assert reader.review_page() == ReviewPage({}, None)
    assert (list(reader.scan_refs()), reader.scan_crosswalk(), list(reader.scan_golden())) == ([], {}, [])
    assert reader.held_because() is None
    assert reader.bind().epoch == 1


def test_all_that_is_read_is_what_the_reference_says(filled):
    """Golden records by id and by record, the queue, scans and the snapshot: each is F of the same events."""
    expected = resolve(RULES, EVENTS)
    assert expected.review, "the events leave something for review"
    assert filled.snapshot() == expected
    refs = ["crm/1", "crm/2", "crm/3", "crm/4", "crm/5", "crm/6", "crm/7", "web/9", "crm/404"]
    assert filled.golden_of(refs) == filled.scan_crosswalk() == expected.crosswalk
    assert {golden_id: filled.golden_record(golden_id) for golden_id in expected.golden} == expected.golden
    assert {golden_id: orjson.loads(content) for golden_id, content in filled.scan_golden()} == expected.golden
    assert dict(review_items(filled)) == expected.review


def test_what_was_read_is_covered_by_how_far_the_index_has_come(index_and_reader):
    """Who asks afterwards gets a sequence that no change before the reading is above."""
    index, reader = index_and_reader
    assert reader.reached().sequence == 0
    assert not Engine(RULES, index).process(EVENTS).failed
    assert reader.reached() == index.position()
    assert reader.reached().sequence == max(entry.sequence for entry in index.read(1_000)) > 0


def test_every_record_ever_seen_is_scanned(filled):
    """Live, deleted and erased ones, and one that only a verdict names."""
    assert sorted(set(filled.scan_refs())) == ["crm/1", "crm/2", "crm/3", "crm/4", "crm/5", "crm/6", "crm/7", "web/9"]
    assert filled.read_records(["crm/5"])["crm/5"].state.erased


def test_records_blocks_and_components_are_read_as_the_engine_reads_them(filled):
    """What explains a pair comes through the reader alone."""
    (record,) = filled.read_records(["crm/1"]).values()
    assert filled.read_blocks(dict.fromkeys(record.keys, 0)).keys() == set(record.keys)
    assert all(block.size >= 1 for block in filled.read_blocks(dict.fromkeys(record.keys, 0)).values())
    near = filled.read_neighbourhood(["crm/1"])
    assert "crm/2" in near.components[near.component_of["crm/1"]].members
    assert filled.counters is filled.counters


@pytest.mark.parametrize("size", [1, 100, MANY, 10 * MANY])
def test_pages_of_any_size_have_every_item_of_the_queue(index_and_reader, size):
    """From the first page to the one without a next each item is met; what is put and dropped meanwhile may be.

    A page that has all there is may still name a next one, which is then empty: a scan of Redis 7 ends so at times.
    """
    index, reader = index_and_reader
    pairs = [(f"crm/{number:04}", 'erp/\u2028["') for number in range(MANY)]
    items = {pair: {"reason": "score", "confidence": number / MANY} for number, pair in enumerate(pairs)}
    index.commit([Commit(put_review=items)])
    assert dict(review_items(reader, size)) == items
    first = reader.review_page(size=size)
    assert first.next_cursor is not None or len(first.items) == MANY
    index.commit([Commit(drop_review=pairs[::2])])
    left, cursor = dict(first.items), first.next_cursor
    while cursor is not None:
        page = reader.review_page(cursor, size)
        left |= page.items
        cursor = page.next_cursor
    assert left.keys() >= set(pairs[1::2])


def test_golden_content_belongs_to_the_caller(index_and_reader):
    """Changing what was read changes nothing that is stored."""
    index, reader = index_and_reader
    golden = Golden("g1", ("crm/1",), b'{"golden_id":"g1","members":[{"source":"crm","record_id":"1"}]}', "d1")
    index.commit([Commit(put_golden={"g1": golden}, put_review={("crm/1", "crm/2"): {"reason": "score"}})])
    content = reader.golden_record("g1")
    assert [make_ref(**key) for key in content["members"]] == ["crm/1"]
    content.clear()
    dict(reader.review_page().items)["crm/1", "crm/2"].clear()
    assert reader.golden_record("g1")["golden_id"] == "g1"
    assert reader.review_page().items == {("crm/1", "crm/2"): {"reason": "score"}}


def test_a_reader_on_redis_makes_nothing_and_writes_nothing(redis_client):
    """Where there is no index, or one of other rules, it is refused; it has none of what writes."""
    with pytest.raises(TerminalError, match="there is no index of domain 'person'"):
        open_reader(redis_client, RULES)
    assert redis_client.dbsize() == 0
    RedisIndex(redis_client, RULES)
    with pytest.raises(TerminalError, match="another rule set"):
        open_reader(redis_client, replace(RULES, digest="other"))
    assert not [name for name in ("commit", "announce", "acknowledge", "position") if hasattr(RedisReader, name)]


def test_a_reader_follows_a_switch_when_it_looks_again(redis_client):
    """An epoch that was dropped reads as empty until then."""
    live = RedisIndex(redis_client, RULES)
    Engine(RULES, live).process([person(1)])
    reader = open_reader(redis_client, RULES)
    epochs = live.epochs
    number = epochs.begin()
    Engine(RULES, RedisIndex(redis_client, RULES, building=number)).process([person(1), person(2)])
    epochs.fence(number)
    assert epochs.go_live(number)
    epochs.drop_before(number)
    assert (reader.epoch, reader.golden_of(["crm/1"])) == (1, {})
    reader.refresh()
    assert reader.epoch == reader.bind().epoch == number
    assert reader.golden_of(["crm/1", "crm/2"]).keys() == {"crm/1", "crm/2"}


def test_what_waits_is_counted_with_its_age(index_and_reader):
    """Nothing at first; then changes, cases and records, until each was dealt with. A case keeps its age."""
    index, reader = index_and_reader
    assert reader.depths() == IndexDepths()
    engine = Engine(RULES, index)
    engine.process(EVENTS)
    first = reader.depths()
    assert first.outbox == len(index.read(1_000)) > 0
    assert first.review == len(reader.snapshot().review) > 0
    assert first.reevaluation == len(index.pending(1_000))
    time.sleep(0.05)
    later = reader.depths()
    assert later.outbox_age_s >= first.outbox_age_s + 0.05
    assert later.review_age_s >= first.review_age_s + 0.05
    index.commit([Commit(put_review={pair: {"again": 1} for pair in reader.snapshot().review})])
    assert reader.depths().review_age_s >= later.review_age_s
    index.acknowledge(index.read(1_000))
    index.commit([Commit(enqueue=["crm/1", "crm/2"], drop_review=list(reader.snapshot().review))])
    assert reader.depths() == IndexDepths(reevaluation=2 + first.reevaluation)


def test_a_new_epoch_keeps_the_age_of_cases(redis_client):
    """Which a rebuild makes again: a case that waited for days has not begun to wait with it."""
    index = RedisIndex(redis_client, RULES)
    pair, other = ("crm/1", "crm/2"), ("crm/1", "crm/3")
    index.commit([Commit(put_review={pair: {}})])
    since = f"{index.epochs.root.removesuffix('root')}{index.epoch}:since"
    [(member, _)] = redis_client.zscan(since)[1]
    redis_client.zadd(since, {member: 1_000_000})
    epoch = index.epochs.begin()
    new = RedisIndex(redis_client, RULES, building=epoch)
    new.commit([Commit(put_review={pair: {}, other: {}})])
    assert new.depths().review == 2
    assert new.depths().review_age_s > 1e9
    new.commit([Commit(drop_review=[pair])])
    assert new.depths().review_age_s < 60
    assert dict(redis_client.zscan(since)[1]) == {member: 1_000_000}
