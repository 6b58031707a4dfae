"""What of a record is kept as delivered and counts for nothing, and why: invalid values and placeholders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mdm_stream.core.model import MISSING, InvalidReason, Standardised, Value
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise.record_plan import record_plan
from mdm_stream.core.standardise.record_values import texts_of
from mdm_stream.core.standardise.registry import is_lost, why_invalid
from mdm_stream.core.standardise.text import is_blank


def set_aside(
    rules: Ruleset, source: str, columns: Mapping[str, Value], values: Sequence[Standardised]
) -> Iterator[tuple[int, InvalidReason]]:
    """Yield ``(attribute, why)`` for each value of a record that counts for nothing; ``values`` are standardised.

    Several placeholders of one attribute count once, and none where the attribute has another value.
    """
    steps = record_plan(rules).steps_of(source)
    for position, found in enumerate(values):
        if found is MISSING or found.value is None:
            if columns.keys().isdisjoint(steps[position].columns):
                continue
            texts = delivered(rules, source, columns, position)
            if texts:
                yield position, why_absent(rules, source, position, texts)
        elif not found.valid or found.invalid:
            for reason in why_values_are_invalid(rules, source, position, found):
                yield position, reason


def why_absent(rules: Ruleset, source: str, position: int, texts: Iterable[str]) -> InvalidReason:
    """Return why an attribute has no value, though these texts were delivered."""
    type_name = record_plan(rules).steps_of(source)[position].type_name
    return "scientific_notation" if any(is_lost(type_name, text) for text in texts) else "placeholder"


def why_values_are_invalid(rules: Ruleset, source: str, position: int, found: Standardised) -> list[InvalidReason]:
    """Return why each of an attribute's invalid values is none, in their order."""
    step = record_plan(rules).steps_of(source)[position]
    texts = found.value if isinstance(found.value, tuple) else (found.value or "",)
    places = found.invalid or (() if found.valid else range(len(texts)))
    return [why_invalid(step.type_name, texts[place], step.options) for place in places]


def delivered(rules: Ruleset, source: str, columns: Mapping[str, Value], position: int) -> list[str]:
    """Return the texts that a record's columns hold for an attribute, blank ones left out, as they were delivered."""
    names = record_plan(rules).steps_of(source)[position].columns
    return [text for name in names for text in texts_of(columns.get(name)) if not is_blank(text)]
