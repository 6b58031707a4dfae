"""From the records of a domain to what is learned from: counted level vectors of candidates and of random pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.blocking.generic_values import compared_values, generic_by_record
from mdm_stream.core.blocking.limits import block_limits
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.f_version import rules_part
from mdm_stream.core.match.level_vectors import Levels, level_vectors
from mdm_stream.core.model import MatchValues
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Comparison, Level, Ruleset
from mdm_stream.train.pairs import CANDIDATES_MAX, RANDOM_PAIRS_MAX, CandidatePairs, candidate_pairs, random_pairs
from mdm_stream.train.training_evidence import GradedComparison, KeptLevel, TrainingEvidence
from mdm_stream.train.vectors import level_counts

_SEED_DIGITS = 15
AGREEMENTS_MIN = 2
"""Of a pair with fewer, nothing is counted twice that a kept comparison could take back."""


@dataclass(frozen=True, slots=True)
class PairLimits:
    """How many pairs are learned from, at the most: it bounds time and memory."""

    candidates_max: int = CANDIDATES_MAX
    random_pairs_max: int = RANDOM_PAIRS_MAX


def gather(
    rules: Ruleset,
    records: Mapping[str, Record],
    limits: PairLimits | None = None,
    candidates: tuple[list[str], CandidatePairs] | None = None,
) -> TrainingEvidence:
    """Return the evidence in live records, by reference. Their order changes nothing.

    ``candidates`` are what ``candidates_of`` gives for these records, if that is known already. What too many records
    share says nothing between these, as when the rules are at work.
    """
    limits = limits or PairLimits()
    refs, pairs = candidates or candidates_of(rules, records, limits.candidates_max)
    seed = _seed(rules, refs)
    values = [records[ref].match for ref in refs]
    generic = generic_by_record(rules, {ref: records[ref].keys for ref in refs})
    by_place = [generic.get(ref, frozenset()) for ref in refs]
    comparisons = graded_comparisons(rules)
    compared = compared_values(rules, values, by_place, pairs.left, pairs.right)
    found = level_vectors(rules.match.comparisons, *compared)
    left, right = random_pairs(len(refs), seed=seed, pairs_max=limits.random_pairs_max)
    drawn = _random_levels(rules, comparisons, *compared_values(rules, values, by_place, left, right))
    return TrainingEvidence(
        comparisons=comparisons,
        candidates=level_counts(found, pairs.keys),
        random=level_counts(drawn),
        pairs_in_all=len(refs) * (len(refs) - 1) / 2,
        share=pairs.share,
        apart_keys=tuple(_apart(rules, places) for places in _attributes_of_keys(rules)),
    )


def _random_levels(
    rules: Ruleset,
    known: Sequence[GradedComparison],
    values: Sequence[MatchValues],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> Levels:
    """Return the levels of random pairs.

    A kept comparison takes back what several agreements say, so it is looked at where there are several, and at its
    last level elsewhere: most random pairs have none.
    """
    places = [[place for place, each in enumerate(known) if each.kept is kept] for kept in (False, True)]
    learned, kept = ([rules.match.comparisons[place] for place in each] for each in places)
    drawn = np.zeros((len(left), len(known)), np.int8)
    for place, each in enumerate(known):
        drawn[:, place] = len(each.written) - 1
    drawn[:, places[0]] = level_vectors(learned, values, left, right)
    agreeing = np.zeros(len(left), np.int64)
    for place in places[0]:
        agreeing += known[place].written[drawn[:, place]] > 0.0
    rows = np.flatnonzero(agreeing >= AGREEMENTS_MIN)
    found = level_vectors(kept, values, left[rows], right[rows])
    for column, place in enumerate(places[1]):
        drawn[rows, place] = found[:, column]
    return drawn


def candidates_of(
    rules: Ruleset, records: Mapping[str, Record], pairs_max: int = CANDIDATES_MAX
) -> tuple[list[str], CandidatePairs]:
    """Return the references of live records in order, and the candidate pairs among them, as places in that list."""
    refs = sorted(ref for ref, record in records.items() if record.live)
    pairs = candidate_pairs(
        [records[ref].keys for ref in refs],
        block_limits(rules),
        seed=_seed(rules, refs),
        pairs_max=pairs_max,
    )
    return refs, pairs


def _seed(rules: Ruleset, refs: Sequence[str]) -> int:
    return int(digest_of([rules_part(rules.digest), list(refs)])[:_SEED_DIGITS], 16)


def graded_comparisons(rules: Ruleset) -> tuple[GradedComparison, ...]:
    """Return what is known of each comparison before learning.

    A comparison without a positive level takes back what others counted twice, and keeps what its author wrote.
    """
    return tuple(
        GradedComparison(
            name=each.name,
            written=np.array([level.bits for level in each.levels], np.float64),
            missing=np.array([all(test.kind == "null" for test in level.when) for level in each.levels], np.bool_),
            kept=all(level.bits <= 0.0 for level in each.levels),
            apart=_apart(rules, _attributes_of(each)),
            about=tuple(_about(rules, each, level) for level in each.levels),
        )
        for each in rules.match.comparisons
    )


def _about(rules: Ruleset, comparison: Comparison, level: Level) -> KeptLevel:
    """Return which comparisons a level of another one is about: those with a positive level that read what it reads.

    Of a comparison with a positive level that is what a level reads of other attributes than the comparison's own.
    """
    own = frozenset(comparison.attributes)
    asked = frozenset(place for test in level.when for place in test.attributes)
    if any(each.bits > 0.0 for each in comparison.levels):
        asked -= own
    return KeptLevel(
        beside=_weighing(rules, comparison, asked),
        opposed=_weighing(rules, comparison, own),
        # A key that reads what tells the two apart finds those alone who agree on it, in part at least.
        found=any({part.attribute for part in each.parts} <= asked - own for each in rules.blocking),
    )


def _weighing(rules: Ruleset, comparison: Comparison, read: frozenset[int]) -> tuple[int, ...]:
    return tuple(
        place
        for place, other in enumerate(rules.match.comparisons)
        if other is not comparison
        and not read.isdisjoint(other.attributes)
        and any(each.bits > 0 for each in other.levels)
    )


def _attributes_of(comparison: Comparison) -> frozenset[int]:
    tests = (test for level in comparison.levels for test in level.when)
    return frozenset(comparison.attributes).union(*(test.attributes for test in tests))


def _attributes_of_keys(rules: Ruleset) -> Sequence[frozenset[int]]:
    """Return the attributes that each key expression reads, with those that fill them."""
    names = {attribute.name: place for place, attribute in enumerate(rules.attributes)}
    filling: dict[int, set[int]] = {}
    for place, attribute in enumerate(rules.attributes):
        for target in attribute.fills.values():
            filling.setdefault(names[target], set()).add(place)
    read = [{part.attribute for part in each.parts} for each in rules.blocking]
    return [frozenset(places.union(*(filling.get(place, set()) for place in places))) for places in read]


def _apart(rules: Ruleset, attributes: frozenset[int]) -> int:
    """Return the bits of the key expressions that read none of these attributes."""
    return sum(1 << key for key, read in enumerate(_attributes_of_keys(rules)) if not read & attributes)
