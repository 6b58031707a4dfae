"""What is left of a person in the tables: by provenance, and by text. Both read every row and trust no other table.

What is looked for is staged and no parameter of a statement: Snowflake keeps those for days. The database says which
columns may hold it, and their values are compared here (see ``json_values``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain

from pydantic import TypeAdapter

from mdm_stream.contracts.golden import Provenance
from mdm_stream.core.model import STEWARD_SOURCE, make_ref
from mdm_stream.warehouse.json_values import ESCAPE, holds_one, plain_part
from mdm_stream.warehouse.paging import FIRST_PAGE_ROWS, next_page_rows
from mdm_stream.warehouse.redaction import RecordIdentity, named_records
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.statements import (
    PROVENANCE_OF,
    RECORDS_WITH_VALUES,
    SELECT_COLUMNS,
    SELECT_HISTORY_WITH,
    columns_of,
    select_candidates,
)

CANDIDATES_PER_PAGE_MAX = 5_000
"""Column values that are compared at a time, some megabytes, or fewer that are large (see ``paging``)."""

_PROVENANCE: TypeAdapter[dict[str, list[Provenance]] | None] = TypeAdapter(dict[str, list[Provenance]] | None)


def mentions(
    session: Session,
    domain: str,
    record: RecordIdentity,
    provenance_of: Mapping[str, str] = PROVENANCE_OF,
    records_of: Mapping[str, str] = RECORDS_WITH_VALUES,
) -> list[str]:
    """Return the tables with a row whose provenance names the record, or a steward's override for it, or of itself.

    ``provenance_of`` gives for each table the query of the provenance of a domain, as text; ``records_of`` that of the
    records whose own values it holds.
    """
    source, record_id = record
    named = [record_id] if source == STEWARD_SOURCE else [record_id, make_ref(source, record_id)]
    with _staged(session, named):
        found = [
            table
            for table, column in provenance_of.items()
            if any(_names(provenance, record) for provenance in _candidates(session, table, column, domain))
        ]
        return found + [
            table
            for table, sql in records_of.items()
            if record in session.execute(session.dialect.render(sql), (domain,), step=f"search {table}")
            and table not in found
        ]


def search(session: Session, needles: Sequence[str]) -> list[str]:
    """Return the tables with a row that holds one of the texts: in a column, or in a value or key of a JSON column."""
    wanted = sorted({needle for needle in needles if needle})
    if not wanted:
        return []
    columns: dict[str, list[str]] = {}
    for table, column in session.execute(SELECT_COLUMNS, step="list the tables"):
        columns.setdefault(table, []).append(column)
    with _staged(session, wanted):
        return [
            table.lower()
            for table, names in sorted(columns.items())
            if any(holds_one(written, wanted) for written in _candidates(session, table, columns_of(table, names)))
        ]


def history_with(session: Session, texts: Sequence[str], rows_max: int) -> Iterator[str]:
    """Yield the first ``rows_max`` payloads of the history that may hold a text, for each of the texts."""
    with _staged(session, texts) as parts:
        sql = session.dialect.render(SELECT_HISTORY_WITH)
        for number in range(len(parts)):
            for (payload,) in session.execute(sql, (number, rows_max), step="look into golden_history"):
                yield payload


@contextmanager
def _staged(session: Session, texts: Sequence[str]) -> Iterator[list[str]]:
    """Have the parts to look for in ``staged_needle``, and no trace of them afterwards."""
    parts = list(dict.fromkeys(chain(map(plain_part, texts), [ESCAPE])))
    try:
        session.stage_needles(parts)
        yield parts
    finally:
        session.clear_needles()


def _candidates(session: Session, table: str, source: str, *parameters: object) -> Iterator[str]:
    """Yield the different values that may hold what is staged, by their digests, which alone are parameters."""
    sql = session.dialect.render(select_candidates(source))
    rows_max, last = FIRST_PAGE_ROWS, ""
    while rows := session.execute(sql, (*parameters, last, rows_max), step=f"search {table.lower()}"):
        yield from (written for written, _ in rows)
        last = rows[-1][1]
        content_bytes = sum(len(written) for written, _ in rows)
        rows_max = next_page_rows(len(rows), content_bytes, CANDIDATES_PER_PAGE_MAX)


def _names(provenance: str | None, record: RecordIdentity) -> bool:
    if provenance is None:
        return False
    origins = (_PROVENANCE.validate_json(provenance) or {}).values()
    return any(record in named_records(origin) for several in origins for origin in several)
