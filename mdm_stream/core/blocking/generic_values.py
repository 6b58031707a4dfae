"""Values that too many records share to be evidence: a switchboard's number, ``info@`` of a large company.

An attribute that is a blocking key by itself (``phone``, not ``phone + birth_date``) has its values counted already:
each is one key, and the key is suspended while more than ``max_block_size`` live records share it. Two records that
agree on such a value agree on nothing, so between these two it counts as missing. A key that others refine is of a
value that many are expected to share, and is left alone.

Only what both records of a pair share is looked at: its key is one of both, so a plan for either of them rests
on its block already, and a key that crosses its limit has all its members evaluated again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.blocking.keys import key_of
from mdm_stream.core.blocking.limits import block_limit, tag_of
from mdm_stream.core.model import MatchValues
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import Ruleset

RecordPlaces = NDArray[np.int64]
NamedRecord = TypeVar("NamedRecord", bound=Hashable)


def _make_attributes(rules: Ruleset) -> Mapping[str, int]:
    return {
        expression.tag: expression.parts[0].attribute
        for expression in rules.blocking
        if len(expression.parts) == 1 and expression.parts[0].function == "exact" and expression.refined_above is None
    }


value_attributes = PerRuleset(_make_attributes)
"""The attributes that are a key by themselves, by the tag of their expression."""


def value_keys(rules: Ruleset, keys: Iterable[str]) -> list[str]:
    """Return those of some keys that stand for one value of one attribute."""
    attributes = value_attributes(rules)
    return [key for key in keys if tag_of(key) in attributes]


def generic_by_record(rules: Ruleset, keys: Mapping[NamedRecord, Collection[str]]) -> dict[NamedRecord, frozenset[str]]:
    """Return the keys of one value that too many records share, of each record that has any.

    ``keys`` are those of all live records, by whatever names a record.
    """
    attributes = value_attributes(rules)
    sizes = Counter(key for own in keys.values() for key in own if tag_of(key) in attributes)
    generic = {key for key, size in sizes.items() if size > block_limit(rules, key)}
    if not generic:
        return {}
    found = {name: generic.intersection(own) for name, own in keys.items()}
    return {name: frozenset(own) for name, own in found.items() if own}


def pair_values(
    rules: Ruleset, a: MatchValues, b: MatchValues, generic: Collection[str]
) -> tuple[MatchValues, MatchValues]:
    """Return what is compared of two records; ``generic`` are their common keys of values that say nothing."""
    return without_values(rules, a, generic), without_values(rules, b, generic)


def without_values(rules: Ruleset, values: MatchValues, keys: Collection[str]) -> MatchValues:
    """Return a record's match values without those that some of its keys, each of one value, stand for."""
    if not keys:
        return values
    attributes = value_attributes(rules)
    left = list(values)
    for tag in {tag_of(key) for key in keys}:
        position = attributes[tag]
        value = left[position]
        if isinstance(value, tuple):
            left[position] = tuple(each for each in value if key_of(tag, (each,)) not in keys)
        elif value is not None and key_of(tag, (value,)) in keys:
            left[position] = None
    return tuple(left)


def compared_values(
    rules: Ruleset,
    match: Sequence[MatchValues],
    generic: Sequence[frozenset[str]],
    left: RecordPlaces,
    right: RecordPlaces,
) -> tuple[list[MatchValues], RecordPlaces, RecordPlaces]:
    """Return match values, and the places in them of the two sides of each pair, without what says nothing in it.

    ``match`` and ``generic`` (the keys of one value that too many records share) are of the records; ``left`` and
    ``right`` the places of each pair's two records. What is returned begins with ``match``.
    """
    values, sides = list(match), (left.copy(), right.copy())
    has_any = np.fromiter(map(bool, generic), np.bool_, len(generic))
    known: dict[tuple[int, frozenset[str]], int] = {}
    for position in np.nonzero(has_any[left] & has_any[right])[0].tolist():
        places = int(left[position]), int(right[position])
        shared = generic[places[0]] & generic[places[1]]
        for side, place in zip(sides, places, strict=True):
            if shared and known.setdefault((place, shared), len(values)) == len(values):
                values.append(without_values(rules, match[place], shared))
            side[position] = known[place, shared] if shared else place
    return values, *sides
