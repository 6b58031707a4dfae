"""What each comparison says of a pair, whatever is decided of it: what clusters are weighed by.

The scorers drop a pair as soon as it cannot be worth a review. Between two clusters such a pair counts too, since it
is one that speaks against them.
"""

from __future__ import annotations

from typing import NamedTuple

from mdm_stream.core.match.compare import all_texts_of, deciding_rule, level_of, similarity_of
from mdm_stream.core.match.decide import bits_of
from mdm_stream.core.memo import remembered
from mdm_stream.core.model import MatchValues
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import Level, Match, Ruleset

PAIRS_REMEMBERED_MAX = 65_536
"""Pairs of values whose evidence a rule set remembers: the members of a component are weighed again with every change
of it, and most pairs of them are what they were. Some 500 bytes each, beside the values."""


class PairEvidence(NamedTuple):
    """What is known of a pair of records, comparison by comparison, in the order in which the rules declare them.

    ``ruled``: the bits of the deterministic rule that decides the pair, for or against; nothing else counts then, and
    the other two are empty. ``said`` are the bits of each comparison (of a weighted mean: its similarity), ``known``
    whether it compared anything: both records have one at least of its attributes, and the level that applies does not
    merely ask what is missing. (A comparison that takes back what others count twice may have bits for records that
    lack its attribute. They are right for the pair, but say nothing of other records of its cluster, which have it.)
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
            return PairEvidence(bits_of(rule.confidence if rule.link else 0.0), (), ())
        return _weighed(match, a, b) if match.method == "fellegi_sunter" else _measured(match, a, b)


_found = PerRuleset(_EvidenceOf)


def _weighed(match: Match, a: MatchValues, b: MatchValues) -> PairEvidence:
    levels = [comparison.levels[level_of(comparison, a, b)] for comparison in match.comparisons]
    both = [bool(all_texts_of(x) and all_texts_of(y)) for x, y in zip(a, b, strict=True)]
    return PairEvidence(
        None,
        tuple(level.bits for level in levels),
        tuple(
            any(both[attribute] for attribute in comparison.attributes) and not _asks_what_is_missing(level)
            for comparison, level in zip(match.comparisons, levels, strict=True)
        ),
    )


def _measured(match: Match, a: MatchValues, b: MatchValues) -> PairEvidence:
    found = [similarity_of(each.similarity or "", each.attributes, a, b) for each in match.comparisons]
    return PairEvidence(None, tuple(each or 0.0 for each in found), tuple(each is not None for each in found))


def _asks_what_is_missing(level: Level) -> bool:
    return all(predicate.kind == "null" for predicate in level.when)
