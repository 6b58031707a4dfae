"""Which comparison's level makes the wrong pairs: counts of wrong, missed and right links at each level.

A *false link* is a pair that the rules link though its records are of two entities. A *missed link* is a candidate pair
of one entity whose records end in different golden records. A level *makes* a false link that would be none if the
comparison said nothing (0 bits, neither of its level nor by the value, nor together with another one), and *loses* a
missed link that would then be one. True pairs that share no blocking key are counted apart: no weight can find them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mdm_stream.assess.labelled import ScoredSet, SetOutcome
from mdm_stream.core.blocking.generic_values import pair_values
from mdm_stream.core.cluster.edges import VERDICT_RULE, Edge
from mdm_stream.core.match.decide import NO_SIMILARITY, SIMILARITY_STEPS, PairScore, confidence_of
from mdm_stream.core.match.score import explain_pair, score_pairs
from mdm_stream.core.match.terms import term_bits, together_bits
from mdm_stream.core.model import MatchValues, split_ref
from mdm_stream.core.ruleset import Comparison, Ruleset
from mdm_stream.evaluate import RecordRef

_TENTHS = 10

ComparedValues = tuple[MatchValues, MatchValues]


@dataclass(slots=True)
class LevelCounts:
    """What happened at one level of a comparison, or under a deterministic rule (``level`` is then its decision).

    ``bits`` is ``None`` where there are none: of rules, and of the similarities of a weighted mean.
    """

    comparison: str
    level: str
    bits: float | None
    false_links: int = 0
    made: int = 0
    missed_links: int = 0
    lost: int = 0
    right_links: int = 0


@dataclass(frozen=True, slots=True)
class WrongPairs:
    """The counts of all levels, in the order of the rules, and those of pairs.

    ``missed_pairs`` are the true pairs whose records end in different golden records; ``not_compared`` those of them
    that are no candidates, ``linked_apart`` those that are linked and yet apart, for a conflict or a limit refuses the
    join. The levels of the others are counted.
    """

    false_links: int
    right_links: int
    missed_pairs: int
    not_compared: int
    linked_apart: int
    levels: tuple[LevelCounts, ...] = field(default=())


def wrong_pairs(scored: ScoredSet, outcome: SetOutcome, entities: Mapping[RecordRef, str]) -> WrongPairs:
    """Return which levels the wrong pairs of a set are at, by the rules' own thresholds."""
    rules = scored.rules
    entity_of = {ref: entities.get(split_ref(ref)) for ref in scored.refs}
    counts = _Counts(rules)
    right = false = 0
    for edge in scored.edges:
        a, b = entity_of[edge.a], entity_of[edge.b]
        if a is None or b is None or edge.rule == VERDICT_RULE or not (edge.rule or edge.link):
            continue
        if a == b:
            right += 1
            counts.right_link(edge.rule, edge.levels)
        else:
            false += 1
            counts.false_link(edge.rule, edge.levels, edge.weight, _edge_values(scored, edge))
    missed, linked = _missed_candidates(scored, outcome, entity_of)
    for levels, weight, rule, values in _levels_of(scored, missed):
        counts.missed_link(rule, levels, weight, values)
    total = _true_pairs_apart(outcome, entity_of)
    return WrongPairs(false, right, total, total - len(missed) - linked, linked, tuple(counts.levels()))


def _edge_values(scored: ScoredSet, edge: Edge) -> ComparedValues:
    """Return the values of two records as they were compared: without those that too many others share."""
    shared = scored.generic.get(edge.a, frozenset()) & scored.generic.get(edge.b, frozenset())
    return pair_values(scored.rules, scored.records[edge.a].match, scored.records[edge.b].match, shared)


def _missed_candidates(
    scored: ScoredSet, outcome: SetOutcome, entity_of: Mapping[str, str | None]
) -> tuple[list[int], int]:
    """Return the positions of candidate pairs that should be together, are not, and are no links; and how many are."""
    known: dict[str | None, int] = {None: -1}
    entity = np.array([known.setdefault(entity_of[ref], len(known)) for ref in scored.refs], np.int64)
    cluster = np.unique(np.array([outcome.cluster_of[ref] for ref in scored.refs], object), return_inverse=True)[1]
    left, right = scored.left, scored.right
    wrong = (entity[left] == entity[right]) & (entity[left] >= 0) & (cluster[left] != cluster[right])
    linked = {edge.pair for edge in scored.edges if edge.link or edge.rule}
    missed, apart = [], 0
    for position in np.flatnonzero(wrong).tolist():
        if (scored.refs[left[position]], scored.refs[right[position]]) in linked:
            apart += 1
        else:
            missed.append(position)
    return missed, apart


def _levels_of(scored: ScoredSet, positions: list[int]) -> Iterable[tuple[str, float, str, ComparedValues]]:
    """Yield the levels, weight, rule and compared values of candidate pairs, however little confident."""
    rules = scored.rules
    every = replace(rules, match=replace(rules.match, review=0.0))
    matches = scored.values
    left, right = (side[positions] for side in scored.sides)
    found: dict[int, PairScore] = dict(score_pairs(every, matches, left, right))
    for place in range(len(positions)):
        score, values = found.get(place), (matches[left[place]], matches[right[place]])
        if score is not None:
            yield score.levels, score.weight, score.rule, values
            continue
        rule = explain_pair(rules, *values)["rule"]
        if rule is not None:
            yield "", 0.0, rule["name"], values


def _true_pairs_apart(outcome: SetOutcome, entity_of: Mapping[str, str | None]) -> int:
    """Return how many pairs of one entity are in different clusters."""
    whole: Counter[str] = Counter()
    inside: Counter[tuple[str, str]] = Counter()
    for ref, entity in entity_of.items():
        if entity is not None:
            whole[entity] += 1
            inside[entity, outcome.cluster_of[ref]] += 1
    return sum(n * (n - 1) // 2 for n in whole.values()) - sum(n * (n - 1) // 2 for n in inside.values())


class _Counts:
    """Counts by comparison and level."""

    def __init__(self, rules: Ruleset) -> None:
        self._match = rules.match
        self._of_rules = {
            rule.name: LevelCounts(f"rule {rule.name}", "link" if rule.link else "no link", None)
            for rule in rules.match.deterministic
        }
        self._of_levels = [_levels(comparison) for comparison in rules.match.comparisons]

    def levels(self) -> Iterable[LevelCounts]:
        """Yield all counts, rules first, then comparisons as declared."""
        yield from self._of_rules.values()
        for own in self._of_levels:
            yield from own

    def right_link(self, rule: str, levels: str) -> None:
        for each in self._at(rule, levels):
            each.right_links += 1

    def false_link(self, rule: str, levels: str, weight: float, values: ComparedValues) -> None:
        for each, said in self._said(rule, levels, values):
            each.false_links += 1
            each.made += bool(rule) or (each.bits is not None and not self._links(weight - said))

    def missed_link(self, rule: str, levels: str, weight: float, values: ComparedValues) -> None:
        for each, said in self._said(rule, levels, values):
            each.missed_links += 1
            each.lost += bool(rule) or (each.bits is not None and self._links(weight - said))

    def _said(self, rule: str, levels: str, values: ComparedValues) -> Iterable[tuple[LevelCounts, float]]:
        """Yield the counts at the levels of a pair, and the bits that each comparison adds, alone and with others."""
        at = self._at(rule, levels)
        if rule or self._match.method != "fellegi_sunter":
            yield from ((each, 0.0) for each in at)
            return
        places = [int(mark, 36) for mark in levels]
        together = together_bits(self._match, places)
        for number, (each, comparison) in enumerate(zip(at, self._match.comparisons, strict=True)):
            terms = comparison.levels[places[number]].terms
            yield (
                each,
                (
                    (each.bits or 0.0)
                    + (0.0 if terms is None else term_bits(terms, *values))
                    + sum(
                        bits
                        for table, bits in zip(self._match.dependences, together, strict=True)
                        if number in (table.first, table.second)
                    )
                ),
            )

    def _links(self, weight: float) -> bool:
        return confidence_of(weight) >= self._match.link

    def _at(self, rule: str, levels: str) -> list[LevelCounts]:
        if rule:
            return [self._of_rules[rule]]
        return [own[_place(mark, own)] for own, mark in zip(self._of_levels, levels, strict=True)]


def _levels(comparison: Comparison) -> list[LevelCounts]:
    if comparison.levels:
        return [LevelCounts(comparison.name, level.label, level.bits) for level in comparison.levels]
    tenths = [f"similarity from {tenth / _TENTHS:.1f}" for tenth in range(_TENTHS + 1)]
    return [LevelCounts(comparison.name, label, None) for label in (*tenths, "missing")]


def _place(mark: str, own: list[LevelCounts]) -> int:
    """Return the place of a level by its mark; of a weighted mean by the tenth of its similarity."""
    if mark == NO_SIMILARITY:
        return len(own) - 1
    value = int(mark, 36)
    return value if own[value if value < len(own) else 0].bits is not None else value * _TENTHS // SIMILARITY_STEPS
