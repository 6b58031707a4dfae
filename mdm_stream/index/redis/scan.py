"""Reading all that an epoch holds, in pages: for whoever compares it, with one round trip a page.

Nothing is held back for a scan. An entry that is there from the first page to the last is in one of them, perhaps in
two; what is written meanwhile may be as it was or as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import redis

from mdm_stream.core.plan.commit import HeldComponent, HeldReview
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.reader import Pair
from mdm_stream.index.redis.client import send_together
from mdm_stream.index.redis.codec import decode_pair, decode_review, encode_pair
from mdm_stream.index.redis.open_epoch import OpenEpoch
from mdm_stream.index.redis.reader import LARGE_SCAN_COUNT, SCAN_COUNT, RedisReader

_SIDES_PER_CALL = 500
"""Records whose REVIEW edges are read with one round trip."""


class RedisScanner(RedisReader):
    """A reader that also reads everything of the epoch that it has open."""

    def stored_records(self) -> Iterator[list[tuple[str, bytes]]]:
        """Yield pages of references with the stored forms of their records, tombstones included."""
        for page in self._hash_pages("rec", LARGE_SCAN_COUNT):
            yield [(ref.decode(), stored) for ref, stored in page.items()]

    def golden_pages(self) -> Iterator[list[tuple[str, bytes]]]:
        """Yield pages of golden ids with the contents of their golden records."""
        for page in self._hash_pages("gold", LARGE_SCAN_COUNT):
            yield [(golden_id.decode(), content) for golden_id, content in page.items()]

    def crosswalk_pages(self) -> Iterator[list[tuple[str, str]]]:
        """Yield pages of the crosswalk."""
        return self._text_pages("xw")

    def place_pages(self) -> Iterator[list[tuple[str, str]]]:
        """Yield pages of records with the ids of the components that they say they are in."""
        return self._text_pages("of")

    def item_pages(self) -> Iterator[list[tuple[Pair, bytes]]]:
        """Yield pages of the review queue, with the stored forms of its items."""
        for page in self._hash_pages("review", SCAN_COUNT):
            yield [(decode_pair(pair), item) for pair, item in page.items()]

    def component_pages(self) -> Iterator[list[tuple[str, HeldComponent]]]:
        """Yield pages of components by id. One whose pages change all the time is read by ``read_neighbourhood``."""
        for page in self._hash_pages("comp", LARGE_SCAN_COUNT):
            stored = {component_id.decode(): item for component_id, item in page.items()}
            whole = self._components(stored)
            if whole is None:  # one of them changed between the two reads: each by itself
                whole = {}
                for component_id, item in stored.items():
                    whole |= self._components({component_id: item}) or self._read_again(component_id, item)
            yield list(whole.items())

    def doubt_pages(self) -> Iterator[list[HeldReview]]:
        """Yield pages of REVIEW edges, each perhaps twice: both of its records have it."""
        for page in self._hash_pages("es", _SIDES_PER_CALL):
            yield self.doubts_of([ref.decode() for ref in page])

    def doubts_of(self, refs: Sequence[str]) -> list[HeldReview]:
        """Return the REVIEW edges that some records have. One round trip."""

        def send() -> list[list[bytes]]:
            commands = [("HVALS", self._epoch.key("e:" + ref)) for ref in refs]
            return send_together(self._client, self._epoch.key("es"), commands)

        return [decode_review(item) for items in self._epoch.call(send) for item in items] if refs else []

    def waiting(self) -> Iterator[list[str]]:
        """Yield pages of the records that wait for re-evaluation."""
        cursor: Any = None
        while cursor != 0:
            at = cursor or 0
            cursor, found = self._epoch.call(lambda: self._client.sscan(self._epoch.key("pend"), at, count=SCAN_COUNT))  # noqa: B023
            yield [ref.decode() for ref in found]

    def stored_of(self, refs: Sequence[str]) -> list[tuple[str, bytes]]:
        """Return the stored forms of those of some records that are known. One round trip."""
        if not refs:
            return []
        found = self._epoch.values_of("rec", refs)
        return [(ref, stored) for ref, stored in zip(refs, found, strict=True) if stored is not None]

    def stored_items_of(self, pairs: Sequence[Pair]) -> dict[Pair, bytes]:
        """Return the stored forms of those of some review items that are there. One round trip."""
        if not pairs:
            return {}
        names = [encode_pair(*pair) for pair in pairs]
        found = self._epoch.values_of("review", names)
        return {pair: item for pair, item in zip(pairs, found, strict=True) if item is not None}

    def places_of(self, refs: Sequence[str]) -> dict[str, str]:
        """Return the ids of the components that some records say they are in. One round trip."""
        if not refs:
            return {}
        found = self._epoch.values_of("of", refs)
        return {ref: item.decode() for ref, item in zip(refs, found, strict=True) if item is not None}

    def _read_again(self, component_id: str, item: bytes) -> dict[str, HeldComponent]:
        """Read a large component that changed meanwhile by one of its members; nothing if it cannot be read whole."""
        del item
        return dict(self.read_neighbourhood([component_id]).components)  # a component is called after a member

    def _text_pages(self, name: str) -> Iterator[list[tuple[str, str]]]:
        for page in self._hash_pages(name, SCAN_COUNT):
            yield [(key.decode(), value.decode()) for key, value in page.items()]

    def _hash_pages(self, name: str, count: int) -> Iterator[dict[bytes, bytes]]:
        cursor: Any = None
        while cursor != 0:
            at = cursor or 0
            cursor, found = self._epoch.call(lambda: self._client.hscan(self._epoch.key(name), at, count=count))  # noqa: B023
            if found:
                yield found


def scanner_of(client: redis.Redis, rules: Ruleset, namespace: str, epoch: int) -> RedisScanner:
    """Return a scanner of one epoch, of whatever state."""
    return RedisScanner(OpenEpoch(client, rules, namespace, create=False, building=epoch))


def open_scanner(client: redis.Redis | redis.RedisCluster, rules: Ruleset, namespace: str = "main") -> RedisScanner:
    """Return a scanner of a domain's live epoch, as ``open_reader`` does."""
    return RedisScanner(OpenEpoch(client, rules, namespace, create=False))
