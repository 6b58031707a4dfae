"""The torture finds what it is there to find: engines broken on purpose. And nothing in the one that is not."""

from __future__ import annotations

import pytest
from torture.found import FOUND_BY_MUTANT
from torture.hunt import hunt
from torture.machine import run
from torture.mutants import MUTANTS

pytestmark = pytest.mark.long

SEEDS = (3, 5, 0, 2, 1)
SCHEDULES_PER_SEED = 30
"""A broken engine must be caught by one of so many schedules of these seeds; the whole one must pass them all."""

RARE = {"dropped expectation: suspended keys"}
"""Shown by one schedule in hundreds: a batch must see a key suspended while another one opens it, and share nothing
else with that. ``tests/engine/test_stale_reads.py`` shows it at once.
"""


@pytest.mark.parametrize("name", [name for name in MUTANTS if name not in RARE])
def test_a_broken_engine_is_caught(torture_client, monkeypatch, name):
    """Whatever one of the engine's safeguards is taken away, some schedule shows it, and soon."""
    MUTANTS[name](monkeypatch)
    hunts = (hunt(torture_client, seed, SCHEDULES_PER_SEED, shrink=False) for seed in SEEDS)
    assert any(found.violation is not None for found in hunts), "nobody noticed"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_engine_itself_passes_the_same_schedules(torture_client, seed):
    """What catches the broken engines is that they are broken."""
    found = hunt(torture_client, seed, SCHEDULES_PER_SEED)
    assert found.violation is None, f"{found.schedule!r}\n{found.violation}"


@pytest.mark.parametrize("name", FOUND_BY_MUTANT)
def test_a_schedule_that_caught_a_broken_engine_still_does(torture_client, name):
    """A failing schedule shrinks to a few events, and fails again wherever it is run; the whole engine passes it."""
    run(FOUND_BY_MUTANT[name], torture_client)
    with pytest.MonkeyPatch.context() as patch:
        MUTANTS[name](patch)
        with pytest.raises((AssertionError, KeyError)):
            run(FOUND_BY_MUTANT[name], torture_client)
