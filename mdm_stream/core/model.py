"""The values that the core passes around: record references, events, record states, standardised records.

All are immutable. A record is named by its *reference*, the text ``source/record_id`` (a source name holds no
``/``, so the first one separates). Times are integers: microseconds since 1970-01-01T00:00:00Z.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Scalar = str | int | float | bool | None
Value = Scalar | tuple[Scalar, ...]
"""An attribute's value as it was delivered: a JSON scalar, or a flat list of them (kept as a tuple)."""

Version = int | str
"""An ordering token of a source: an integer (signed 64 bit) or a text. Every integer sorts below every text."""

RecordOp = Literal["upsert", "patch", "delete"]
Verdict = Literal["link", "separate", "none"]


def make_ref(source: str, record_id: str) -> str:
    """Return the reference ``source/record_id``."""
    return f"{source}/{record_id}"


def split_ref(ref: str) -> tuple[str, str]:
    """Return ``(source, record_id)`` of a reference; the first slash separates."""
    source, _, record_id = ref.partition("/")
    return source, record_id


def version_order(version: Version) -> tuple[int, int, str]:
    """Return a key that orders versions: integers by value, then texts by code point."""
    if isinstance(version, int):
        return (0, version, "")
    return (1, 0, version)


InvalidReason = Literal[
    "too_long", "combining_marks", "scientific_notation", "several_values", "wrong_form", "placeholder"
]
"""Why a value is invalid: more characters than its type standardises, more combining marks in a row than any language
has, a number that has lost its last digits, several values that no declared separator parts, or not of the form of its
type or pattern. A ``placeholder`` is kept as delivered and counts as absent."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Which log a database wrote a change to, as far as the change says: nothing of what it does not say.

    ``time_us`` is when the log says that the change was made, if that is another time than the event's.
    """

    server_id: str = ""
    gtid_source: str = ""
    timeline: str = ""
    time_us: int | None = None

    def time_in(self, event_time_us: int) -> int:
        """Return the time that says to which history a change belongs, of a change with that event time."""
        return event_time_us if self.time_us is None else self.time_us

    def named(self) -> dict[str, str]:
        """Return what it says beside the time, by name."""
        said = {"server_id": self.server_id, "gtid_source": self.gtid_source, "timeline": self.timeline}
        return {name: text for name, text in said.items() if text}


NO_PLACE = LogPlace()
"""The place of a change that says nothing of a log."""


@dataclass(frozen=True, slots=True)
class History:
    """One history of a source's positions: what a change must say to belong to it. Nothing is said of what is empty.

    ``from_us`` is the first time that belongs to it.
    """

    server_id: str = ""
    gtid_source: str = ""
    timeline: str = ""
    from_us: int | None = None

    def holds(self, place: LogPlace, time_us: int) -> bool:
        """Tell whether all that it says holds of a change."""
        return (
            self.server_id in ("", place.server_id)
            and self.gtid_source in ("", place.gtid_source)
            and self.timeline in ("", place.timeline)
            and (self.from_us is None or time_us >= self.from_us)
        )

    def covers(self, other: History) -> bool:
        """Tell whether it holds wherever ``other`` does."""
        return (
            self.server_id in ("", other.server_id)
            and self.gtid_source in ("", other.gtid_source)
            and self.timeline in ("", other.timeline)
            and (self.from_us is None or (other.from_us is not None and other.from_us >= self.from_us))
        )


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """One change of one source record. ``attributes`` is empty for a delete.

    ``born_at_us`` is what the event says about when its record was born, ``None`` if that is its time: an event that
    arrives says nothing about the time long before it arrived. ``place`` is evidence of the history that its version
    is in, and no part of what it says.
    """

    domain: str
    source: str
    record_id: str
    op: RecordOp
    version: Version
    event_time_us: int
    attributes: Mapping[str, Value] = field(default_factory=dict)
    born_at_us: int | None = None
    place: LogPlace = field(default=NO_PLACE, compare=False)

    @property
    def ref(self) -> str:
        """The record's reference."""
        return make_ref(self.source, self.record_id)

    @property
    def refs(self) -> tuple[str, ...]:
        """The references of the records whose states the event is folded into."""
        return (self.ref,)


@dataclass(frozen=True, slots=True)
class VerdictEvent:
    """A steward's decision on an unordered pair of records, which need not exist (yet). ``a < b`` as references."""

    domain: str
    a: str
    b: str
    verdict: Verdict
    version: Version
    event_time_us: int
    steward: str

    def __post_init__(self) -> None:
        """Refuse a pair of a record with itself, and a pair out of order."""
        if self.a >= self.b:
            raise ValueError("a verdict names two different records, the smaller reference first")

    @property
    def refs(self) -> tuple[str, ...]:
        """The references of the records whose states the event is folded into."""
        return self.a, self.b


@dataclass(frozen=True, slots=True)
class OverrideEvent:
    """A steward's values for single attributes of one record, by the attribute names of the rules.

    They replace what would survive while the record is live; ``None`` takes an earlier override back. One that
    ``expires_at_us`` is ended by an event of its own, ``expired``, of the same version: its attributes are all
    ``None``. The steward's source is ``STEWARD_SOURCE``, whose versions order the overrides of an attribute.
    """

    domain: str
    ref: str
    version: Version
    event_time_us: int
    steward: str
    attributes: Mapping[str, Value]
    expires_at_us: int | None = None
    expired: bool = False

    @property
    def refs(self) -> tuple[str, ...]:
        """The references of the records whose states the event is folded into."""
        return (self.ref,)


@dataclass(frozen=True, slots=True)
class EraseEvent:
    """The erasure of one record key: all that was or will be delivered about it counts as never sent."""

    domain: str
    ref: str
    event_time_us: int

    @property
    def refs(self) -> tuple[str, ...]:
        """The references of the records whose states the event is folded into."""
        return (self.ref,)


ChangeEvent = RecordEvent | VerdictEvent | OverrideEvent | EraseEvent

STEWARD_SOURCE = "steward"
"""The source that provenance names for an overridden value; its record id is the reference of the record overridden.

No source system has that name: rules and decoders refuse it, or provenance could not tell a steward from a source."""


@dataclass(frozen=True, slots=True)
class Standardised:
    """One attribute of one record after standardisation.

    ``value`` is what a golden record shows (cleaned, readable); ``match`` is what blocking and comparisons see
    (folded, canonical). Both are ``None`` when the source sent nothing usable. ``valid`` is False for a value kept
    though it failed its type's check (a phone number that no plan knows): survivorship can filter on it, and ``match``
    is then usually ``None``.

    A multi-valued attribute has tuples without duplicates. Its values that have a match value come first, sorted by it:
    ``match[i]`` belongs to ``value[i]``, and values past the end of ``match`` have none. It is valid if any value is;
    ``invalid`` has the positions of those that are not, unless none is valid.
    """

    value: str | tuple[str, ...] | None
    match: str | tuple[str, ...] | None
    valid: bool = True
    invalid: tuple[int, ...] = ()


MISSING = Standardised(None, None)
"""The standardised form of an absent, empty or placeholder value."""

MatchValues = tuple[str | tuple[str, ...] | None, ...]
"""The ``match`` of each attribute of a record, aligned with ``Ruleset.attributes``: all that blocking and scoring see.

``None``, an empty text and an empty tuple all mean that the value is missing.
"""
