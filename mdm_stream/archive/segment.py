"""A segment: the records of one batch as gzipped JSON lines, which need nothing but the standard library.

A line is an object with ``format`` (absent: 1), ``domain``, ``kind``, ``refs``, ``position``, ``arrival_time_us``,
``origin`` and ``raw`` (a text), or ``raw_base64`` if the bytes are not UTF-8. A segment without lines is the bare
witness in its name.
"""

from __future__ import annotations

import base64
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from mdm_stream.archive.record import (
    ArchivedRecord,
    DamagedObjectError,
    require_known_format,
)

_COMPRESSION_LEVEL = 1
"""The consumer waits for it: level 1 is some five times as fast as 6, and compaction compresses again."""


def encode_segment(records: Iterable[ArchivedRecord]) -> bytes:
    """Return the content of a segment; the same records give the same bytes."""
    return gzip.compress(b"".join(map(_encode_line, records)), _COMPRESSION_LEVEL, mtime=0)


def decode_segment(name: str, content: bytes) -> Iterator[ArchivedRecord]:
    """Yield the records of a segment; ``DamagedObjectError``, which tells the line, where it is none.

    ``UnknownFormatError`` if a newer release wrote it in another form.
    """
    for number, line in enumerate(_lines(name, content), start=1):
        try:
            fields = orjson.loads(line)
            require_known_format(name, int(fields.get("format", 1)))
            record = _record_of(fields)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise DamagedObjectError(name, f"line {number} is no archived record") from None
        yield record


def _lines(name: str, content: bytes) -> Iterator[bytes]:
    # Nothing at all is for gzip no lines, but a segment without lines has a header all the same.
    if not content:
        raise DamagedObjectError(name, "it is empty")
    try:
        with gzip.open(io.BytesIO(content)) as lines:
            yield from lines
    except (OSError, EOFError, zlib.error):
        raise DamagedObjectError(name, "it is not gzipped, or not whole") from None


def _encode_line(record: ArchivedRecord) -> bytes:
    fields: dict[str, object] = {
        "format": record.format,
        "domain": record.domain,
        "kind": record.kind,
        "refs": record.refs,
        "position": record.position,
        "arrival_time_us": record.arrival_time_us,
        "origin": record.origin,
    }
    if record.format > 1:
        fields |= {"redriven_on": record.redriven_on, "key_id": record.key_id}
    try:
        fields["raw"] = record.raw.decode()
    except UnicodeDecodeError:
        fields["raw_base64"] = base64.b64encode(record.raw).decode("ascii")
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def _record_of(fields: dict[str, Any]) -> ArchivedRecord:
    raw = fields["raw"].encode() if "raw" in fields else base64.b64decode(fields["raw_base64"], validate=True)
    return ArchivedRecord(
        domain=fields["domain"],
        refs=tuple(fields["refs"]),
        position=fields["position"],
        arrival_time_us=int(fields["arrival_time_us"]),
        origin=fields["origin"],
        raw=raw,
        kind=fields["kind"],
        redriven_on=fields.get("redriven_on", ""),
        key_id=fields.get("key_id", ""),
    )
