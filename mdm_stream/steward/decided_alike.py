"""How often stewards have decided on pairs of each pattern of evidence: for the order by what an answer teaches."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Literal

from mdm_stream.core.blocking.generic_values import pair_values, value_keys
from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.cluster.edges import scored_edge, verdict_on
from mdm_stream.core.cluster.golden import evidence_of
from mdm_stream.core.cluster.teaching_order import EvidencePattern, pattern_of
from mdm_stream.core.match.score import score_pair
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.reader import IndexReader

RECORDS_PER_READ = 1_000
RECORDS_READ_MAX = 50_000
"""Records of a domain up to which they are read for the queue's order without being asked to: some seconds."""

ReviewOrder = Literal["auto", "teaches", "worth"]
"""By what the review queue is ordered: ``auto`` is ``teaches`` in a domain of few records, and else ``worth``."""


def decided_for(
    order: ReviewOrder, index: IndexReader, rules: Ruleset, records_max: int = RECORDS_READ_MAX
) -> dict[EvidencePattern, tuple[int, int]] | None:
    """Return what the order needs: ``decided_alike`` where it is by what an answer teaches, else None.

    ``auto`` looks at no more than ``records_max`` references, and reads no record if there are more.
    """
    if order == "worth":
        return None
    if order == "auto" and next(islice(index.scan_refs(), records_max, None), None) is not None:
        return None
    return decided_alike(index, rules)


def decided_alike(index: IndexReader, rules: Ruleset) -> dict[EvidencePattern, tuple[int, int]]:
    """Return the numbers of LINK and of SEPARATE verdicts that stand between live records, by pattern.

    A scan of all records of the domain: for people's rare questions. What rules give a decided pair is looked at as the
    rules are now; a pair that they do not even ask about is like no open question, and is left out.
    """
    pairs: set[tuple[str, str]] = set()
    refs = iter(index.scan_refs())
    while portion := list(islice(refs, RECORDS_PER_READ)):
        for ref, record in index.read_records(portion).items():
            pairs.update((min(ref, other), max(ref, other)) for other in record.state.verdicts if other != ref)
    found: dict[EvidencePattern, tuple[int, int]] = {}
    waiting = iter(sorted(pairs))
    while some := list(islice(waiting, RECORDS_PER_READ)):
        records = index.read_records(sorted({ref for pair in some for ref in pair}))
        there = [(records[a], records[b]) for a, b in some if a in records and b in records]
        generic = _generic(index, rules, there)
        for one, other in there:
            _count(found, rules, one, other, generic)
    return found


def _generic(index: IndexReader, rules: Ruleset, pairs: Iterable[tuple[Record, Record]]) -> frozenset[str]:
    """Return the keys of values that both records of one of some pairs have, with too many others."""
    shared = sorted({key for a, b in pairs for key in value_keys(rules, set(a.keys) & set(b.keys))})
    sizes = {key: block.size for key, block in index.read_blocks(dict.fromkeys(shared, 0)).items()} if shared else {}
    return frozenset(key for key, size in sizes.items() if size > block_limit(rules, key))


def _count(
    found: dict[EvidencePattern, tuple[int, int]], rules: Ruleset, a: Record, b: Record, generic: frozenset[str]
) -> None:
    verdict = verdict_on(a, b)
    if verdict == "none" or not a.live or not b.live:
        return
    shared = generic.intersection(a.keys, b.keys)
    score = score_pair(rules, *pair_values(rules, a.match, b.match, shared))
    if score is None:
        return
    pattern = pattern_of(evidence_of(rules, scored_edge((a.ref, b.ref), score)))
    links, separates = found.get(pattern, (0, 0))
    found[pattern] = (links + 1, separates) if verdict == "link" else (links, separates + 1)
