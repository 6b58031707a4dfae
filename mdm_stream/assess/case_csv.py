"""Cases in CSV, as a spreadsheet writes them: a row a record, in any order, the rows of one case under its name.

Columns of the format: ``case``; ``record`` (``source/id``, or an id alone); ``cluster``, a label: those with one label
are to be one golden record; ``golden.ATTRIBUTE``, what that golden record is to say (written in one row or several);
``rules``; ``event_time``. Every other column is one of the source, or an attribute. An empty cell says nothing;
``golden.ATTRIBUTE`` of ``null`` expects that there is no value, and several values are parted by ``|``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mdm_stream.assess.case_model import CASES_MAX, CaseRecord, Field, GoldenExpectation, NamedRecords, RuleCase
from mdm_stream.assess.case_yaml import CASE_FILE, EVENT_TIME, check_references
from mdm_stream.files import cell_text
from mdm_stream.rules.findings import Findings, Place, one_of
from mdm_stream.rules.tree import read_text

NEEDED = ("case", "record")
GOLDEN_PREFIX = "golden."
SEVERAL = "|"
NO_VALUE = "null"
_DELIMITERS = ",;\t"


@dataclass(slots=True)
class _Draft:
    place: Place
    rules_place: Place
    rules: str | None = None
    records: list[CaseRecord] = field(default_factory=list)
    clusters: dict[str, list[str]] = field(default_factory=dict)
    cluster_places: dict[str, Place] = field(default_factory=dict)
    golden: list[GoldenExpectation] = field(default_factory=list)


def read_csv_cases(path: Path, findings: Findings) -> list[RuleCase]:
    """Return the cases of a file in order. What is wrong goes to ``findings``; ``RulesError`` if unreadable."""
    drafts: dict[str, _Draft] = {}
    for place, row in _rows(path, findings):
        _add(drafts, place, row, findings)
    if not drafts and not findings.errors:
        findings.error(Place(str(path)), "there are no cases; expected a row for each record; add them")
    if len(drafts) > CASES_MAX:
        findings.error(Place(str(path)), f"{len(drafts):,} cases; expected at most {CASES_MAX:,} a file; split it")
        return []
    cases = []
    for name, draft in drafts.items():
        clusters = [NamedRecords(tuple(refs), draft.cluster_places[label]) for label, refs in draft.clusters.items()]
        case = RuleCase(
            name, draft.place, draft.rules, draft.rules_place, tuple(draft.records), tuple(clusters),
            golden=tuple(draft.golden),
        )  # fmt: skip
        check_references(case, findings)
        cases.append(case)
    return cases


def _rows(path: Path, findings: Findings) -> Iterator[tuple[Place, dict[str, str]]]:
    """Yield each row that has a value, by column, with the line in which it begins."""
    text = read_text(path, str(path), expected=CASE_FILE)
    heading = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            place, line = Place(str(path), line), reader.line_num + 1
            if header is None:
                header = [cell.strip() for cell in cells]
                _check_header(header, place, findings)
                if findings.errors:
                    return
            elif any(cells):
                if len(cells) > len(header):
                    told = f"{len(cells)} cells, but the header names {len(header)}"
                    findings.error(
                        place, f"{told}; expected as many; put quotes around a cell that holds {delimiter!r}"
                    )
                    continue
                filled = zip(header, map(cell_text, cells), strict=False)
                yield place, {name: cell.strip() for name, cell in filled if cell.strip()}
    except csv.Error as error:
        findings.error(Place(str(path), line), f"this is no well-formed CSV ({error}); check the quotes")


def _check_header(header: list[str], place: Place, findings: Findings) -> None:
    absent = [name for name in NEEDED if name not in header]
    if absent:
        expected = (
            "expected 'case', 'record', what is expected ('cluster', 'golden.ATTRIBUTE') and columns of the records"
        )
        findings.error(place, f"no column {one_of(absent).replace(' or ', ' and ')}; {expected}")
    for name in sorted({name for name in header if header.count(name) > 1}):
        findings.error(place, f"several columns are called {name!r}; expected each once; rename one")


def _add(drafts: dict[str, _Draft], place: Place, row: dict[str, str], findings: Findings) -> None:
    for needed in NEEDED:
        if needed not in row:
            findings.error(place, f"the row has no {needed!r}; expected one in every row; write it")
            return
    draft = drafts.setdefault(row["case"], _Draft(place, place))
    name = row["record"]
    if any(record.name == name for record in draft.records):
        findings.error(place, f"record {name!r} is in this case twice; expected a row each; remove one")
        return
    if (rules := row.get("rules")) is not None:
        if draft.rules not in (None, rules):
            findings.error(place, f"case {row['case']!r} has two rule sets; expected one; correct this row")
        draft.rules, draft.rules_place = rules, place
    if (label := row.get("cluster")) is not None:
        draft.clusters.setdefault(label, []).append(name)
        draft.cluster_places.setdefault(label, place)
    golden = {
        column.removeprefix(GOLDEN_PREFIX): () if cell == NO_VALUE else tuple(map(str.strip, cell.split(SEVERAL)))
        for column, cell in row.items()
        if column.startswith(GOLDEN_PREFIX)
    }
    if golden:
        draft.golden.append(GoldenExpectation(name, golden, place))
    own = {*NEEDED, "cluster", "rules", EVENT_TIME}
    fields = {
        column: Field(cell, place)
        for column, cell in row.items()
        if column not in own and not column.startswith(GOLDEN_PREFIX)
    }
    time = row.get(EVENT_TIME)
    draft.records.append(CaseRecord(name, place, fields, None if time is None else Field(time, place)))
