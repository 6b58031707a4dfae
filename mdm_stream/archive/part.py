"""A part: many segments as one Parquet file, columns typed, sorted by first reference and position.

The file's metadata holds the format (``mdm_stream.archive_format``; absent: 1).

pyarrow is imported when a part is written or read, and not before: a consumer that only appends does without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from mdm_stream.archive.record import (
    ArchivedRecord,
    DamagedObjectError,
    RecordKind,
    require_known_format,
)
from mdm_stream.errors import ConfigurationError

ROWS_PER_GROUP = 10_000
"""Rows that are compressed, and may be read, together."""
_ROWS_PER_READ = 1_000
"""Rows that are turned into Python objects at a time."""
_FORMAT_KEY = b"mdm_stream.archive_format"


def compacted(records: Iterable[ArchivedRecord]) -> list[ArchivedRecord]:
    """Return the records in a part's order, each once.

    Two are the same if they name the same records at the same position and time with the same bytes: a redelivery.
    """
    kept: list[ArchivedRecord] = []
    last = None
    for record in sorted(records, key=_order):
        this = (record.refs, record.position, record.arrival_time_us, record.raw, record.kind)
        if this != last:
            kept.append(record)
        last = this
    return kept


def encode_part(records: Sequence[ArchivedRecord]) -> bytes:
    """Return the content of a part with the records in the order given."""
    pa, pq = _pyarrow()
    format_ = max((record.format for record in records), default=1)
    said_by = ["redriven_on", "key_id"] if format_ > 1 else []
    schema = pa.schema([
        pa.field("domain", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("refs", pa.list_(pa.field("element", pa.string(), nullable=False)), nullable=False),
        pa.field("position", pa.string(), nullable=False),
        pa.field("arrival_time_us", pa.int64(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("raw", pa.binary(), nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in said_by),
    ], metadata={_FORMAT_KEY: str(format_).encode()})  # fmt: skip
    columns = [[getattr(record, name) for record in records] for name in schema.names]
    table = pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )
    sink = pa.BufferOutputStream()
    # Statistics would repeat values outside the columns; nobody filters by them.
    pq.write_table(
        table,
        sink,
        compression="zstd",
        row_group_size=ROWS_PER_GROUP,
        write_statistics=False,
        write_page_checksum=True,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def decode_part(name: str, content: bytes) -> Iterator[ArchivedRecord]:
    """Yield the records of a part in its order; ``DamagedObjectError`` where it is none.

    ``UnknownFormatError`` if a newer release wrote it in another form.
    """
    for row in _rows(name, content, None):
        try:
            yield ArchivedRecord(**{**row, "refs": tuple(row["refs"])})
        except (TypeError, ValueError):
            raise DamagedObjectError(name, "a row is no archived record") from None


def decode_part_refs(name: str, content: bytes) -> Iterator[tuple[RecordKind, tuple[str, ...]]]:
    """Yield kind and references of each record of a part, without reading the rest."""
    for row in _rows(name, content, ["kind", "refs"]):
        yield row["kind"], tuple(row["refs"])


def _rows(name: str, content: bytes, columns: list[str] | None) -> Iterator[dict[str, Any]]:
    pa, pq = _pyarrow()
    try:
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        require_known_format(name, _format_of(file.schema_arrow.metadata))
        for batch in file.iter_batches(batch_size=_ROWS_PER_READ, columns=columns):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError):
        raise DamagedObjectError(name, "it is no Parquet file, or not whole") from None


def _format_of(metadata: dict[bytes, bytes] | None) -> int:
    """Return the format that a part claims; 0, which nobody writes, where it is no number."""
    claimed = (metadata or {}).get(_FORMAT_KEY, b"1")
    return int(claimed) if claimed.isdigit() else 0


def _order(record: ArchivedRecord) -> tuple[Any, ...]:
    return (
        record.refs[0],
        record.position,
        record.refs,
        record.arrival_time_us,
        record.raw,
        record.kind,
        record.origin,
    )


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - only what deals with parts needs it
        from pyarrow import parquet as pq  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "the archive's parts need the package pyarrow; install it with: pip install 'mdm-stream[archive]'"
        ) from error
    return pa, pq
