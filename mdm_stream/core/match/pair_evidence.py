"""What there is to say of a pair, piece by piece and whatever is decided of it: what clusters are weighed by.

The scorers drop a pair as soon as it cannot be worth a review. Between two clusters such a pair counts too, since it
is one that speaks against them.
"""

from __future__ import annotations

from typing import NamedTuple

from mdm_stream.core.match.compare import all_texts_of, deciding_rule, level_of, similarity_of
from mdm_stream.core.match.decide import bits_of, rule_score
from mdm_stream.core.match.terms import term_bits, together_bits
from mdm_stream.core.memo import remembered
from mdm_stream.core.model import MatchValues
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import Comparison, Level, Match, Ruleset

PAIRS_REMEMBERED_MAX = 16_384
"""Pairs of values whose evidence a rule set remembers: the members of a component are weighed again with every change
of it, and most pairs of them are what they were. Some 2 KB each with the values that they keep: more than a cache of
records holds, and more than three components of a hundred records need."""


class PairEvidence(NamedTuple):
    """What is known of a pair of records, piece by piece, in the order in which a match weight adds them.

    ``ruled``: the bits of the deterministic rule that decides the pair, for or against; nothing else counts then, and
    the other two are empty. ``said`` has, for each comparison as the rules declare them, its bits (of a weighted mean:
    its similarity) and, where it has ``terms``, those of the value; then those of each dependence. ``known`` says of
    each piece whether it compared anything. A comparison did if both records have one at least of its attributes, and
    the level that applies does not merely ask what is missing; a dependence did if both of its comparisons did. (A
    comparison that takes back what others count twice may have bits for records that lack its attribute. They are right
    for the pair, but say nothing of other records of its cluster, which have it.)
    """

    ruled: float | None
    said: tuple[float, ...]
    known: tuple[bool, ...]


def pair_evidence(rules: Ruleset, a: MatchValues, b: MatchValues) -> PairEvidence:
    """Return what there is to say of a pair. Symmetric in the two records."""
    return _found(rules)(a, b)


class _EvidenceOf:
    """The evidence of pairs under one rule set; it remembers the latest, until ``forget_values``."""

    def __init__(self, rules: Ruleset) -> None:
        self._match = rules.match
        self._remembered = remembered(PAIRS_REMEMBERED_MAX)(self._of)

    def __call__(self, a: MatchValues, b: MatchValues) -> PairEvidence:
        return self._remembered(a, b)

    def _of(self, a: MatchValues, b: MatchValues) -> PairEvidence:
        match = self._match
        rule = deciding_rule(match, a, b)
        if rule is not None:
            score = rule_score(rule)
            return PairEvidence(bits_of(0.0) if score is None else score.weight, (), ())
        return _weighed(match, a, b) if match.method == "fellegi_sunter" else _measured(match, a, b)


_found = PerRuleset(_EvidenceOf)


def _weighed(match: Match, a: MatchValues, b: MatchValues) -> PairEvidence:
    places = [level_of(comparison, a, b) for comparison in match.comparisons]
    both = [bool(all_texts_of(x) and all_texts_of(y)) for x, y in zip(a, b, strict=True)]
    said: list[float] = []
    known: list[bool] = []
    compared: list[bool] = []
    for comparison, place in zip(match.comparisons, places, strict=True):
        level = comparison.levels[place]
        compared.append(any(both[each] for each in comparison.attributes) and not _asks_what_is_missing(level))
        said.append(level.bits)
        if _has_terms(comparison):
            said.append(0.0 if level.terms is None else term_bits(level.terms, a, b))
        known += [compared[-1]] * (len(said) - len(known))
    said += together_bits(match, places)
    known += [compared[each.first] and compared[each.second] for each in match.dependences]
    return PairEvidence(None, tuple(said), tuple(known))


def _measured(match: Match, a: MatchValues, b: MatchValues) -> PairEvidence:
    found = [similarity_of(each.similarity or "", each.attributes, a, b) for each in match.comparisons]
    return PairEvidence(None, tuple(each or 0.0 for each in found), tuple(each is not None for each in found))


def _has_terms(comparison: Comparison) -> bool:
    return any(level.terms is not None for level in comparison.levels)


def _asks_what_is_missing(level: Level) -> bool:
    return all(predicate.kind == "null" for predicate in level.when)
