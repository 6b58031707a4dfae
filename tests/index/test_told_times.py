"""What is told is told in the order of its times: in both indexes, whatever the clock does, and over epochs."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_world import small_rules

from mdm_stream.core.plan.commit import Commit, OutboxChange
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.port import OutboxEntry
from mdm_stream.index.redis.epochs import Epochs, domain_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.scripts import Scripts

RULES = small_rules()
NOW_US = 1_790_000_000_000_000
CLOCK_KEY = "test:clock"
STEPS = st.lists(st.tuples(st.integers(-10_000_000, 10_000_000), st.integers(0, 3)), min_size=1, max_size=8)
IN_REDIS = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=True,
)


@pytest.fixture
def set_clock(redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let what is told be stamped by a clock that the test sets, in microseconds."""
    real = Scripts.text

    def text(scripts: Scripts, name: str) -> str:
        return real(scripts, name).replace("redis.call('TIME')", f"redis.call('LRANGE', '{CLOCK_KEY}', 0, 1)")

    def set_clock(now_us: int) -> None:
        redis_client.delete(CLOCK_KEY)
        redis_client.rpush(CLOCK_KEY, *map(str, divmod(now_us, 1_000_000)))

    monkeypatch.setattr(Scripts, "text", text)
    set_clock(NOW_US)
    return set_clock


def tell(index: Any, changes: int) -> None:
    """Commit so many changes."""
    assert index.commit([Commit(changes=[OutboxChange("g1", b"{}")] * changes)])[0].conflicts == ()


def in_order(entries: list[OutboxEntry]) -> bool:
    """Whether sequences have no gap and no time is before the one before it."""
    return all(
        earlier.committed_at_us <= later.committed_at_us and earlier.sequence + 1 == later.sequence
        for earlier, later in pairwise(entries)
    )


def expected(steps: list[tuple[int, int]]) -> list[int]:
    """The times of what is told: those of the clock, as far as they do not step back."""
    now_us, latest_us, told = NOW_US, 0, []
    for step_us, changes in steps:
        now_us += step_us
        latest_us = max(latest_us, now_us) if changes else latest_us
        told += [latest_us] * changes
    return told


@given(steps=STEPS)
def test_times_in_memory_do_not_step_back(steps: list[tuple[int, int]]) -> None:
    """The clock in this process."""
    now_us = [NOW_US]
    index = MemoryIndex(RULES, clock_us=lambda: now_us[0])
    for step_us, changes in steps:
        now_us[0] += step_us
        tell(index, changes)
    entries = index.read(1_000)
    assert in_order(entries)
    assert [entry.committed_at_us for entry in entries] == expected(steps)


@IN_REDIS
@pytest.mark.one_redis
@given(steps=STEPS)
def test_times_in_redis_do_not_step_back(redis_client: Any, set_clock: Any, steps: list[tuple[int, int]]) -> None:
    """The clock of the server."""
    index, now_us = RedisIndex(redis_client, RULES, uuid.uuid4().hex), NOW_US
    for step_us, changes in steps:
        now_us += step_us
        set_clock(now_us)
        tell(index, changes)
    entries = index.read(1_000)
    assert in_order(entries)
    assert [entry.committed_at_us for entry in entries] == expected(steps)


@IN_REDIS
@pytest.mark.one_redis
@given(before=STEPS, meanwhile=STEPS, after=STEPS, switch_us=st.integers(-10_000_000, 10_000_000))
def test_times_do_not_step_back_over_epochs(
    redis_client: Any,
    set_clock: Any,
    before: list[tuple[int, int]],
    meanwhile: list[tuple[int, int]],
    after: list[tuple[int, int]],
    switch_us: int,
) -> None:
    """An epoch is built and has things to tell while the one before it tells more: its own count from the switch."""
    namespace, now_us = uuid.uuid4().hex, NOW_US

    def run(index: RedisIndex, steps: list[tuple[int, int]]) -> None:
        nonlocal now_us
        for step_us, changes in steps:
            now_us += step_us
            set_clock(now_us)
            tell(index, changes)

    old = RedisIndex(redis_client, RULES, namespace)
    run(old, before)
    epochs = Epochs(redis_client, RULES, namespace)
    building = RedisIndex(redis_client, RULES, namespace, building=epochs.begin())
    building.announce([OutboxChange("g1", b"{}")] * 2)
    run(old, meanwhile)
    told = old.read(1_000)
    set_clock(now_us := now_us + switch_us)
    assert epochs.fence(building.epoch) == 1
    building.announce([OutboxChange("g1", b"{}")])
    assert epochs.go_live(building.epoch)
    new = RedisIndex(redis_client, RULES, namespace)
    run(new, after)
    entries = new.read(1_000)
    assert in_order(entries)
    assert [entry.wave_last for entry in entries] == [3] * 3 + [0] * (len(entries) - 3), "what the switch told"
    assert not any(entry.wave_last for entry in told)
    assert len(entries) == 3 + sum(changes for _, changes in after)
    assert not told or told[-1].committed_at_us <= entries[0].committed_at_us


@pytest.mark.one_redis
def test_a_new_epoch_after_a_loss_goes_on_from_what_was_published(redis_client: Any, set_clock: Any) -> None:
    """Redis has forgotten when it told something last, and its clock is behind: what was published says it."""
    namespace = uuid.uuid4().hex
    epochs = Epochs(redis_client, RULES, namespace)
    building = RedisIndex(redis_client, RULES, namespace, building=epochs.begin(above=1))
    building.announce([OutboxChange("g1", b"{}")])
    assert epochs.go_live(building.epoch, told_us=NOW_US + 5_000_000)
    index = RedisIndex(redis_client, RULES, namespace)
    tell(index, 1)
    assert [entry.committed_at_us for entry in index.read(10)] == [NOW_US + 5_000_000] * 2
    set_clock(NOW_US + 9_000_000)
    tell(index, 1)
    assert index.read(10)[-1].committed_at_us == NOW_US + 9_000_000
    assert int(redis_client.hget(domain_prefix(namespace, RULES.domain) + "root", "told_us")) == NOW_US + 9_000_000
    assert epochs.told_ahead_us() == 0


@pytest.mark.one_redis
def test_times_ahead_of_the_clock_are_reported(redis_client: Any, set_clock: Any) -> None:
    """A clock that was far ahead is told by how much, until that time has come."""
    index = RedisIndex(redis_client, RULES, uuid.uuid4().hex)
    epochs = index._epoch.epochs
    assert epochs.told_ahead_us() == 0
    set_clock(NOW_US + 86_400_000_000)
    tell(index, 1)
    set_clock(NOW_US)
    tell(index, 1)
    assert epochs.told_ahead_us() == 86_400_000_000
