"""Erasure in the tables: which records are erased, and every row that still holds a value of one rewritten.

Two defences, because another writer may be at work on the same tables. What is known to be erased when a batch
arrives is taken out before the batch is staged. After the merges the tables are swept: whoever writes a value, then
looks for the erasure; whoever writes an erasure, then looks for values. One of the two sees the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from pydantic import TypeAdapter

from mdm_stream.contracts.evidence import RecordChanged
from mdm_stream.contracts.feed_model import GoldenValue
from mdm_stream.contracts.golden import FeedEnvelope, GoldenChange, Provenance, RecordErased
from mdm_stream.errors import TransientError
from mdm_stream.warehouse import statements
from mdm_stream.warehouse.paging import FIRST_PAGE_ROWS, next_page_rows
from mdm_stream.warehouse.redaction import ErasedRecords, RecordIdentity, contributors, redact, redact_change
from mdm_stream.warehouse.rows import redacted_change_row, redacted_record_row, timestamp_text
from mdm_stream.warehouse.session import Session

RECORD_IDS_PER_QUERY_MAX = 1_000
"""Of the records that one sweep is about. Some 30 ms of DuckDB; Snowflake binds many more."""

ROWS_PER_SWEEP_MAX = 2_000
"""Rows rewritten at a time, a few megabytes, or fewer that are large (see ``paging``): an erasure of many records needs
no more memory than that of one."""

SWEEPS_MAX = 5
"""One does the work and one finds nothing; more are needed only where another writer erases from the same rows."""

_VALUES: TypeAdapter[dict[str, GoldenValue]] = TypeAdapter(dict[str, GoldenValue])
_PROVENANCE: TypeAdapter[dict[str, list[Provenance]]] = TypeAdapter(dict[str, list[Provenance]])


def known_erased(session: Session, envelopes: Iterable[FeedEnvelope]) -> ErasedRecords:
    """Return the erased records among those that a batch names: by earlier erasures, and by the batch's own."""
    erased: ErasedRecords = {}
    changes: list[GoldenChange] = []
    records: list[RecordChanged] = []
    for envelope in envelopes:
        data = envelope.data
        if isinstance(data, RecordErased):
            erased.setdefault(data.domain, set()).add((data.source, data.record_id))
        elif isinstance(data, GoldenChange):
            changes.append(data)
        elif isinstance(data, RecordChanged):
            records.append(data)
    if changes or records:
        # An erasure that another writer adds after this is found by ``staged_erased``, which is asked after the merges.
        rows = session.execute(statements.SELECT_ERASED_DOMAINS, step="look for erased records")
        domains = {domain for (domain,) in rows}
        record_ids = {
            record_id
            for change in changes
            if change.domain in domains
            for record_id in (*(r for _, r in contributors(change)), *(key.record_id for key in change.members))
        } | {record.record_id for record in records if record.domain in domains}
        if record_ids:
            _add_known(session, sorted(record_ids), erased)
    return erased


def _add_known(session: Session, record_ids: list[str], erased: ErasedRecords) -> None:
    """Add the erased records that have one of these ids; one statement, however many they are."""
    try:
        session.stage_needles(record_ids)
        for domain, source, record_id in session.execute(
            statements.SELECT_ERASED_AMONG, step="look for erased records"
        ):
            erased.setdefault(domain, set()).add((source, record_id))
    finally:
        session.clear_needles()


def staged_erased(session: Session) -> ErasedRecords:
    """Return the erased records that the staged batch names, as the tables have it now."""
    erased: ErasedRecords = {}
    rows = session.execute(session.dialect.render(statements.SELECT_STAGED_ERASED), step="look for erased records")
    for domain, source, record_id in rows:
        erased.setdefault(domain, set()).add((source, record_id))
    return erased


def sweep(session: Session, erased: ErasedRecords, applied_at: datetime) -> None:
    """Rewrite every row of the tables that holds a value of ``erased``. Idempotent.

    Each table is judged by its own rows: after a crash one of them may have been rewritten and the other not. A row is
    rewritten only if it still is as it was read, and looked at again until nothing is left to do, so that of two
    writers who erase different records neither brings back what the other took out. Uses the staging table.
    """
    for domain, keys in sorted(erased.items()):
        for record_ids in _slices(sorted({record_id for _, record_id in keys}), RECORD_IDS_PER_QUERY_MAX):
            place = _Place(session, domain, record_ids, keys, applied_at)
            for _ in range(SWEEPS_MAX):
                rewritten = _sweep_golden_records(place) + _sweep_history(place)
                if not rewritten:
                    break
            else:
                raise TransientError("rows of erased records keep changing under this writer; apply the batch again")
    if erased:
        sql = session.dialect.render(statements.REDACT_EVIDENCE)
        session.execute(sql, (timestamp_text(applied_at),), step="redact evidence_history")


@dataclass(frozen=True, slots=True)
class _Place:
    """Which rows one sweep is about."""

    session: Session
    domain: str
    record_ids: list[str]
    keys: set[RecordIdentity]
    applied_at: datetime

    def page(self, sql: str, rows_max: int, *after: object) -> list[tuple[Any, ...]]:
        parameters = (self.domain, self.domain, *self.record_ids, *after, rows_max)
        return self.session.execute(self.session.dialect.render(sql), parameters, step="find rows of erased records")

    def rewrite(self, lines: list[bytes], sql: str, step: str) -> int:
        if lines:
            self.session.stage(b"\n".join(lines) + b"\n", self.applied_at)
            self.session.execute(self.session.dialect.render(sql), step=step)
        return len(lines)


def _sweep_golden_records(place: _Place) -> int:
    """Rewrite the rows of ``golden_record``; return how many were to be rewritten."""
    sql, last, rewritten = statements.select_golden_of(len(place.record_ids)), "", 0
    rows_max = min(FIRST_PAGE_ROWS, ROWS_PER_SWEEP_MAX)
    while rows := place.page(sql, rows_max, last):
        last, lines = rows[-1][0], []
        content_bytes = sum(len(values) + len(provenance) for *_, values, provenance, _ in rows)
        rows_max = next_page_rows(len(rows), content_bytes, ROWS_PER_SWEEP_MAX)
        for golden_id, epoch, sequence, values, provenance, held_digest in rows:
            redacted = redact(_VALUES.validate_json(values), _PROVENANCE.validate_json(provenance), place.keys)
            if redacted is not None:
                lines.append(redacted_record_row(place.domain, golden_id, epoch, sequence, *redacted, held_digest))
        rewritten += place.rewrite(lines, statements.REDACT_GOLDEN_RECORD, "redact golden_record")
    return rewritten


def _sweep_history(place: _Place) -> int:
    """Rewrite the rows of ``golden_history``; return how many were to be rewritten."""
    sql, epoch, sequence, rewritten = statements.select_history_of(len(place.record_ids)), 0, 0, 0
    rows_max = min(FIRST_PAGE_ROWS, ROWS_PER_SWEEP_MAX)
    while rows := place.page(sql, rows_max, epoch, epoch, sequence):
        (epoch, sequence), lines = rows[-1][:2], []
        rows_max = next_page_rows(len(rows), sum(len(payload) for _, _, payload, _ in rows), ROWS_PER_SWEEP_MAX)
        for _, _, payload, held_digest in rows:
            redacted = redact_change(GoldenChange.model_validate(orjson.loads(payload)), place.keys)
            if redacted is not None:
                lines.append(redacted_change_row(redacted, held_digest))
        rewritten += place.rewrite(lines, statements.REDACT_HISTORY, "redact golden_history")
    return rewritten


def _slices(record_ids: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(record_ids), size):
        yield record_ids[start : start + size]
