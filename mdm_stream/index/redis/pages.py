"""Large components in pages, so that a change of one reads and writes what it changes.

A component of at most ``INLINE_MEMBERS_MAX`` members is stored whole. Of a larger one there is a *directory*, which
lists its pages by their first members with the digest of each, and the pages themselves, in one key of the whole
domain. A page has a run of members and what begins at one of them: links, golden records, review items. Which members
begin a page is decided by the hash of their references (content-defined chunking), so that pages are a function of the
component, however it came about, and one member more or less changes one page, beside those that its links change. A
component that is renamed, merged or split keeps its pages.

A page at a digest never changes, so a process that remembers it need not read it again, nor write it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from itertools import chain, pairwise
from typing import NamedTuple

import msgpack

from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.plan.commit import HeldComponent, HeldGolden, HeldItem
from mdm_stream.core.record import REVISION_LENGTH
from mdm_stream.core.reference_hash import reference_hash

INLINE_MEMBERS_MAX = 64
"""Members of a component that is stored whole."""

PAGE_MEMBERS = 32
"""Members of a page on average: fewer make the directory longer, more the pages that one change writes."""

PAGES_BYTES_MAX = 4 * 1024**2
"""Stored bytes of the pages that a process remembers; decoded they take some twenty times as many."""

DIRECTORY = b"*"
"""Stands before a directory, which MessagePack of a page cannot begin with. ``commit.lua`` and
``read_neighbourhood.lua`` know it too."""

_DIGEST_BYTES = 16


class Page(NamedTuple):
    """A run of a component's members, in order, and what begins at one of them.

    That are the links whose first record is among them, the golden records whose least member is, and the review items
    whose pair's first record is.
    """

    members: tuple[str, ...]
    revisions: tuple[str, ...]
    links: tuple[Edge, ...]
    golden: tuple[HeldGolden, ...]
    refused: tuple[HeldItem, ...]


class PageMemory:
    """Pages by their first member, the latest of each: those used last, at most so many stored bytes of them."""

    def __init__(self, bytes_max: int = PAGES_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._held: OrderedDict[str, tuple[bytes, Page, int]] = OrderedDict()

    def page_at(self, first: str, digest: bytes) -> Page | None:
        """Return the page if it is held at this very digest."""
        held = self._held.get(first)
        if held is None or held[0] != digest:
            return None
        self._held.move_to_end(first)
        return held[1]

    def digest_of(self, page: Page) -> bytes | None:
        """Return the digest of a page if this very page is held."""
        held = self._held.get(page.members[0])
        return held[0] if held is not None and held[1] == page else None

    def put(self, digest: bytes, page: Page, size: int) -> None:
        """Hold a page of so many stored bytes, forgetting those not used for the longest time."""
        replaced = self._held.pop(page.members[0], None)
        self._held[page.members[0]] = digest, page, size
        self._bytes += size - (replaced[2] if replaced else 0)
        while self._bytes > self._bytes_max:
            self._bytes -= self._held.popitem(last=False)[1][2]


def is_stored_whole(component: HeldComponent) -> bool:
    """Return whether a component is small enough to be stored as one page, without a directory."""
    return len(component.members) <= INLINE_MEMBERS_MAX


def pages_of(component: HeldComponent) -> list[Page]:
    """Return the pages of a component: one if it is small."""
    members, links, refused = component.members, component.links, component.refused
    if is_stored_whole(component):
        return [Page(members, component.revisions, links, component.golden, refused)]
    starts = [i for i, ref in enumerate(members) if i == 0 or reference_hash(ref) % PAGE_MEMBERS == 0]
    firsts = [members[start] for start in starts]
    golden: list[list[HeldGolden]] = [[] for _ in starts]
    for each in component.golden:
        golden[bisect_right(firsts, min(each.members)) - 1].append(each)
    links_at = [bisect_left(links, first, key=lambda edge: edge.a) for first in firsts]
    refused_at = [bisect_left(refused, first, key=lambda item: item.pair[0]) for first in firsts]
    return [
        Page(members[i:j], component.revisions[i:j], links[k:m], tuple(begun), refused[r:s])
        for (i, j), (k, m), (r, s), begun in zip(
            pairwise([*starts, len(members)]),
            pairwise([*links_at, len(links)]),
            pairwise([*refused_at, len(refused)]),
            golden,
            strict=True,
        )
    ]


def component_of(stamp: str, pages: Iterable[Page]) -> HeldComponent:
    """Return the component that has these pages."""
    parts = [tuple(chain.from_iterable(part)) for part in zip(*pages, strict=True)]
    return HeldComponent(stamp, *parts)


def encode_page(page: Page) -> bytes:
    """Return the stored form of a page. Members come first: ``read_neighbourhood.lua`` reads them, and nothing else.

    Links that say the same of their pairs share what they say: records that are all alike have thousands of one kind.
    """
    position = {ref: i for i, ref in enumerate(page.members)}
    inside = len(position)

    def place(ref: str) -> int:
        return position.setdefault(ref, len(position))

    kinds: dict[tuple[float, float, str, str], int] = {}
    links: list[int] = []
    for edge in page.links:
        kind = kinds.setdefault((edge.weight, edge.confidence, edge.rule, edge.levels), len(kinds))
        links += (place(edge.a), place(edge.b), kind)
    golden = [[g.golden_id, g.digest, [place(ref) for ref in g.members]] for g in page.golden]
    refused = [[place(item.pair[0]), place(item.pair[1]), item.digest] for item in page.refused]
    elsewhere = list(position)[inside:]
    members: bytes = msgpack.packb(page.members)
    rest: bytes = msgpack.packb([elsewhere, "".join(page.revisions), list(kinds), links, golden, refused])
    return members + rest


def decode_page(stored: bytes | memoryview) -> Page:
    """Return a page of its stored form."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(stored)
    members, (elsewhere, revisions, kinds, links, golden, refused) = unpacker
    refs = members + elsewhere
    flat = iter(links)
    return Page(
        tuple(members),
        tuple([revisions[start : start + REVISION_LENGTH] for start in range(0, len(revisions), REVISION_LENGTH)]),
        tuple([Edge(refs[a], refs[b], True, *kinds[kind]) for a, b, kind in zip(flat, flat, flat, strict=True)]),
        tuple([HeldGolden(g, digest, tuple([refs[i] for i in places])) for g, digest, places in golden]),
        tuple([HeldItem((refs[a], refs[b]), digest) for a, b, digest in refused]),
    )


def stored_component(component: HeldComponent) -> tuple[bytes, dict[str, bytes]]:
    """Return the stored form of a component, without its stamp, and those of its pages by their first members."""
    pages = pages_of(component)
    if is_stored_whole(component):
        return encode_page(pages[0]), {}
    contents = {page.members[0]: encode_page(page) for page in pages}
    return encode_directory({first: page_digest(content) for first, content in contents.items()}), contents


def page_digest(stored: bytes) -> bytes:
    """Return the digest of a page's stored form (BLAKE2b-128)."""
    return blake2b(stored, digest_size=_DIGEST_BYTES).digest()


def encode_directory(digests: Mapping[str, bytes]) -> bytes:
    """Return the stored form of a directory: the pages' digests by their first members, in order."""
    packed: bytes = msgpack.packb([list(digests), b"".join(digests.values())], use_bin_type=False)  # Lua knows no other
    return DIRECTORY + packed


def decode_directory(stored: bytes) -> dict[str, bytes]:
    """Return the digests of pages by their first members, in order."""
    firsts, digests = msgpack.unpackb(stored[len(DIRECTORY) :], raw=True)
    return {first.decode(): digests[i * _DIGEST_BYTES : (i + 1) * _DIGEST_BYTES] for i, first in enumerate(firsts)}
