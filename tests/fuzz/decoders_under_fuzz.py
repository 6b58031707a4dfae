"""What is asked of the decoders for every input: events or reasons, never anything else."""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import replace

from rulesets import PERSONS

from mdm_stream.archive.rows import delivery_of, rows_of
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.faults import is_fault
from mdm_stream.decode import Decoder, Delivery, claimed_identity, unpack
from mdm_stream.decode.files.csv_lines import iter_lines
from mdm_stream.decode.files.csv_records import CsvRecords
from mdm_stream.decode.files.event_files import line_events
from mdm_stream.decode.files.file_faults import UnreadableFileError
from mdm_stream.decode.files.open_file import open_rows
from mdm_stream.decode.files.read_limits import ReadLimits
from mdm_stream.decode.files.written_rows import NORMAL_DIALECT
from mdm_stream.decode.formats import depends_on_receipt
from mdm_stream.errors import RejectedEventError

DECODER = Decoder(PERSONS)
PLACE = Delivery.from_kinesis(b"", "7", 1_800_000_000.0, "changes/s:7")
LIMITS = ReadLimits(line_bytes_max=100_000)
FILE_EVERY = 16
"""Each so many inputs are read as files, too: as CSV, NDJSON and whatever they look like, plain and compressed."""


class WrongAnswerError(AssertionError):
    """An input to which a decoder gave another answer than events or reasons."""


def check(raw: bytes, counts: Counter[str], *, as_file: bool = False) -> None:
    """Unpack and decode an input as the resolve consumer does; count what came of it.

    ``WrongAnswerError`` for a fault, and for an event that does not come out of the archive, or in canonical form, as
    it went in.
    """
    claimed_identity(raw)
    depends_on_receipt(raw)
    try:
        held = unpack(Delivery(raw, PLACE.position, PLACE.arrival_time_us, PLACE.origin))
    except RejectedEventError as error:
        _note(error, counts)
        return
    for delivery in held:
        try:
            events = DECODER.decode(delivery)
        except RejectedEventError as error:
            _note(error, counts)
            continue
        counts["accepted" if events else "nothing to do"] += 1
        if not events:
            continue
        for row in rows_of("person", events, delivery):
            if DECODER.decode(delivery_of(row)) != events:
                raise WrongAnswerError("an archived row says something else")
        for event in events:
            (again,) = DECODER.decode(replace(delivery, raw=encode_event(event)))
            if again.refs != event.refs or again.version != event.version:
                raise WrongAnswerError("in canonical form it is another event")
    if as_file:
        for _, found in line_events(raw.splitlines(keepends=True), "csv", "web", PERSONS):
            if isinstance(found, RejectedEventError):
                _note(found, counts)
        for content in (raw, gzip.compress(raw, 1)):
            for name in ("people.csv", "people.ndjson", "people"):
                _read_file(content, name, counts)


def _read_file(content: bytes, name: str, counts: Counter[str]) -> None:
    """Read an input as the gatekeeper reads a file: rows, each of which CSV takes apart again, or a reason."""
    try:
        rows = open_rows((content,), name, PERSONS, "web", LIMITS).rows
        for row in rows:
            if row.fault is not None:
                _note(row.fault, counts)
            elif rows.dialect == NORMAL_DIALECT and name != "people.csv":
                (record,) = CsvRecords(iter_lines((row.raw,), rows.dialect), rows.dialect, columns=len(rows.header))
                if isinstance(record.fields, RejectedEventError):
                    raise WrongAnswerError("a row that was written cannot be read")
    except UnreadableFileError as error:
        counts[f"file {error.reason.code}"] += 1


def _note(error: RejectedEventError, counts: Counter[str]) -> None:
    if is_fault(error):
        raise WrongAnswerError(error.reasons[0].message)
    counts[error.reasons[0].code] += 1
