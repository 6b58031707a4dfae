"""What is put on the change stream of a file's row: its event in canonical form, or all that says why it is none."""

from __future__ import annotations

from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import RecordEvent
from mdm_stream.dead_letters.quarantine import quarantine_id_of
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.files.csv_row_event import encode_csv_row
from mdm_stream.decode.files.csv_rows import CsvFile, CsvPart, CsvRow
from mdm_stream.errors import RejectedEventError
from producers.partition_key import partition_key

RowMessage = tuple[str, bytes, RecordEvent | None]
"""Partition key, bytes, and the event that they are if they are one."""


def row_message(
    file: CsvFile | CsvPart, row: CsvRow, name: str, source: str | None, loaded_at_us: int | None
) -> RowMessage:
    """Return what to send of a row; ``name`` is the file's, ``source`` what was named for rows without one."""
    event = row.outcome
    if not isinstance(event, RejectedEventError):
        return partition_key(event.domain, event.source, event.record_id), encode_event(event), event
    raw = encode_csv_row(file, row, name, source, loaded_at_us)
    key = quarantine_id_of(Delivery.unplaced(raw)) if row.record is None else partition_key(*row.record)
    return key, raw, None
