"""What a source's rules say about its files of rows: how CSV is written, times are, and deletions are told."""

from __future__ import annotations

from typing import TypedDict

from mdm_stream.core.ruleset import CsvForm, DeletionFlag
from mdm_stream.core.time_format import time_format
from mdm_stream.core.wire_formats import WIRE_FORMATS
from mdm_stream.rules.findings import Findings
from mdm_stream.rules.model import SourceModel
from mdm_stream.rules.tree import Node

_ABOUT_FILES = ("csv", "deletion", "version_format", "event_time_format")


class Files(TypedDict):
    """The fields of a compiled source that say how its files are read."""

    csv: CsvForm
    deletion: DeletionFlag | None
    version_format: str | None
    event_time_format: str | None


def compile_files(source: SourceModel, node: Node, findings: Findings) -> Files:
    """Return how the files of a source are read; what is wrong goes to ``findings``."""
    if WIRE_FORMATS[source.format].text_positions:
        for name in _ABOUT_FILES:
            if name in source.model_fields_set and getattr(source, name) is not None:
                advice = "remove it or correct the format"
                findings.error(node.at((name,)).place, f"'{name}' has no meaning with format {source.format}; {advice}")
    for column, name in (("version", "version_format"), ("event_time", "event_time_format")):
        _check_format(source, column, name, node, findings)
    if source.version_format is not None and source.version_kind not in (None, "time", "microseconds"):
        place = node.at(("version_format",)).place
        findings.error(place, f"'version_format' makes times, and versions are {source.version_kind}; remove one")
    deletion = source.deletion
    flag = None
    if deletion is not None:
        flag = DeletionFlag(deletion.column, tuple(sorted({value.strip().lower() for value in deletion.values})))
        if "" in flag.values:
            place = node.at(("deletion", "values")).place
            findings.error(place, "'values' has an empty one, and an empty cell is no value; remove it")
    return {
        "csv": CsvForm(source.csv.delimiter, source.csv.quote, source.csv.encoding),
        "deletion": flag,
        "version_format": source.version_format,
        "event_time_format": source.event_time_format,
    }


def _check_format(source: SourceModel, column: str, name: str, node: Node, findings: Findings) -> None:
    written: str | None = getattr(source, name)
    if written is None:
        return
    place = node.at((name,)).place
    if getattr(source, column) is None:
        findings.error(place, f"'{name}' is about a column that is not named; expected '{column}: ...'; add it")
    try:
        time_format(written)
    except ValueError as error:
        findings.error(place, f"'{name}' {error}; correct it")
