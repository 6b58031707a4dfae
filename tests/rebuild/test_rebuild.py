"""A rebuild gives the state that the archive implies, and tells the feed what differs from what it was told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rebuild_world import OPTIONS, REFS, RULES, Feed, World, events_of, rows_of
from small_world import small_rules

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import EraseEvent, OverrideEvent, RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.errors import TransientError
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.run import Rebuild


@pytest.fixture
def world(redis_client, redis_url, tmp_path):
    """An empty world."""
    return World(redis_client, redis_url, tmp_path)


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
