"""What the rules say of a shared value: the list that names it, or the line that would."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable
from typing import NamedTuple

from mdm_stream.core.model import MISSING
from mdm_stream.core.ruleset import KeyExpression, Ruleset
from mdm_stream.core.standardise.listed import LISTED_CHARS_MAX, without_listed
from mdm_stream.core.standardise.record_plan import RecordStep, record_plan
from mdm_stream.core.standardise.registry import TextStandardiser, text_standardiser


class Listable(NamedTuple):
    """What names a value in a list of placeholders: one of its ``values``, or of its ``patterns``."""

    attribute: str
    kind: str
    text: str


def listed_value(rules: Ruleset, position: int, value: str, match: str) -> Listable | None:
    """Return what names a value of an attribute; ``None`` if a list cannot."""
    step = record_plan(rules).by_name[position]
    for text in (value, match):
        if text.strip() and len(text) <= LISTED_CHARS_MAX and step.standardise(text).match == match:
            return Listable(rules.attributes[position].name, "values", text)
    return None


def listed_mailbox(rules: Ruleset, expression: KeyExpression, text: str) -> Listable | None:
    """Return what names the mailboxes that share a blocking key ``local(attribute)``; ``None`` of any other key.

    What gives other keys of one attribute is a value that is shared itself, or too much: a year, some digits. A key
    that was cut short ends in a digest.
    """
    part = expression.parts[0]
    if len(expression.parts) > 1 or part.function != "local" or re.search(r"~[0-9a-f]{16}$", text):
        return None
    pattern = re.sub(r"([^\w@ -])", r"\\\1", text) + "@.*"
    return Listable(rules.attributes[part.attribute].name, "patterns", pattern)


def placeholder_lines(rules: Ruleset, named: Iterable[Listable]) -> tuple[str, ...]:
    """Return the lines to add under ``placeholders:``, a list for each attribute, with names that are not taken."""
    lists: dict[str, dict[str, list[str]]] = {}
    for each in dict.fromkeys(named):
        lists.setdefault(each.attribute, {}).setdefault(each.kind, []).append(each.text)
    taken = {each.label for each in rules.placeholders}
    lines = []
    for attribute, kinds in lists.items():
        names = (f"shared_{attribute}{number or ''}" for number in range(len(taken) + 1))
        name = next(name for name in names if name not in taken)
        said = [f"attributes: {attribute}"]
        said += [f"{kind}: {json.dumps(texts, ensure_ascii=False)}" for kind, texts in sorted(kinds.items())]
        lines.append(f"{name}: {{{', '.join(said)}}}")
    return tuple(lines)


class PlaceholderNames:
    """Says what takes a delivered text for a placeholder."""

    def __init__(self) -> None:
        self._readers: dict[Hashable, tuple[tuple[str, TextStandardiser], ...]] = {}

    def set_aside_by(self, step: RecordStep, text: str) -> str:
        """Return ``list NAME`` or ``type NAME``, for a text that an attribute's step takes for absent."""
        plain = text_standardiser(step.type_name, step.options)
        if plain(text) is not MISSING:
            way = (step.type_name, step.options, step.listed)
            if way not in self._readers:
                self._readers[way] = tuple((each.label, without_listed(plain, (each,))) for each in step.listed)
            for label, read in self._readers[way]:
                if read(text) is MISSING:
                    return f"list {label}"
        return f"type {step.type_name}"
