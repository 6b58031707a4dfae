"""Redis stalls, is full, or cannot persist: batches fail in time and say why, memory is bounded, nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from end_state import wait_for
from pressure import Consumer, people, resident_bytes, running_consumer, timed

BATCH_S_MAX = 10.0
"""A stalled Redis costs a batch some six time-outs of 0.3 s, and the jitter between them."""
ROUNDS = 4
GROWTH_BYTES_MAX = 16 * 1024**2
HEADROOM_BYTES = 20_000


@pytest.fixture(scope="module")
def consumer() -> Iterator[Consumer]:
    """A consumer in which some people are known already. Each test ends with an index that is as F says."""
    with running_consumer() as running:
        running.deliver_until_done(running.records(people(0, 20)))
        yield running


@pytest.fixture
def stalled(consumer: Consumer) -> Iterator[Consumer]:
    """A consumer whose Redis does not answer: its process is stopped, its connections stay open."""
    os.kill(consumer.redis.pid, signal.SIGSTOP)
    try:
        yield consumer
    finally:
        os.kill(consumer.redis.pid, signal.SIGCONT)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory where Linux tells it")
def test_a_stalled_redis_fails_batches_in_time_and_loses_nothing(stalled: Consumer) -> None:
    """Each delivery ends within some time-outs, with the cause; memory does not grow; afterwards all goes through."""
    batch = stalled.records([*people(100, 30), *people(0, 20, version=2)])
    resident = 0
    for number in range(ROUNDS):
        with timed(BATCH_S_MAX):
            report = stalled.resolver.handle(batch)
        assert report.first_failed == 0
        assert "did not answer in time" in report.cause
        resident = resident_bytes() if number == 1 else resident
    assert resident_bytes() - resident < GROWTH_BYTES_MAX
    os.kill(stalled.redis.pid, signal.SIGCONT)
    stalled.deliver_until_done(batch)
    stalled.assert_exact()


@pytest.mark.parametrize("seed", range(3))
def test_a_redis_that_stalls_in_the_middle_of_batches_is_no_loss(consumer: Consumer, seed: int) -> None:
    """Stopped at random moments, so that commits are applied whose answer never came: each takes effect once."""
    randomness = random.Random(seed)
    scripts = consumer.resolver._domains["person"].index._epoch.scripts
    real, moments = scripts.attempt, []

    def stalling(send):
        if randomness.random() < 0.15:
            moments.append(len(moments))
            # What is on its way is read and applied after SIGCONT, when nobody waits for the answer any more.
            os.kill(consumer.redis.pid, signal.SIGSTOP)
            try:
                return real(send)
            finally:
                os.kill(consumer.redis.pid, signal.SIGCONT)
        return real(send)

    scripts.attempt = stalling
    for first in range(0, 60, 20):
        new = people(1_000 * (seed + 1) + first, 15)
        consumer.deliver_until_done(consumer.records([*people(first, 20, version=3 + seed), *new]))
    scripts.attempt = real
    assert moments
    consumer.assert_exact()


@pytest.fixture
def full(consumer: Consumer) -> Iterator[Consumer]:
    """A consumer whose Redis has no room left."""
    with consumer.redis.client() as client:
        client.config_set("maxmemory", client.info("memory")["used_memory"] - HEADROOM_BYTES)
        try:
            yield consumer
        finally:
            client.config_set("maxmemory", 0)


def test_a_full_redis_refuses_batches_and_half_writes_nothing(full: Consumer) -> None:
    """Batches fail with what to do about it; the state is that of what was done before; then all goes on."""
    before, told = full.state(), len(full.changes())
    batch = full.records(people(500, 30))
    for _ in range(ROUNDS):
        report = full.resolver.handle(batch)
        assert (report.first_failed, report.archived, report.published) == (0, 0, 0)
        assert "raise maxmemory" in report.cause
    assert full.state() == before
    assert len(full.changes()) == told
    with full.redis.client() as client:
        client.config_set("maxmemory", 0)
    full.deliver_until_done(batch)
    full.assert_exact()


def test_a_full_redis_still_gives_away_its_outbox(consumer: Consumer) -> None:
    """What was committed is published and acknowledged, which needs no memory and gives some back."""
    domain = consumer.resolver._domains["person"]
    events = consumer.records(people(300, 40))
    for record in events:
        domain.engine.process(list(consumer.resolver._intake.decoder.decode(record)))
    waiting = consumer.outbox_size()
    assert waiting >= 40
    with consumer.redis.client() as client:
        client.config_set("maxmemory", client.info("memory")["used_memory"] - HEADROOM_BYTES)
        batch = consumer.records(people(400, 10))
        report = consumer.resolver.handle(batch)
        assert (report.first_failed, report.published) == (0, waiting)
        assert consumer.outbox_size() == 0
        client.config_set("maxmemory", 0)
    consumer.deliver_until_done([*events, *batch])
    consumer.assert_exact()


def test_a_redis_that_cannot_persist_is_waited_for(consumer: Consumer) -> None:
    """A failed snapshot makes Redis refuse writes: batches fail with its reason, and go through once it can again."""
    with consumer.redis.client() as client:
        snapshot = Path(client.config_get("dir")["dir"]) / client.config_get("dbfilename")["dbfilename"]
        snapshot.mkdir()  # no file can be renamed to it, whoever runs the server
        client.config_set("save", "3600 1")
        client.bgsave()
        wait_for(lambda: not client.info("persistence")["rdb_bgsave_in_progress"])
        assert client.info("persistence")["rdb_last_bgsave_status"] == "err"
        batch = consumer.records(people(600, 10))
        report = consumer.resolver.handle(batch)
        assert report.first_failed == 0
        assert "MISCONF" in report.cause
        client.config_set("save", "")
    consumer.deliver_until_done(batch)
    consumer.assert_exact()
