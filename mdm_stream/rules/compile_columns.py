"""What a source's rules say about columns whose format does not say what they hold, and about tables to ignore."""

from __future__ import annotations

import re

from mdm_stream.core.column_types import COLUMN_KINDS, DeclaredColumn
from mdm_stream.core.name_patterns import TABLE_PATTERN
from mdm_stream.core.wire_formats import WIRE_FORMATS, enumerated
from mdm_stream.rules.findings import Findings, nearest, one_of
from mdm_stream.rules.model import RulesetModel, SourceModel
from mdm_stream.rules.tree import Node

_WHOLE_SCHEMA = ".*"
_IN_HEX = "hex:"


def compile_columns(name: str, source: SourceModel, node: Node, findings: Findings) -> dict[str, DeclaredColumn]:
    """Return what the columns of a source hold, as far as its rules say it; what is wrong goes to ``findings``."""
    own = node.at(("columns",))
    mapped = {column for columns in source.attributes.values() for column in columns}
    used = [*dict.fromkeys((*sorted(mapped), *(source.key or ()), *([source.event_time] if source.event_time else ())))]
    types: dict[str, DeclaredColumn] = {}
    for column, declared in source.columns.items():
        place = own.at((column,)).place
        kind = COLUMN_KINDS[declared.as_]
        if column == source.version:
            advice = "say what it counts with 'version_kind', and remove this"
            findings.error(place, f"{column!r} orders the rows and is compared as it is delivered; {advice}")
        elif source.attributes and column not in used:
            expected = f"expected {one_of(used)}{nearest(column, used)}"
            findings.error(place, f"source {name!r} uses no column {column!r}; {expected}; map it or remove this")
        if kind.in_rows and not WIRE_FORMATS[source.format].needs_table:
            logs = enumerated([each.name for each in WIRE_FORMATS.values() if each.needs_table], "or")
            findings.error(place, f"'as: {kind.name}' has no meaning with format {source.format}; expected {logs}")
        if kind.scaled and declared.scale is None:
            findings.error(place, f"'as: {kind.name}' has no 'scale'; expected its digits after the point; add it")
        elif not kind.scaled and declared.scale is not None:
            scale = own.at((column, "scale")).place
            findings.error(scale, f"'scale' has no meaning with 'as: {kind.name}'; remove it")
        types[column] = DeclaredColumn(kind.name, declared.scale or 0)
    return types


def compile_unavailable(source: SourceModel, node: Node, findings: Findings) -> str | None:
    """Return the placeholder of values that were not logged, if a source declares one."""
    declared = source.unavailable_value
    if declared is None:
        return None
    place = node.at(("unavailable_value",)).place
    if source.format != "debezium":
        advice = "remove it or correct the format"
        findings.error(place, f"'unavailable_value' has no meaning with format {source.format}; {advice}")
    hexadecimal = declared.removeprefix(_IN_HEX)
    if hexadecimal != declared and not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", hexadecimal):
        findings.error(place, "'unavailable_value' is no bytes in hex; expected pairs of hex digits after 'hex:'")
    return declared


def check_ignored(model: RulesetModel, node: Node, findings: Findings) -> None:
    """Check that what a source ignores are tables, and none that feeds a source."""
    read = {(source.format, source.table): name for name, source in model.sources.items()}
    for name, source in model.sources.items():
        for number, table in enumerate(source.ignore or ()):
            place = node.at((name, "ignore", number)).place
            if not WIRE_FORMATS[source.format].needs_table:
                findings.error(place, f"'ignore' has no meaning with format {source.format}; remove it")
            elif "*" in (own := table.removesuffix(_WHOLE_SCHEMA)) or not re.fullmatch(TABLE_PATTERN, own):
                expected = "expected schema.table, table, or schema.* for all of a schema"
                findings.error(place, f"{table!r} is not a table; {expected}; correct it")
            elif (source.format, table) in read:
                feeds = read[source.format, table]
                findings.error(place, f"{table!r} feeds source {feeds!r} and is to be ignored; drop one of the two")
