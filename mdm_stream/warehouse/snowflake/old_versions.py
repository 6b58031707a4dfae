"""Until when Snowflake keeps the rows that an erasure has replaced: Time Travel, then Fail-safe for permanent tables.

Time Travel is not out of reach: ``SELECT ... FROM golden_history AT (OFFSET => -3600)`` reads a row as it was, with
SELECT on the table. So an erasure is complete when both times have passed, and what is told here is what the database
itself says of each table, not what this process was configured with.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from mdm_stream.core.model import split_ref
from mdm_stream.errors import TerminalError
from mdm_stream.warehouse.old_versions import OldVersions
from mdm_stream.warehouse.session import Session

FAIL_SAFE_DAYS = 7
"""Of permanent tables alone; it begins where Time Travel ends, and only Snowflake can read it."""

BATCH_MARGIN = timedelta(hours=1)
"""A row is replaced some time after its batch began, which is the time that the row has: a function runs 15 minutes."""

WITHOUT_VALUES = frozenset({
    "schema_version", "fold_version", "applied_option", "domain_reader", "erased_record", "contribution", "crosswalk",
    "file_loads", "quarantined_event",
})  # fmt: skip
"""Tables that hold keys, reasons and counts, and no value of a record. Any other is taken to have held one."""

SHOW_LEAST = "SHOW PARAMETERS LIKE 'MIN_DATA_RETENTION_TIME_IN_DAYS' IN ACCOUNT"
"""The account's minimum counts where it is greater than a table's own retention, which the table does not say of it."""

DAYS_MAX = 90
"""The longest Time Travel of a permanent table: it counts where the account's minimum cannot be read."""

TRANSIENT_DAYS_MAX = 1
"""The longest of a transient one, whatever the account's minimum is."""

SELECT_RETENTION = """
SELECT table_name, is_transient, retention_time
FROM information_schema.tables
WHERE table_schema = CURRENT_SCHEMA() AND table_type = 'BASE TABLE'
ORDER BY table_name
"""

# The last moment at which a row with values of the record was replaced: an erasure that was cut off, and completed by a
# later delivery, keeps its own applied_at, but the rows that it replaced then have that of the later batch.
SELECT_ERASED_AT = """
SELECT MAX(m.applied_at)
FROM (
    SELECT e.applied_at AS applied_at
    FROM erased_record AS e
    WHERE e.domain = ? AND e.source = ? AND e.record_id = ?
    UNION ALL
    SELECT h.applied_at AS applied_at
    FROM erased_record AS e
    JOIN contribution AS c ON c.domain = e.domain AND c.source = e.source AND c.record_id = e.record_id
    JOIN golden_history AS h ON h.domain = c.domain AND h.golden_id = c.golden_id
    WHERE e.domain = ? AND e.source = ? AND e.record_id = ?
    AND (h.epoch < e.epoch OR (h.epoch = e.epoch AND h.sequence <= e.sequence))
    UNION ALL
    SELECT h.applied_at AS applied_at
    FROM evidence_history AS h
    WHERE h.kind = 'record' AND h.domain = ? AND h.source = ? AND h.record_id = ? AND CAST(h.payload AS VARCHAR) = '{}'
) AS m
"""


def old_versions(session: Session, domain: str, refs: Collection[str], now: datetime) -> list[OldVersions]:
    """Return the tables with old rows of these records that are kept beyond ``now``; none if none was erased."""
    erased_at = max((at for ref in refs if (at := _erased_at(session, domain, ref)) is not None), default=None)
    if erased_at is None:
        return []
    least_days = _least_days(session)
    kept = []
    for table, is_transient, retention_days in session.execute(SELECT_RETENTION, step="read the tables' retention"):
        transient = str(is_transient).upper() in {"YES", "TRUE", "Y"}
        least = min(least_days, TRANSIENT_DAYS_MAX) if transient else least_days
        travel_days, fail_safe_days = max(int(retention_days or 0), least), 0 if transient else FAIL_SAFE_DAYS
        days = travel_days + fail_safe_days
        until = erased_at + BATCH_MARGIN + timedelta(days=days)
        if str(table).lower() not in WITHOUT_VALUES and days and until > now:
            by = f"Time Travel of {travel_days} days" + (", then Fail-safe" if fail_safe_days else "")
            kept.append(OldVersions(str(table).lower(), by, until))
    return kept


def _least_days(session: Session) -> int:
    """Return the account's minimum of Time Travel, the longest that there is where the role may not read it."""
    try:
        rows = session.execute(SHOW_LEAST, step="read the account's minimum retention")
    except TerminalError:
        return DAYS_MAX
    return max((int(row[1] or 0) for row in rows), default=0)


def _erased_at(session: Session, domain: str, ref: str) -> datetime | None:
    key = (domain, *split_ref(ref))
    rows = session.execute(SELECT_ERASED_AT, (*key, *key, *key), step="read when it was erased")
    moment: datetime | None = rows[0][0]
    return None if moment is None else moment.replace(tzinfo=UTC)
