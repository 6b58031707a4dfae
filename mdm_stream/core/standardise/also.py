"""What a record is compared by: its values, and those of other attributes that the rules compare as well.

A maiden name is no second golden family name, and a generation is written in three places; both are evidence. An
attribute's ``also`` names what else of the record is compared as this attribute: another attribute, or a part of one.
Nothing but matching and blocking sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mdm_stream.core.model import MatchValues, Standardised
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise.record_plan import MULTI_VALUES_MAX
from mdm_stream.core.standardise.record_values import step_of_record
from mdm_stream.core.standardise.registry import split_text

_Compared = Mapping[int, tuple[tuple[int, str], ...]]
"""By attribute the (attribute, part) that it is compared with too; a part of ``""`` is the whole of it."""


def match_values(rules: Ruleset, source: str, values: Sequence[Standardised]) -> MatchValues:
    """Return what a record of a source is compared by, aligned with ``rules.attributes``.

    An attribute with several texts has them sorted, each once, ``MULTI_VALUES_MAX`` at most.
    """
    match = [value.match for value in values]
    for position, others in _compared(rules).items():
        if all(values[other].value is None for other, _ in others) and not isinstance(match[position], tuple):
            continue
        texts = set(_texts(values[position].match))
        for other, part in others:
            if part:
                texts.update(_part_texts(rules, source, values, position, other, part))
            else:
                texts.update(_texts(values[other].match))
        kept = sorted(texts)[:MULTI_VALUES_MAX]
        match[position] = tuple(kept) if len(kept) > 1 else kept[0] if kept else None
    return tuple(match)


def _texts(match: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (match,) if isinstance(match, str) else match or ()


def _part_texts(
    rules: Ruleset, source: str, values: Sequence[Standardised], position: int, other: int, part: str
) -> Iterator[str]:
    """Yield what the values of ``other`` give of a part, each standardised as the attribute at ``position``."""
    held = values[other]
    if held.value is None:
        return
    step, own = step_of_record(rules, source, values, other), step_of_record(rules, source, values, position)
    texts = (held.value,) if isinstance(held.value, str) else held.value
    for place, text in enumerate(texts):
        found = split_text(step.type_name, step.options, text).get(part) if place not in held.invalid else None
        if found:
            yield from _texts(own.standardise(found).match)


def _make_compared(rules: Ruleset) -> _Compared:
    compared = {}
    for position, attribute in enumerate(rules.attributes):
        named = (name.partition(".") for name in attribute.also)
        if others := tuple((rules.index_of(name), part) for name, _, part in named):
            compared[position] = others
    return compared


_compared = PerRuleset(_make_compared)
