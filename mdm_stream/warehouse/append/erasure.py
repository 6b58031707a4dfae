"""Erasure in ``golden_event``: every row that still holds a value of an erased record is rewritten.

The only statement of the append kind that changes rows, and it runs only where a batch erases, or names what is erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import orjson

from mdm_stream.contracts.golden import GoldenChange
from mdm_stream.errors import TransientError
from mdm_stream.warehouse.append.fold import HOLDING_VALUES
from mdm_stream.warehouse.paging import FIRST_PAGE_ROWS, next_page_rows
from mdm_stream.warehouse.redaction import ErasedRecords, RecordIdentity, redact_change
from mdm_stream.warehouse.remains import mentions
from mdm_stream.warehouse.rows import redacted_change_row, timestamp_text
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.statements import PROVENANCE_OF, RECORDS_WITH_VALUES

RECORD_IDS_PER_QUERY_MAX = 1_000
ROWS_PER_SWEEP_MAX = 2_000
SWEEPS_MAX = 5
"""As in ``mdm_stream.warehouse.erasure``."""

# A row is rewritten only if it is as it was read. The digest need not be strong: both contents are our own. It is part
# of the key, since repetitions of one message may have been redacted by different writers.
_DIGEST = "MD5(CAST(document AS $text))"

_REDACT = """
MERGE INTO golden_event AS t
USING (SELECT domain, epoch, sequence, held_digest, document, applied_at FROM staged_row) AS s
ON t.kind = 'change' AND t.domain = s.domain AND t.epoch = s.epoch AND t.sequence = s.sequence
    AND MD5(CAST(t.document AS $text)) = s.held_digest
WHEN MATCHED THEN UPDATE SET document = s.document, applied_at = s.applied_at
"""

# Of an erased record nothing is left of what was said of it but that it was said. Every repetition of a message is a
# row of its own, and one of them may have come before the erasure was known.
_REDACT_RECORDS = """
UPDATE golden_event SET document = $empty_object, applied_at = CAST(? AS $timestamp)
WHERE kind = 'record' AND CAST(document AS $text) <> '{}' AND (domain, source, record_id) IN (
    SELECT domain, source, record_id FROM golden_event WHERE kind = 'erasure'
)
"""

# Of the folded tables, dynamic tables alone have rows.
_PROVENANCE_OF = {
    "golden_event": "SELECT CAST(document['provenance'] AS $text) AS written FROM golden_event "
    "WHERE kind = 'change' AND domain = ?",
    **PROVENANCE_OF,
}

_RECORDS_OF = {
    "golden_event": "SELECT source, record_id FROM golden_event AS h JOIN staged_needle AS n "
    "ON CONTAINS(h.record_id, n.part) WHERE h.kind = 'record' AND h.domain = ? AND CAST(h.document AS $text) <> '{}'",
    **RECORDS_WITH_VALUES,
}

_SELECT_TABLES = """
SELECT LOWER(table_name) FROM information_schema.tables
WHERE table_schema = CURRENT_SCHEMA() AND table_type <> 'VIEW'
"""


def select_events_of(record_ids: int) -> str:
    """Return the statement for a page of the changes that name one of so many record ids, one of each content.

    Parameters: domain, domain, the record ids, the last (epoch, epoch, sequence, sequence, digest) of the page before,
    the page's size. Repetitions of a message may differ where one of them was redacted, hence the digest.
    """
    marks = ", ".join("?" * record_ids)
    return f"""
        SELECT epoch, sequence, {_DIGEST} AS digest, document FROM golden_event
        WHERE kind = 'change' AND domain = ? AND (epoch, sequence) IN (
            SELECT epoch, sequence FROM event_key WHERE domain = ? AND record_id IN ({marks})
        ) AND (epoch > ? OR (epoch = ? AND (sequence > ? OR (sequence = ? AND {_DIGEST} > ?))))
        QUALIFY ROW_NUMBER() OVER (PARTITION BY epoch, sequence, {_DIGEST} ORDER BY applied_at) = 1
        ORDER BY epoch, sequence, digest LIMIT ?
    """  # noqa: S608 - made of question marks


def rewrite_events(session: Session, erased: ErasedRecords, applied_at: datetime, *, lagging: bool) -> None:
    """Rewrite every row of ``golden_event`` that holds a value of ``erased``. Idempotent. Uses the staging table.

    A row is looked at again until nothing is left to do, so that of two writers who erase different records neither
    brings back what the other took out. ``lagging``: the folded tables are dynamic, and those with values are refreshed
    at once.
    """
    rewritten = 0
    for domain, keys in sorted(erased.items()):
        for record_ids in _slices(sorted({record_id for _, record_id in keys})):
            for _ in range(SWEEPS_MAX):
                found = _sweep(session, domain, record_ids, keys, applied_at)
                rewritten += found
                if not found:
                    break
            else:
                raise TransientError("rows of erased records keep changing under this writer; apply the batch again")
    if rewritten:
        session.clear_staging()
    if erased:
        sql = session.dialect.render(_REDACT_RECORDS)
        session.execute(sql, (timestamp_text(applied_at),), step="redact golden_event")
    if lagging:
        for table in HOLDING_VALUES:
            session.execute(f"ALTER DYNAMIC TABLE {table} REFRESH", step=f"refresh {table}")


def find_mentions(session: Session, domain: str, record: RecordIdentity) -> list[str]:
    """Return the tables with rows whose provenance names the record. Views hold no rows and are not among them."""
    tables = {name for (name,) in session.execute(_SELECT_TABLES, step="list the tables")}
    sought = {table: sql for table, sql in _PROVENANCE_OF.items() if table in tables}
    records = {table: sql for table, sql in _RECORDS_OF.items() if table in tables}
    return mentions(session, domain, record, sought, records)


def _sweep(
    session: Session, domain: str, record_ids: list[str], keys: set[RecordIdentity], applied_at: datetime
) -> int:
    """Rewrite what there is to rewrite, page by page; return how many rows, repetitions aside."""
    render, rewritten = session.dialect.render, 0
    sql, epoch, sequence, digest = render(select_events_of(len(record_ids))), 0, 0, ""
    rows_max = min(FIRST_PAGE_ROWS, ROWS_PER_SWEEP_MAX)
    while True:
        parameters = (domain, domain, *record_ids, epoch, epoch, sequence, sequence, digest, rows_max)
        rows = session.execute(sql, parameters, step="find rows of erased records")
        if not rows:
            return rewritten
        lines = []
        for _, _, held_digest, document in rows:
            redacted = redact_change(GoldenChange.model_validate(orjson.loads(document)), keys)
            if redacted is not None:
                lines.append(redacted_change_row(redacted, held_digest))
        if lines:
            session.stage(b"\n".join(lines) + b"\n", applied_at)
            session.execute(render(_REDACT), step="redact golden_event")
        rewritten += len(lines)
        epoch, sequence, digest = rows[-1][:3]
        rows_max = next_page_rows(len(rows), sum(len(row[3]) for row in rows), ROWS_PER_SWEEP_MAX)


def _slices(record_ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(record_ids), RECORD_IDS_PER_QUERY_MAX):
        yield record_ids[start : start + RECORD_IDS_PER_QUERY_MAX]
