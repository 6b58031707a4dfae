"""Whatever is delivered, in whatever order, by whomever, and whatever goes wrong: the state and the feed are F."""

from __future__ import annotations

import random

from torture.crew import run_crew
from torture.faults import KINDS
from torture.hunt import Hunt, hunt

SCHEDULES = 100
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
    assert tally.faults.keys() == set(KINDS)
    assert min(tally.absorbed, tally.collisions, tally.conflicts, tally.reevaluated) > 0
    assert min(tally.changes, tally.published_again, tally.looks) > 0


def test_processes_killed_for_real_end_in_f(torture_client):
    """The same by processes of their own, which the operating system interleaves and SIGKILL ends."""
    found = hunt(torture_client, random.SystemRandom().randrange(2**32), CREW_SCHEDULES, running=run_crew, shrink=False)
    require_no_violation(found)
    assert found.tally.faults["killed process"] > 0
