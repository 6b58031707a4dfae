"""New rules take the place of others once approved, and the epoch before can be gone back to, byte for byte."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from index_content import index_content
from rebuild_world import OPTIONS, RULES, World, events_of, rows_of
from small_world import small_rules

from mdm_stream.archive import IN_BULK, Exclusion
from mdm_stream.cli.main import run
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import DeclinedError, TerminalError, TransientError
from mdm_stream.feed.publisher import publish_outbox
from mdm_stream.index.errors import EpochChangedError, IndexInDoubtError
from mdm_stream.index.redis.bulk import BulkWriter
from mdm_stream.index.redis.epochs import Epochs, is_fenced, lift_fence
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.kept import copy_epoch, drop_kept, kept_epoch
from mdm_stream.rebuild.kept import CopyOfKept
from mdm_stream.rebuild.run import Rebuild, RebuildReport

NEW_RULES = small_rules(max_block_size=6, max_cluster_size=3)


@pytest.fixture
def world(redis_client, redis_url, tmp_path):
    """An empty world."""
    return World(redis_client, redis_url, tmp_path)


def switched(world: World, rules: Ruleset, **options) -> RebuildReport:
    """Put an epoch of other rules in the place of the live one."""
    return Rebuild(
        rules,
        world.url,
        "main",
        archive=world.archive,
        golden=world.feed,
        published=world.feed,
        options=replace(OPTIONS, keep_before=True, **options),
    ).run()


def gone_back(world: World) -> RebuildReport:
    """Go back to the epoch before."""
    return switched(world, RULES, first=CopyOfKept(world.client, RULES, "main"))


def deliver(world: World, rules: Ruleset, events) -> None:
    """Apply, archive and publish events under other rules."""
    index = RedisIndex(world.client, rules)
    assert Engine(rules, index, sleep=lambda _: None).process(events).failed == []
    world.archive.append("person", rows_of(events), index.position())
    publish_outbox(index, world.feed)


def state_of(world: World) -> dict:
    """Return what the live epoch holds, without its stamps."""
    return index_content(world.client, "main", "person", Epochs(world.client, RULES, "main").live())


@pytest.mark.parametrize("seed", range(2))
def test_going_back_restores_what_was_there(world, seed):
    """Every key of the epoch, and what a subscriber has; the feed hears of the difference alone, under a new epoch."""
    events = events_of(seed)
    world.deliver(events)
    before, feed_before = state_of(world), world.feed.state()
    assert switched(world, NEW_RULES).replaced == 1
    assert world.feed.state() == tuple(getattr(resolve(NEW_RULES, events), part) for part in ("golden", "crosswalk"))
    assert world.feed.state() != feed_before
    report = gone_back(world)
    assert (report.epoch, report.replaced) == (3, 2)
    assert state_of(world) == before
    assert world.feed.state() == feed_before


@pytest.mark.one_redis
def test_what_came_since_is_in_the_state_that_is_gone_back_to(world):
    """Events under the new rules are events under the old ones, too."""
    events = events_of(1)
    world.deliver(events[:40])
    switched(world, NEW_RULES)
    deliver(world, NEW_RULES, events[40:])
    world.archive.compact("person")
    gone_back(world)
    index = RedisIndex(world.client, RULES)
    Engine(RULES, index).drain()
    expected = resolve(RULES, events)
    assert index.snapshot() == expected
    assert world.feed.state() == (expected.golden, expected.crosswalk)


@pytest.mark.one_redis
def test_an_epoch_that_is_not_approved_changes_nothing(world):
    """It was filled when that was asked; nobody was held, nothing was told, and no key of it is left."""
    events = events_of(0)
    world.deliver(events)
    told, asked = len(world.feed.messages), []

    def decline(epoch: int) -> bool:
        asked.append((epoch, RedisIndex(world.client, NEW_RULES, building=epoch).snapshot()))
        deliver(world, RULES, events[:1])  # writers are not held
        return False

    with pytest.raises(DeclinedError, match=r"epoch 2 .* was not approved"):
        switched(world, NEW_RULES, approve=decline)
    assert asked == [(2, resolve(NEW_RULES, events))]
    assert len(world.feed.messages) == told
    assert {key.decode().split(":")[3] for key in world.client.scan_iter("mdm:*")} == {"1", "root"}
    assert RedisIndex(world.client, RULES).snapshot() == resolve(RULES, events)


def test_what_cannot_be_gone_back_to_is_said(world):
    """No epoch is kept, one of other rules is, or what was taken out since would be in it again."""
    world.deliver(events_of(0))
    with pytest.raises(TerminalError, match="no epoch of domain 'person' is kept"):
        gone_back(world)
    switched(world, NEW_RULES)
    with pytest.raises(TerminalError, match=r"epoch 1 .* is of rules and F"):
        CopyOfKept(world.client, NEW_RULES, "main")
    copy = CopyOfKept(world.client, RULES, "main")
    with pytest.raises(TerminalError, match="taken out, or put back"):
        copy(9, [Exclusion("x", "crm", 0, 1, 2)], lambda *_: None)


@pytest.mark.one_redis
def test_one_epoch_is_kept_and_an_ordinary_rebuild_keeps_none(world):
    """Redis holds two epochs at most between rebuilds."""
    world.deliver(events_of(0))
    switched(world, NEW_RULES)
    assert kept_epoch(world.client, RULES, "main").epoch == 1
    switched(world, RULES)
    assert kept_epoch(world.client, RULES, "main").epoch == 2
    assert drop_kept(world.client, RULES, "main") == 2
    assert drop_kept(world.client, RULES, "main") == 0
    switched(world, NEW_RULES)
    world.rebuild()
    assert kept_epoch(world.client, RULES, "main") is None
    assert {key.decode().split(":")[3] for key in world.client.scan_iter("mdm:*")} == {"5", "root"}


def test_writers_wait_for_the_first_epoch_while_it_is_built(redis_client):
    """A consumer that starts meanwhile makes no epoch of its own beside it, and goes on once it is live."""
    epochs = Epochs(redis_client, RULES, "main")
    epoch = epochs.begin()
    writer = RedisIndex(redis_client, RULES, witness=lambda: None)
    with pytest.raises(IndexInDoubtError, match="or to make the first one"):
        writer.bind()
    assert is_fenced(redis_client, "main", "person")
    assert "holds writers back" in epochs.obstacle(lambda: None)
    assert epochs.go_live(epoch)
    assert writer.bind().epoch == epoch
    assert epochs.obstacle(lambda: None) is None


def test_a_first_epoch_that_was_abandoned_leaves_nothing_to_the_next(redis_client):
    """The one that a consumer makes then is another one: what was filled in is not in it."""
    epochs = Epochs(redis_client, RULES, "main")
    abandoned = epochs.begin()
    writer = RedisIndex(redis_client, RULES, witness=lambda: None)
    Engine(RULES, RedisIndex(redis_client, RULES, building=abandoned)).process(events_of(0))
    assert lift_fence(redis_client, "main", "person")
    assert writer.bind().epoch == abandoned + 1
    assert writer.snapshot().golden == {}
    assert not epochs.go_live(abandoned)


def test_a_copy_of_an_epoch_that_is_dropped_meanwhile_does_not_go_live(world, monkeypatch):
    """Half of it would look like all: the way back fails, and the live epoch goes on."""
    world.deliver(events_of(0))
    switched(world, NEW_RULES)
    copy = CopyOfKept(world.client, RULES, "main")

    def drop(*_arguments) -> None:
        drop_kept(world.client, RULES, "main")

    with pytest.raises(EpochChangedError, match="not there any more"):
        copy_epoch(world.client, RULES, "main", copy.kept, Epochs(world.client, RULES, "main").begin(), drop)
    assert RedisIndex(world.client, NEW_RULES).epoch == 2


def test_what_was_archived_in_bulk_is_in_the_state_that_is_gone_back_to(world):
    """No consumer has put it into the epoch that is kept: it is filled in on the way back."""
    events = events_of(1)
    world.deliver(events[:40])
    world.archive.append("person", rows_of(events[40:]), IN_BULK)
    switched(world, NEW_RULES)
    gone_back(world)
    assert RedisIndex(world.client, RULES).snapshot() == resolve(RULES, events)


def test_an_epoch_that_has_lost_something_is_not_kept(world):
    """It is not F of what is noted to be in it."""
    world.deliver(events_of(0))
    reached = world.index.position()
    world.archive.append("person", [], replace(reached, clock=reached.clock + 5))
    switched(world, NEW_RULES)
    assert kept_epoch(world.client, RULES, "main") is None


@pytest.mark.one_redis
def test_what_was_taken_out_of_an_epoch_is_noted_with_it(world):
    """A source that was taken out by the switch is in the epoch before: it cannot be gone back to."""
    world.deliver(events_of(0))
    switched(world, RULES)
    now_us = time.time_ns() // 1_000
    world.archive.sources("person").exclude("crm", 0, now_us, now_us)
    switched(world, NEW_RULES)
    with pytest.raises(TerminalError, match="taken out, or put back"):
        gone_back(world)


def test_a_first_epoch_that_was_given_up_can_be_abandoned_by_hand(redis_client, redis_url):
    """What the consumers' error names does it, though there is no index."""
    epochs = Epochs(redis_client, RULES, "main")
    epochs.begin()
    assert run(["release", "person", "--abandon-rebuild", "--redis", redis_url]) == 0
    assert epochs.building() is None
    assert RedisIndex(redis_client, RULES, witness=lambda: None).epoch == 2


def test_a_writer_makes_a_call_again_that_redis_did_not_take(redis_client, monkeypatch):
    """A task that failed would end a job of hours."""
    epoch = Epochs(redis_client, RULES, "main").begin()
    naps = []
    writer = BulkWriter(redis_client, RULES, "main", epoch, sleep=naps.append)
    call, failing = writer._epoch.call, [TransientError("away"), TransientError("away")]

    def flaky(send):
        if failing:
            raise failing.pop()
        return call(send)

    monkeypatch.setattr(writer._epoch, "call", flaky)
    writer.put_place("crm/1", "g")
    writer.flush()
    assert naps[:2] == [0.2, 1.0]
    assert redis_client.hget(f"mdm:{{main:person}}:{epoch}:xw", "crm/1") == b"g"
