"""The index: what the engine reads and how it commits.

Everything that one domain's state consists of, behind a few operations. Two implementations pass the same contract
tests: :mod:`mdm_stream.index.redis.index` and :mod:`mdm_stream.index.memory`.

*Stamps* say whether something is still as it was read: a block or component carries the number of the commit that
last changed it, as text; ``""`` stands for one that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mdm_stream.aws.deadline import Deadline
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.plan.commit import Commit, HeldComponent, HeldReview
from mdm_stream.core.record import Record

OUTBOX_BYTES_MAX = 8 * 1024**2
"""Bytes of golden changes that one read of the outbox returns: more than a request to the feed takes, and little beside
what a consumer's process has, though each change may be as large as a stream's records, or larger. One change is
returned whatever its size."""


@dataclass(slots=True)
class Block:
    """A blocking key's members as ``reference -> revision``; ``None`` if there are more than was asked for.

    ``members`` belongs to the caller: the index keeps no hold of it.
    """

    stamp: str
    size: int
    members: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The components of some records.

    ``component_of`` has an entry for each record asked for that is live; ``components`` is keyed by component id;
    ``reviews`` holds the stored REVIEW edges of the records asked for and of all members of those components, by
    reference, and ``review_stamps`` their stamp, of each that has any.
    """

    component_of: Mapping[str, str]
    components: Mapping[str, HeldComponent]
    reviews: Mapping[str, Sequence[HeldReview]]
    review_stamps: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CommitOutcome:
    """What became of one commit: ``conflicts`` is empty if it was applied, else it names what had changed."""

    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A golden change that waits to be published. Its content is JSON without epoch, sequence and time.

    ``committed_at_us`` is the index's own clock, held back by nothing and never stepping back: in the order of (epoch,
    sequence) no entry's is before that of the one before it. ``wave_last`` is the sequence of the last entry that the
    epoch had when it went live, for each of those; 0 for one that was committed since. Both are information, never part
    of the state.
    """

    epoch: int
    sequence: int
    content: bytes
    committed_at_us: int
    wave_last: int = 0


@dataclass(frozen=True, slots=True)
class Binding:
    """What an index reads and writes: an epoch, through a server. ``server`` names the server that is trusted with the
    epoch together with the time since when, so that a takeover of the same epoch is another binding.
    """

    epoch: int
    server: str


@dataclass(slots=True)
class IndexCounters:
    """What an index has done since it was opened: information for metrics, never part of the state.

    ``unreplicated`` counts positions that no replica had, because none followed. A script is one command.
    """

    round_trips: int = 0
    commands: int = 0
    bytes_written: int = 0
    bytes_read: int = 0
    record_reads: int = field(default=0)
    unreplicated: int = 0


@dataclass(frozen=True, slots=True)
class IndexDepths:
    """How much waits in an index, and for how many seconds the oldest of it has (0 where nothing waits): information
    for metrics, never part of the state.

    ``outbox``: golden changes that are not published. ``reevaluation``: records to be evaluated again. ``review``: open
    cases of the review queue; those of an index that an earlier release has filled have an age once they change.
    """

    outbox: int = 0
    outbox_age_s: float = 0.0
    reevaluation: int = 0
    review: int = 0
    review_age_s: float = 0.0


class IndexReads(Protocol):
    """What engines and readers alike read of an index."""

    @property
    def counters(self) -> IndexCounters:
        """What has been done since the start."""
        ...

    def refresh(self) -> None:
        """Look again which epoch of the domain is live: reads are not fenced, and a switch shows by this alone."""
        ...

    def bind(self) -> Binding:
        """Return what is read and written; opens the index where it is not open.

        It changes only where a call had to open the index again, and found another epoch, or one that may have lost
        what was committed before.
        """
        ...

    def depths(self) -> IndexDepths:
        """Return how much waits. A constant number of commands, whatever there is."""
        ...

    def read_records(self, refs: Sequence[str]) -> dict[str, Record]:
        """Return the records of ``refs`` that are known (tombstones included)."""
        ...

    def read_blocks(self, members_max: Mapping[str, int]) -> dict[str, Block]:
        """Return the block of every key; members are left out of blocks larger than their ``members_max``."""
        ...

    def read_neighbourhood(
        self, refs: Sequence[str], *, changing: Sequence[str] = (), ends: Sequence[str] = ()
    ) -> Neighbourhood:
        """Return the components and REVIEW edges around live records.

        Further REVIEW edges come without components: those of ``ends``, and of the records at the other ends of the
        stored edges of ``changing``, which are among ``refs``.
        """
        ...


class Index(IndexReads, Protocol):
    """What the engine needs of an index. Vendor faults come out as ``TransientError`` or ``TerminalError``."""

    def until(self, deadline: Deadline) -> None:
        """Begin no call from now on that might not end by then: ``OutOfTimeError`` instead."""
        ...

    def call_s(self) -> float:
        """Return how long one call may last."""
        ...

    def require_unchanged(self, binding: Binding) -> None:
        """Raise ``EpochChangedError`` unless the index is open, and on ``binding``. It is not opened by this.

        Asks no server: whether what is open may still be written is what commits, ``position`` and ``erased_among``
        find out.
        """
        ...

    def commit(self, commits: Sequence[Commit]) -> list[CommitOutcome]:
        """Apply each commit wholly or not at all, in order; outcomes are aligned with ``commits``."""
        ...

    def pending(self, limit: int) -> list[str]:
        """Return up to ``limit`` references that wait for re-evaluation, without taking them off the queue."""
        ...

    def due(self, now_us: int, limit: int) -> list[str]:
        """Return up to ``limit`` records with an override whose time has come, the longest overdue first."""
        ...


class Outbox(Protocol):
    """Golden changes that were committed and not yet acknowledged, under gap-free sequence numbers."""

    def position(self) -> EpochPosition:
        """Return how far the index has come. ``TransientError`` if it may not be written any more."""
        ...

    def erased_among(self, refs: Sequence[str]) -> set[str]:
        """Return which of ``refs`` are erased by now.

        ``EpochChangedError`` unless the index is open, may still be written, and has lost nothing since it was opened.
        It is not opened by this: after ``require_unchanged`` the answer is of the same binding.
        """
        ...

    def read(
        self, limit: int, *, after: OutboxEntry | None = None, bytes_max: int = OUTBOX_BYTES_MAX
    ) -> list[OutboxEntry]:
        """Return the oldest entries, or the oldest after one, in sequence order.

        At most ``limit`` of them, and no more than ``bytes_max`` of content unless the first alone has more.
        """
        ...

    def acknowledge(self, entries: Sequence[OutboxEntry]) -> None:
        """Forget entries that were published. Idempotent."""
        ...
