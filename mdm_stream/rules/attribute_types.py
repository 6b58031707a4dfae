"""What an attribute says of its type, held against what the standardisers know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm_stream.core.standardise import COUNTRY_TYPES, TYPE_OPTIONS, TYPE_PARTS
from mdm_stream.rules.conditions import unknown_attribute
from mdm_stream.rules.findings import Findings, nearest, one_of
from mdm_stream.rules.model import AttributeModel
from mdm_stream.rules.tree import Node

_USUAL_COUNTRY = "country"
_NO_COUNTRY = "none"


def check_type(attribute: AttributeModel, node: Node, findings: Findings) -> None:
    """Note what is wrong with the type, options and parts of an attribute, whose node is ``node``."""
    kind = attribute.type
    if kind not in TYPE_OPTIONS:
        place = node.at(("type",)).place
        findings.error(place, f"unknown type {kind!r}{nearest(kind, TYPE_OPTIONS)}; expected {one_of(TYPE_OPTIONS)}")
        return
    check_options(kind, attribute.options, node.at(("options",)), findings)
    parts = TYPE_PARTS.get(kind, ())
    for part in attribute.fills:
        if part not in parts:
            place = node.at(("fills", part)).place
            expected = f"expected {one_of(parts)}" if parts else "it has none; remove 'fills'"
            findings.error(place, f"type {kind!r} yields no part {part!r}{nearest(part, parts)}; {expected}")


def check_also(name: str, attributes: Mapping[str, AttributeModel], node: Node, findings: Findings) -> None:
    """Note what is wrong with what an attribute names to be compared as itself; its node is ``node``."""
    for index, entry in enumerate(attributes[name].also):
        place = node.at(("also", index)).place
        other, _, part = entry.partition(".")
        if other not in attributes:
            findings.error(place, unknown_attribute(other, dict.fromkeys(attributes, 0)))
            continue
        parts = TYPE_PARTS.get(attributes[other].type, ())
        if "." in entry and part not in parts:
            expected = f"expected {one_of(parts)}" if parts else "it has none; name the attribute alone"
            findings.error(place, f"{other!r} has no part {part!r}{nearest(part, parts)}; {expected}")
        elif other == name and not part:
            findings.error(place, f"{name!r} is compared with itself; expected another attribute; correct it")


def check_options(kind: str, options: Mapping[str, Any], node: Node, findings: Findings) -> None:
    """Note what is wrong with options of a known type, whose node is ``node``."""
    known = TYPE_OPTIONS[kind]
    for name, value in options.items():
        place = node.at((name,)).place
        if name not in known:
            expected = f"expected {one_of(known)}"
            findings.error(place, f"unknown option {name!r} of type {kind!r}{nearest(name, known)}; {expected}")
        elif expected_instead := known[name].problem_with(value):
            findings.error(place, f"option {name!r} of type {kind!r} is not usable; expected {expected_instead}")


def country_of(name: str, attributes: Mapping[str, AttributeModel], node: Node, findings: Findings) -> str | None:
    """Return the attribute that says of which country the values of another one are, if there is one.

    Left out, it is the one that is named ``country``, if that holds one country.
    """
    attribute = attributes[name]
    reads = attribute.type in COUNTRY_TYPES
    if attribute.country is None:
        usual = attributes.get(_USUAL_COUNTRY)
        return _USUAL_COUNTRY if reads and usual is not None and usual.type == "country" else None
    place = node.at(("country",)).place
    if not reads:
        expected = f"expected it of {one_of(COUNTRY_TYPES)}"
        findings.error(place, f"'country' has no meaning for type {attribute.type!r}; {expected}; remove it")
        return None
    if attribute.country == _NO_COUNTRY and _NO_COUNTRY not in attributes:
        return None
    if attribute.country not in attributes:
        findings.error(place, unknown_attribute(attribute.country, dict.fromkeys(attributes, 0)))
    elif attributes[attribute.country].type != "country":
        findings.error(place, f"{attribute.country!r} is no country; expected an attribute of type country; correct it")
    else:
        return attribute.country
    return None
