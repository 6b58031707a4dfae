"""The placeholders of a rule set: the authored lists -> the compiled ones, each bound to attributes by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mdm_stream.core.ruleset import Attribute, PlaceholderList
from mdm_stream.core.standardise import TYPE_OPTIONS
from mdm_stream.core.standardise.listed import LISTED_CHARS_MAX
from mdm_stream.core.standardise.patterns import PatternError, compile_pattern
from mdm_stream.rules.conditions import unknown_attribute
from mdm_stream.rules.findings import Findings, nearest, one_of
from mdm_stream.rules.model import PlaceholdersModel
from mdm_stream.rules.tree import Node

PLACEHOLDER_VALUES_MAX = 10_000
"""Values that the lists of one rule set may hold: every process keeps them for each attribute that they are of."""

PLACEHOLDER_PATTERNS_MAX = 100
"""Patterns that the lists of one rule set may hold: each is tried on every new value of its attributes."""


def compile_placeholders(
    lists: Mapping[str, PlaceholdersModel], tree: Node, attributes: Sequence[Attribute], findings: Findings
) -> tuple[PlaceholderList, ...]:
    """Compile lists of placeholders of a whole rule set; those of a type that no attribute has are left out.

    So is an attribute that a rule set has taken away from the one whose list names it.
    """
    node = tree.at(("placeholders",))
    values = sum(len(each.values) for each in lists.values())
    if values > PLACEHOLDER_VALUES_MAX:
        advice = "write a pattern for what is alike"
        findings.error(node.place, f"{values:,} placeholders; expected at most {PLACEHOLDER_VALUES_MAX:,}; {advice}")
    patterns = sum(len(each.patterns) for each in lists.values())
    if patterns > PLACEHOLDER_PATTERNS_MAX:
        said = f"{patterns:,} patterns of placeholders; expected at most {PLACEHOLDER_PATTERNS_MAX:,}; join some with |"
        findings.error(node.place, said)
        return ()
    compiled = []
    for name, each in lists.items():
        own = node.at((name,))
        _check(name, each, own, findings)
        positions = _positions(each, own, tree.place.file, attributes, findings)
        if positions:
            compiled.append(
                PlaceholderList(positions, tuple(sorted(set(each.values))), tuple(sorted(set(each.patterns))), name)
            )
    return tuple(compiled)


def _check(name: str, each: PlaceholdersModel, node: Node, findings: Findings) -> None:
    if (each.attributes is None) == (each.type is None):
        said = f"placeholders {name!r} have neither 'attributes' nor 'type', or both; expected one of them"
        findings.error(node.place, f"{said}; say of which attributes the values are")
    if not each.values and not each.patterns:
        findings.error(node.place, f"placeholders {name!r} name nothing; expected 'values' or 'patterns'; add them")
    for number, value in enumerate(each.values):
        if not value.strip() or len(value) > LISTED_CHARS_MAX:
            place = node.at(("values", number)).place
            findings.error(place, f"this value is not usable; expected a text of 1 to {LISTED_CHARS_MAX} characters")
    for number, pattern in enumerate(each.patterns):
        place = node.at(("patterns", number)).place
        try:
            matches_empty = compile_pattern(pattern)("")
        except PatternError as error:
            findings.error(place, f"the pattern {error}")
            continue
        if matches_empty:
            findings.error(place, "the pattern matches an empty text, as .* does; expected one that says what it is of")


def _positions(
    each: PlaceholdersModel, node: Node, file: str, attributes: Sequence[Attribute], findings: Findings
) -> tuple[int, ...]:
    names = [attribute.name for attribute in attributes]
    for name in each.attributes or ():
        place = node.at(("attributes",)).place
        if name not in names and place.file == file:
            findings.error(place, unknown_attribute(name, dict.fromkeys(names, 0)))
    for kind in each.type or ():
        if kind not in TYPE_OPTIONS:
            said = f"unknown type {kind!r}{nearest(kind, TYPE_OPTIONS)}; expected {one_of(TYPE_OPTIONS)}"
            findings.error(node.at(("type",)).place, said)
    return tuple(
        position
        for position, attribute in enumerate(attributes)
        if attribute.name in (each.attributes or ()) or attribute.type in (each.type or ())
    )
