"""From golden feed messages to the file of a batch, one row of ``golden_event`` a line: pure, no I/O.

The same messages with the same erased records give the same bytes, so the digest of the bytes names the batch: one that
is delivered twice has the same name, and whoever loads it twice has only loaded the same rows twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.golden import FeedEnvelope, GoldenChange, QuarantinedEvent
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.warehouse.redaction import ErasedRecords, contributors
from mdm_stream.warehouse.rows import STAGED_COLUMNS, ColumnType, message_row

EVENT_COLUMNS: tuple[tuple[str, ColumnType], ...] = (
    *(column for column in STAGED_COLUMNS if column[0] != "held_digest"),
    ("contributors", "json"),
)
"""The fields of a line, in order: those of a staged row that are no redaction's, and ``contributors``. ``document`` is
the data of the message. ``contributors`` are the records that a change's provenance names beside its members, as they
were before any redaction. ``batch_id`` and ``applied_at`` are the same for all rows of a batch and come from the
statement that loads it."""


@dataclass(frozen=True, slots=True)
class EventFile:
    """A batch that is ready to be loaded: its lines, the digest that names them, and whether it has positions."""

    ndjson: bytes
    batch_id: str
    sequenced: bool


def event_file(envelopes: Sequence[FeedEnvelope], erased: ErasedRecords) -> EventFile:
    """Return the file of ``envelopes``, in the order given, without the values of ``erased`` records.

    Its last line is the row of the batch itself: how many messages it has, and from which position of each domain to
    which. So the ledger of applied batches is written by the statement that loads the batch.
    """
    lines = [_line(envelope.data, erased) for envelope in envelopes]
    positions = _positions(envelopes)
    ledger = {"kind": "batch", "row_count": len(lines), "document": {"positions": positions}}
    ndjson = b"\n".join((*lines, orjson.dumps(ledger))) + b"\n"
    return EventFile(ndjson, digest_of_bytes(ndjson), bool(positions))


def _line(data: object, erased: ErasedRecords) -> bytes:
    row = message_row(data, erased)
    if not isinstance(data, GoldenChange):
        return row
    named = sorted(contributors(data))
    if not named:
        return row
    keys = orjson.dumps([{"source": source, "record_id": record_id} for source, record_id in named])
    return b"".join((row[:-1], b',"contributors":', keys, b"}"))


def _positions(envelopes: Sequence[FeedEnvelope]) -> dict[str, dict[str, list[int]]]:
    found: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {}
    for data in (envelope.data for envelope in envelopes):
        if isinstance(data, QuarantinedEvent | FileManifest):
            continue
        at = (data.epoch, data.sequence)
        first, last = found.get(data.domain, (at, at))
        found[data.domain] = (min(first, at), max(last, at))
    return {domain: {"first": list(first), "last": list(last)} for domain, (first, last) in sorted(found.items())}
