"""The review queue as stewards read it: in the order of what an answer is worth, with what each item stands between.

Reads the queue page by page and keeps as much of it as is asked for, so that its length costs time and no memory. No
value of a record is read or shown; ``explain`` shows those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from mdm_stream.contracts.steward import (
    AlikeQuestions,
    DecidedPair,
    HeldDecision,
    ReviewItem,
    ReviewQueue,
    ReviewSide,
    SeparatedPair,
)
from mdm_stream.core.cluster.edges import VERDICT_RULE
from mdm_stream.core.cluster.golden import key_of
from mdm_stream.core.cluster.review_order import CONTRADICTION, ReviewEntry, first_in_order
from mdm_stream.core.cluster.teaching_order import AlikeCounts, EvidencePattern, first_teaching
from mdm_stream.core.match.decide import bits_of
from mdm_stream.core.model import make_ref
from mdm_stream.core.plan.commit import HeldComponent
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.port import Neighbourhood
from mdm_stream.index.reader import IndexReader, Pair, review_items
from mdm_stream.steward.describe import describe_verdict, record_key
from mdm_stream.steward.explain import strongest_path

PAGE_ITEMS = 100
"""Items whose surroundings one script call reads, which keeps others waiting for some milliseconds."""


def review_queue(
    index: IndexReader,
    rules: Ruleset,
    *,
    limit: int,
    reasons: Collection[str] = (),
    decided: Mapping[EvidencePattern, tuple[int, int]] | None = None,
) -> ReviewQueue:
    """Return the first ``limit`` items of the review queue; with ``reasons``, only those of these.

    With ``decided`` (``decided_alike.decided_alike``) those come first that teach most, and each says as ``alike`` how
    many others are like it.

    ``total`` and ``by_reason`` count what a scan of the whole queue met. Each of ``items`` has both records with their
    golden record and its number of members, what speaks for the pair, and ``expected_pairs``, which orders them.
    ``refused_links`` is how many links were refused between the two golden records of an item, its own included.
    ``separated`` are the first of the ``separated_count`` SEPARATE verdicts in its way, each with the verdict; in a
    contradiction also the ``chain`` of LINK verdicts that connects the two records all the same. What is settled while
    this reads is left out.
    """
    held = index.held_because()
    counts: Counter[str] = Counter()
    found = _entries(index, frozenset(reasons), counts)
    items: list[ReviewItem] = []
    if decided is None:
        for page in _pages(first_in_order(found, limit)):
            items += _described(index, page)
    else:
        for page in _pages(first_teaching(found, limit, decided, bits_of(rules.match.link))):
            described = _described(index, [entry for entry, _ in page])
            items += [_taught(item, alike) for item, (_, alike) in zip(described, page, strict=True)]
    return ReviewQueue(
        domain=rules.domain,
        rules_version=rules.version,
        held=held,
        total=counts.total(),
        by_reason=dict(sorted(counts.items())),
        items=items,
    )


def _taught(item: ReviewItem, alike: AlikeCounts) -> ReviewItem:
    counts = AlikeQuestions(
        open=alike.open, links=alike.links, separates=alike.separates, teaches=round(alike.teaches, 6)
    )
    return item.model_copy(update={"alike": counts})


def _entries(index: IndexReader, reasons: Collection[str], counts: Counter[str]) -> Iterator[ReviewEntry]:
    for page in _pages(review_items(index)):
        wanted = {pair: item for pair, item in page if not reasons or item["reason"] in reasons}
        counts.update(item["reason"] for item in wanted.values())
        near = index.read_neighbourhood(sorted({ref for pair in wanted for ref in pair}))
        cluster_of = _clusters(near)
        for pair, item in wanted.items():
            left, right = (cluster_of.get(ref) for ref in pair)
            if left is not None and right is not None and left != right:
                yield ReviewEntry(pair, item, (left[0], right[0]), (left[1], right[1]))


def _clusters(near: Neighbourhood) -> dict[str, tuple[str, int]]:
    """Return golden id and number of members of each record's cluster."""
    return {
        ref: (golden.golden_id, len(golden.members))
        for component in near.components.values()
        for golden in component.golden
        for ref in golden.members
    }


def _pages(found: Iterable[Any]) -> Iterator[list[Any]]:
    remaining = iter(found)
    while page := list(islice(remaining, PAGE_ITEMS)):
        yield page


def _described(index: IndexReader, entries: list[ReviewEntry]) -> list[ReviewItem]:
    """Return entries for people, with the verdicts that they hang on: at most two round trips."""
    contradicted = sorted({entry.pair[0] for entry in entries if entry.item["reason"] == CONTRADICTION})
    near = index.read_neighbourhood(contradicted)
    chains = {
        (entry.pair, separated): _chain(near, entry.pair[0], separated)
        for entry in entries
        if entry.pair[0] in near.component_of
        for separated in _separated(entry)
    }
    named = {ref for entry in entries for pair in _separated(entry) for ref in pair}
    named |= {ref for chain in chains.values() for pair in chain for ref in pair}
    records = index.read_records(sorted(named))
    return [_item(entry, chains, records) for entry in entries]


def _chain(near: Neighbourhood, ref: str, separated: Pair) -> list[Pair]:
    """Return the pairs under LINK verdicts that lead from one of two separated records to the other."""
    component: HeldComponent = near.components[near.component_of[ref]]
    links = [link for link in component.links if link.rule == VERDICT_RULE]
    return [link.pair for link in strongest_path(links, *separated) or []]


def _separated(entry: ReviewEntry) -> list[Pair]:
    return [(make_ref(**a), make_ref(**b)) for a, b in entry.item["separated"]]


def _item(
    entry: ReviewEntry,
    chains: Mapping[tuple[Pair, Pair], list[Pair]],
    records: Mapping[str, Record],
) -> ReviewItem:
    ends = [
        ReviewSide(**key_of(ref), golden_id=golden_id, members=size)
        for ref, golden_id, size in zip(entry.pair, entry.golden_ids, entry.sizes, strict=True)
    ]
    separated = [
        SeparatedPair(
            a=record_key(pair[0]),
            b=record_key(pair[1]),
            verdict=_verdict_on(pair, records),
            chain=[
                DecidedPair(a=record_key(link[0]), b=record_key(link[1]), verdict=_verdict_on(link, records))
                for link in chains.get((entry.pair, pair), ())
            ],
        )
        for pair in _separated(entry)
    ]
    described = {"a": ends[0], "b": ends[1], "separated": separated}
    return ReviewItem.model_validate({**entry.item, **described, "expected_pairs": round(entry.expected_pairs, 6)})


def _verdict_on(pair: Pair, records: Mapping[str, Record]) -> HeldDecision | None:
    a, b = pair
    held = records[a].state.verdicts.get(b) if a in records else None
    return None if held is None else describe_verdict(held)
