"""What has been published of a domain: the state that subscribers of the golden feed hold, whatever the index holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mdm_stream.contracts.evidence import EVIDENCE, EvidenceKey, PublishedEvidence, published_evidence
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.golden import (
    ClaimCheck,
    FeedEnvelope,
    GoldenChange,
    PublishedGolden,
    QuarantinedEvent,
    RecordErased,
    committed_us,
    published_golden,
)
from mdm_stream.core.model import make_ref

UNKNOWN_CONTENT = ""
"""Stands for the digest of a golden record whose published content cannot be known: it equals no digest."""


class PublishedState:
    """Of each golden record of one domain the newest thing said, from any mixture of warehouse and feed, in any order.

    The greatest (epoch, sequence) of a golden id wins, so the sources may overlap and repeat themselves; and so it does
    for the place of each record, as a subscriber's crosswalk has it. The two say different things only where a part of
    what one commit said was published and the rest was lost. Holds one digest and the members of each golden id that
    was ever published, some 500 bytes each, some 200 bytes a record, and some 300 a piece of evidence.
    """

    def __init__(self, domain: str) -> None:
        """Start with nothing published, at position (0, 0).

        ``erased`` are the records whose erasure was published, ``told_us`` is the latest time of what was published.
        """
        self.domain = domain
        self.erased: set[str] = set()
        self.told_us = 0
        self.position = (0, 0)
        self._newest: dict[str, PublishedGolden] = {}
        self._evidence: dict[EvidenceKey, PublishedEvidence] = {}
        self._fresh: set[EvidenceKey] = set()
        self._places: dict[str, tuple[int, int, str | None]] = {}

    def apply(self, said: PublishedGolden | PublishedEvidence | FeedEnvelope) -> None:
        """Take what the warehouse or a message of the feed says. Idempotent. Other domains' messages change nothing.

        An erasure changes no golden record: the golden changes that follow from it say what became of the state.
        """
        if isinstance(said, FeedEnvelope):
            data = said.data
            if isinstance(data, QuarantinedEvent | FileManifest) or data.domain != self.domain:
                return
            if not isinstance(data, GoldenChange):
                self.told_us = max(self.told_us, committed_us(data))
            if isinstance(data, EVIDENCE):
                said = published_evidence(data)
            elif isinstance(data, RecordErased):
                self.erased.add(make_ref(data.source, data.record_id))
                self.advance(data.epoch, data.sequence)
                return
            else:
                said = published_golden(data)
                self._place([make_ref(key.source, key.record_id) for key in data.removed], said, None)
        if isinstance(said, PublishedEvidence):
            known = self._evidence.get(said.key)
            if known is None or (known.epoch, known.sequence) < (said.epoch, said.sequence):
                self._evidence[said.key] = said
                self._fresh.add(said.key)
            self.advance(said.epoch, said.sequence)
            return
        self.told_us = max(self.told_us, said.committed_us)
        self._place(said.members, said, said.golden_id)
        self.advance(said.epoch, said.sequence)
        held = self._newest.get(said.golden_id)
        if held is None or (held.epoch, held.sequence) < (said.epoch, said.sequence):
            self._newest[said.golden_id] = said

    def note_missing(self, claim: ClaimCheck) -> None:
        """Take that a golden change was published whose data is not there: what it said counts as different from all.

        A rebuild then tells the golden record anew. Where the data said that a record has left for nowhere, only the
        warehouse knows.
        """
        if claim.domain == self.domain:
            digest = UNKNOWN_CONTENT if claim.op == "upsert" else None
            self.apply(PublishedGolden(claim.golden_id, claim.epoch, claim.sequence, digest, ()))

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield each record that was published as a member of a golden record and not as removed since, and that id."""
        return ((ref, golden_id) for ref, (*_, golden_id) in self._places.items() if golden_id is not None)

    def _place(self, refs: Iterable[str], said: PublishedGolden, golden_id: str | None) -> None:
        for ref in refs:
            place = self._places.get(ref)
            if place is None or place[:2] < (said.epoch, said.sequence):
                self._places[ref] = (said.epoch, said.sequence, golden_id)

    def advance(self, epoch: int, sequence: int) -> None:
        """Take that (epoch, sequence) was published, such as a warehouse's ``position``."""
        self.position = max(self.position, (epoch, sequence))

    def get(self, golden_id: str) -> PublishedGolden | None:
        """Return the newest thing said of a golden id; None if nothing ever was."""
        return self._newest.get(golden_id)

    def evidence(self, key: EvidenceKey) -> PublishedEvidence | None:
        """Return the newest thing said of a record, link or review item; None if nothing ever was."""
        return self._evidence.get(key)

    def take_fresh_evidence(self) -> set[EvidenceKey]:
        """Return what evidence was said of since the last call."""
        fresh, self._fresh = self._fresh, set()
        return fresh

    def standing_evidence(self) -> Iterator[EvidenceKey]:
        """Yield what was published as evidence and not as gone since, in no particular order."""
        return (key for key, said in self._evidence.items() if said.digest is not None)

    def live(self) -> Iterator[PublishedGolden]:
        """Yield the golden records that are not retired, in no particular order."""
        return (golden for golden in self._newest.values() if golden.digest is not None)

    def __len__(self) -> int:
        """Return how many golden ids were ever published, retired ones included."""
        return len(self._newest)
