"""A function whose time is nearly up answers before Lambda ends it, and claims nothing done that is not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from timed_function import ARN, AWS_TIMEOUT_S, REDIS_TIMEOUT_S, TimedWorld, timed_functions

from mdm_stream.local.event_source.mapping import schedule_event

pytestmark = pytest.mark.long

ENGINE_S = 0.5 + 2 * REDIS_TIMEOUT_S + AWS_TIMEOUT_S
"""What an engine needs to begin: the answer, a call of its own, and those that archive and publish what it commits."""


@pytest.fixture
def start() -> Iterator[Callable[..., TimedWorld]]:
    """Start a function whose settings may differ."""
    with timed_functions() as begin:
        yield begin


def test_three_seconds_are_enough_for_a_batch_that_meets_no_fault(start):
    """A deadline takes nothing from a function that is quick."""
    world = start()
    world.call(world.batch(), 60.0)
    first_failed, took_s = world.call(world.batch(), 3.0)
    assert first_failed is None
    assert took_s < 3.0
    world.require_all()


@pytest.mark.parametrize("left_s", [3.0, 1.0])
def test_a_silent_redis_is_answered_in_time(start, left_s):
    """The whole batch is named, nothing of it is claimed, and it is done when it is delivered again."""
    world = start()
    world.call(world.batch(), 60.0)
    batch = world.batch()
    with world.silence():
        first_failed, took_s = world.call(batch, left_s)
    assert first_failed == 0
    assert took_s < left_s
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


def test_with_one_second_left_nothing_is_begun_that_may_not_end(start):
    """Committing without the time to archive and publish helps nobody: the batch is named at once."""
    world = start()
    assert ENGINE_S > 1.0
    batch = world.batch()
    first_failed, took_s = world.call(batch, 1.0)
    assert (first_failed, world.archived()) == (0, set())
    assert took_s < 1.0
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


@pytest.mark.parametrize("left_s", [3.0, 1.0, 0.0])
def test_a_call_that_may_last_longer_than_the_function_is_not_begun(start, left_s):
    """With time-outs of 5 and 10 seconds; the answer says what to set."""
    world = start(MDM_REDIS_TIMEOUT_S="5", MDM_AWS_TIMEOUT_S="10")
    batch = world.batch()
    first_failed, took_s = world.call(batch, left_s)
    assert first_failed == 0
    assert took_s < 0.5
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


@pytest.mark.parametrize("left_s", [3.0, 2.0])
def test_a_redis_that_falls_silent_between_commit_and_archive_loses_nothing(start, monkeypatch, left_s):
    """What was committed is not claimed: delivered again, it is absorbed, archived and published."""
    world = start()
    world.call(world.batch(), 60.0)
    parts = world.module.resolver._domains["person"]
    commit, batch = parts.index.commit, world.batch()
    stopped: list[int] = []

    def commit_and_stop(commits):
        outcomes = commit(commits)
        os.kill(world.redis.pid, signal.SIGSTOP)
        stopped.append(world.redis.pid)
        return outcomes

    monkeypatch.setattr(parts.index, "commit", commit_and_stop)
    try:
        first_failed, took_s = world.call(batch, left_s)
    finally:
        os.kill(world.redis.pid, signal.SIGCONT)
    assert stopped
    assert first_failed == 0
    assert took_s < left_s
    monkeypatch.undo()
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


def test_a_silent_stream_is_answered_in_time(start):
    """Kinesis takes the connection and answers nothing: what is archived waits in the outbox."""
    world = start()
    world.call(world.batch(), 60.0)
    batch = world.batch()
    with world.silent_stream():
        first_failed, took_s = world.call(batch, 3.0)
    assert first_failed == 0
    assert took_s < 3.0
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


@pytest.mark.slow
def test_a_silent_archive_on_s3_is_answered_in_time(start):
    """Attempts of the SDK and the waits between them count; what was committed waits to be archived."""
    world = start(MDM_ARCHIVE_URL="s3://kept/archive", MDM_CLAIMS_URL="s3://kept/claims")
    left_s = ENGINE_S + 3 * AWS_TIMEOUT_S + 3.0 + 1.5
    world.call(world.batch(), 60.0)
    batch = world.batch()
    with world.silent_stream():
        first_failed, took_s = world.call(batch, left_s)
    assert first_failed == 0
    assert took_s < left_s
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


def test_a_tick_without_time_ends_in_time(start):
    """It is no error: the next one has the time."""
    world = start()
    world.call(world.batch(), 60.0)
    assert world.call(schedule_event(ARN, 0.0), 0.6)[1] < 0.6
    world.require_all()
