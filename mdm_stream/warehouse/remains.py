"""What is left of somebody in the tables: by provenance, and by text. Both read every row and trust no other table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from pydantic import TypeAdapter

from mdm_stream.contracts.golden import Provenance
from mdm_stream.core.model import STEWARD_SOURCE, make_ref
from mdm_stream.warehouse.redaction import RecordIdentity, named_records
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.statements import SELECT_COLUMNS, SELECT_PROVENANCE, select_containing

_PROVENANCE: TypeAdapter[dict[str, list[Provenance]] | None] = TypeAdapter(dict[str, list[Provenance]] | None)


def mentions(
    session: Session, domain: str, record: RecordIdentity, selects: Mapping[str, str] = SELECT_PROVENANCE
) -> list[str]:
    """Return the tables with a row whose provenance names the record, or a steward's override for it.

    ``selects`` gives for each table the statement that reads its provenance; see ``SELECT_PROVENANCE``.
    """
    source, record_id = record
    named = [record_id] if source == STEWARD_SOURCE else [record_id, make_ref(source, record_id)]
    # An id that JSON would escape may be escaped in more than one way: then every row is looked at here.
    parts = [text if orjson.dumps(text) == f'"{text}"'.encode() else "" for text in named]
    found = []
    for table, sql in selects.items():
        rows = session.execute(session.dialect.render(sql), (domain, parts[0], parts[-1]), step=f"read {table}")
        if any(_names(provenance, record) for (provenance,) in rows):
            found.append(table)
    return found


def search(session: Session, needles: Sequence[str]) -> list[str]:
    """Return the tables with a row that holds one of the texts in any column, as it is or as JSON writes it."""
    forms = sorted({form for needle in needles if needle for form in (needle, orjson.dumps(needle).decode()[1:-1])})
    columns: dict[str, list[str]] = {}
    for table, column in session.execute(SELECT_COLUMNS, step="list the tables"):
        columns.setdefault(table, []).append(column)
    found = []
    for table, names in sorted(columns.items()):
        sql = session.dialect.render(select_containing(table, names))
        if any(session.execute(sql, [form] * len(names), step=f"search {table.lower()}") for form in forms):
            found.append(table.lower())
    return found


def _names(provenance: str | None, record: RecordIdentity) -> bool:
    if provenance is None:
        return False
    origins = (_PROVENANCE.validate_json(provenance) or {}).values()
    return any(record in named_records(origin) for several in origins for origin in several)
