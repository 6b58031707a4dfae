"""How many live records may share a blocking key before it makes no candidates any more.

A key of an expression that others refine is *refined* above its own number, ``refined_above``; any other is *suspended*
above ``max_block_size``, or above a smaller number of its own where other keys of the rule set find such pairs anyway.
All are the same to the index: a key above its limit is closed, and makes no candidates. What refines an expression
begins with its parts, so the members of a refining key are among those of the refined one: as long as that is open they
add no pair, and once it is closed they are what is left of it. So every key is open or closed by the number of its own
members alone, and none has to know of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import KeyExpression, Ruleset


def expression_limit(rules: Ruleset, expression: KeyExpression) -> int:
    """Return the size of the largest block that makes candidates, for keys of an expression."""
    if expression.refined_above is None:
        return rules.max_block_size
    return min(expression.refined_above, rules.max_block_size)


def _make_limits(rules: Ruleset) -> Mapping[str, int]:
    return {expression.tag: expression_limit(rules, expression) for expression in rules.blocking}


block_limits = PerRuleset(_make_limits)
"""The limit of each expression's blocks, by its tag."""


def block_limit(rules: Ruleset, key: str) -> int:
    """Return the size of the largest block of a key that makes candidates."""
    return block_limits(rules).get(tag_of(key), rules.max_block_size)


def limits_of(rules: Ruleset, keys: Iterable[str]) -> dict[str, int]:
    """Return ``block_limit`` of each of many keys, by the key, in their order."""
    limits, largest = block_limits(rules), rules.max_block_size
    return {key: limits.get(key.partition(":")[0], largest) for key in keys}


def tag_of(key: str) -> str:
    """Return the tag of the expression that a key is of."""
    return key.partition(":")[0]
