"""Whether two clusters are one thing, by all that can be compared between them. Pure.

Each record of the one is compared with each of the other, whether or not the two share a blocking key: inside a
component links connect them, and the ends of a chain share no key by their nature. Then, comparison by comparison,

    evidence(X, Y) = log2(prior / (1 - prior)) + sum over comparisons of the mean bits of the pairs that it compared

is a weight like that of a pair, and a pair's own weight where both clusters are one record. What a learned model adds,
for how common a value is and for two comparisons that are not independent, is averaged in the same way, over the pairs
that know it. (It is average linkage, Sokal and Michener 1958, for each comparison by itself.)

A scored link joins two clusters unless this says NO_LINK: its confidence must reach the review threshold. It need not
reach the link threshold, since the link itself does. Then

* **a missing value is no evidence.** A record without a name brings nothing to the comparison of names, so mother and
  son are told apart by their own names, however well it fits either of them. If whole match weights were added, each
  record that has nothing but the home would count the home once more, until the names were outvoted; and a pair that
  has nothing to compare would speak against a join, by the prior.
* **the prior counts once.** It is about two things, and not about each pair of their records.
* **evidence does not grow with the clusters.** Twelve pairs that agree in the city say what one does.

**A record that fits several clusters goes to none.** What fits mother and son, who contradict each other, would go to
the one whose link happens to be the stronger, by a slip in a street. It stays only where its cluster's weight is above
that of each other that it fits by ``evidence_margin`` bits; else it stands alone, and its links are questions for
stewards.

Pairs that a deterministic rule decides are not weighed: each adds the bits of its rule, for or against.

``SPEAKERS_MAX`` bounds the work: of a larger cluster so many members are compared, those whose references have the
least hash. So a question costs at most its square in pairs, whatever the size of the clusters.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from heapq import nsmallest

from mdm_stream.core.cluster.clustering import JointWeight
from mdm_stream.core.match.decide import bits_of, mean_confidence
from mdm_stream.core.match.pair_evidence import PairEvidence, pair_evidence
from mdm_stream.core.model import MatchValues
from mdm_stream.core.reference_hash import reference_hash
from mdm_stream.core.ruleset import Match, Ruleset

SPEAKERS_MAX = 16
"""Members of a cluster that are compared with another cluster's."""


def joint_evidence(rules: Ruleset, match_of: Mapping[str, MatchValues]) -> JointWeight:
    """Return what weighs whether two clusters are one; ``match_of`` has the match values of all members."""

    def weight(left: Collection[str], right: Collection[str]) -> float:
        ours, theirs = _speakers(left), _speakers(right)
        return joint_weight(rules.match, [pair_evidence(rules, match_of[a], match_of[b]) for a in ours for b in theirs])

    return weight


def joint_weight(match: Match, pairs: Sequence[PairEvidence]) -> float:
    """Return the evidence, in bits, of all pairs between two clusters. The order of the pairs does not count.

    Sums are exact before they are rounded (``math.fsum``), so that none depends on it.
    """
    ruled = [pair.ruled for pair in pairs if pair.ruled is not None]
    weighed = [pair for pair in pairs if pair.ruled is None]
    if not weighed:
        return math.fsum(ruled)
    scored = _added(match, weighed) if match.method == "fellegi_sunter" else _averaged(match, weighed)
    return math.fsum([*ruled, scored])


def _added(match: Match, pairs: Sequence[PairEvidence]) -> float:
    weight = bits_of(match.prior)
    for place in range(len(pairs[0].said)):
        # Where nothing was compared, the level of what is missing says its bits, which are 0 but for odd rules.
        said = [pair.said[place] for pair in pairs if pair.known[place]] or [pair.said[place] for pair in pairs]
        weight += math.fsum(said) / len(said)
    return weight


def _averaged(match: Match, pairs: Sequence[PairEvidence]) -> float:
    total = present = 0.0
    for place, comparison in enumerate(match.comparisons):
        said = [pair.said[place] for pair in pairs if pair.known[place]]
        if said:
            total += comparison.weight * (math.fsum(said) / len(said))
            present += comparison.weight
    return bits_of(mean_confidence(total, present) or 0.0)


def _speakers(members: Collection[str]) -> Sequence[str]:
    if len(members) <= SPEAKERS_MAX:
        return tuple(members)
    return nsmallest(SPEAKERS_MAX, members, key=lambda ref: (reference_hash(ref), ref))
