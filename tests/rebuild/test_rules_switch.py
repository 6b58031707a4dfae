"""New rules take the place of others once approved, and the epoch before can be gone back to, byte for byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from index_content import index_content
from rebuild_world import OPTIONS, RULES, World, events_of, rows_of
from small_world import small_rules

from mdm_stream.archive import Exclusion
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TerminalError
from mdm_stream.feed.publisher import publish_outbox
from mdm_stream.index.errors import IndexInDoubtError
from mdm_stream.index.redis.epochs import Epochs, is_fenced, lift_fence
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.kept import drop_kept, kept_epoch
from mdm_stream.rebuild.kept import CopyOfKept
from mdm_stream.rebuild.run import DeclinedError, Rebuild, RebuildReport

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
