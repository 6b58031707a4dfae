"""The dead letters in an object store: finding, reading, setting aside and removing them.

Whoever redrives a letter first copies its object to ``_redriving/RUN/`` before the name that it had, and removes it
from where it was. From then on a consumer may reject the event again, under the very name of before: that is another
object, which the redrive does not remove. What a redrive leaves behind there was perhaps sent and perhaps not; it
is a dead letter like any other, and the next redrive takes it along. (``_`` begins no name of a domain.)
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from mdm_stream.core.name_patterns import DOMAIN_PATTERN
from mdm_stream.core.times import format_time_us
from mdm_stream.dead_letters.contents import Contents, Kind, read_contents
from mdm_stream.errors import TerminalError
from mdm_stream.objects.store import MissingObjectError, ObjectStore, fetch_ahead

REDRIVING = "_redriving"

_RUN = re.compile(r"[0-9a-f]{8,32}")
_SET_ASIDE = rf"(?P<aside>{REDRIVING}/{_RUN.pattern}/)?"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UUID_AT_END = re.compile(rf"{_UUID}(?=(?:\.json)?$)")
_NAMES = {
    "quarantine": re.compile(rf"{_SET_ASIDE}{DOMAIN_PATTERN}/(?P<id>[0-9a-f]{{32}})\.json"),
    # Lambda's keys are aws/lambda/MAPPING/SHARD/YYYY/MM/DD/TIME-UUID; the local folder's end in .json. Under "async" is
    # what Lambda writes for invocations that no event source made: it was on no stream.
    "on_failure": re.compile(
        rf"{_SET_ASIDE}aws/lambda/(?!async/)[^/]+/[^/]+/\d{{4}}/\d\d/\d\d/[^/]*?(?P<id>{_UUID})(?:\.json)?"
    ),
}
_PREFIXES = {"quarantine": ("",), "on_failure": ("aws/lambda/", f"{REDRIVING}/")}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event that was rejected, or one batch that was given up, without what it holds.

    ``names`` are its objects: more than one if a redrive was cut short, or is under way; ``redriving`` says so.
    ``domain``, ``source`` and ``record_id`` are what all its events claim, None where they claim nothing or different
    things. ``causes`` are codes of reasons, or Lambda's condition. ``raw_bytes`` counts its events' bytes. ``problem``
    is why its object cannot be read, and empty otherwise. ``order`` sorts letters as their events lay on the stream.
    """

    letter_id: str
    kind: Kind
    names: tuple[str, ...]
    redriving: bool
    when_us: int = 0
    domain: str | None = None
    source: str | None = None
    record_id: str | None = None
    causes: tuple[str, ...] = ()
    events: int = 0
    raw_bytes: int = 0
    problem: str = ""
    order: tuple[int, str] = (0, "")

    def summary(self) -> dict[str, object]:
        """Return what lists show, for JSON."""
        return {
            "id": self.letter_id,
            "kind": self.kind,
            "redriving": self.redriving,
            "when": None if self.problem else format_time_us(self.when_us),
            "domain": self.domain,
            "source": self.source,
            "record_id": self.record_id,
            "causes": list(self.causes),
            "events": self.events,
            "bytes": self.raw_bytes,
            "problem": self.problem or None,
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are meant: those that meet everything said here. Saying nothing means all.

    A batch is of a domain or source if every one of its events claims to be.
    """

    letter_ids: frozenset[str] = frozenset()
    domain: str | None = None
    source: str | None = None
    cause: str | None = None

    def has(self, letter: DeadLetter) -> bool:
        """Tell whether a letter is among those meant."""
        return (
            (not self.letter_ids or letter.letter_id in self.letter_ids)
            and (self.domain is None or letter.domain == self.domain)
            and (self.source is None or letter.source == self.source)
            and (self.cause is None or self.cause in letter.causes)
        )


class DeadLetters:
    """The letters of one kind in one store."""

    def __init__(self, objects: ObjectStore, kind: Kind) -> None:
        """Take the quarantine's store, or that of the on-failure destination. Objects of other names are not ours."""
        self._objects = objects
        self.kind: Kind = kind

    def find(self, selection: Selection) -> list[DeadLetter]:
        """Return the selected letters as their events lay on the stream. Reads all objects, and keeps no contents."""
        found = [letter for letter in self._letters(selection.letter_ids) if selection.has(letter)]
        return sorted(found, key=lambda letter: (letter.order, letter.letter_id))

    def causes(self, limit: int) -> tuple[int, Counter[str]]:
        """Return how many letters there are, and how many by cause; it stops at ``limit``."""
        counts: Counter[str] = Counter()
        letters = 0
        for letter in self._letters(frozenset(), limit):
            letters += 1
            counts.update(letter.causes or ("unreadable",))
        return letters, counts

    def letter_id(self, name: str) -> str:
        """Return the id of the letter that an object of ours is of."""
        found = _NAMES[self.kind].fullmatch(name)
        return name if found is None else found["id"]

    def contents(self, letter: DeadLetter) -> Contents:
        """Return what a letter holds; ``MissingObjectError`` if it is gone, ``TerminalError`` if it is unreadable."""
        return read_contents(self.kind, self._content(letter))

    def set_aside(self, letter: DeadLetter, run: str) -> tuple[str, ...]:
        """Set a letter's objects aside under a name of this run, and return the names that it has then.

        What was set aside before stays where it is. ``run`` is 8 to 32 hexadecimal digits, another one each time: so
        no run removes what another has set aside and not yet sent. ``MissingObjectError`` if the letter is gone.
        """
        if _RUN.fullmatch(run) is None:
            raise ValueError("a run's name is 8 to 32 hexadecimal digits")
        waiting = [name for name in letter.names if not name.startswith(f"{REDRIVING}/")]
        aside = [name for name in letter.names if name.startswith(f"{REDRIVING}/")]
        for name in waiting:
            copy = f"{REDRIVING}/{run}/{name}"
            with suppress(MissingObjectError):  # somebody else may set it aside, or remove it, at the same time
                self._objects.put(copy, self._objects.get(name))
                self._objects.delete([name])
                aside.append(copy)
        if not aside:
            raise MissingObjectError(f"{self._objects.location(letter.names[0])} is not there any more")
        return tuple(aside)

    def remove(self, names: Sequence[str]) -> None:
        """Remove objects for good; one that is gone already is no error."""
        self._objects.delete(names)

    def each_object(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and content of every object there is; one that is removed meanwhile is passed over."""
        for name, content in fetch_ahead(self._objects, (name for name, _ in self._names())):
            if not isinstance(content, MissingObjectError):
                yield name, content

    def replace(self, name: str, content: bytes) -> None:
        """Put other content in the place of an object, under a name of its own; the old one is gone for good.

        Written over, it would live on as an older version where the bucket keeps versions. Cut short in between, both
        are there: what both hold is sent twice by a redrive, which changes nothing.
        """
        self._objects.put(_UUID_AT_END.sub(str(uuid.uuid4()), name), content)
        self._objects.delete([name])

    def _letters(self, letter_ids: frozenset[str], limit: int | None = None) -> Iterator[DeadLetter]:
        places: dict[str, list[str]] = {}
        for name, letter_id in islice(self._names(), limit):
            if not letter_ids or letter_id in letter_ids:
                places.setdefault(letter_id, []).append(name)
        first = {names[0]: letter_id for letter_id, names in places.items()}
        for name, content in fetch_ahead(self._objects, first):
            letter_id = first[name]
            if not isinstance(content, MissingObjectError):  # else removed since it was listed
                yield self._described(letter_id, tuple(places[letter_id]), content)

    def _names(self) -> Iterator[tuple[str, str]]:
        """Yield ``(name, letter id)`` of our objects."""
        for prefix in _PREFIXES[self.kind]:
            for stored in self._objects.list(prefix):
                name = _NAMES[self.kind].fullmatch(stored.name)
                if name is not None:
                    yield stored.name, name["id"]

    def _content(self, letter: DeadLetter) -> bytes:
        for name in letter.names[:-1]:
            try:
                return self._objects.get(name)
            except MissingObjectError:
                continue
        return self._objects.get(letter.names[-1])

    def _described(self, letter_id: str, names: tuple[str, ...], content: bytes) -> DeadLetter:
        redriving = any(name.startswith(f"{REDRIVING}/") for name in names)
        try:
            held = read_contents(self.kind, content)
        except TerminalError as error:
            return DeadLetter(letter_id, self.kind, names, redriving, problem=str(error))
        first, claimed = held.events[0].delivery, held.claimed
        return DeadLetter(
            letter_id=letter_id,
            kind=self.kind,
            names=names,
            redriving=redriving,
            when_us=held.when_us,
            domain=claimed.domain,
            source=claimed.source,
            record_id=claimed.record_id,
            causes=held.causes,
            events=len(held.events),
            raw_bytes=sum(len(event.delivery.raw) for event in held.events),
            order=(first.arrival_time_us, first.place) if first.placed else (held.when_us, ""),
        )


def find_all(stores: Iterable[DeadLetters], selection: Selection) -> list[DeadLetter]:
    """Return the selected letters of several stores as their events lay on the stream."""
    found = [letter for store in stores for letter in store.find(selection)]
    return sorted(found, key=lambda letter: (letter.order, letter.letter_id))
