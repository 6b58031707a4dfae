"""What the rules publish of an index beside golden records: its records, links and review items as they are now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Protocol, TypeVar

import orjson

from mdm_stream.contracts.evidence import EvidenceKey, key_and_digest
from mdm_stream.core.plan import evidence
from mdm_stream.core.plan.commit import Commit, OutboxChange
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.reader import IndexReader, Pair, review_items
from mdm_stream.rebuild.difference import SaidEvidence, no_more

_Name = TypeVar("_Name")

_PUBLISHED_AS = {"record": evidence.RECORDS, "match": evidence.MATCHES, "review": evidence.REVIEWS}

_PER_CALL = 500
"""Records that are read together, with the components that they are in."""


class EvidenceReader(IndexReader, Protocol):
    """An index that can be asked for single review items."""

    def review_of(self, pairs: Collection[Pair]) -> dict[Pair, dict[str, object]]:
        """Return those of some review items that are there."""
        ...


def evidence_keys(commit: Commit) -> Iterator[EvidenceKey]:
    """Yield what a commit says anything of."""
    for change in commit.changes:
        content = orjson.loads(change.content)
        if content["op"] in ("record", "match", "review"):
            yield key_and_digest(content)[0]


def all_said(reader: IndexReader, rules: Ruleset) -> Iterator[SaidEvidence]:
    """Yield all that the rules publish of an index, perhaps some of it twice."""
    if evidence.RECORDS in rules.publish or evidence.MATCHES in rules.publish:
        for refs in _portions(reader.scan_refs()):
            if evidence.RECORDS in rules.publish:
                yield from _records(reader, rules, refs)
            if evidence.MATCHES in rules.publish:
                links = _links(reader, refs)
                yield from (_said(evidence.match_changed(rules, *links[pair])) for pair in links)
    if evidence.REVIEWS in rules.publish:
        for _, item in review_items(reader):
            yield _said(evidence.review_changed(rules, item))


def said_of(reader: EvidenceReader, rules: Ruleset, keys: Collection[EvidenceKey]) -> Iterator[SaidEvidence]:
    """Yield what is to be said of some records, links and review items: those that are not published are no more."""
    published = {op for op, what in _PUBLISHED_AS.items() if what in rules.publish}
    for portion in _portions(sorted(key for key in keys if key[0] not in published)):
        erased = {ref for ref, record in reader.read_records([a for _, a, _ in portion]).items() if record.state.erased}
        for key in portion:
            yield (key, None) if key[0] == "record" and key[1] in erased else _said(no_more(rules, key))
    for portion in _portions(sorted(key for key in keys if key[0] in published)):
        yield from _records(reader, rules, [ref for op, ref, _ in portion if op == "record"])
        matches = [(a, b) for op, a, b in portion if op == "match"]
        links = _links(reader, [a for a, _ in matches])
        reviews = [(a, b) for op, a, b in portion if op == "review"]
        items = reader.review_of(reviews)
        for pair in matches:
            link = links.get(pair)
            yield _said(no_more(rules, ("match", *pair)) if link is None else evidence.match_changed(rules, *link))
        for pair in reviews:
            item = items.get(pair)
            yield _said(no_more(rules, ("review", *pair)) if item is None else evidence.review_changed(rules, item))


def _records(reader: IndexReader, rules: Ruleset, refs: list[str]) -> Iterator[SaidEvidence]:
    known = reader.read_records(refs)
    for ref in refs:
        record = known.get(ref)
        if record is None:
            yield _said(no_more(rules, ("record", ref, "")))
        elif record.state.erased:
            yield ("record", ref, ""), None
        else:
            yield _said(evidence.record_changed(rules, record))


def _links(reader: IndexReader, refs: list[str]) -> evidence.Links:
    """Return the links of the components that these records are in."""
    return evidence.links_of(reader.read_neighbourhood(refs).components.values())


def _said(change: OutboxChange) -> SaidEvidence:
    return key_and_digest(orjson.loads(change.content))[0], change


def _portions(names: Iterable[_Name]) -> Iterator[list[_Name]]:
    remaining = iter(names)
    while portion := list(islice(remaining, _PER_CALL)):
        yield portion
