"""The order of the review queue by what an answer teaches: which verdict says most about questions like it. Pure.

**Questions are alike** if the same rule and the same level of each comparison make them: training weights, or
another threshold, decides all of them at once. So an answer is worth more, the more open questions are like it, the
fewer like it were decided, and the nearer they are to the threshold for a link, where a small correction decides them.

What is not known of a pattern is the share of matches among its pairs. With a uniform prior, ``l`` LINK and ``s``
SEPARATE verdicts make it Beta(1 + l, 1 + s), whose variance one more verdict lowers on average by

    p (1 - p) / (n + 1)^2        with n = l + s + 2 and p = (1 + l) / n

(Gelman and others, *Bayesian Data Analysis*, section 2.4: the variance of a Beta is p (1 - p) / (n + 1), and the
expected one after a further observation is n / (n + 1) of it). An item **teaches** that, times the open questions of
its pattern, times 4 q (1 - q), where q is its confidence if the link threshold were at one half: 1 at the threshold,
and about half for each bit or two further away. The second item of a pattern counts as if the first had been answered
already, with the same p, and so on: the queue goes through patterns in turn, and asks of none all there is at once.

Contradictions come first and answered items last, as in :mod:`mdm_stream.core.cluster.review_order`; within a pattern
what is worth more pairs comes first, ties by the pair. The order is a function of queue, verdicts and rules.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mdm_stream.core.cluster.review_order import ReviewEntry

EvidencePattern = tuple[str, tuple[tuple[str, str], ...]]
"""What questions that are alike have in common: rule, and the level of each comparison."""

_BITS_MAX = 500.0
_KEPT_BEYOND = 100


@dataclass(frozen=True, slots=True)
class AlikeCounts:
    """Of the pattern of an item: open questions, LINK and SEPARATE verdicts; and what the item teaches."""

    open: int
    links: int
    separates: int
    teaches: float


def pattern_of(item: Mapping[str, Any]) -> EvidencePattern:
    """Return the pattern of a review item, or of other evidence in its form (``golden.evidence_of``)."""
    return item["rule"], tuple(sorted(item["evidence"].items()))


def first_teaching(
    entries: Iterable[ReviewEntry], limit: int, decided: Mapping[EvidencePattern, tuple[int, int]], link_bits: float
) -> list[tuple[ReviewEntry, AlikeCounts]]:
    """Return the first ``limit`` entries by what they teach, of any number; some of each pattern are in memory.

    ``decided`` has the numbers of LINK and of SEPARATE verdicts by pattern, ``link_bits`` the threshold for a link.
    """
    kept: dict[tuple[int, EvidencePattern], dict[tuple[str, str], ReviewEntry]] = {}
    counts: Counter[EvidencePattern] = Counter()
    for entry in entries:
        tier, pattern = entry.order[0], pattern_of(entry.item)
        own = kept.setdefault((tier, pattern), {})
        counts[pattern] += tier == 1 and entry.pair not in own
        own[entry.pair] = entry
        if len(own) >= 2 * limit + _KEPT_BEYOND:
            kept[tier, pattern] = {each.pair: each for each in _by_worth(own)[:limit]}
    ranked: list[tuple[tuple[int, float, float, tuple[str, str]], ReviewEntry, AlikeCounts]] = []
    for (tier, pattern), own in kept.items():
        links, separates = decided.get(pattern, (0, 0))
        for place, entry in enumerate(_by_worth(own)[:limit]):
            teaches = 0.0
            if tier == 1:
                near = nearness(entry.item["weight_bits"] - link_bits)
                teaches = counts[pattern] * near * lowered_variance(links, separates, place)
            alike = AlikeCounts(counts[pattern], links, separates, teaches)
            ranked.append(((tier, -teaches, -entry.expected_pairs, entry.pair), entry, alike))
    ranked.sort(key=lambda each: each[0])
    return [(entry, alike) for _, entry, alike in ranked[:limit]]


def lowered_variance(links: int, separates: int, further: int = 0) -> float:
    """Return by how much one more verdict lowers the variance of a share, after some and ``further`` ones like them."""
    known = links + separates + 2
    share = (1 + links) / known
    return share * (1.0 - share) / (known + further + 1) ** 2


def nearness(bits: float) -> float:
    """Return 4 q (1 - q) of a distance from the threshold in bits: 1 at it, symmetric, falling to 0."""
    odds = math.exp2(max(-_BITS_MAX, min(_BITS_MAX, bits)))
    return 4.0 * odds / (1.0 + odds) ** 2


def _by_worth(own: Mapping[tuple[str, str], ReviewEntry]) -> list[ReviewEntry]:
    return sorted(own.values(), key=lambda each: (-each.expected_pairs, each.pair))
