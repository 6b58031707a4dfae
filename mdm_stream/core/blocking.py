"""Blocking: from a record's match values to the keys that make it a candidate of other records.

A key is ``tag:part|part|...``. Keys are printable, at most ``KEY_CHARACTERS_MAX`` long and few, whatever the values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

from mdm_stream.core.key_functions import KEY_FUNCTIONS, Texts
from mdm_stream.core.key_syntax import parse_key
from mdm_stream.core.model import MatchValues
from mdm_stream.core.ruleset import KeyExpression, KeyPart, Ruleset

__all__ = ["KEYS_PER_EXPRESSION_MAX", "KEY_CHARACTERS_MAX", "blocking_keys", "parse_key"]

KEYS_PER_EXPRESSION_MAX = 16
"""The most keys that one expression gives one record, and the most values of one part.

Where there are more, those with the smallest digests stay: two records with many values in common then keep mostly
the same ones, which a choice by alphabet would do only for words early in it.
"""

KEY_CHARACTERS_MAX = 64
"""The length of the longest key. A longer one keeps its beginning and ends in a digest of the whole."""

TEXTS_CACHED_MAX = 32_768
"""How many results of key functions are remembered, least recently used out first."""

_DIGEST_BYTES = 8
_KEPT_CHARACTERS = KEY_CHARACTERS_MAX - 2 * _DIGEST_BYTES - 1


def blocking_keys(rules: Ruleset, values: MatchValues) -> Texts:
    """Return a record's blocking keys, sorted and unique. An expression with a missing part gives none."""
    keys: set[str] = set()
    for expression in rules.blocking:
        keys.update(_keys_of(expression, values))
    return tuple(sorted(keys))


def _keys_of(expression: KeyExpression, values: MatchValues) -> Iterable[str]:
    columns: list[Texts] = []
    grouped = several = False
    for part in expression.parts:
        value = values[part.attribute]
        if not value:
            return ()
        texts = _texts(part.function, part.argument, (value,) if isinstance(value, str) else value)
        if not texts:
            return ()
        columns.append(texts)
        several = several or len(texts) > 1
        grouped = grouped or part.group > 0
    if not several and not grouped:
        return (_key(expression.tag, [texts[0] for texts in columns]),)
    combinations = _combinations(columns)
    if grouped:
        combinations = [_regrouped(expression.parts, combination) for combination in combinations]
    return _fewest({_key(expression.tag, combination) for combination in combinations})


@lru_cache(maxsize=TEXTS_CACHED_MAX)
def _texts(function: str, argument: int, values: Texts) -> Texts:
    """Return the texts that a part yields for an attribute's values: values repeat between records and expressions."""
    apply = KEY_FUNCTIONS[function].apply
    return tuple(_fewest({text: None for value in values if value for text in apply(value, argument)}))


def _combinations(columns: list[Texts]) -> list[Texts]:
    """Return one choice from each column in every way, cut back after each column so that the work is bounded.

    The cut does not look at the order within a combination: an ``unordered`` pair must survive it either way round.
    """
    chosen: list[Texts] = [()]
    for texts in columns:
        chosen = [(*before, text) for before in chosen for text in texts]
        if len(chosen) > KEYS_PER_EXPRESSION_MAX:
            chosen.sort(key=lambda combination: _digest("|".join(sorted(combination))))
            del chosen[KEYS_PER_EXPRESSION_MAX:]
    return chosen


def _regrouped(parts: tuple[KeyPart, ...], combination: Texts) -> Texts:
    """Return the texts with those of each ``unordered`` group sorted among their places."""
    regrouped = list(combination)
    for group in {part.group for part in parts} - {0}:
        places = [place for place, part in enumerate(parts) if part.group == group]
        for place, text in zip(places, sorted(combination[place] for place in places), strict=True):
            regrouped[place] = text
    return tuple(regrouped)


def _fewest(texts: Collection[str]) -> Collection[str]:
    if len(texts) <= KEYS_PER_EXPRESSION_MAX:
        return texts
    return sorted(texts, key=_digest)[:KEYS_PER_EXPRESSION_MAX]


def _key(tag: str, combination: Sequence[str]) -> str:
    key = f"{tag}:{'|'.join(combination)}"
    if len(key) <= KEY_CHARACTERS_MAX and key.isprintable():
        return key
    shown = "".join(character if character.isprintable() else "_" for character in key[:_KEPT_CHARACTERS])
    return f"{shown}~{_digest(key)}"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
