"""The population as a stream: what the sources emit, in the order in which it arrives, and the truth about it.

A pure function of (people, seed). Memory is bounded by the people observed at one time, at most
``OBSERVED_PEOPLE_MAX``, whatever the number of people.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from mdm_stream.simulate.cities import PHONE_COUNT
from mdm_stream.simulate.life import DAY_US, LIFE_SPAN_US, MINUTE_US, HouseholdLife, RowChange
from mdm_stream.simulate.people import HOUSEHOLD_SIZE_MAX, PHONES_PER_PERSON
from mdm_stream.simulate.wire import DOMAIN, DmsEncoder, encoders

PEOPLE_MAX = 900_000
"""With more, telephone numbers would be given out twice."""
assert PEOPLE_MAX * PHONES_PER_PERSON <= PHONE_COUNT

END_US = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z: the observation of the last household ends here, whatever the number of people;
what systems hear late follows within some days."""
MINUTES_PER_PERSON = 15
"""How much later a household begins to be observed for every person before it."""
OBSERVED_PEOPLE_MAX = LIFE_SPAN_US // (MINUTES_PER_PERSON * MINUTE_US) + HOUSEHOLD_SIZE_MAX
assert OBSERVED_PEOPLE_MAX < 10_000
SNAPSHOT_US = 2 * DAY_US
"""Rows first inserted this soon after the start are delivered by the initial load of their source."""

EVENTS_PER_PERSON = 4.6
"""Deliveries for one person, on average (measured over 20,000 people)."""

REPEATED = 0.02
LATE = 0.01
LATE_IF_CORRECTED_SOON = 0.7
REPEAT_DELAY_EVENTS_MAX = 400
HELD_EVENTS_MAX = 256
"""How many late events are held back at one time; the oldest is delivered when there are more."""


@dataclass(frozen=True, slots=True)
class WireEvent:
    """One delivery. ``index`` numbers logical events in commit order, from 0; a repeated delivery bears it again.

    ``op`` is insert, update, patch, delete, or ``control`` for a record that is not data (its ``record_id`` is empty).
    ``late`` marks an event that was held back, usually past a newer one of its record.
    """

    index: int
    source: str
    record_id: str
    op: str
    time_us: int
    partition_key: str
    raw: bytes
    late: bool = False
    repeat: bool = False


class TruthRow(NamedTuple):
    """A record that is alive at the end, and whom it describes."""

    source: str
    record_id: str
    entity_id: str


@dataclass(frozen=True, slots=True)
class Population:
    """``people`` people under ``seed``. Every call generates afresh and yields the same."""

    people: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse a number of people that cannot be generated."""
        if not 1 <= self.people <= PEOPLE_MAX:
            raise ValueError(f"people must be from 1 to {PEOPLE_MAX}, got {self.people}")

    def events(self, on_truth: Callable[[TruthRow], None] | None = None) -> Iterator[WireEvent]:
        """Yield every delivery in the order of arrival. ``on_truth`` is called with each row that ``truth()`` yields,
        in its order; those of a household once all its changes are made.
        """
        emitted = self._emit(on_truth or _ignore)
        return _deliver(emitted, Random(f"{self.seed}/delivery"))  # noqa: S311 - a population, not a secret

    def truth(self) -> Iterator[TruthRow]:
        """Yield the records that are alive at the end, household by household as their observation ends."""
        rows: deque[TruthRow] = deque()
        for _ in _merged(self._lives(), rows.append):
            while rows:
                yield rows.popleft()
        yield from rows

    @property
    def start_us(self) -> int:
        """When the first household begins to be observed."""
        return END_US - LIFE_SPAN_US - self.people * MINUTES_PER_PERSON * MINUTE_US

    def _lives(self) -> Iterator[HouseholdLife]:
        number = first_person = 0
        while first_person < self.people:
            start_us = self.start_us + first_person * MINUTES_PER_PERSON * MINUTE_US
            life = HouseholdLife(self.seed, number, first_person, self.people - first_person, start_us)
            yield life
            number += 1
            first_person += len(life.people)

    def _emit(self, on_truth: Callable[[TruthRow], None]) -> Iterator[tuple[WireEvent, bool]]:
        """Yield each logical event in commit order, with its ``corrected_soon``."""
        sources = encoders()
        control = DmsEncoder.create_table(self.start_us)
        yield WireEvent(0, "erp", "", "control", self.start_us, "population", control), False
        for index, change in enumerate(_merged(self._lives(), on_truth), start=1):
            snapshot = change.first and change.time_us < self.start_us + SNAPSHOT_US
            raw = sources[change.source].encode(change, snapshot=snapshot)
            key = f"{DOMAIN}/{change.source}/{change.record_id}"
            event = WireEvent(index, change.source, change.record_id, change.op, change.time_us, key, raw)
            yield event, change.corrected_soon


def generate(people: int, seed: int) -> Population:
    """Return the population of ``people`` people (1 to ``PEOPLE_MAX``) under ``seed``; ``ValueError`` otherwise."""
    return Population(people, seed)


def people_for_events(events: int) -> int:
    """Return how many people emit about ``events`` events."""
    return max(1, round(events / EVENTS_PER_PERSON))


_Pending = list[tuple[int, int, RowChange, Iterator[RowChange], HouseholdLife]]
"""A heap of lives by the time of their next change, then by household: no two entries are equal."""


def _merged(lives: Iterable[HouseholdLife], on_truth: Callable[[TruthRow], None]) -> Iterator[RowChange]:
    """Yield the changes of all lives by time, then household; lives come by the time of their beginning."""
    pending: _Pending = []
    for life in lives:
        while pending and pending[0][0] < life.start_us:
            yield _advance(pending, on_truth)
        changes = life.changes()
        first = next(changes, None)
        if first is not None:
            heapq.heappush(pending, (first.time_us, life.number, first, changes, life))
    while pending:
        yield _advance(pending, on_truth)


def _advance(pending: _Pending, on_truth: Callable[[TruthRow], None]) -> RowChange:
    """Return the next change and put the one after it, of the same life, in its place."""
    _, number, change, changes, life = pending[0]
    following = next(changes, None)
    if following is not None:
        heapq.heapreplace(pending, (following.time_us, number, following, changes, life))
        return change
    heapq.heappop(pending)
    for row in life.survivors():
        on_truth(TruthRow(*row))
    return change


def _ignore(_row: TruthRow) -> None:
    pass


def _deliver(emitted: Iterable[tuple[WireEvent, bool]], random: Random) -> Iterator[WireEvent]:
    """Yield the emitted events as a real transport delivers them: some late, some twice, none lost.

    A late event is held until a newer one of its record has been delivered, or until too many are held.
    """
    held: dict[str, WireEvent] = {}
    repeats: list[tuple[int, int, WireEvent]] = []
    for event, corrected_soon in emitted:
        while repeats and repeats[0][0] <= event.index:
            yield heapq.heappop(repeats)[2]
        if random.random() < REPEATED:
            due = event.index + random.randrange(1, REPEAT_DELAY_EVENTS_MAX)
            heapq.heappush(repeats, (due, event.index, replace(event, repeat=True)))
        overtaken = held.pop(event.partition_key, None)
        late = random.random() < (LATE_IF_CORRECTED_SOON if corrected_soon else LATE)
        if late and overtaken is None and event.op != "control":
            held[event.partition_key] = replace(event, late=True)
            if len(held) > HELD_EVENTS_MAX:
                yield held.pop(next(iter(held)))
            continue
        yield event
        if overtaken is not None:
            yield overtaken
    yield from held.values()
    for _, _, event in sorted(repeats, key=lambda entry: entry[:2]):
        yield event
