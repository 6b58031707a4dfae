"""Schedules that once showed something, shrunk to what it takes. Each is run in every test run.

A code means what :func:`torture.world.event_of` makes of it: whoever changes that must find these anew.
"""

from __future__ import annotations

from torture.faults import Fault
from torture.machine import Schedule
from torture.world import World

FOUND_BY_MUTANT = {
    "dropped expectation: blocks": Schedule(codes=(0, 87), world=World(values="wide"), workers=2, turns=1),
    "dropped expectation: components": Schedule(
        codes=(*(0,) * 8, 385378, *(0,) * 6, 13461),
        world=World(rules=3, records_per_source=4),
        ticker=True,
        faults=tuple(Fault(0, "refuse") for _ in range(7)),
    ),
    "dropped expectation: records": Schedule(codes=(0, 0, 1), world=World(values="wide"), workers=3),
    "lost outbox entry: not written": Schedule(
        codes=(0, 82, 100, 108), world=World(values="wide", records_per_source=3), batch_sizes=(7,)
    ),
}
"""The least schedules that catch broken engines, by what is broken."""

FOUND = {
    "a server that loses its scripts again while they are loaded again": Schedule(
        codes=(0,), faults=tuple(Fault(0, "forget scripts") for _ in range(8))
    ),
    "a commit that takes effect after it was made again": Schedule(
        codes=(0, 87, 0), workers=2, turns=1, faults=tuple(Fault(2, "late", size) for size in range(9))
    ),
}
"""Schedules that show what engine and harness must live with, by what that is."""
