"""What words weigh, from how frequent they are: tables of a learned model, put into the conditions that use them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from mdm_stream.core.match.words import WORD_UNITS
from mdm_stream.core.ruleset import Match, Predicate, WordWeights


def word_weights(values: Mapping[str, float], rest: float) -> WordWeights:
    """Return the weights of words by the share of records that have each: log2(1 / share), 1 unit at the least."""
    return WordWeights({word: _weight(share) for word, share in values.items()}, _weight(rest))


def _weight(share: float) -> int:
    return max(1, round(WORD_UNITS * -math.log2(share)))  # 1 / share may be infinite


def with_word_weights(match: Match, weights: Mapping[int, WordWeights]) -> Match:
    """Return the match section with the weights of the words of attributes, by position, in every condition."""
    if not weights:
        return match

    def weighed(when: tuple[Predicate, ...]) -> tuple[Predicate, ...]:
        return tuple(
            replace(each, word_weights=weights[each.attributes[0]])
            if each.kind == "shared_words" and each.attributes[0] in weights
            else each
            for each in when
        )

    return replace(
        match,
        deterministic=tuple(replace(rule, when=weighed(rule.when)) for rule in match.deterministic),
        comparisons=tuple(
            replace(each, levels=tuple(replace(level, when=weighed(level.when)) for level in each.levels))
            for each in match.comparisons
        ),
    )


def worded_attributes(match: Match) -> tuple[int, ...]:
    """Return the attributes of which any condition weighs words, in ascending order."""
    conditions = [rule.when for rule in match.deterministic]
    conditions += [level.when for each in match.comparisons for level in each.levels]
    return tuple(sorted({each.attributes[0] for when in conditions for each in when if each.kind == "shared_words"}))
