"""A rebuild gives the state that the archive implies, and tells the feed what differs from what it was told."""

from __future__ import annotations

import random
from dataclasses import replace

import orjson
import pytest
from small_world import small_rules
from torture.world import World as SmallWorld
from torture.world import history

from mdm_stream.archive import Archive, ArchivedRecord, open_archive
from mdm_stream.contracts.change import encode_event
from mdm_stream.contracts.golden import parse_envelope
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import EraseEvent, OverrideEvent, RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.feed.published import PublishedState
from mdm_stream.feed.publisher import publish_outbox
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.run import Rebuild, RebuildOptions

RULES = small_rules()
REFS = SmallWorld(records_per_source=5).refs
OPTIONS = RebuildOptions(workers=1, batch_size=7, states_max=10, publish_grace_s=0.0)


class Feed:
    """A subscriber: notes every message, and applies those that are newer for their key."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Take messages."""
        self.messages += [message for _, message in messages]

    def published(self) -> PublishedState:
        """Return what was published, in whatever order it is read."""
        state = PublishedState("person")
        for message in random.Random(1).sample(self.messages, len(self.messages)):
            state.apply(parse_envelope(message))
        return state

    def read(self, state: PublishedState) -> None:
        """Apply what was published, as the rebuild's reader does."""
        for message in self.messages:
            state.apply(parse_envelope(message))

    finish = read

    def state(self) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
        """Return golden records and crosswalk as a subscriber has them, told in order."""
        golden: dict[str, dict[str, object]] = {}
        crosswalk: dict[str, str] = {}
        told = {}
        for message in self.messages:
            data = orjson.loads(message)["data"]
            told[data["epoch"], data["sequence"]] = data
        for _, change in sorted(told.items()):
            for key in change.get("removed", ()):
                crosswalk.pop(f"{key['source']}/{key['record_id']}", None)
            if change["op"] == "retire":
                golden.pop(change["golden_id"], None)
            if change["op"] == "upsert":
                names = ("domain", "golden_id", "members", "values", "provenance")
                golden[change["golden_id"]] = {name: change[name] for name in names}
                crosswalk |= {f"{key['source']}/{key['record_id']}": change["golden_id"] for key in change["members"]}
        return golden, crosswalk


def rows_of(events) -> list[ArchivedRecord]:
    """Return events as the resolve consumer archives them."""
    kinds = {EraseEvent: "erase", OverrideEvent: "override"}
    return [
        ArchivedRecord("person", event.refs, f"{n:064d}", n, f"changes/{n}", encode_event(event), kind)
        for n, event in enumerate(events)
        for kind in [kinds.get(type(event), "verdict" if hasattr(event, "verdict") else "record")]
    ]


class World:
    """An index, its archive and its feed, written as the resolve consumer does."""

    def __init__(self, client, url, tmp_path, rules=RULES) -> None:
        self.client, self.url = client, url
        self.archive: Archive = open_archive((tmp_path / "archive").as_uri())
        self.feed = Feed()
        self.rules = rules
        self.index = RedisIndex(client, rules)

    def deliver(self, events, *, archived=True) -> None:
        """Apply, archive and publish."""
        engine = Engine(self.rules, self.index, sleep=lambda _: None)
        for start in range(0, len(events), 9):
            assert engine.process(events[start : start + 9]).failed == []
            reached = self.index.position()
            if archived:
                self.archive.append("person", rows_of(events[start : start + 9]), reached)
            publish_outbox(self.index, self.feed)

    def rebuild(self, rules=None):
        """Make a new epoch."""
        return Rebuild(
            rules or self.rules,
            self.url,
            "main",
            archive=self.archive,
            golden=self.feed,
            published=self.feed,
            options=OPTIONS,
        ).run()


@pytest.fixture
def world(redis_client, redis_url, tmp_path):
    """An empty world."""
    return World(redis_client, redis_url, tmp_path)


def events_of(seed: int, length: int = 60):
    """A history with overrides and erasures in it."""
    events = history(SmallWorld(records_per_source=5), random.Random(seed), length)
    return [*events, EraseEvent("person", REFS[seed], 3)]


@pytest.mark.one_redis
@pytest.mark.parametrize("seed", range(2))
def test_a_rebuild_of_what_is_right_tells_nothing(world, seed):
    """The new epoch is F of the archive; where the old one was right too, the feed hears of it not at all."""
    events = events_of(seed)
    world.deliver(events)
    told_before = len(world.feed.messages)
    report = world.rebuild()
    expected = resolve(RULES, events)
    assert world.index.snapshot() == expected
    assert (report.replaced, report.epoch, report.told, len(world.feed.messages)) == (1, 2, 0, told_before)
    assert world.feed.state() == (expected.golden, expected.crosswalk)
    assert not world.client.keys("mdm:{main:person}:1:*")


@pytest.mark.one_redis
def test_an_erasure_that_was_lost_with_the_index_is_told(world):
    """It was archived, and Redis gone before the feed had it: the rebuild tells it, once."""
    world.deliver(events_of(1))
    world.archive.append("person", rows_of([EraseEvent("person", REFS[7], 3)]), EpochPosition(1, 1, 1))
    world.client.flushall()
    world.rebuild()
    assert REFS[7] in world.feed.published().erased
    told = len(world.feed.messages)
    assert (world.rebuild().told, len(world.feed.messages)) == (0, told)


@pytest.mark.one_redis
def test_a_rebuild_that_is_overtaken_says_so(world):
    """Of two at once the later one wins, and the earlier one names that as its reason."""
    world.deliver(events_of(2, 20))

    class Overtaken(Feed):
        def finish(self, state):
            world.rebuild()
            world.feed.finish(state)

    earlier = Rebuild(
        RULES, world.url, "main", archive=world.archive, golden=world.feed, published=Overtaken(), options=OPTIONS
    )
    with pytest.raises(TransientError, match="a newer rebuild"):
        earlier.run()
    assert RedisIndex(world.client, RULES).epoch == 3


@pytest.mark.one_redis
@pytest.mark.parametrize("seed", range(2, 4))
def test_a_lost_index_comes_back_with_its_ids(world, seed):
    """After FLUSHALL the archive gives the same state, and a subscriber who goes on reading has it."""
    events = events_of(seed)
    world.deliver(events[:40])
    world.deliver(events[40:])
    world.client.flushall()
    report = world.rebuild()
    expected = resolve(RULES, events)
    fresh = RedisIndex(world.client, RULES)
    assert (report.replaced, fresh.epoch) == (0, 2)
    assert fresh.snapshot() == expected
    assert world.feed.state() == (expected.golden, expected.crosswalk)


@pytest.mark.one_redis
def test_a_stale_index_is_healed_and_the_feed_is_put_right(world):
    """What was published after the point that Redis fell back to is taken back or said again, under a new epoch."""
    events = events_of(5)
    world.deliver(events[:30])
    kept = {key: world.client.dump(key) for key in world.client.scan_iter()}
    world.deliver(events[30:])
    world.client.flushall()
    for key, value in kept.items():
        world.client.restore(key, 0, value)
    world.client.hset("mdm:{main:person}:1:meta", "server", "0" * 40)
    report = world.rebuild()
    expected = resolve(RULES, events)
    assert report.replaced == 1
    assert RedisIndex(world.client, RULES).snapshot() == expected
    assert world.feed.state() == (expected.golden, expected.crosswalk)


@pytest.mark.one_redis
def test_other_rules_make_another_state_and_only_the_difference_is_told(world):
    """A rebuild under new rules resolves everything anew; verdicts and overrides keep their meaning."""
    events = events_of(6)
    world.deliver(events)
    other = small_rules(max_block_size=9, max_cluster_size=2)
    told_before = len(world.feed.messages)
    report = world.rebuild(other)
    expected = resolve(other, events)
    assert RedisIndex(world.client, other).snapshot() == expected
    assert world.feed.state() == (expected.golden, expected.crosswalk)
    assert 0 < report.told == len(world.feed.messages) - told_before


@pytest.mark.one_redis
def test_an_override_outlives_the_end_of_another_attribute(world):
    """Rules that drop an attribute take from a steward's override that attribute alone."""
    override = OverrideEvent("person", "crm/1", 1, 5, "s", {"family_name": "Roth", "email": ("z@x.org",)})
    record = RecordEvent("person", "crm", "1", "upsert", 1, 5, {"family_name": "Lee"})
    world.deliver([record, override])
    without = replace(
        RULES,
        digest="without e-mail",
        attributes=RULES.attributes[:3],
        blocking=RULES.blocking[:2],
        match=replace(RULES.match, deterministic=()),
        survivorship=RULES.survivorship[:2],
    )
    report = world.rebuild(without)
    kept = replace(override, attributes={"family_name": "Roth"})
    assert report.rejected == {}
    assert RedisIndex(world.client, without).snapshot() == resolve(without, [record, kept])


@pytest.mark.one_redis
def test_an_erased_record_stays_erased_when_the_rules_know_its_source_no_more(world):
    """Its source may come back, and a late delivery of it must still find that it was erased."""
    world.deliver([RecordEvent("person", "web", "1", "upsert", 1, 5, {}), EraseEvent("person", "web/1", 6)])
    without = replace(RULES, digest="without web", sources={name: RULES.sources[name] for name in ("crm", "erp")})
    world.rebuild(without)
    assert RedisIndex(world.client, without).read_records(["web/1"])["web/1"].state.erased


@pytest.mark.one_redis
def test_a_rebuild_that_fails_lets_the_old_epoch_go_on(world):
    """If what was published cannot be read, nothing is switched, writers go on, and a second try succeeds."""
    events = events_of(7)
    world.deliver(events[:40])

    class Unreachable(Feed):
        def finish(self, state):
            raise ConnectionError("injected")

    broken = Rebuild(
        RULES, world.url, "main", archive=world.archive, golden=world.feed, published=Unreachable(), options=OPTIONS
    )
    with pytest.raises(ConnectionError):
        broken.run()
    world.deliver(events[40:])
    assert world.index.epoch == 1
    assert world.rebuild().epoch == 3
    expected = resolve(RULES, events)
    assert world.index.snapshot() == expected
    assert world.feed.state() == (expected.golden, expected.crosswalk)
    assert {key.split(b":")[3] for key in world.client.scan_iter()} == {b"root", b"3"}
