"""A rebuild that is killed between any two calls, or meets a fault at one, costs nothing: the next one gives F."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
import redis
from rebuild_world import OPTIONS, RULES, Feed, World, events_of
from torture.keyspace import differences, expected_keys, stored_keys

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.reference import fold_events, resolve_states
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.fill import Fill
from mdm_stream.rebuild.run import Rebuild

CALLS_TRIED = 5
"""Calls of a rebuild that one test ends at: others with each seed, and in the end every one of them."""


class Killed(BaseException):
    """The process is gone: nothing that it would still do is done."""


class Fate:
    """Lets some calls through and ends the rebuild at the next one, before or after it has its effect."""

    def __init__(self, calls: int, how: str) -> None:
        self.left, self.how, self.sent = calls, how, 0

    def meet(self, moment: str) -> None:
        """Let a call through, or not. A killed process makes no more calls; one fault is met once."""
        self.sent += moment == "before"
        if self.sent > self.left and self.how == f"killed {moment}":
            raise Killed
        if self.sent == self.left + 1 and self.how == f"fault {moment}":
            raise redis.TimeoutError("injected")


def rebuild_of(world: World, fate: Fate, monkeypatch) -> Rebuild:
    """Return a rebuild whose every call meets its fate, and that fills the new epoch by itself."""
    attempt = Rebuild(
        world.rules,
        world.url,
        "main",
        archive=world.archive,
        golden=world.feed,
        published=world.feed,
        options=OPTIONS,
    )

    class Doomed(attempt._client.connection_pool.connection_class):
        def send_packed_command(self, *arguments, **options):
            fate.meet("before")
            return super().send_packed_command(*arguments, **options)

        def read_response(self, *arguments, **options):
            fate.meet("after")
            return super().read_response(*arguments, **options)

    attempt._client.connection_pool.connection_class = Doomed
    attempt._client.connection_pool.reset()  # the connection that it was opened with met nothing
    attempt._client.set_retry(redis.retry.Retry(redis.backoff.NoBackoff(), 0))
    monkeypatch.setattr(Fill, "_fill_by_workers", lambda _: None)
    return attempt


def calls_of_a_rebuild(world: World, monkeypatch) -> int:
    """Return how many calls a rebuild makes that meets nothing."""
    fate = Fate(10**6, "killed before")
    rebuild_of(world, fate, monkeypatch).run()
    assert fate.sent > CALLS_TRIED, "its calls go through another client than the one that they are counted in"
    return fate.sent


def require_f(world: World, events) -> None:
    """Require every key, and what a subscriber has, to be what F says."""
    states = fold_events(events)
    expected = resolve_states(RULES, states)
    index = RedisIndex(world.client, RULES, create=False)
    prefix = f"mdm:{{main:person}}:{index.epoch}:"
    publishing = stored_keys(world.client, prefix)
    left_out = {name: publishing.pop(name, []) for name in ("meta", "out")}
    assert left_out["out"] == []
    assert differences(publishing, expected_keys(RULES, states)) == []
    others = {key.decode() for key in world.client.scan_iter() if not key.startswith(prefix.encode())}
    assert others == {"mdm:{main:person}:root"}
    assert world.feed.state() == (expected.golden, expected.crosswalk)


@pytest.mark.one_redis
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("how", ["killed before", "killed after", "fault before", "fault after"])
def test_the_next_rebuild_gives_f_wherever_one_ended(redis_client, redis_url, tmp_path, monkeypatch, how, lost):
    """Whether the index was there or lost, and whatever consumers did in between; no key is left of the first one."""
    seed = 8
    total = calls_of_a_rebuild(prepared(redis_client, redis_url, tmp_path / "0", seed, lost=lost)[0], monkeypatch)
    randomness = random.Random(f"{how} {lost}")
    chosen = sorted({*randomness.sample(range(total), CALLS_TRIED), *range(total - 6, total)})
    for calls in chosen:
        world, events, later = prepared(redis_client, redis_url, tmp_path / str(calls + 1), seed, lost=lost)
        with suppress(Killed, TransientError):  # an engine may get over a single fault
            rebuild_of(world, Fate(calls, how), monkeypatch).run()
        undelivered = deliver_if_possible(world, later)
        if how.startswith("fault") and not lost:
            assert undelivered == [], f"writers are held back for ever by a rebuild that failed at call {calls}"
        rebuild_of(world, Fate(10**6, ""), monkeypatch).run()
        assert deliver_if_possible(world, undelivered) == []
        require_f(world, [*events, *later])


def prepared(client, url, folder, seed, *, lost):
    """Return a world with a history in it and changes that wait to be published, its events, and some later ones."""
    client.flushall()
    world = World(client, url, folder)
    events = events_of(seed, 24)
    events, later = events[:-6], events[-6:]
    world.deliver(events[:-5])
    publish, world.feed.publish = world.feed.publish, lambda _: (_ for _ in ()).throw(TransientError("injected"))
    with pytest.raises(TransientError):
        world.deliver(events[-5:])
    world.feed.publish = publish
    if lost:
        client.flushall()
    return world, events, later


def deliver_if_possible(world: World, events):
    """Deliver events as a consumer does that may be fenced; return them if it was."""
    try:
        index = RedisIndex(world.client, RULES, witness=lambda: world.archive.witness("person"))
        if Engine(RULES, index, sleep=lambda _: None).process(events).failed:
            return events
        world.index = index
        world.deliver(events)
    except TransientError:
        return events
    return []


@pytest.mark.one_redis
def test_what_a_failed_rebuild_published_of_the_old_epoch_is_witnessed(redis_client, redis_url, tmp_path):
    """The old epoch goes on; should its server lose what the feed was told, its numbers must not be given again."""
    world, *_ = prepared(redis_client, redis_url, tmp_path, 8, lost=False)
    Engine(RULES, world.index, sleep=lambda _: None).process(events_of(9, 3))
    reached = world.index.position()
    assert world.archive.witness("person").sequence < reached.sequence

    class Unreachable(Feed):
        def finish(self, state):
            raise TransientError("injected")

    options = {"archive": world.archive, "golden": world.feed, "published": Unreachable(), "options": OPTIONS}
    with pytest.raises(TransientError, match="injected"):
        Rebuild(RULES, redis_url, "main", **options).run()
    assert world.index.read(1) == []
    assert world.archive.witness("person") == EpochPosition(1, reached.clock, reached.sequence)
