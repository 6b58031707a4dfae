"""Reading an index on Redis: one round trip a question, and scans for what is asked rarely."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgpack
import orjson
import redis

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.plan.commit import HeldComponent
from mdm_stream.core.record import Record
from mdm_stream.core.reference import Resolution
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import TransientError
from mdm_stream.index.port import Binding, Block, IndexCounters, IndexDepths, Neighbourhood
from mdm_stream.index.reader import FIRST_PAGE, PAGE_ITEMS, Pair, ReviewPage, review_items
from mdm_stream.index.redis.codec import (
    STAMP_LENGTH,
    decode_block,
    decode_pair,
    decode_record,
    decode_review,
    encode_pair,
)
from mdm_stream.index.redis.depths import SCRIPT, depths_from
from mdm_stream.index.redis.epochs import Epochs
from mdm_stream.index.redis.open_epoch import OpenEpoch
from mdm_stream.index.redis.pages import (
    DIRECTORY,
    Page,
    PageMemory,
    component_of,
    decode_directory,
    decode_page,
    page_digest,
)
from mdm_stream.index.redis.scripts import translated

SCAN_COUNT = 1000
"""Entries that one call of a scan looks at."""

_READS_MAX = 5
"""Reads of components that are large, and change while their pages are read, before it is left to the next attempt."""

LARGE_SCAN_COUNT = 100
"""The same where an entry may have a million bytes: a thousand of these at once are a gigabyte, here and in Redis."""


class RedisReader:
    """The :class:`~mdm_stream.index.reader.IndexReader` of one domain on Redis."""

    def __init__(self, epoch: OpenEpoch) -> None:
        self._epoch = epoch
        self._client = epoch.client
        self._pages = PageMemory()
        self._directories: dict[str, tuple[str, dict[str, bytes]]] = {}

    @property
    def counters(self) -> IndexCounters:
        """What has been done since the start."""
        return self._epoch.counters

    @property
    def epoch(self) -> int:
        """The epoch that is read and written."""
        return self._epoch.number

    @property
    def epochs(self) -> Epochs:
        """The life of the domain's epochs."""
        return self._epoch.epochs

    def refresh(self) -> None:
        """Look again which epoch is live: one that is not any more reads as if it were empty. One round trip."""
        self._epoch.open()

    def bind(self) -> Binding:
        """Return what is read and written; opens the index if that has to be done (anew)."""
        return self._epoch.bind()

    def depths(self) -> IndexDepths:
        """Return how much waits. One round trip, one command."""
        return depths_from(self._epoch.script(SCRIPT))

    def read_records(self, refs: Sequence[str]) -> dict[str, Record]:
        """Return the records of ``refs`` that are known (tombstones included). One round trip."""
        if not refs:
            return {}
        stored = self._epoch.values_of("rec", refs)
        self.counters.record_reads += len(refs)
        self.counters.bytes_read += sum(len(item) for item in stored if item)
        return {ref: decode_record(ref, item) for ref, item in zip(refs, stored, strict=True) if item is not None}

    def read_blocks(self, members_max: Mapping[str, int]) -> dict[str, Block]:
        """Return the block of every key. One round trip."""
        if not members_max:
            return {}
        asked = msgpack.packb([list(members_max), list(members_max.values())])
        reply = self._epoch.script("read_blocks", asked)
        return {key: _block(item) for key, item in zip(members_max, reply, strict=True)}

    def read_neighbourhood(
        self, refs: Sequence[str], *, changing: Sequence[str] = (), ends: Sequence[str] = ()
    ) -> Neighbourhood:
        """Return components and REVIEW edges around ``refs``, and REVIEW edges of ``ends`` and around ``changing``.

        One round trip, and another one for pages of large components that are not remembered. ``TransientError`` where
        such a component keeps changing between the two.
        """
        self._directories = {}
        if not refs:
            return Neighbourhood({}, {}, {}, {})
        asked = msgpack.packb([list(refs), list(changing), list(ends)])
        for _ in range(_READS_MAX):
            ids, stored, edges = self._epoch.script("read_neighbourhood", asked)
            components = self._components(dict(zip(map(bytes.decode, stored[::2]), stored[1::2], strict=True)))
            if components is not None:
                break
        else:
            raise TransientError("a large component kept changing while it was read")
        return Neighbourhood(
            {ref: item.decode() for ref, item in zip(refs, ids, strict=True) if item},
            components,
            {
                ref.decode(): [decode_review(item) for item in held]
                for ref, held in zip(edges[::3], edges[2::3], strict=True)
            },
            {ref.decode(): stamp.decode() for ref, stamp in zip(edges[::3], edges[1::3], strict=True)},
        )

    def _components(self, stored: Mapping[str, bytes]) -> dict[str, HeldComponent] | None:
        """Return components of their stored forms; ``None`` where a page is not there as its directory names it."""
        self._directories = {
            component_id: (item[:STAMP_LENGTH].decode(), decode_directory(item[STAMP_LENGTH:]))
            for component_id, item in stored.items()
            if item.startswith(DIRECTORY, STAMP_LENGTH)
        }
        pages = self._read_pages({f: d for _, digests in self._directories.values() for f, d in digests.items()})
        if pages is None:
            return None
        components = {}
        for component_id, item in stored.items():
            if component_id in self._directories:
                stamp, digests = self._directories[component_id]
                components[component_id] = component_of(stamp, [pages[first] for first in digests])
            else:
                stamp, page = item[:STAMP_LENGTH].decode(), decode_page(item[STAMP_LENGTH:])
                components[component_id] = HeldComponent(stamp, *page)
        return components

    def _read_pages(self, digests: Mapping[str, bytes]) -> dict[str, Page] | None:
        """Return pages by their first members, from memory or with one round trip; ``None`` where one has changed."""
        pages: dict[str, Page] = {}
        missing = []
        for first, digest in digests.items():
            page = self._pages.page_at(first, digest)
            if page is None:
                missing.append(first)
            else:
                pages[first] = page
        if missing:
            found = self._epoch.values_of("page", missing)
            for first, content in zip(missing, found, strict=True):
                if content is None or page_digest(content) != digests[first]:
                    return None
                self.counters.bytes_read += len(content)
                pages[first] = decode_page(content)
                self._pages.put(digests[first], pages[first], len(content))
        return pages

    def golden_of(self, refs: Sequence[str]) -> dict[str, str]:
        """Return the golden ids of the live ones of ``refs``. One round trip."""
        if not refs:
            return {}
        found = self._epoch.values_of("xw", refs)
        return {ref: item.decode() for ref, item in zip(refs, found, strict=True) if item is not None}

    def golden_contents(self, golden_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of those of some golden records that are live. One round trip."""
        if not golden_ids:
            return {}
        found = self._epoch.values_of("gold", golden_ids)
        return {golden_id: item for golden_id, item in zip(golden_ids, found, strict=True) if item is not None}

    def golden_record(self, golden_id: str) -> dict[str, Any] | None:
        """Return a golden record's content, or ``None`` if the id names no live one. One round trip."""
        content = self._epoch.call(lambda: self._client.hget(self._epoch.key("gold"), golden_id))
        return None if content is None else orjson.loads(content)

    def reached(self) -> EpochPosition:
        """Return how far the epoch that is open has come. One round trip; not fenced, as no reading is."""
        return self._epoch.epochs.reached(self._epoch.bind().epoch)

    def review_page(self, cursor: str = FIRST_PAGE, size: int = PAGE_ITEMS) -> ReviewPage:
        """Return about ``size`` items of the review queue, or all of a short one. One round trip."""
        position = int(cursor or 0)
        after, found = self._epoch.call(lambda: self._client.hscan(self._epoch.key("review"), position, count=size))
        items = {decode_pair(pair): orjson.loads(item) for pair, item in found.items()}
        return ReviewPage(items, str(after) if after else None)

    def review_of(self, pairs: Collection[Pair]) -> dict[Pair, dict[str, object]]:
        """Return those of some items of the review queue that are there, by their pairs. One round trip."""
        asked = list(pairs)
        if not asked:
            return {}
        found = self._epoch.values_of("review", [encode_pair(*pair) for pair in asked])
        return {pair: orjson.loads(item) for pair, item in zip(asked, found, strict=True) if item is not None}

    def scan_refs(self) -> Iterator[str]:
        """Yield the reference of every record ever seen, tombstones too, in no order, perhaps some of them twice.

        A scan of the whole domain, many round trips: for people's rare questions, never for a service.
        """
        with translated():
            for ref, _ in self._client.hscan_iter(self._epoch.key("rec"), count=LARGE_SCAN_COUNT):
                yield ref.decode()

    def scan_crosswalk(self) -> dict[str, str]:
        """Return the whole crosswalk, read by scans: exact only while nobody writes."""
        with translated():
            found = self._client.hscan_iter(self._epoch.key("xw"), count=SCAN_COUNT)
            return {ref.decode(): golden_id.decode() for ref, golden_id in found}

    def scan_golden(self) -> Iterator[tuple[str, bytes]]:
        """Yield id and content of every golden record, in no order, perhaps some of them twice."""
        with translated():
            for golden_id, content in self._client.hscan_iter(self._epoch.key("gold"), count=LARGE_SCAN_COUNT):
                yield golden_id.decode(), content

    def snapshot(self) -> Resolution:
        """Return the whole state of the domain, of the live epoch, by scans: exact only while nobody writes."""
        self.refresh()
        crosswalk = self.scan_crosswalk()
        golden = {golden_id: orjson.loads(content) for golden_id, content in self.scan_golden()}
        review = {pair: dict(item) for pair, item in review_items(self)}
        return Resolution(dict(sorted(crosswalk.items())), dict(sorted(golden.items())), dict(sorted(review.items())))

    def held_because(self) -> str | None:
        """Return why writing to the domain is held back, ``None`` if it is not."""
        return self.epochs.held_because()


def open_reader(client: redis.Redis | redis.RedisCluster, rules: Ruleset, namespace: str = "main") -> RedisReader:
    """Return a reader of a domain's live epoch. It makes nothing: ``TerminalError`` where there is no index, or one of
    another rule set. ``client`` must answer bytes.
    """
    return RedisReader(OpenEpoch(client, rules, namespace, create=False))


def _block(item: Any) -> Block:
    if not item:
        return Block("", 0, {})
    if isinstance(item, bytes):
        stamp, members = decode_block(item)
        return Block(stamp, len(members), members)
    stamp, size, held = item
    texts = [text.decode() for text in held]
    shown = dict(zip(texts[::2], texts[1::2], strict=True)) if texts else None
    return Block(stamp.decode()[:STAMP_LENGTH], size, shown)
