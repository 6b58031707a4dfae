"""What has been published of a domain: the state that subscribers of the golden feed hold, whatever the index holds."""

from __future__ import annotations

from collections.abc import Iterator

from mdm_stream.contracts.golden import FeedEnvelope, GoldenChange, PublishedGolden, QuarantinedEvent, published_golden


class PublishedState:
    """Of each golden record of one domain the newest thing said, from any mixture of warehouse and feed, in any order.

    The greatest (epoch, sequence) of a golden id wins, so the sources may overlap and repeat themselves. Holds one
    digest and the members of each golden id that was ever published, some 500 bytes each.
    """

    def __init__(self, domain: str) -> None:
        """Start with nothing published, at position (0, 0)."""
        self.domain = domain
        self.position = (0, 0)
        self._newest: dict[str, PublishedGolden] = {}

    def apply(self, said: PublishedGolden | FeedEnvelope) -> None:
        """Take what the warehouse or a message of the feed says. Idempotent. Other domains' messages change nothing.

        An erasure counts for the position alone: the golden changes that follow from it say what became of the state.
        """
        if isinstance(said, FeedEnvelope):
            if isinstance(said.data, QuarantinedEvent) or said.data.domain != self.domain:
                return
            if not isinstance(said.data, GoldenChange):
                self.advance(said.data.epoch, said.data.sequence)
                return
            said = published_golden(said.data)
        self.advance(said.epoch, said.sequence)
        held = self._newest.get(said.golden_id)
        if held is None or (held.epoch, held.sequence) < (said.epoch, said.sequence):
            self._newest[said.golden_id] = said

    def advance(self, epoch: int, sequence: int) -> None:
        """Take that (epoch, sequence) was published, such as a warehouse's ``position``."""
        self.position = max(self.position, (epoch, sequence))

    def get(self, golden_id: str) -> PublishedGolden | None:
        """Return the newest thing said of a golden id; None if nothing ever was."""
        return self._newest.get(golden_id)

    def live(self) -> Iterator[PublishedGolden]:
        """Yield the golden records that are not retired, in no particular order."""
        return (golden for golden in self._newest.values() if golden.digest is not None)

    def __len__(self) -> int:
        """Return how many golden ids were ever published, retired ones included."""
        return len(self._newest)
