"""What operators have decided about whole sources of a domain: which are held, and what of them is taken out again.

The marks are objects beside the domain's rows, and nowhere else: an index that is lost or rebuilt forgets none of them.

::

    domain=<d>/sources/held/<source>.json       events of the source are kept aside
    domain=<d>/sources/excluded/<id>.json       what the source sent between two moments counts as never sent
    domain=<d>/sources/applied/<id>-<epoch>     an epoch of the index was built without it

A held source's events are not delivered yet: they lie in the quarantine, under the reason ``source_held``. What is
excluded stays in the archive, and no reader folds it: the state is F of what was delivered, without it. So taking an
exclusion back is removing a mark, and a rebuild after either makes the state what it says.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TypeVar

import orjson

from mdm_stream.archive.object_names import domain_folder
from mdm_stream.archive.record import DamagedObjectError
from mdm_stream.core.model import ChangeEvent, RecordEvent
from mdm_stream.core.name_patterns import SOURCE_PATTERN
from mdm_stream.errors import ConfigurationError
from mdm_stream.objects.store import MissingObjectError, ObjectStore, fetch_ahead

Mark = TypeVar("Mark")

MARKS_MAX = 1_000
"""Marks of one kind in a domain. Every consumer reads all of them again and again; sources are a handful."""
_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class HeldSource:
    """A source whose events are kept aside, since when and why."""

    source: str
    since_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What a source sent between two moments, by arrival on the stream: ``from_us`` included, ``to_us`` not."""

    exclusion_id: str
    source: str
    from_us: int
    to_us: int
    marked_us: int

    def covers(self, event: ChangeEvent, arrival_time_us: int) -> bool:
        """Tell whether an event that arrived then is excluded: a change of a record, never a steward's decision."""
        return (
            isinstance(event, RecordEvent)
            and event.source == self.source
            and self.from_us <= arrival_time_us < self.to_us
        )


@dataclass(frozen=True, slots=True)
class SourceMarks:
    """All marks of a domain at one moment."""

    held: tuple[HeldSource, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()

    def holds(self, event: ChangeEvent) -> bool:
        """Tell whether an event is one of a held source: a change of a record, never a steward's decision."""
        return isinstance(event, RecordEvent) and any(each.source == event.source for each in self.held)

    def counting(self, events: Iterable[ChangeEvent], arrival_time_us: int) -> tuple[ChangeEvent, ...]:
        """Return the events that no exclusion covers, of those that arrived together."""
        if not self.exclusions:
            return tuple(events)
        return tuple(
            event for event in events if not any(each.covers(event, arrival_time_us) for each in self.exclusions)
        )


class SourceMarkStore:
    """The marks of one domain. Any number of processes may read and write them."""

    def __init__(self, store: ObjectStore, domain: str) -> None:
        """Take the archive's store; ``ValueError`` if that is no domain's name."""
        self._store = store
        self._held = f"{domain_folder(domain)}sources/held/"
        self._excluded = f"{domain_folder(domain)}sources/excluded/"
        self._applied = f"{domain_folder(domain)}sources/applied/"

    def read(self) -> SourceMarks:
        """Return all marks, sorted. Two listings, and a request for each mark."""
        excluded = sorted(self._marks(self._excluded, Exclusion), key=lambda each: (each.marked_us, each.exclusion_id))
        return SourceMarks(tuple(self._marks(self._held, HeldSource)), tuple(excluded))

    def hold(self, source: str, reason: str, now_us: int) -> HeldSource:
        """Hold a source, durably on return; one that is held keeps the time and the reason that it had."""
        name = f"{self._held}{_checked(source)}.json"
        mark = HeldSource(source, now_us, reason)
        if not self._store.create(name, orjson.dumps(asdict(mark))):
            return next((each for each in self.read().held if each.source == source), mark)
        return mark

    def release(self, source: str) -> bool:
        """Hold a source no longer; return whether it was held."""
        name = f"{self._held}{_checked(source)}.json"
        was_held = any(stored.name == name for stored in self._store.list(name))
        self._store.delete([name])
        return was_held

    def exclude(self, source: str, from_us: int, to_us: int, now_us: int) -> Exclusion:
        """Take out what a source sent in a time that is over; durable on return. A rebuild applies it.

        ``ConfigurationError`` for a time that is none, or that is not over: what is still to come is held.
        """
        if not from_us < to_us <= now_us:
            raise ConfigurationError("the time has to begin before it ends, and to be over; hold what is still to come")
        exclusion = Exclusion(secrets.token_hex(_ID_BYTES), _checked(source), from_us, to_us, now_us)
        self._store.put(self._name(exclusion), orjson.dumps(asdict(exclusion)))
        return exclusion

    def note_applied(self, exclusions: Iterable[Exclusion], epoch: int) -> None:
        """Note that an epoch was built without what these exclude."""
        for each in exclusions:
            self._store.put(f"{self._applied}{each.exclusion_id}-{epoch}", b"")

    def applied(self) -> dict[str, int]:
        """Return the last epoch that was built without what an exclusion takes out, by its id."""
        found: dict[str, int] = {}
        for stored in self._store.list(self._applied):
            exclusion_id, _, epoch = stored.name.removeprefix(self._applied).partition("-")
            if epoch.isdecimal():
                found[exclusion_id] = max(int(epoch), found.get(exclusion_id, 0))
        return found

    def readmit(self, exclusion_id: str) -> Exclusion:
        """Take an exclusion back, durable on return; a rebuild applies it. ``ConfigurationError`` if none is there."""
        for each in self.read().exclusions:
            if each.exclusion_id == exclusion_id:
                self._store.delete([self._name(each)])
                return each
        raise ConfigurationError("there is no exclusion of that id in the domain; `mdm-stream source list` shows all")

    def _name(self, exclusion: Exclusion) -> str:
        return f"{self._excluded}{exclusion.exclusion_id}.json"

    def _marks(self, prefix: str, kind: Callable[..., Mark]) -> Iterator[Mark]:
        names = [stored.name for stored in self._store.list(prefix)]
        if len(names) > MARKS_MAX:
            raise ConfigurationError(f"{self._store.location(prefix)} has more than {MARKS_MAX:,} marks; remove some")
        for name, content in fetch_ahead(self._store, names) if names else ():
            if isinstance(content, MissingObjectError):  # taken back since it was listed
                continue
            try:
                mark = kind(**orjson.loads(content))
            except (ValueError, TypeError):
                raise DamagedObjectError(name, "it is no mark of a source") from None
            yield mark


def _checked(source: str) -> str:
    if re.fullmatch(SOURCE_PATTERN, source) is None:
        raise ConfigurationError("a source's name is made of letters, digits, _ . - and begins with a letter or digit")
    return source
