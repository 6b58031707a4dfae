"""What the warehouse keeps of records and golden records: the change log, the current tables, reports and erasures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import orjson

from mdm_stream.core.model import make_ref, split_ref
from mdm_stream.decode import ClaimedIdentity
from mdm_stream.errors import Reason
from mdm_stream.trace.findings import CurrentRow, GoldenHistory, RefusedDelivery, ToldChange

CHANGES_MAX = 2_000
"""Changes of the golden ids of one trace that are read, the newest; a row may be a megabyte, so few at a time."""
ROWS_PER_PAGE = 100
IDS_PER_QUERY = 200
REPORTS_MAX = 100
NEAR_MAX = 50
"""How far from a change, in sequence numbers, others of its commit are looked for."""

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_HISTORY = """
SELECT epoch, sequence, golden_id, status, merged_into, payload, committed_at, applied_at
FROM {golden_history} WHERE domain = ? AND golden_id IN ({marks}) AND (epoch < ? OR (epoch = ? AND sequence < ?))
ORDER BY epoch DESC, sequence DESC LIMIT {rows}
"""
_CURRENT = """
SELECT golden_id, epoch, sequence, status, applied_at FROM {golden_record}
WHERE domain = ? AND golden_id IN ({marks})
"""
_GOLDEN_IDS = "SELECT DISTINCT golden_id FROM {contribution} WHERE domain = ? AND ({condition})"
_COMMIT = """
SELECT epoch, sequence, golden_id, status, merged_into, payload, committed_at, applied_at
FROM {golden_history} WHERE domain = ? AND epoch = ? AND sequence BETWEEN ? AND ? AND status <> 'erased'
ORDER BY sequence LIMIT {rows}
"""
_ERASED = """
SELECT epoch, sequence, golden_id, committed_at, applied_at FROM {erased_record}
WHERE domain = ? AND source = ? AND record_id = ? ORDER BY epoch DESC, sequence DESC LIMIT 1
"""
_REPORTS = """
SELECT quarantine_id, domain, source, record_id, reasons, location, quarantined_at FROM {quarantined_event}
WHERE {condition} ORDER BY quarantined_at DESC LIMIT {rows}
"""
_FOLDED = ("golden_history", "golden_record", "contribution", "erased_record", "quarantined_event")
_POSITION_MAX = 2**62


class QueriedTables(Protocol):
    """What runs one reading statement; a ``Warehouse`` does."""

    @property
    def appends(self) -> bool:
        """Whether the folded tables may lag, once a statement was run: then there are fresh ones beside them."""
        ...

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one reading statement with ``?`` parameters."""
        ...


class WarehouseTrace:
    """Reads what a warehouse has of one domain. Golden values are read, and left in what is returned."""

    def __init__(self, tables: QueriedTables, domain: str) -> None:
        """Take an open warehouse."""
        self._tables = tables
        self._domain = domain
        tables.query("SELECT 1")  # opens it, so that it is known of which kind its schema is
        prefix = "fresh_" if tables.appends else ""
        self._names = {name: f"{prefix}{name}" for name in _FOLDED}

    def golden_ids(self, refs: Iterable[str]) -> set[str]:
        """Return the golden records that any of some records was ever a member of."""
        wanted, found = sorted(set(refs)), set[str]()
        for start in range(0, len(wanted), IDS_PER_QUERY):
            keys = [split_ref(ref) for ref in wanted[start : start + IDS_PER_QUERY]]
            condition = " OR ".join(["(source = ? AND record_id = ?)"] * len(keys))
            parameters = [self._domain, *(part for key in keys for part in key)]
            found |= {str(row[0]) for row in self._query(_GOLDEN_IDS, parameters, condition=condition)}
        return found

    def of_commit(self, change: ToldChange) -> list[ToldChange]:
        """Return the changes that one commit has made, near this one of it."""
        span = (change.sequence - NEAR_MAX, change.sequence + NEAR_MAX)
        rows = self._query(_COMMIT, [self._domain, change.epoch, *span], rows=2 * NEAR_MAX + 1)
        return [told for row in rows if (told := _told(*row)).committed_us == change.committed_us]

    def history(self, golden_ids: Iterable[str]) -> GoldenHistory:
        """Return the newest ``CHANGES_MAX`` changes of some golden records, and their rows in the current tables."""
        changes: list[ToldChange] = []
        rows: list[CurrentRow] = []
        is_whole = True
        wanted = sorted(set(golden_ids))
        for start in range(0, len(wanted), IDS_PER_QUERY):
            ids = wanted[start : start + IDS_PER_QUERY]
            is_whole &= self._read_changes(ids, changes)
            found = self._query(_CURRENT, [self._domain, *ids], marks=_marks(ids))
            rows += [CurrentRow("golden_record", str(g), int(e), int(s), str(st), _us(at)) for g, e, s, st, at in found]
        return GoldenHistory(tuple(sorted(changes, key=lambda each: each.position)), tuple(rows), {}, is_whole)

    def _read_changes(self, ids: Sequence[str], changes: list[ToldChange]) -> bool:
        """Add the changes of some golden ids, the newest first; return whether these are all."""
        below = (_POSITION_MAX, _POSITION_MAX)
        while True:
            parameters = [self._domain, *ids, below[0], *below]
            page = self._query(_HISTORY, parameters, marks=_marks(ids), rows=ROWS_PER_PAGE)
            changes += [_told(*row) for row in page]
            if len(page) < ROWS_PER_PAGE:
                return True
            if len(changes) >= CHANGES_MAX:
                return False
            below = (int(page[-1][0]), int(page[-1][1]))

    def erasure(self, ref: str) -> ToldChange | None:
        """Return the newest erasure of a record that was applied."""
        for epoch, sequence, golden_id, committed_at, applied_at in self._query(
            _ERASED, [self._domain, *split_ref(ref)]
        ):
            committed_us, applied_us = _us(committed_at), _us(applied_at)
            return ToldChange(str(golden_id), int(epoch), int(sequence), "erased", committed_us, applied_us=applied_us)
        return None

    def reports(self, ref: str = "", letter_id: str = "") -> list[RefusedDelivery]:
        """Return what was reported of rejected events: of a record, or of one by its id."""
        if letter_id:
            condition, parameters = "quarantine_id = ?", [letter_id]
        else:
            condition, parameters = "source = ? AND record_id = ?", list(split_ref(ref))
        found = self._query(_REPORTS, parameters, condition=condition, rows=REPORTS_MAX)
        return [_report(*row) for row in found if row[1] in (None, self._domain)]

    def _query(self, sql: str, parameters: Sequence[object], **parts: object) -> list[tuple[Any, ...]]:
        return self._tables.query(sql.format(**self._names, **parts), parameters)


def _marks(ids: Collection[str]) -> str:
    return ", ".join("?" * len(ids))


def _us(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _UNIX_EPOCH) // timedelta(microseconds=1)


def _told(
    epoch: int, sequence: int, golden_id: str, status: str, merged_into: str | None, payload: str, *times: datetime
) -> ToldChange:
    return told_change(
        orjson.loads(payload),
        golden_id=str(golden_id),
        position=(int(epoch), int(sequence)),
        status=str(status),
        merged_into=str(merged_into or ""),
        committed_us=_us(times[0]),
        applied_us=_us(times[1]),
    )


def told_change(
    content: dict[str, Any],
    *,
    golden_id: str,
    position: tuple[int, int],
    status: str,
    merged_into: str,
    committed_us: int,
    applied_us: int | None,
) -> ToldChange:
    """Return a change whose content is the data of a message of the feed, or what an erasure has left of it."""
    written: dict[str, set[tuple[str, int | str]]] = {}
    for attribute, origins in (content.get("provenance") or {}).items():
        for origin in origins:
            ref = make_ref(str(origin.get("source")), str(origin.get("record_id")))
            written.setdefault(ref, set()).add((attribute, origin.get("version", "")))
    anchor = content.get("anchor")
    return ToldChange(
        golden_id=golden_id,
        epoch=position[0],
        sequence=position[1],
        status=status,
        committed_us=committed_us,
        members=_refs(content.get("members")),
        removed=_refs(content.get("removed")),
        written={ref: frozenset(found) for ref, found in written.items()},
        merged_into=merged_into,
        anchor=next(iter(_refs([anchor])), "") if anchor else "",
        applied_us=applied_us,
        values=content.get("values") or {},
    )


def _refs(keys: Iterable[dict[str, Any]] | None) -> frozenset[str]:
    return frozenset(make_ref(str(key["source"]), str(key["record_id"])) for key in keys or ())


def _report(
    quarantine_id: str, domain: str | None, source: str | None, record_id: str | None, reasons: str, location: str,
    quarantined_at: datetime,
) -> RefusedDelivery:  # fmt: skip
    told = tuple(Reason(str(r["code"]), str(r["path"]), str(r["message"])) for r in orjson.loads(reasons))
    claimed = ClaimedIdentity(domain, source, record_id)
    return RefusedDelivery(quarantine_id, "report", _us(quarantined_at), location, claimed, reasons=told)
