"""The bytes that each source puts on the wire for a change.

``crm`` speaks as Debezium does for PostgreSQL (payload without schema, snapshot rows as ``r``), ``erp`` as AWS DMS
does with transaction details (full-load rows as ``load``, without a position), ``web`` in canonical JSON. An
encoder is given the changes of its source in commit order and hands out the log positions that order them.
"""

from __future__ import annotations

from typing import Protocol

import orjson

from mdm_stream.core.times import format_time_us
from mdm_stream.simulate.life import RowChange
from mdm_stream.simulate.records import Row, SourceName

DOMAIN = "person"
CRM_TABLE = ("public", "customer")
ERP_TABLE = ("sales", "client")
_FIRST_LSN = 23_870_464
_BINLOG_FILE_BYTES = 64 * 1024 * 1024


class Encoder(Protocol):
    """Turns the changes of one source, in commit order, into wire bytes."""

    def encode(self, change: RowChange, *, snapshot: bool) -> bytes:
        """Return the event. ``snapshot``: the row is read by the initial load, not from the log."""


def encoders() -> dict[SourceName, Encoder]:
    """Return a fresh encoder for each source."""
    return {"crm": DebeziumEncoder(), "erp": DmsEncoder(), "web": CanonicalEncoder()}


class DebeziumEncoder:
    """Debezium envelopes of ``public.customer``, with the full before image (``REPLICA IDENTITY FULL``)."""

    def __init__(self) -> None:
        self._lsn = _FIRST_LSN
        self._committed_lsn = _FIRST_LSN
        self._transaction = 700

    def encode(self, change: RowChange, *, snapshot: bool) -> bytes:
        """Return the envelope; each change is a transaction of its own."""
        key: Row = {"id": int(change.record_id)}
        before = None if change.before is None else key | change.before
        after = None if change.op == "delete" else key | change.row
        if snapshot:
            op, lsn, sequence = "r", _FIRST_LSN, f'[null,"{_FIRST_LSN}"]'
        else:
            op = {"insert": "c", "update": "u", "delete": "d"}[change.op]
            self._lsn += 160 + 8 * (self._transaction % 23)
            lsn, sequence = self._lsn, f'["{self._committed_lsn}","{self._lsn}"]'
            self._committed_lsn = self._lsn + 48
            self._lsn += 56
        self._transaction += 1
        commit_ms = change.time_us // 1000
        return orjson.dumps(
            {
                "before": before,
                "after": after,
                "source": {
                    "version": "2.7.0.Final",
                    "connector": "postgresql",
                    "name": "crm",
                    "ts_ms": commit_ms,
                    "snapshot": "true" if snapshot else "false",
                    "db": "crm",
                    "sequence": sequence,
                    "schema": CRM_TABLE[0],
                    "table": CRM_TABLE[1],
                    "txId": self._transaction,
                    "lsn": lsn,
                    "xmin": None,
                },
                "op": op,
                "ts_ms": commit_ms + 40 + self._transaction % 211,
                "transaction": None,
            }
        )


class DmsEncoder:
    """DMS records of ``sales.client`` from a MySQL log, as a task with transaction details writes them."""

    def __init__(self) -> None:
        self._offset_bytes = 5120
        self._transaction = 88_100

    def encode(self, change: RowChange, *, snapshot: bool) -> bytes:
        """Return the record; the before image of an update holds the changed columns alone."""
        key: Row = {"client_no": change.record_id}
        operation = "load" if snapshot else change.op
        record: dict[str, object] = {"data": key | change.row}
        if operation == "update" and change.before is not None:
            record["before-image"] = {
                name: value for name, value in change.before.items() if change.row.get(name) != value
            }
        metadata: dict[str, object] = {
            "timestamp": format_time_us(change.time_us + 500_000),
            "record-type": "data",
            "operation": operation,
            "partition-key-type": "primary-key",
            "partition-key-value": ".".join((*ERP_TABLE, change.record_id)),
            "schema-name": ERP_TABLE[0],
            "table-name": ERP_TABLE[1],
        }
        if not snapshot:
            self._offset_bytes += 310 + 7 * (self._transaction % 61)
            self._transaction += 1
            file, offset_bytes = divmod(self._offset_bytes, _BINLOG_FILE_BYTES)
            metadata |= {
                "transaction-id": self._transaction,
                "transaction-record-id": 1,
                "prev-transaction-id": self._transaction - 1,
                "prev-transaction-record-id": 1,
                "commit-timestamp": format_time_us(change.time_us),
                "stream-position": f"binlog.{file + 42:06d}.{offset_bytes}.7",
            }
        record["metadata"] = metadata
        return orjson.dumps(record)

    @staticmethod
    def create_table(time_us: int) -> bytes:
        """Return the control record that precedes the rows of a table; it is not data."""
        return orjson.dumps(
            {
                "control": {"table-def": {"columns": {}, "primary-key": ["client_no"]}},
                "metadata": {
                    "timestamp": format_time_us(time_us),
                    "record-type": "control",
                    "operation": "create-table",
                    "partition-key-type": "task-id",
                    "partition-key-value": "population",
                    "schema-name": ERP_TABLE[0],
                    "table-name": ERP_TABLE[1],
                },
            }
        )


class CanonicalEncoder:
    """Canonical change events of the web API, whose version is the number of its change."""

    def __init__(self) -> None:
        self._version = 0

    def encode(self, change: RowChange, *, snapshot: bool) -> bytes:
        """Return the event; a patch carries what it changes and nothing else."""
        del snapshot  # an API has no initial load
        self._version += 1
        event: dict[str, object] = {
            "domain": DOMAIN,
            "source": change.source,
            "record_id": change.record_id,
            "op": change.op if change.op in {"patch", "delete"} else "upsert",
            "version": self._version,
            "event_time": format_time_us(change.time_us),
        }
        if change.op != "delete":
            event["attributes"] = change.row
        return orjson.dumps(event)
