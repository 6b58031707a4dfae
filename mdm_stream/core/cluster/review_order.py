"""The order of the review queue: first the item whose answer is worth most. Pure, and made from F's result alone.

**What an item is worth.** A steward who looks at an item finds out the truth about it. The worth of that is the
expected loss of the decision that stands without it (the expected value of perfect information: Howard, Information
Value Theory, 1966). The loss is counted in record pairs, as pairwise recall counts them. What stands is that the two
records are apart. That is wrong with the probability ``confidence``; and since being the same thing is transitive, what
is then missing are all pairs across the two clusters, and not this one alone. So an item is worth

    confidence x members of a's cluster x members of b's cluster

record pairs, which is what one LINK verdict puts right on average. It rests on two things: that confidence is
calibrated, and that each of the two clusters is one thing inside. Looking takes about as long for every item, so
nothing is divided by a cost. Several pairs in the middle band between the same two clusters are each worth all of it,
and go together once one is linked.

Links that were refused between two clusters are one item, valued likewise by the strongest of them: its confidence is
that of the evidence, which what stands against it has not lowered. So this is the most that its answer can be worth.

**Contradictions come first**, among themselves by the same value. There nothing is weighed: two decisions of stewards
cannot both be right, so one of them is surely wrong, and until it is withdrawn the system follows an arbitrary part of
them.

**Answered items come last**, among themselves by the same value: those of two clusters between which a SEPARATE verdict
stands. A steward has answered that question, and a conflict without a verdict is worth more. They stay in the queue,
since the evidence still contradicts the answer: the verdict may be wrong, or a member that links to both sides may be
in the wrong one. They are last whatever refused the strongest link. If the order looked at the reason instead, one
SEPARATE verdict between two clusters that ``max_cluster_size`` keeps apart would bring up the next pair of theirs as a
new question, and then the next.

Ties go by the pair. Nothing else counts, least of all when an item came up: the order is a function of F's result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CONTRADICTION = "contradiction"
REASONS = ("score", "separated", "exclusive", "max_cluster_size", "evidence", "ambiguous", CONTRADICTION)
"""Why an item can be in the queue: the pair's confidence is in the middle band, or what refused its link."""
_KEPT_AT_LEAST = 1_000
"""Entries kept before the first look at which are not needed: sorting seldom is cheaper than keeping a heap."""


@dataclass(frozen=True, slots=True)
class ReviewEntry:
    """One item of the review queue, as F writes it, with the two clusters that it stands between."""

    pair: tuple[str, str]
    item: Mapping[str, Any]
    golden_ids: tuple[str, str]
    sizes: tuple[int, int]

    @property
    def expected_pairs(self) -> float:
        """How many record pairs an answer puts right on average."""
        confidence: float = self.item["confidence"]
        return confidence * (self.sizes[0] * self.sizes[1])

    @property
    def order(self) -> tuple[int, float, tuple[str, str]]:
        """Sort key: contradictions first and answered items last, then what is worth more, then the smaller pair."""
        tier = 0 if self.item["reason"] == CONTRADICTION else (2 if self.item["answered"] else 1)
        return tier, -self.expected_pairs, self.pair


def ordered_review(
    crosswalk: Mapping[str, str], review: Mapping[tuple[str, str], Mapping[str, Any]]
) -> list[ReviewEntry]:
    """Return F's whole review queue in order. ``crosswalk`` and ``review`` are those of a ``Resolution``."""
    sizes: dict[str, int] = {}
    for golden_id in crosswalk.values():
        sizes[golden_id] = sizes.get(golden_id, 0) + 1
    entries = []
    for pair, item in review.items():
        a, b = (crosswalk[ref] for ref in pair)
        entries.append(ReviewEntry(pair, item, (a, b), (sizes[a], sizes[b])))
    return sorted(entries, key=lambda entry: entry.order)


def first_in_order(entries: Iterable[ReviewEntry], limit: int) -> list[ReviewEntry]:
    """Return the first ``limit`` entries in order, of any number, keeping few of them in memory.

    An entry that comes again counts once, as it came last.
    """
    kept: dict[tuple[str, str], ReviewEntry] = {}
    for entry in entries:
        kept[entry.pair] = entry
        if len(kept) >= 2 * limit + _KEPT_AT_LEAST:
            kept = {each.pair: each for each in sorted(kept.values(), key=lambda each: each.order)[:limit]}
    return sorted(kept.values(), key=lambda entry: entry.order)[:limit]
