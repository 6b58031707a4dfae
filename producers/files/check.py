"""A chunk checked, and sent: which rows are accepted and what is put on the stream or in the quarantine of them."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from mdm_stream.core.model import make_ref
from mdm_stream.dead_letters.quarantine import QuarantineEntry
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.files.csv_row_event import encode_csv_row
from mdm_stream.decode.files.csv_rows import CsvRow
from mdm_stream.errors import Reason, RejectedEventError
from producers.files.chunks import Chunk, ChunkContent, ChunkFindings, RejectedRow
from producers.files.digests import digest_of_text, sorted_digests
from producers.files.profile import ChunkProfile
from producers.files.reading import LoadReader
from producers.files.row_messages import row_message


def check_chunk(reader: LoadReader, chunk: Chunk, content: ChunkContent) -> ChunkFindings:
    """Return what a chunk holds; ``accepted + rejected + skipped`` are all its rows. Nothing is sent.

    The records that rows name are kept for a full load alone.
    """
    rejected = [RejectedRow(each.row, each.line, each.reasons) for each in content.unreadable]
    unknown = len(rejected)
    accepted = 0
    is_full = reader.rules.load == "full"
    refs: set[bytes] = set()
    unique: dict[str, list[bytes]] = {column: [] for column in reader.rules.unique if column in reader.survey.header}
    profile = ChunkProfile(reader.ruleset, reader.route)
    for row in reader.rows(chunk, content):
        if is_full and row.record is not None:
            refs.add(digest_of_text(make_ref(*row.record[1:])))
        if isinstance(row.outcome, RejectedEventError):
            rejected.append(RejectedRow(row.number, row.line, row.outcome.reasons))
            unknown += row.record is None
            continue
        accepted += 1
        for column, digests in unique.items():
            value = (row.cells or {}).get(column)
            if value is not None:
                digests.append(digest_of_text(value))
        profile.add(row.number, row.outcome)
    return ChunkFindings(
        number=chunk.number,
        rows=chunk.rows,
        accepted=accepted,
        skipped=chunk.skipped,
        unknown_records=unknown,
        rejected=tuple(sorted(rejected, key=lambda each: each.row)),
        refs=sorted_digests(refs),
        unique={column: sorted_digests(digests, distinct=False) for column, digests in unique.items()},
        profile=profile.document(),
    )


def rows_to_send(reader: LoadReader, chunk: Chunk, content: ChunkContent) -> Iterator[tuple[str, bytes]]:
    """Yield partition key and bytes of each accepted row, in order: the same however often they are asked for."""
    for row in reader.rows(chunk, content):
        if not isinstance(row.outcome, RejectedEventError):
            key, data, _ = row_message(reader.part, row, reader.name, reader.source, reader.loaded_at_us)
            yield key, data


def rows_to_quarantine(
    reader: LoadReader, chunk: Chunk, content: ChunkContent, quarantined_at_us: int
) -> Iterator[tuple[int, QuarantineEntry]]:
    """Yield the number of each rejected row with what the quarantine keeps of it, in order.

    A row of CSV is kept as the event that ``publish`` sends of it, so both give one entry; a row that cannot be put in
    CSV as the bytes that were delivered.
    """
    for number, raw, reasons, record in merge(
        _of_unreadable(reader, content), _of_rejected(reader, chunk, content), key=lambda each: each[0]
    ):
        record_id = None if record is None else record[2]
        delivery = Delivery.unplaced(raw)
        yield number, QuarantineEntry(delivery, reasons, quarantined_at_us, reader.domain, reader.source, record_id)


_Rejected = tuple[int, bytes, tuple[Reason, ...], tuple[str, str, str] | None]


def _of_unreadable(reader: LoadReader, content: ChunkContent) -> Iterator[_Rejected]:
    for each in content.unreadable:
        raw = each.raw
        if reader.survey.format == "csv":
            row = CsvRow(each.raw, each.line, each.row, RejectedEventError(each.reasons), None)
            raw = encode_csv_row(reader.part, row, reader.name, reader.source, reader.loaded_at_us)
        yield each.row, raw, each.reasons, None


def _of_rejected(reader: LoadReader, chunk: Chunk, content: ChunkContent) -> Iterator[_Rejected]:
    for row in reader.rows(chunk, content):
        if isinstance(row.outcome, RejectedEventError):
            raw = encode_csv_row(reader.part, row, reader.name, reader.source, reader.loaded_at_us)
            yield row.number, raw, row.outcome.reasons, row.record
