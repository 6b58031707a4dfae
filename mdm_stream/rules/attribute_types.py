"""What an attribute says of its type, held against what the standardisers know."""

from __future__ import annotations

from mdm_stream.core.standardise import TYPE_OPTIONS, TYPE_PARTS
from mdm_stream.rules.findings import Findings, nearest, one_of
from mdm_stream.rules.model import AttributeModel
from mdm_stream.rules.tree import Node


def check_type(attribute: AttributeModel, node: Node, findings: Findings) -> None:
    """Note what is wrong with the type, options and parts of an attribute, whose node is ``node``."""
    kind = attribute.type
    if kind not in TYPE_OPTIONS:
        place = node.at(("type",)).place
        findings.error(place, f"unknown type {kind!r}{nearest(kind, TYPE_OPTIONS)}; expected {one_of(TYPE_OPTIONS)}")
        return
    options = TYPE_OPTIONS[kind]
    for name, value in attribute.options.items():
        place = node.at(("options", name)).place
        if name not in options:
            expected = f"expected {one_of(options)}" if options else "it has none; remove it"
            findings.error(place, f"unknown option {name!r} of type {kind!r}{nearest(name, options)}; {expected}")
        elif expected_instead := options[name].problem_with(value):
            findings.error(place, f"option {name!r} of type {kind!r} is not usable; expected {expected_instead}")
    parts = TYPE_PARTS.get(kind, ())
    for part in attribute.fills:
        if part not in parts:
            place = node.at(("fills", part)).place
            expected = f"expected {one_of(parts)}" if parts else "it has none; remove 'fills'"
            findings.error(place, f"type {kind!r} yields no part {part!r}{nearest(part, parts)}; {expected}")
