"""What a plan is made of: records before and after a batch, what the index holds, and the commit that comes out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.cluster.golden import Golden
from mdm_stream.core.fold import EMPTY
from mdm_stream.core.record import Record

ABSENT = ""
"""The revision or stamp of something that does not exist."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One record of a batch: as it was read (``None`` = never seen) and as it will be. Equal if only re-evaluated.

    ``again``: it is written and told whether or not it changes (see ``core.plan.rewriting``).
    """

    before: Record | None
    after: Record
    again: bool = False

    @property
    def ref(self) -> str:
        """The record's reference."""
        return self.after.ref

    @property
    def changed(self) -> bool:
        """Whether the record's state changes (it is not merely re-evaluated), or is to be written again."""
        return self.again or self.before is None or self.before.revision != self.after.revision

    @property
    def written(self) -> bool:
        """Whether the record is written: if it changed, and anything was ever delivered of it."""
        return self.changed and self.after.state != EMPTY

    @property
    def keys_before(self) -> tuple[str, ...]:
        """The blocking keys that the index holds for the record."""
        return () if self.before is None else self.before.keys

    @property
    def keys(self) -> Collection[str]:
        """All blocking keys that the record leaves, keeps or enters, each once."""
        before, after = self.before, self.after
        if before is None or before is after or before.keys == after.keys:
            return after.keys
        return {*before.keys, *after.keys}

    def membership(self, key: str) -> tuple[bool, bool]:
        """Return whether the record has one of its ``keys`` before the batch, and after it."""
        before, after = self.before, self.after
        if before is None:
            return False, True
        if before is after:
            return True, True
        return key in before.keys, key in after.keys


@dataclass(frozen=True, slots=True)
class HeldGolden:
    """A golden record as the index holds it: its id, the digest of its content, its members."""

    golden_id: str
    digest: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldItem:
    """A review item for refused links, as the index holds it: the pair that it names, and the digest of its content."""

    pair: tuple[str, str]
    digest: str


@dataclass(frozen=True, slots=True)
class HeldReview:
    """A REVIEW edge as the index holds it: which of its two records keep it, as one of their strongest."""

    edge: Edge
    by_a: bool
    by_b: bool

    def is_kept_by(self, side: tuple[str, bool]) -> bool:
        """Whether a record keeps it among its edges to later ones, or (``False``) to earlier ones."""
        ref, later = side
        return (self.by_a and ref == self.edge.a) if later else (self.by_b and ref == self.edge.b)


@dataclass(frozen=True, slots=True)
class HeldComponent:
    """A component as the index holds it. Its id is :func:`~mdm_stream.core.plan.component_id.component_id_of`.

    ``members`` are sorted, ``links`` and ``refused`` by pair, and ``golden`` by least member. ``revisions`` are those
    of the members, so that a process that knows these records need not read them. ``refused`` has the review item of
    each two of its golden records between which links were refused.
    """

    stamp: str
    members: tuple[str, ...]
    revisions: tuple[str, ...]
    links: tuple[Edge, ...]
    golden: tuple[HeldGolden, ...]
    refused: tuple[HeldItem, ...]


@dataclass(slots=True)
class BlockView:
    """One blocking key before and after the batch. ``members`` (after the batch) is ``None`` if it stays suspended.

    ``limit``: how many members it may have to make candidates, see :mod:`mdm_stream.core.blocking.limits`.

    (Not frozen, like ``Block``: there are a dozen a record, and frozen ones take three times as long to make.)
    """

    stamp: str
    size_before: int
    size_after: int
    members: Mapping[str, str] | None
    limit: int

    @property
    def open_before(self) -> bool:
        """Whether the key makes candidates before the batch."""
        return self.size_before <= self.limit

    @property
    def open_after(self) -> bool:
        """Whether the key makes candidates after the batch."""
        return self.size_after <= self.limit


@dataclass(frozen=True, slots=True)
class OutboxChange:
    """One change for the feed: the JSON of a message's data without epoch, sequence and commit time.

    ``golden_id`` is the golden record that changes; of an erasure and of evidence, the one that its record would name.
    """

    golden_id: str
    content: bytes


@dataclass(slots=True)
class Commit:
    """The writes of one group and what they rest on. All or nothing.

    Expectations: ``records`` at these revisions, ``components``, ``blocks`` and the REVIEW edges of records
    (``expect_edges``) at these stamps, and ``suspended`` keys above the limit both before and after the given net
    growth.

    An open block is written whole (``put_blocks``, no members = none left): the plan knows all its members. A block
    that becomes suspended is handed over whole too (``suspend``); one that stays suspended only grows and shrinks. A
    key in ``resume`` was suspended and is now among ``put_blocks``.

    ``put_expiries``: when (microseconds) the first override of a record ends. ``merges`` counts the golden records that
    end in another one; it is information.
    """

    refs: tuple[str, ...] = ()
    expect_records: dict[str, str] = field(default_factory=dict)
    expect_components: dict[str, str] = field(default_factory=dict)
    expect_blocks: dict[str, str] = field(default_factory=dict)
    expect_edges: dict[str, str] = field(default_factory=dict)
    expect_suspended: dict[str, int] = field(default_factory=dict)
    put_records: list[Record] = field(default_factory=list)
    put_blocks: dict[str, Mapping[str, str]] = field(default_factory=dict)
    suspend: dict[str, Mapping[str, str]] = field(default_factory=dict)
    resume: list[str] = field(default_factory=list)
    grow: dict[str, dict[str, str]] = field(default_factory=dict)
    shrink: dict[str, list[str]] = field(default_factory=dict)
    put_components: dict[str, HeldComponent] = field(default_factory=dict)
    drop_components: list[str] = field(default_factory=list)
    component_of: dict[str, str] = field(default_factory=dict)
    crosswalk: dict[str, str] = field(default_factory=dict)
    drop_refs: list[str] = field(default_factory=list)
    put_golden: dict[str, Golden] = field(default_factory=dict)
    drop_golden: list[str] = field(default_factory=list)
    put_edges: list[HeldReview] = field(default_factory=list)
    drop_edges: list[tuple[str, str]] = field(default_factory=list)
    put_review: dict[tuple[str, str], dict[str, object]] = field(default_factory=dict)
    drop_review: list[tuple[str, str]] = field(default_factory=list)
    enqueue: list[str] = field(default_factory=list)
    dequeue: list[str] = field(default_factory=list)
    put_expiries: dict[str, int] = field(default_factory=dict)
    drop_expiries: list[str] = field(default_factory=list)
    changes: list[OutboxChange] = field(default_factory=list)
    merges: int = 0
