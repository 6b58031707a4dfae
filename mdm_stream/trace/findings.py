"""What the stores say of the events and golden records that are traced, in one form, and without looking any further.

Times are microseconds since 1970-01-01T00:00:00Z; a position is ``(epoch, sequence)``. Values of records are held
where they were read, and only what shows them on purpose takes them from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import ChangeEvent
from mdm_stream.decode import ClaimedIdentity, Delivery
from mdm_stream.errors import Reason

FeedPosition = tuple[int, int]
"""Epoch and sequence of a change on the golden feed."""


@dataclass(frozen=True, slots=True)
class ArchivedPlace:
    """Where a row of the archive is. ``row`` counts from 1.

    ``is_batch`` says that the object holds one batch alone, so that its witness is how far the index had come by then;
    a part, which compaction has made of many, has the greatest of their witnesses.
    """

    name: str
    row: int
    day: str
    witness: EpochPosition
    is_batch: bool


@dataclass(frozen=True, slots=True)
class AcceptedDelivery:
    """A delivery that the archive holds, with what it says of the records that are traced.

    ``places`` are all its rows, of which redeliveries leave several; the first is of the earliest batch. ``counting``
    are the events that no operator has taken out. ``problem`` is why these rules do not read it, else empty.
    """

    delivery: Delivery
    refs: tuple[str, ...]
    places: tuple[ArchivedPlace, ...]
    events: tuple[ChangeEvent, ...]
    counting: tuple[ChangeEvent, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RefusedDelivery:
    """A delivery that lies among the dead letters, or of which the warehouse alone still has the report.

    ``kind`` is ``quarantine``, ``on_failure``, or ``report``: its object is gone, as it was redriven or dropped.
    ``version`` is the one that its bytes claim, empty where none can be read.
    """

    letter_id: str
    kind: Literal["quarantine", "on_failure", "report"]
    when_us: int
    where: str
    claimed: ClaimedIdentity
    delivery: Delivery | None = None
    reasons: tuple[Reason, ...] = ()
    condition: str = ""
    redriving: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True)
class WaitingDelivery:
    """A delivery that lies on a stream. ``passed``: the consumers say that they are past it; ``None`` if unknown."""

    delivery: Delivery
    refs: tuple[str, ...]
    events: tuple[ChangeEvent, ...] = ()
    passed: bool | None = None
    refused: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class ToldChange:
    """One golden change, or erasure, as the feed tells it and the warehouse keeps it.

    ``status`` is ``live``, ``retired`` or ``erased``. ``written`` has, by record, the attributes that come from it with
    the version that set each. ``applied_us`` is when the warehouse wrote the row, ``None`` if it has none.
    ``values`` are the golden values: personal, and shown on purpose alone.
    """

    golden_id: str
    epoch: int
    sequence: int
    status: str
    committed_us: int
    members: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    written: Mapping[str, frozenset[tuple[str, int | str]]] = field(default_factory=dict)
    merged_into: str = ""
    anchor: str = ""
    applied_us: int | None = None
    values: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def position(self) -> FeedPosition:
        """Where it is on the feed."""
        return self.epoch, self.sequence


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """Where a message lies on the golden stream, and when it arrived there. ``wave``: it is of an epoch's first."""

    shard: str
    sequence_number: str
    arrived_us: int
    wave: bool = False


@dataclass(frozen=True, slots=True)
class CurrentRow:
    """A row of a table that holds what is so now: the newest change that it has, and when it was written."""

    table: str
    key: str
    epoch: int
    sequence: int
    status: str
    applied_us: int


@dataclass(frozen=True, slots=True)
class GoldenHistory:
    """All that was told of some golden ids, by position. ``is_whole`` is false if older changes were left out."""

    changes: tuple[ToldChange, ...] = ()
    rows: tuple[CurrentRow, ...] = ()
    feed: Mapping[FeedPosition, FeedPlace] = field(default_factory=dict)
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class LookedInto:
    """A store that was looked into: where it is, how much there was of what is traced, and what to know about that."""

    store: str
    where: str
    found: int
    note: str = ""

    def document(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"store": self.store, "where": self.where, "found": self.found, "note": self.note or None}
