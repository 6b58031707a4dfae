"""From the records of a case to the events that a stream would bring, read as any delivery is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mdm_stream.assess.case_model import CaseRecord, RuleCase
from mdm_stream.core.model import NO_PLACE, RecordEvent, Value
from mdm_stream.core.name_patterns import SOURCE_PATTERN
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.times import parse_time_us
from mdm_stream.decode.cdc.table_row import (
    as_declared,
    attributes_of,
    checked_record_id,
    checked_time_us,
    column_time_us,
)
from mdm_stream.decode.clock import check_floor
from mdm_stream.decode.sources import Route, SourceCatalogue
from mdm_stream.errors import RejectedEventError
from mdm_stream.rules.findings import Findings, nearest, one_of

_SOURCE_NAME = re.compile(SOURCE_PATTERN)
CASE_SOURCE = "case"
"""The source of records that name none, under rules that declare none."""

FIRST_TIME_US = parse_time_us("2026-01-01T00:00:00Z")
"""The time of a case's first record, if it names none; each one after it is a second newer."""


@dataclass(frozen=True, slots=True)
class CaseEvents:
    """The events of a case's records, the reference of each by the record's name, and why others are refused."""

    events: tuple[RecordEvent, ...]
    refs: Mapping[str, str]
    refused: Mapping[str, str]


def events_of(case: RuleCase, rules: Ruleset, findings: Findings) -> CaseEvents:
    """Return the records of a case as upserts, in order. Unknown sources and columns are errors in ``findings``."""
    catalogue = SourceCatalogue({rules.domain: rules})
    events: list[RecordEvent] = []
    refs: dict[str, str] = {}
    refused: dict[str, str] = {}
    for position, record in enumerate(case.records):
        source, record_id = _key(record, rules, findings)
        if source is None:
            continue
        route = catalogue.by_name(rules.domain, source)
        row = _row(record, route, findings)
        if row is None:
            continue
        try:
            event = _event(record, route, row, record_id, position)
        except RejectedEventError as error:
            refused[record.name] = "; ".join(f"{each.path}: {each.message}".lstrip(": ") for each in error.reasons)
            continue
        if event.ref in refs.values():
            findings.error(record.place, f"{record.name!r} is a record that the case has already; remove one")
        refs[record.name] = event.ref
        events.append(event)
    return CaseEvents(tuple(events), refs, refused)


def _key(record: CaseRecord, rules: Ruleset, findings: Findings) -> tuple[str | None, str]:
    """Return a record's source and id; no source if it is none of the rules' own."""
    before, slash, after = record.name.partition("/")
    declared = list(rules.sources)
    if slash:
        source, record_id = before, after
    elif len(declared) > 1:
        expected = f"expected SOURCE/{record.name} with {one_of(declared)}"
        findings.error(record.place, f"record {record.name!r} names no source; {expected}")
        return None, ""
    else:
        source, record_id = declared[0] if declared else CASE_SOURCE, before
    if declared and source not in declared:
        said = f"the rules have no source {source!r}{nearest(source, declared)}"
        findings.error(record.place, f"{said}; expected {one_of(declared)}; correct the record's name")
        return None, ""
    if _SOURCE_NAME.fullmatch(source) is None:
        findings.error(record.place, f"{source!r} is no source's name; expected letters, digits, '_', '.' and '-'")
        return None, ""
    return source, record_id


def _row(record: CaseRecord, route: Route, findings: Findings) -> dict[str, Value] | None:
    """Return the row of its source that a record is.

    A record names columns of its source; or, if it names no column that the source lacks, attributes, each of which
    goes into its first column. ``None`` after noting what is neither.
    """
    names = record.fields.keys()
    cells = {name: cell.value for name, cell in record.fields.items()}
    if names <= route.columns:
        return dict(as_declared(route, cells))
    columns = route.source.columns
    if columns and names <= columns.keys():
        return {columns[name][0]: value for name, value in cells.items()}
    known = sorted({*route.columns, *columns})
    kind = f"column of source {route.source.name!r}, and no attribute that it gives" if columns else "attribute"
    for name in sorted(names - route.columns - columns.keys()) or sorted(names - route.columns):
        said = f"{name!r} is no {kind}{nearest(name, known)}"
        findings.error(record.fields[name].place, f"{said}; expected {one_of(known)}; correct it")
    return None


def _event(record: CaseRecord, route: Route, row: Mapping[str, Value], record_id: str, position: int) -> RecordEvent:
    attributes = attributes_of(route, row, record.name)
    time_us = FIRST_TIME_US + position * 1_000_000
    if record.event_time is not None:
        time_us = checked_time_us(column_time_us(record.event_time.value, "event_time"), "event_time")
    check_floor(time_us, route.source)
    checked = checked_record_id(record_id, "record_id")
    return RecordEvent(
        route.domain, route.source.name, checked, "upsert", position + 1, time_us, attributes, place=NO_PLACE
    )
