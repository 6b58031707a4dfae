"""The live index as tables for Spark, as it is stored: read in pages, a round trip each, and never all in memory.

``TABLES`` are written by :func:`write_index` for the whole epoch, and by :func:`write_again` for what is around some
records. What is stored is decoded and judged by Spark's workers (``reconcile.live_tables``), not here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.plan.commit import HeldComponent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.errors import EpochChangedError
from mdm_stream.index.port import Neighbourhood
from mdm_stream.index.reader import Pair
from mdm_stream.index.redis.codec import decode_record
from mdm_stream.index.redis.scan import RedisScanner
from mdm_stream.reconcile.table_files import TableFiles
from mdm_stream.reconcile.workspace import Workspace

LINK_COLUMNS = {
    "a": "string", "b": "string", "link": "bool_", "weight": "float64", "confidence": "float64", "rule": "string",
    "levels": "string",
}  # fmt: skip

TABLES: Mapping[str, Mapping[str, str]] = {
    "stored_records": {"ref": "string", "stored": "binary"},
    "stored_golden": {"golden_id": "string", "content": "binary"},
    "stored_review": {"a": "string", "b": "string", "item": "binary"},
    "crosswalk": {"ref": "string", "golden_id": "string"},
    "places": {"ref": "string", "component_id": "string"},
    "members": {"component_id": "string", "ref": "string", "revision": "string", "golden_id": "string"},
    "links": LINK_COLUMNS,
    "waiting": {"ref": "string"},
    "near": {"ref": "string", "other": "string"},
}
"""``members`` are those of components, with the golden record that the component has each in. ``waiting`` are records
that wait for re-evaluation, or kept changing while they were read. ``near`` has who shares an open block with whom, and
is written for some records only."""

READS_MAX = 5
"""Reads of records that keep changing before they are left as changing."""

_PER_CALL = 500


@dataclass(frozen=True, slots=True)
class IndexRead:
    """How far the index had come before and after it was read, and how many records and round trips that was."""

    before: EpochPosition
    after: EpochPosition
    records: int
    round_trips: int


@dataclass(frozen=True, slots=True)
class Around:
    """What is to be read again: records with all that they are in, golden ids, and pairs of the review queue."""

    refs: Collection[str] = ()
    golden_ids: Collection[str] = ()
    pairs: Collection[Pair] = field(default=())


def write_index(scanner: RedisScanner, workspace: Workspace) -> IndexRead:
    """Write the tables of the live epoch; ``EpochChangedError`` if another one is live by the end."""
    scanner.refresh()
    before, trips = scanner.reached(), scanner.counters.round_trips
    with workspace.table_files(TABLES) as tables:
        records = sum(tables.add("stored_records", page) for page in scanner.stored_records())
        for page in scanner.golden_pages():
            tables.add("stored_golden", page)
        for items in scanner.item_pages():
            tables.add("stored_review", ((*pair, item) for pair, item in items))
        for page_ in scanner.crosswalk_pages():
            tables.add("crosswalk", page_)
        for page_ in scanner.place_pages():
            tables.add("places", page_)
        for components in scanner.component_pages():
            _add_components(tables, components)
        for doubts in scanner.doubt_pages():
            tables.add("links", (_edge_row(review.edge) for review in doubts))
        for refs in scanner.waiting():
            tables.add("waiting", ((ref,) for ref in refs))
    scanner.refresh()
    if scanner.epoch != before.epoch:
        raise EpochChangedError(
            f"epoch {scanner.epoch} went live while epoch {before.epoch} was read; compare again, with the new one"
        )
    return IndexRead(before, scanner.reached(), records, scanner.counters.round_trips - trips)


def write_again(scanner: RedisScanner, asked: Iterable[Around], rules: Ruleset, workspace: Workspace) -> EpochPosition:
    """Write the tables of what is around some records, each portion as it was at one moment; return the position then.

    That is so because components and REVIEW edges are read before and after the rest, and carry the stamp of their last
    change: what they stand for has not changed in between. Of records that keep changing it is said that they wait.
    """
    with workspace.table_files(TABLES) as tables:
        for around in asked:
            _write_around(scanner, around, rules, tables)
        for refs in scanner.waiting():
            tables.add("waiting", ((ref,) for ref in refs))
    return scanner.reached()


def _write_around(scanner: RedisScanner, around: Around, rules: Ruleset, tables: TableFiles) -> None:
    asked = sorted(around.refs)
    for _ in range(READS_MAX):
        first = scanner.read_neighbourhood(asked)
        found = _Moment(scanner, around, first, rules)
        if _stamps(scanner.read_neighbourhood(asked)) == _stamps(first):
            break
    else:
        tables.add("waiting", ((ref,) for ref in asked))
    tables.add("stored_records", found.records)
    tables.add("stored_golden", found.golden)
    tables.add("stored_review", found.review)
    tables.add("crosswalk", found.crosswalk.items())
    tables.add("places", found.places.items())
    _add_components(tables, list(first.components.items()))
    tables.add("links", (_edge_row(edge) for edge in found.doubts))
    tables.add("near", found.near)
    tables.add("waiting", ((ref,) for ref in found.waiting))


class _Moment:
    """What was read around some records, between two reads of their components."""

    def __init__(self, scanner: RedisScanner, around: Around, near: Neighbourhood, rules: Ruleset) -> None:
        asked = sorted(around.refs)
        members = {ref for component in near.components.values() for ref in component.members}
        closure = sorted(members.union(asked))
        self.records = [item for refs in _portions(closure) for item in scanner.stored_of(refs)]
        self.golden = list(scanner.golden_contents(sorted(around.golden_ids)).items())
        items = scanner.stored_items_of(sorted(around.pairs))
        self.review = [(*pair, item) for pair, item in items.items()]
        self.crosswalk = scanner.golden_of(asked)
        self.places = scanner.places_of(asked)
        self.doubts = [review.edge for review in scanner.doubts_of(asked)]
        keys_of = {ref: _keys(ref, stored) for ref, stored in self.records}
        keys = sorted({key for several in keys_of.values() for key in several})
        blocks = scanner.read_blocks({key: block_limit(rules, key) for key in keys})
        # What is evaluated again after the blocks were read, and by then is not in the queue any more, has changed a
        # component that is read once more after this.
        self.waiting = [ref for page in scanner.waiting() for ref in page] if keys else []
        self.near = [
            (ref, other)
            for ref, own in keys_of.items()
            for key in own
            for other in blocks[key].members or ()
            if other != ref
        ]


def _keys(ref: str, stored: bytes) -> Sequence[str]:
    try:
        return decode_record(ref, stored).keys
    except (KeyError, TypeError, ValueError, IndexError):
        return ()


def _stamps(near: Neighbourhood) -> tuple[Any, ...]:
    return {name: held.stamp for name, held in near.components.items()}, dict(near.review_stamps)


def _add_components(tables: TableFiles, components: Iterable[tuple[str, HeldComponent]]) -> None:
    for component_id, held in components:
        golden_of = {ref: golden.golden_id for golden in held.golden for ref in golden.members}
        rows = (
            (component_id, ref, revision, golden_of.get(ref))
            for ref, revision in zip(held.members, held.revisions, strict=True)
        )
        tables.add("members", rows)
        tables.add("links", map(_edge_row, held.links))


def _edge_row(edge: Edge) -> tuple[Any, ...]:
    return edge.a, edge.b, edge.link, edge.weight, edge.confidence, edge.rule, edge.levels


def _portions(refs: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(refs), _PER_CALL):
        yield refs[start : start + _PER_CALL]
