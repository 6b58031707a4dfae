"""Whatever is delivered, in whatever order, by whomever, and whatever goes wrong: the state and the feed are F."""

from __future__ import annotations

import random

import pytest
from torture.crew import run_crew
from torture.faults import KINDS, Fault
from torture.found import FOUND
from torture.hunt import Hunt, hunt
from torture.machine import Schedule, run

SCHEDULES = 90
"""Beside those that test_mutants runs: more than 200 in each run of the suite, half of them never seen before."""
CREW_SCHEDULES = 8


def require_no_violation(found: Hunt) -> None:
    """Fail with what it takes to see it again."""
    assert found.violation is None, f"seed {found.seed}: {found.schedule!r}\n{found.violation}"


def test_every_schedule_ends_in_f(torture_client):
    """Fresh schedules in each run; and they are what they are meant to be: everything that can happen does happen."""
    found = hunt(torture_client, random.SystemRandom().randrange(2**32), SCHEDULES)
    require_no_violation(found)
    tally = found.tally
    assert tally.schedules >= SCHEDULES
    assert len(tally.faults) > len(KINDS) / 2  # of hundreds of faults, whatever the dice
    assert min(tally.absorbed, tally.collisions, tally.conflicts, tally.reevaluated) > 0
    assert min(tally.changes, tally.published_again) > 0


def test_a_watched_run_is_looked_at_after_every_commit(torture_client):
    """Not only its end is F: each commit leaves a whole state, seen from outside."""
    schedule = Schedule(codes=tuple(range(0, 100_000, 2_000)), workers=2, order=1, turns=1, watched=True)
    assert run(schedule, torture_client).looks > 10


def test_processes_killed_for_real_end_in_f(torture_client):
    """The same by processes of their own, which the operating system interleaves and SIGKILL ends."""
    deadly = tuple(Fault(gap, "kill after" if gap % 2 else "kill within", gap) for gap in range(12))
    tally = run_crew(Schedule(codes=tuple(range(0, 100_000, 2_000)), workers=3, faults=deadly), torture_client)
    assert tally.faults["killed process"] > 0
    found = hunt(torture_client, random.SystemRandom().randrange(2**32), CREW_SCHEDULES, running=run_crew, shrink=False)
    require_no_violation(found)


@pytest.mark.parametrize("what", FOUND)
def test_schedules_that_once_showed_something(torture_client, what):
    """What was found stays found."""
    tally = run(FOUND[what], torture_client)
    assert tally.faults.total() > 0
