"""A rebuild holds writers for what is left at the end, and for nothing that can be done before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rebuild_world import OPTIONS, RULES, Feed, World, events_of, rows_of
from small_world import small_rules

from mdm_stream.aws.read_shards import Marks, RecordsGoneError
from mdm_stream.contracts.golden import ClaimCheck, GoldenChange, parse_envelope, published_golden
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import MdmError, TransientError
from mdm_stream.feed.published import PublishedState
from mdm_stream.index.redis.epochs import is_fenced
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.fill import Fill
from mdm_stream.rebuild.read_published import PublishedReader
from mdm_stream.rebuild.run import Rebuild, RebuildOptions
from mdm_stream.warehouse.faults import WarehouseBusyError

OTHER = small_rules(max_block_size=9, max_cluster_size=2)
GRACE_S = 1_000.0


@pytest.fixture
def world(redis_client: Any, redis_url: str, tmp_path: Any) -> World:
    """An empty world."""
    return World(redis_client, redis_url, tmp_path)


class Steps(Feed):
    """A feed that notes the steps of a rebuild, in order, and what is read of it at each."""

    def __init__(self, feed: Feed) -> None:
        self.feed, self.steps = feed, []
        self._read = 0

    def read(self, state: PublishedState) -> None:
        """Apply what was published since the last call."""
        new, self._read = self.feed.messages[self._read :], len(self.feed.messages)
        self.steps.append(f"read {len(new)}")
        for message in new:
            state.apply(parse_envelope(message))

    def finish(self, state: PublishedState) -> None:
        """Apply the rest."""
        self.read(state)
        self.steps[-1] = self.steps[-1].replace("read", "finish")

    def note(self, step: str, *_: object) -> None:
        """Note a step."""
        self.steps.append(step)


def rebuild_of(world: World, published: Feed, rules=RULES, on_progress=lambda *_: None) -> tuple[Rebuild, list[float]]:
    """Return a rebuild with a long grace period, and the sleeps that it will have asked for."""
    options = RebuildOptions(workers=1, batch_size=7, states_max=10, publish_grace_s=GRACE_S)
    rebuild = Rebuild(
        rules,
        world.url,
        "main",
        archive=world.archive,
        golden=world.feed,
        published=published,
        options=options,
        on_progress=on_progress,
    )
    sleeps: list[float] = []
    rebuild._sleep = sleeps.append
    return rebuild, sleeps


def as_after_a_restart(world: World) -> None:
    """Make the index look as if another server process had taken its writes, as after each start of ``up``."""
    world.client.hset("mdm:{main:person}:1:meta", "server", "0" * 40)


@pytest.mark.one_redis
@pytest.mark.parametrize("rules", [RULES, OTHER], ids=["same rules", "new rules"])
@pytest.mark.parametrize("restarted", [False, True])
def test_nobody_is_waited_for_where_nothing_was_lost(world, rules, restarted):
    """New rules, or a restarted Redis that has all that was witnessed: all is read and compared before writers are
    held, and after that only what came since.
    """
    events = events_of(3)
    world.deliver(events)
    if restarted:
        as_after_a_restart(world)
    steps = Steps(world.feed)
    before = len(world.feed.messages)
    rebuild, sleeps = rebuild_of(world, steps, rules, steps.note)
    fence = rebuild._epochs.fence
    rebuild._epochs.fence = lambda epoch: (steps.note("fence"), fence(epoch))[1]
    report = rebuild.run()
    assert (sleeps, report.waited_s, report.replaced) == ([], 0.0, 1)
    held = steps.steps.index("fence")
    assert [step for step in steps.steps[:held] if step.startswith("read ")] == [f"read {before}", "read 0"]
    assert [step for step in steps.steps[held:] if "read" in step or "finish" in step] == ["finish 0"]
    assert steps.steps[-1].startswith("switched to epoch 2")
    assert RedisIndex(world.client, rules).snapshot() == resolve(rules, events)


@pytest.mark.one_redis
@pytest.mark.parametrize("loss", ["gone", "behind"])
def test_who_may_still_publish_of_a_lost_index_is_waited_for_before_writers_are_held(world, loss):
    """A consumer had read a change from the index that was lost, and publishes it while the rebuild waits: readers end
    with F of what was archived. The time that the fill took counts.
    """
    events = events_of(4)
    world.deliver(events[:40])
    late = Feed()
    published, world.feed = world.feed, late
    world.deliver(events[40:])
    world.feed = published
    if loss == "gone":
        world.client.flushall()
    else:
        as_after_a_restart(world)
        world.client.hincrby("mdm:{main:person}:1:meta", "clock", -1)
    steps = Steps(world.feed)
    rebuild, _ = rebuild_of(world, steps, on_progress=steps.note)

    def sleep(seconds: float) -> None:
        assert 0 < seconds < GRACE_S
        steps.note("sleep")
        world.feed.messages += late.messages

    rebuild._sleep = sleep
    report = rebuild.run()
    assert report.waited_s > 0
    assert steps.steps.index("sleep") < steps.steps.index("holding writers")
    expected = resolve(RULES, events)
    assert RedisIndex(world.client, RULES).snapshot() == expected
    assert world.feed.state() == (expected.golden, expected.crosswalk)


@pytest.mark.one_redis
@pytest.mark.parametrize("rules", [RULES, OTHER], ids=["same rules", "new rules"])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_written_between_two_steps_is_not_lost(world, rules, seed):
    """Writers go on at every step: some batches are published at once, some wait in the outbox, some are not archived
    when writers are held, and come again. The state is F, and so is what readers have.
    """
    randomness = random.Random(seed)
    events = events_of(seed % 3 + 3, 70)
    world.deliver(events[:30])
    waiting = events[30:]
    again = []

    def write(*_: object) -> None:
        """Deliver a few more events to the old epoch, as consumers may."""
        batch = [waiting.pop(0) for _ in range(min(len(waiting), randomness.randrange(6)))]
        try:
            if batch and randomness.random() < 0.3:
                assert Engine(RULES, world.index, sleep=lambda _: None).process(batch).failed == []
                world.archive.append("person", rows_of(batch), world.index.position())
            elif batch and randomness.random() < 0.3:
                again.extend(batch)
                Engine(RULES, world.index, sleep=lambda _: None).process(batch)
            else:
                world.deliver(batch)
        except (MdmError, AssertionError):  # fenced, or of other rules by now
            again.extend(batch)

    class Busy(Steps):
        def read(self, state: PublishedState) -> None:
            write()
            super().read(state)
            write()

    rebuild, sleeps = rebuild_of(world, Busy(world.feed), rules, write)
    announce = rebuild._announce
    rebuild._announce = lambda *arguments, **options: (write(), announce(*arguments, **options), write())[1]
    rebuild.run()
    assert sleeps == []
    world.rules, world.index = rules, RedisIndex(world.client, rules)
    world.deliver(again + waiting)
    expected = resolve(rules, events)
    assert world.index.snapshot() == expected
    assert world.feed.state() == (expected.golden, expected.crosswalk)


class Messages:
    """A golden feed in memory, in which the marks are a number."""

    def __init__(self, messages: list[Any]) -> None:
        self.held, self.dropped, self.calls = messages, 0, []

    def messages(self, marks: Marks, *, on_missing: Callable[[ClaimCheck], None]) -> Iterator[Any]:
        """Yield what follows the marks, as ``FeedReader`` does; there is no claim check whose data is missing."""
        after = int(marks.get("shard", 0))
        if after and after < self.dropped:
            raise RecordsGoneError("injected")
        self.calls.append(after)
        for number in range(max(after, self.dropped), len(self.held)):
            yield self.held[number]
            marks["shard"] = str(number + 1)


class Analysts:
    """A warehouse that has applied some messages, and may be busy for a while."""

    def __init__(self, applied: list[Any], busy_for: int = 0) -> None:
        self.applied, self.busy_for, self.opened = applied, busy_for, []

    def open(self, is_last: bool) -> Analysts:
        """Note how it was asked for."""
        self.opened.append(is_last)
        return self

    def published(self, _: str) -> Iterator[Any]:
        """Yield what each applied change says."""
        if len(self.opened) <= self.busy_for:
            raise WarehouseBusyError("injected")
        changes = [each.data for each in self.applied if isinstance(each.data, GoldenChange)]
        return (published_golden(change) for change in changes)

    def published_evidence(self, _: str) -> Iterator[Any]:
        """Yield nothing: these rules publish none."""
        return iter(())

    def erased(self, _: str) -> list[str]:
        """Return no erasure: those are on the feed here."""
        return []

    def position(self, _: str) -> tuple[int, int]:
        """Return nothing of interest."""
        return (0, 0)

    def close(self) -> None:
        """Nothing to release."""


def told(world: World) -> list[Any]:
    """Return the messages of a history."""
    world.deliver(events_of(5))
    return [parse_envelope(message) for message in world.feed.messages]


def held(state: PublishedState) -> dict[str, Any]:
    """Return what a published state says of each live golden record."""
    return {golden.golden_id: golden for golden in state.live()}


@pytest.mark.one_redis
def test_after_the_first_reading_only_the_tail_of_the_feed_is_read(world):
    """The warehouse is asked once, and the feed from where the last reading ended."""
    messages = told(world)
    feed, analysts = Messages(messages[:20]), Analysts(messages[:10])
    reader, state = PublishedReader("person", feed, analysts.open), PublishedState("person")
    reader.read(state)
    feed.held = messages[:25]
    reader.read(state)
    feed.held = messages
    reader.finish(state)
    assert (feed.calls, analysts.opened) == ([0, 20, 25], [False])
    assert held(state) == held(world.feed.published())


@pytest.mark.one_redis
def test_a_feed_that_dropped_its_tail_is_read_anew_with_the_warehouse(world):
    """What it dropped meanwhile is in the warehouse by then."""
    messages = told(world)
    feed, analysts = Messages(messages[:20]), Analysts(messages[:10])
    reader, state = PublishedReader("person", feed, analysts.open), PublishedState("person")
    reader.read(state)
    feed.held, feed.dropped, analysts.applied = messages, 30, messages[:35]
    reader.finish(state)
    assert (feed.calls, analysts.opened) == ([0, 0], [False, True])
    assert held(state) == held(world.feed.published())


@pytest.mark.one_redis
def test_a_warehouse_that_is_busy_is_read_at_the_end(world):
    """Its consumer has the file as long as the feed is busy; while writers are held it lets go, and is waited for."""
    messages = told(world)
    feed, analysts = Messages(messages), Analysts(messages[:10], busy_for=1)
    feed.dropped = 5
    reader, state = PublishedReader("person", feed, analysts.open), PublishedState("person")
    reader.read(state)
    reader.read(state)
    reader.finish(state)
    assert analysts.opened == [False, True]
    assert held(state) == held(world.feed.published())
    analysts.busy_for = 9
    with pytest.raises(WarehouseBusyError):
        PublishedReader("person", feed, analysts.open).finish(PublishedState("person"))


@pytest.mark.one_redis
def test_new_rules_are_told_once_and_mostly_before_writers_are_held(world):
    """The differences that the new rules make are in the outbox before the fence, each once."""
    events = events_of(6)
    world.deliver(events)
    steps = Steps(world.feed)
    rebuild, _ = rebuild_of(world, steps, OTHER, steps.note)
    announced: list[tuple[str, int]] = []
    announce = rebuild._announce

    def noted(*arguments: Any, **options: Any) -> int:
        count = announce(*arguments, **options)
        announced.append(("held" if "holding writers" in steps.steps else "before", count))
        return count

    rebuild._announce = noted
    report = rebuild.run()
    assert announced == [("before", report.told), ("held", 0)]
    assert report.told > 0
    assert OPTIONS.publish_grace_s == 0


@pytest.mark.one_redis
def test_a_rebuild_that_a_newer_one_overtook_holds_nobody(world, monkeypatch):
    """The newer one may fill for hours: the older one ends without having held a writer, and leaves no fence."""
    world.deliver(events_of(3))
    steps = Steps(world.feed)
    rebuild, _ = rebuild_of(world, steps, on_progress=steps.note)
    begin_newer = iter([rebuild._epochs.begin])
    monkeypatch.setattr(Fill, "catch_up", lambda _: next(begin_newer, int)())
    with pytest.raises(TransientError, match="a newer rebuild was begun while epoch 2 was built"):
        rebuild.run()
    assert not any(step.startswith("finish") for step in steps.steps)
    assert world.index.epochs.building() is not None
    assert not is_fenced(world.client, "main", "person")
    world.deliver(events_of(4, 5))
