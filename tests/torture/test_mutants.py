"""The torture finds what it is there to find: engines broken on purpose. And nothing in the one that is not."""

from __future__ import annotations

import pytest
from torture.hunt import hunt
from torture.mutants import MUTANTS

SEEDS = (2, 0, 1, 3, 4, 5, 6, 7)
SCHEDULES_PER_SEED = 25
"""A broken engine must be caught by one of so many schedules of these seeds; the whole one must pass them all."""


@pytest.mark.parametrize("name", MUTANTS)
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
