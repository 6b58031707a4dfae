"""What the golden feed carries beside golden records, where the rules say so (``publish``): the evidence behind them.

``mdm.record.changed`` holds a source record as standardised, with the values that lost, a steward's overrides and
verdicts. ``mdm.match.changed`` holds a link between two records: which rule or score made it, with the level of each
comparison. ``mdm.review.changed`` holds an item of the review queue.

Each is said whole, under its key and the domain's ``(epoch, sequence)``, whose order is that of all messages of the
domain: of one key the newest counts. What is no more is said too (``deleted``, ``gone``, ``closed``). Erasing a record
takes the values out of what its messages said, before and after it; links and review items have no values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mdm_stream.contracts.feed_model import INTEGER_MAX, GoldenValue, Number, RecordKey
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.cluster.clustering import RefusalReason
from mdm_stream.core.model import InvalidReason, Scalar, make_ref

RECORD_CHANGED = "mdm.record.changed"
MATCH_CHANGED = "mdm.match.changed"
REVIEW_CHANGED = "mdm.review.changed"


class _EvidencePart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class RecordValue(_EvidencePart):
    """An attribute of a source record as standardised, with the write that set it; if invalid, with the reason.

    A placeholder is there as it was delivered, as invalid for that reason: it counts as absent.
    """

    value: GoldenValue
    valid: bool
    invalid_because: InvalidReason | None = None
    version: int | str
    event_time: str


class RecordOverride(_EvidencePart):
    """A steward's value for an attribute of a record; ``None`` if it was taken back or has expired."""

    value: Scalar | list[Scalar]
    steward: str
    version: int | str
    event_time: str
    expires_at: str | None = None
    expired: bool = False


class RecordVerdict(_EvidencePart):
    """A steward's verdict on the record and another one; ``none`` is one that was withdrawn.

    It stands while both of the records have it.
    """

    other: RecordKey
    verdict: Literal["link", "separate", "none"]
    steward: str
    version: int | str
    event_time: str


class _Positioned(_EvidencePart):
    domain: str
    epoch: Number
    sequence: Number
    rules_version: Annotated[int, Field(le=INTEGER_MAX)]
    rules_digest: str = ""
    committed_at: str


class RecordChanged(_Positioned):
    """The data of ``mdm.record.changed``: one source record, whole.

    ``status`` is ``unseen`` for a record that only a steward's decisions name, and ``gone`` for one whose events were
    taken out of the domain. ``born_at`` is the least event time that
    was ever delivered for it. Attributes without a value are left out. ``left_out`` says that attributes and overrides
    are missing because they would make the message too large; the record takes part like any other.
    """

    op: Literal["record"]
    source: str
    record_id: str
    status: Literal["live", "deleted", "unseen", "gone"]
    born_at: str | None = None
    attributes: dict[str, RecordValue] = {}
    overrides: dict[str, RecordOverride] = {}
    verdicts: list[RecordVerdict] = []
    left_out: bool = False


class _OfPair(_Positioned):
    a: RecordKey
    b: RecordKey
    rule: str = ""
    confidence: float | None = None
    weight_bits: float | None = None
    evidence: dict[str, str] = {}


class MatchChanged(_OfPair):
    """The data of ``mdm.match.changed``: a link between two records, ``a`` the lesser by its name.

    ``linked``: they are in one golden record. ``refused``: they are not, though the pair is a match; the review item of
    the two golden records says why. ``gone``: there is no link any more. ``rule`` is the deterministic rule that made
    it, ``verdict`` or ``score``; ``evidence`` names the level of each comparison.
    """

    op: Literal["match"]
    status: Literal["linked", "refused", "gone"]


class ReviewChanged(_OfPair):
    """The data of ``mdm.review.changed``: a question to stewards on two records, ``a`` the lesser by its name.

    The members are those of a review item: ``reason`` is ``score`` (the confidence lies in the middle band) or why the
    strongest of ``refused_links`` links between two golden records was refused; ``separated`` are the first of the
    ``separated_count`` verdicts against it. A ``closed`` one is in the queue no more and says nothing else.
    """

    op: Literal["review"]
    status: Literal["open", "closed"]
    reason: Literal["score"] | RefusalReason | None = None
    refused_links: Annotated[int, Field(ge=0, le=INTEGER_MAX)] = 0
    answered: bool = False
    separated: list[tuple[RecordKey, RecordKey]] = []
    separated_count: Annotated[int, Field(ge=0, le=INTEGER_MAX)] = 0


EvidenceChanged = RecordChanged | MatchChanged | ReviewChanged
EVIDENCE = (RecordChanged, MatchChanged, ReviewChanged)
EVIDENCE_TYPE_OF_OP = {"record": RECORD_CHANGED, "match": MATCH_CHANGED, "review": REVIEW_CHANGED}
"""The message type by the ``op`` of its data."""

EvidenceKey = tuple[str, str, str]
"""What a message of evidence is about: its ``op``, the reference of its record, and of a pair's second one, or ""."""


_OF_THE_MESSAGE = frozenset({"epoch", "sequence", "committed_at", "rules_version", "rules_digest"})


@dataclass(frozen=True, slots=True)
class PublishedEvidence:
    """What the feed has last said of one record, link or review item; ``digest`` is None where it is no more."""

    key: EvidenceKey
    epoch: int
    sequence: int
    digest: str | None


def published_evidence(change: EvidenceChanged) -> PublishedEvidence:
    """Return what a message says, in the form in which it can be compared with what is so now."""
    key, digest = key_and_digest(change.model_dump())
    return PublishedEvidence(key, change.epoch, change.sequence, digest)


def key_and_digest(content: Mapping[str, Any]) -> tuple[EvidenceKey, str | None]:
    """Return what the data of a message is about, and what identifies the rest of it; None for what is no more.

    Position, time and rules do not count: the same said again says nothing new. ``content`` may lack them.
    """
    first, second = content.get("a", content), content.get("b")
    key = (
        str(content["op"]),
        make_ref(str(first["source"]), str(first["record_id"])),
        "" if second is None else make_ref(str(second["source"]), str(second["record_id"])),
    )
    if content["status"] in ("gone", "closed"):
        return key, None
    return key, digest_of({name: value for name, value in content.items() if name not in _OF_THE_MESSAGE})
