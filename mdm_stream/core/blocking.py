"""Blocking: from a record's match values to the keys that make it a candidate of other records.

A key is ``tag:part|part|...``. Keys are printable, at most ``KEY_CHARACTERS_MAX`` long and few, whatever the values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
        if isinstance(value, str):
            # A whole text needs no function and no look-up, and is the most frequent part.
            texts = (value,) if part.function == "exact" else _texts(part.function, part.argument, (value,))
        else:
            texts = _texts(part.function, part.argument, value)
        if not texts:
            return ()
        columns.append(texts)
        if len(texts) > 1:
            several = True
        if part.group:
            grouped = True
    combinations = _combinations(columns) if several else [tuple([texts[0] for texts in columns])]
    if grouped:
        combinations = [_regrouped(expression.parts, combination) for combination in combinations]
    if not several:
        return (_key(expression.tag, combinations[0]),)
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
    """Return the texts with those of each ``unordered`` group, whose parts stand together, sorted."""
    regrouped: list[str] = []
    place = 0
    while place < len(parts):
        end = place + 1
        if parts[place].group:
            while end < len(parts) and parts[end].group == parts[place].group:
                end += 1
        regrouped += sorted(combination[place:end])
        place = end
    return tuple(regrouped)


def _fewest(texts: Collection[str]) -> Collection[str]:
    if len(texts) <= KEYS_PER_EXPRESSION_MAX:
        return texts
    return sorted(texts, key=_digest)[:KEYS_PER_EXPRESSION_MAX]


def _key(tag: str, combination: Texts) -> str:
    key = f"{tag}:{'|'.join(combination)}"
    if len(key) <= KEY_CHARACTERS_MAX and key.isprintable():
        return key
    shown = "".join(character if character.isprintable() else "_" for character in key[:_KEPT_CHARACTERS])
    return f"{shown}~{_digest(key)}"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
