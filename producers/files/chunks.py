"""What the steps of a load hand to each other: its plan, what a check of a chunk found, and what was sent of one.

Each is a pure function of the file's bytes, its time and the rules, so a step that is done twice writes the same again.

    survey    one pass over the object: content hash, form, header, chunks of whole rows, rows that are there twice
    check     each chunk: which rows are accepted, rejected or skipped, and what its values look like; sends nothing
    judge     all checks together: whether the load may run, is held for a person, or fails
    send      each chunk: accepted rows to the change stream, rejected ones to the quarantine
    finish    deletions of a full load, and the end of the manifest
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mdm_stream.errors import Reason

ROW_DIGEST_BYTES = 16
"""Of a digest of a row or a reference: two of a billion are equal by chance once in some 10**20 files."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole rows of a file, in CSV: ``first_row`` counts from 1, ``first_line`` is its line in the file.

    ``skipped`` are the numbers of its rows that are there again further down: the last of equal rows counts.
    """

    number: int
    first_row: int
    first_line: int
    rows: int
    size_bytes: int
    skipped: tuple[int, ...] = ()


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
    ``profile`` is what the values look like, by attribute, in the form that profiles are merged from.
    """

    number: int
    rows: int
    accepted: int
    skipped: int
    unknown_records: int
    rejected: tuple[RejectedRow, ...] = ()
    refs: bytes = b""
    profile: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChunkSent:
    """What was sent of a chunk: events that the stream took, and rejected rows that the quarantine holds."""

    number: int
    sent: int
    quarantined: int
