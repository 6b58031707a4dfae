"""Blocking: from a record's match values to the keys that make it a candidate of other records.

A key is ``tag:part|part|...``. Keys are printable, at most ``KEY_CHARACTERS_MAX`` long and few, whatever the values:
one expression gives a record at most ``max_keys`` of them. Where there are more, those with the smallest digests stay:
two records with many values in common then keep mostly the same ones, which a choice by alphabet would do only for
words early in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import NamedTuple, cast

from mdm_stream.core.blocking.functions import KEY_FUNCTIONS, SEVERAL, Texts
from mdm_stream.core.blocking.limits import expression_limit
from mdm_stream.core.blocking.syntax import parse_key
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.model import MatchValues
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import KeyExpression, KeyPart, Ruleset

__all__ = ["KEY_CHARACTERS_MAX", "blocking_keys", "candidates_max", "key_digest", "key_of", "parse_key"]

KEY_CHARACTERS_MAX = 64
"""The length of the longest key. A longer one keeps its beginning and ends in a digest of the whole."""

KEY_DIGEST_LENGTH = 6
"""Hex digits by which people tell a key from others."""

_DIGEST_BYTES = 8
_KEPT_CHARACTERS = KEY_CHARACTERS_MAX - 2 * _DIGEST_BYTES - 1


class _Expression(NamedTuple):
    """A key expression: its parts as positions among the distinct calls, and where its ``unordered`` groups stand.

    ``choose`` takes what is at these positions.
    """

    tag: str
    calls: tuple[int, ...]
    groups: tuple[slice, ...]
    choose: Callable[[Sequence[str | None]], Sequence[str | None]]


class _KeyPlan(NamedTuple):
    """The distinct calls of a rule set's expressions, as (function, argument, attribute), and the expressions."""

    calls: tuple[tuple[Callable[[str, int], Texts], int, int], ...]
    expressions: tuple[_Expression, ...]


def blocking_keys(rules: Ruleset, values: MatchValues) -> Texts:
    """Return a record's blocking keys, sorted and unique. An expression with a missing part gives none."""
    plan = _plan(rules)
    limit = rules.max_keys
    texts = [_texts(apply, argument, values[attribute], limit) for apply, argument, attribute in plan.calls]
    # Nearly every call yields one text or none, so nearly every expression one key or none.
    only = [found[0] if len(found) == 1 else None for found in texts]
    keys: set[str] = set()
    for tag, calls, groups, choose in plan.expressions:
        combination = choose(only)
        if None not in combination:
            chosen = cast("Sequence[str]", combination)
            keys.add(key_of(tag, _regrouped(groups, chosen) if groups else chosen))
        elif all(columns := [texts[call] for call in calls]):
            keys.update(
                _fewest({key_of(tag, _regrouped(groups, each)) for each in _combinations(columns, limit)}, limit)
            )
    return tuple(sorted(keys))


def candidates_max(rules: Ruleset) -> int:
    """Return how many candidates a record can have at the most, whatever it holds: other members of its open blocks.

    An expression gives one key where none of its parts can have several values.
    """
    return sum(
        (rules.max_keys if _may_be_several(rules, expression) else 1) * (expression_limit(rules, expression) - 1)
        for expression in rules.blocking
    )


def _may_be_several(rules: Ruleset, expression: KeyExpression) -> bool:
    attributes = (rules.attributes[part.attribute] for part in expression.parts)
    return any(each.multi or each.also for each in attributes) or any(
        part.function in SEVERAL for part in expression.parts
    )


def _make_plan(rules: Ruleset) -> _KeyPlan:
    """Number the distinct calls: expressions have most in common, so each is made once a record."""
    numbers: dict[tuple[str, int, int], int] = {}
    expressions = []
    for expression in rules.blocking:
        wanted = ((part.function, part.argument, part.attribute) for part in expression.parts)
        places = tuple(numbers.setdefault(call, len(numbers)) for call in wanted)
        expressions.append(_Expression(expression.tag, places, _groups(expression.parts), _chooser(places)))
    calls = tuple((KEY_FUNCTIONS[name].apply, argument, attribute) for name, argument, attribute in numbers)
    return _KeyPlan(calls, tuple(expressions))


def _chooser(places: tuple[int, ...]) -> Callable[[Sequence[str | None]], Sequence[str | None]]:
    """Return what takes the items at some places, of one place too as a sequence."""
    return itemgetter(slice(places[0], places[0] + 1)) if len(places) == 1 else itemgetter(*places)


def _groups(parts: tuple[KeyPart, ...]) -> tuple[slice, ...]:
    """Return where the parts of each ``unordered`` group stand, which is together."""
    places: dict[int, list[int]] = {}
    for place, part in enumerate(parts):
        if part.group:
            places.setdefault(part.group, []).append(place)
    return tuple(slice(found[0], found[-1] + 1) for found in places.values())


_plan = PerRuleset(_make_plan)


def _texts(apply: Callable[[str, int], Texts], argument: int, value: str | tuple[str, ...] | None, limit: int) -> Texts:
    """Return the texts that a call yields for an attribute's value or values."""
    if not value:
        return ()
    if isinstance(value, str):
        found = apply(value, argument)
        return found if len(found) <= 1 else tuple(_fewest(found, limit))
    if len(value) == 1 and value[0] and len(found := apply(value[0], argument)) <= 1:
        return found
    return tuple(_fewest({text: None for each in value if each for text in apply(each, argument)}, limit))


def _combinations(columns: list[Texts], limit: int) -> list[Texts]:
    """Return one choice from each column in every way, cut back after each column so that the work is bounded.

    The cut does not look at the order within a combination: an ``unordered`` pair must survive it either way round.
    """
    chosen: list[Texts] = [()]
    for texts in columns:
        chosen = [(*before, text) for before in chosen for text in texts]
        if len(chosen) > limit:
            chosen.sort(key=lambda combination: _digest("|".join(sorted(combination))))
            del chosen[limit:]
    return chosen


def _regrouped(groups: tuple[slice, ...], combination: Sequence[str]) -> list[str]:
    """Return the texts with those of each ``unordered`` group sorted."""
    regrouped = list(combination)
    for group in groups:
        regrouped[group] = sorted(regrouped[group])
    return regrouped


def _fewest(texts: Collection[str], limit: int) -> Collection[str]:
    if len(texts) <= limit:
        return texts
    return sorted(texts, key=_digest)[:limit]


def key_of(tag: str, combination: Sequence[str]) -> str:
    """Return the key of an expression, by its tag, from the texts that its parts yield."""
    key = f"{tag}:{'|'.join(combination)}"
    if len(key) <= KEY_CHARACTERS_MAX and key.isprintable():
        return key
    shown = "".join(character if character.isprintable() else "_" for character in key[:_KEPT_CHARACTERS])
    return f"{shown}~{_digest(key)}"


def key_digest(key: str) -> str:
    """Return a few digits that tell a key from others in a log, and no value from it.

    They are too few to guess by: hundreds of phone numbers have the same ones.
    """
    return _digest(key)[:KEY_DIGEST_LENGTH]


def _digest(text: str) -> str:
    return digest_of_bytes(text.encode("utf-8", "surrogatepass"), _DIGEST_BYTES)
