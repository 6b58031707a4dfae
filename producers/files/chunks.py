"""What the steps of a load hand to each other: what a chunk holds, what a check of it found, and what was sent of it.

Each is a pure function of the file's bytes, its time and the rules, so a step that is done twice writes the same again.

    survey    one pass over the object: content hash, form, header, chunks of whole rows, rows that are there twice
    check     each chunk: which rows are accepted, rejected or skipped, and what its values look like; sends nothing
    judge     all checks together: whether the load may run, is held for a person, or fails
    send      each chunk: accepted rows to the change stream, rejected ones to the quarantine
    finish    deletions of a full load, and the end of the manifest
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import orjson

from mdm_stream.errors import Reason, TerminalError

ROW_DIGEST_BYTES = 16
"""Of a digest of a row or a reference: two of a billion are equal by chance once in some 10**20 files."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole rows of a file: ``first_row`` counts from 1, ``first_line`` is its line in a CSV file.

    ``skips`` has a bit for each of its rows, the first row's the highest of the first byte, which is 1 if an equal row
    is further down the file: the last of equal rows counts. It is empty where no row is skipped.
    """

    number: int
    first_row: int
    first_line: int
    rows: int
    size_bytes: int
    skips: bytes = b""

    @property
    def skipped(self) -> int:
        """How many of its rows are skipped."""
        return sum(byte.bit_count() for byte in self.skips)

    def skips_row(self, row: int) -> bool:
        """Tell whether a row of this number is skipped."""
        place = row - self.first_row
        return bool(self.skips) and bool(self.skips[place >> 3] & (0x80 >> (place & 7)))


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that cannot even be put in CSV, with its bytes as they were delivered."""

    row: int
    line: int
    reasons: tuple[Reason, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class ChunkContent:
    """What the object of a chunk holds: rows in CSV, without a header, and those that cannot be read.

    In place of an unreadable row the CSV has its line ends alone, so lines count on.
    """

    rows: bytes
    unreadable: tuple[UnreadableRow, ...] = ()

    def encode(self) -> bytes:
        """Return the object's bytes: a line of JSON, then the CSV."""
        written = [
            {"row": each.row, "line": each.line, "reasons": [asdict(reason) for reason in each.reasons],
             "raw_base64": base64.b64encode(each.raw).decode()}
            for each in self.unreadable
        ]  # fmt: skip
        return orjson.dumps({"unreadable": written}, option=orjson.OPT_APPEND_NEWLINE) + self.rows

    @classmethod
    def decode(cls, content: bytes) -> ChunkContent:
        """Return what the object of a chunk holds; ``TerminalError`` for any other bytes."""
        head, _, rows = content.partition(b"\n")
        try:
            unreadable = tuple(
                UnreadableRow(
                    each["row"], each["line"], _reasons_of(each["reasons"]), base64.b64decode(each["raw_base64"])
                )
                for each in orjson.loads(head)["unreadable"]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise TerminalError("the object is no chunk of a file, or a part of one") from error
        return cls(rows, unreadable)


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that is no event: its number and line, and why."""

    row: int
    line: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class ChunkFindings:
    """What a check of a chunk found. ``refs`` are sorted digests, ``ROW_DIGEST_BYTES`` each, of the records it names.

    ``rejected`` holds every rejected row; ``unknown_records`` counts those of which not even the record can be told.
    ``unique`` are sorted digests of the values of each unique column, one for each accepted row that has one.
    ``profile`` is what the values look like, by attribute, in the form that profiles are merged from.
    """

    number: int
    rows: int
    accepted: int
    skipped: int
    unknown_records: int
    rejected: tuple[RejectedRow, ...] = ()
    refs: bytes = b""
    unique: Mapping[str, bytes] = field(default_factory=dict)
    profile: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return it as JSON; equal findings give equal bytes."""
        document: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        document["refs"] = base64.b64encode(self.refs).decode()
        document["unique"] = {name: base64.b64encode(value).decode() for name, value in self.unique.items()}
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_json(cls, content: bytes) -> ChunkFindings:
        """Return what ``to_json`` has written; ``TerminalError`` for any other bytes."""
        try:
            document = orjson.loads(content)
            document["refs"] = base64.b64decode(document["refs"])
            document["unique"] = {name: base64.b64decode(value) for name, value in document["unique"].items()}
            document["rejected"] = tuple(
                RejectedRow(each["row"], each["line"], _reasons_of(each["reasons"])) for each in document["rejected"]
            )
            return cls(**document)
        except (ValueError, KeyError, TypeError) as error:
            raise TerminalError("the object holds no findings of a check, or a part of them") from error


@dataclass(frozen=True, slots=True)
class ChunkSent:
    """What was sent of a chunk: events that the stream took, and rejected rows that the quarantine holds."""

    number: int
    sent: int
    quarantined: int


def _reasons_of(written: Sequence[Mapping[str, str]]) -> tuple[Reason, ...]:
    return tuple(Reason(**each) for each in written)


def skip_bits(skipped: np.ndarray[Any, np.dtype[np.bool_]]) -> bytes:
    """Return the bits of a chunk's rows, ``b""`` if none is skipped."""
    return np.packbits(skipped).tobytes() if skipped.any() else b""
