"""What happens to one household and to its records in the three systems, in time order.

People are taken on by systems, corrected, moved, married, deleted and taken on again. Each system hears of it in
its own time or never, so records of one person disagree for a while or for good, as they do in a company.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal

from mdm_stream.simulate.people import (
    HOUSEHOLD_SIZE_MAX,
    PHONES_PER_PERSON,
    Person,
    draw_address,
    draw_email,
    draw_household,
    draw_spouse_name,
    new_phone,
)
from mdm_stream.simulate.records import (
    ASPECTS,
    CARE,
    SOURCES,
    Aspect,
    Habit,
    Row,
    SourceName,
    draw_habit,
    render,
    render_all,
    touch,
)

Op = Literal["insert", "update", "patch", "delete"]

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US
LIFE_SPAN_US = 90 * DAY_US
"""How long a household is observed. With the rate at which households begin it bounds how many are alive at once."""

RECORDS_PER_HOUSEHOLD_MAX = 16
"""Record ids of one system that a household has to itself: each member has at most two records in a system."""

assert HOUSEHOLD_SIZE_MAX * 2 <= RECORDS_PER_HOUSEHOLD_MAX

DUPLICATE_IN_SOURCE = 0.06
DUPLICATE_CLEANED_UP = 0.3
QUICK_CORRECTION = 0.05
DELETED = 0.05
TAKEN_ON_AGAIN = 0.35
HOUSEHOLD_MOVES = 0.12
MEMBER_MOVES = 0.04
MARRIES = 0.03
HEARS_OF_IT = 0.8
_UPDATES = (0, 0, 0, 1, 1, 1, 1, 2, 2, 3)
"""How many updates a record sees beside those that the events of a life bring, by equal chances."""


@dataclass(frozen=True, slots=True)
class RowChange:
    """One committed change of one row. ``row`` is the whole new row; of a patch, only what it carries.

    ``before`` is the whole old row where there was one. ``first`` marks a row's first insert. ``corrected_soon``
    says that the next change of the row follows within minutes, so a late delivery would overtake.
    """

    time_us: int
    source: SourceName
    record_id: str
    op: Op
    row: Row
    before: Row | None
    first: bool = False
    corrected_soon: bool = False


class _Record:
    __slots__ = ("alive", "habit", "person", "record_id", "row", "source")

    def __init__(self, source: SourceName, record_id: str, person: Person, habit: Habit) -> None:
        self.source, self.record_id, self.person, self.habit = source, record_id, person, habit
        self.row: Row = {}
        self.alive = False


class HouseholdLife:
    """The life of household ``number``, whose people are numbered from ``first_person``.

    A pure function of (seed, number, first_person, people_max, start_us). ``changes()`` may be consumed once.
    """

    def __init__(self, seed: int, number: int, first_person: int, people_max: int, start_us: int) -> None:
        self.number = number
        self.start_us = start_us
        self._random = Random(f"{seed}/{number}")  # noqa: S311 - a population, not a secret
        self.people = draw_household(self._random, first_person, people_max)
        self._records: list[_Record] = []
        self._steps: list[tuple[int, int, Callable[[int], Iterator[RowChange]]]] = []
        self._scheduled = 0

    def changes(self) -> Iterator[RowChange]:
        """Yield every change of the household's records in time order, none before ``start_us``."""
        for person in self.people:
            self._plan_person(person)
        if self._random.random() < HOUSEHOLD_MOVES:
            self._schedule(self._moment(0.2, 0.9), partial(self._move, self.people))
        while self._steps:
            time_us, _, step = heapq.heappop(self._steps)
            yield from step(time_us)

    def survivors(self) -> Iterator[tuple[SourceName, str, str]]:
        """Yield (source, record_id, entity_id) of the records alive; meaningful once ``changes()`` is exhausted."""
        for record in self._records:
            if record.alive:
                yield record.source, record.record_id, record.person.entity_id

    def _schedule(self, time_us: int, step: Callable[[int], Iterator[RowChange]]) -> None:
        self._scheduled += 1
        heapq.heappush(self._steps, (time_us, self._scheduled, step))

    def _moment(self, earliest: float, latest: float) -> int:
        """Return a random time between two fractions of the life span."""
        return self.start_us + int(LIFE_SPAN_US * self._random.uniform(earliest, latest))

    def _plan_person(self, person: Person) -> None:
        random = self._random
        known = [source for source in SOURCES if random.random() < CARE[source].coverage]
        for source in known or [random.choice(SOURCES)]:
            self._plan_record(person, source, self._moment(0.0, 0.5))
            if random.random() < DUPLICATE_IN_SOURCE:
                duplicate = self._plan_record(person, source, self._moment(0.3, 0.8))
                if random.random() < DUPLICATE_CLEANED_UP:
                    self._schedule(self._moment(0.81, 1.0), partial(self._delete, duplicate))
        if random.random() < MEMBER_MOVES:
            self._schedule(self._moment(0.2, 0.9), partial(self._move, [person]))
        if person is not self.people[0] and random.random() < MARRIES:
            self._schedule(self._moment(0.2, 0.9), partial(self._marry, person))

    def _plan_record(self, person: Person, source: SourceName, time_us: int) -> _Record:
        random = self._random
        serial = sum(1 for record in self._records if record.source == source)
        record_id = _record_id(source, self.number * RECORDS_PER_HOUSEHOLD_MAX + serial)
        record = _Record(source, record_id, person, draw_habit(random, source))
        self._records.append(record)
        corrected = random.random() < QUICK_CORRECTION
        self._schedule(time_us, partial(self._insert, record, corrected_soon=corrected, first=True))
        if corrected:
            soon_us = time_us + random.randrange(15_000_000, 300_000_000)
            self._schedule(soon_us, partial(self._refresh, record, ("name", "birth")))
        end_us = self.start_us + LIFE_SPAN_US
        for _ in range(random.choice(_UPDATES)):
            self._schedule(random.randrange(time_us + 6 * MINUTE_US, end_us), partial(self._update, record))
        if random.random() < DELETED:
            self._schedule(random.randrange(time_us + 6 * MINUTE_US, end_us), partial(self._delete, record))
        return record

    def _insert(
        self, record: _Record, time_us: int, *, corrected_soon: bool = False, first: bool = False
    ) -> Iterator[RowChange]:
        record.row = render_all(self._random, record.source, record.person, record.habit)
        record.alive = True
        yield self._change(time_us, record, "insert", None, first=first, corrected_soon=corrected_soon)

    def _delete(self, record: _Record, time_us: int) -> Iterator[RowChange]:
        if not record.alive:
            return
        record.alive = False
        yield self._change(time_us, record, "delete", record.row)
        if self._random.random() < TAKEN_ON_AGAIN:
            later_us = time_us + self._random.randrange(MINUTE_US, 10 * DAY_US)
            self._schedule(later_us, partial(self._insert, record))

    def _update(self, record: _Record, time_us: int) -> Iterator[RowChange]:
        """Make one everyday change: somebody corrects, retypes, adds or notes something."""
        random, person = self._random, record.person
        kind = random.random()
        if kind < 0.3:
            yield from self._write(time_us, record, touch(random, record.source, record.row) if record.alive else {})
        elif kind < 0.6:
            yield from self._refresh(record, (random.choice(ASPECTS),), time_us)
        elif kind < 0.75:
            aspect = random.choice(ASPECTS)
            columns = render(random, record.source, aspect, person, record.habit, careful=False)
            yield from self._write(time_us, record, columns)
        elif kind < 0.88:
            person.phone = new_phone(person, random.randrange(1, PHONES_PER_PERSON))
            yield from self._tell(person, "phone", time_us)
        else:
            person.email = draw_email(random, person.given, person.family, person.number)
            yield from self._tell(person, "email", time_us)

    def _move(self, people: list[Person], time_us: int) -> Iterator[RowChange]:
        address = draw_address(self._random)
        for person in people:
            person.address = address
            yield from self._tell(person, "address", time_us)

    def _marry(self, person: Person, time_us: int) -> Iterator[RowChange]:
        person.family = draw_spouse_name(self._random, person)
        yield from self._tell(person, "name", time_us)

    def _tell(self, person: Person, aspect: Aspect, time_us: int) -> Iterator[RowChange]:
        """Let each system that knows the person hear of a change: one at once, some later, some never."""
        at_once = True
        for record in self._records:
            if record.person is not person or not record.alive:
                continue
            if at_once:
                at_once = False
                yield from self._refresh(record, (aspect,), time_us)
            elif self._random.random() < HEARS_OF_IT:
                lag_us = self._random.randrange(MINUTE_US, 10 * DAY_US)
                self._schedule(time_us + lag_us, partial(self._refresh, record, (aspect,)))

    def _refresh(self, record: _Record, aspects: tuple[Aspect, ...], time_us: int) -> Iterator[RowChange]:
        """Write what is true of the person now, with care."""
        columns: Row = {}
        for aspect in aspects:
            columns.update(render(self._random, record.source, aspect, record.person, record.habit, careful=True))
        yield from self._write(time_us, record, columns)

    def _write(self, time_us: int, record: _Record, columns: Row) -> Iterator[RowChange]:
        """Yield the change that sets ``columns``; nothing if they hold that already or the row is gone."""
        changed = {name: value for name, value in columns.items() if record.row.get(name) != value}
        if not record.alive or not changed:
            return
        before, record.row = record.row, record.row | changed
        if record.source == "web" and self._random.random() < 0.7:
            yield RowChange(time_us, record.source, record.record_id, "patch", changed, before)
        else:
            yield self._change(time_us, record, "update", before)

    def _change(
        self,
        time_us: int,
        record: _Record,
        op: Op,
        before: Row | None,
        *,
        first: bool = False,
        corrected_soon: bool = False,
    ) -> RowChange:
        return RowChange(time_us, record.source, record.record_id, op, record.row, before, first, corrected_soon)


def _record_id(source: SourceName, serial: int) -> str:
    """Return the key that ``source`` gives to its ``serial``-th row."""
    if source == "crm":
        return str(100_001 + serial)
    if source == "erp":
        return f"K{serial + 1:08d}"
    return f"u-{serial * 2_654_435_761 % 2**32:08x}"
