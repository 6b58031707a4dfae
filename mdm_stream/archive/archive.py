"""The archive of accepted records: appended to by the resolve consumer, read by a rebuild, compacted, erased in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mdm_stream.archive import compact as compaction
from mdm_stream.archive import erase as erasure
from mdm_stream.archive.object_names import (
    ArchiveObject,
    day_of,
    domain_folder,
    domain_of,
    folder_of,
    greatest_in,
    new_name,
    replacement_folder,
    witness_folder,
)
from mdm_stream.archive.position_falls import FallStore
from mdm_stream.archive.read import decode_object, each_object, list_objects, read_objects, read_present
from mdm_stream.archive.record import ArchivedRecord, DamagedObjectError
from mdm_stream.archive.segment import encode_segment
from mdm_stream.archive.source_marks import SourceMarkStore
from mdm_stream.aws.deadline import Deadline
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.objects.opening import open_object_store
from mdm_stream.objects.store import ObjectStore

SEGMENT_CONTENT_BYTES = 8 * 1024**2
"""A batch with more becomes several segments, so that one is always small beside a part. Lambda's batches have 6 MB."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What reading a whole domain found. ``damaged``: one sentence for each object that cannot be read.

    ``unfinished``: replacements that a compaction or erasure has begun; the next one settles those that were cut off.
    """

    objects: int
    rows: int
    damaged: tuple[str, ...]
    unfinished: int


class Archive:
    """All accepted records, by domain. Any number of processes may use one archive at the same time.

    Each method raises ``TransientError`` or ``TerminalError`` for what the store meets, and ``ValueError`` for a
    domain's name that is none.
    """

    def __init__(self, store: ObjectStore, *, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000) -> None:
        """Take the store, and a clock for the day that an object is filed under."""
        self._store = store
        self._now_us = now_us

    def until(self, deadline: Deadline) -> None:
        """Begin no request to the store from now on that might not end by then."""
        self._store.until(deadline)

    def call_s(self) -> float:
        """Return how long one request to the store may last."""
        return self._store.call_s()

    def append(self, domain: str, records: Sequence[ArchivedRecord], witness: EpochPosition) -> None:
        """Keep records, and how far the index had come when they were in it; durable on return.

        No records make a bare witness. After an error some may have been kept; appending them again is harmless,
        because exact duplicates are dropped by compaction, and absorbed by folding before that.
        """
        if any(record.domain != domain for record in records):
            raise ValueError("records are archived under their own domain")
        day = day_of(self._now_us())
        for piece in pieces(records):
            content_bytes = sum(record.content_bytes for record in piece)
            self._store.put(new_name(domain, "segment", day, witness, content_bytes), encode_segment(piece))

    def witness(self, domain: str) -> EpochPosition | None:
        """Return the greatest witness ever written, from names alone; ``None`` if there is none.

        Costs three requests: the first name of a listing has the greatest. An earlier release filed segments by day:
        that is a request more for each such day that was not compacted since. The witnesses of removed segments are
        kept before these go, and are asked for last: none slips through.
        """
        names = []
        for folder in self._store.folders(folder_of(domain, "segment")):
            names += [stored.name for stored in _first(self._store, folder)]
        names += [stored.name for stored in _first(self._store, witness_folder(domain))]
        return greatest_in(names)

    def domains(self) -> list[str]:
        """Return the domains that the archive holds something of, sorted."""
        found = map(domain_of, self._store.folders(""))
        return sorted(domain for domain in found if domain is not None)

    def objects(self, domain: str) -> list[ArchiveObject]:
        """Return the objects that hold rows, in name order; no row that was there before the call is in none of them.

        An object may have been replaced by the time it is read.
        """
        return list_objects(self._store, domain)

    def read(self, objects: Iterable[ArchiveObject]) -> Iterator[ArchivedRecord]:
        """Yield the rows of some objects, in their order; a few objects at a time are in memory.

        ``MissingObjectError`` for one that was replaced meanwhile: list again. ``DamagedObjectError`` for a bad one.
        """
        return read_objects(self._store, objects)

    def read_present(self, names: Iterable[str], missing: list[str]) -> Iterator[ArchivedRecord]:
        """Yield the rows of the named objects, and note in ``missing`` those that were replaced: list again."""
        return read_present(self._store, names, missing)

    def read_new(self, domain: str, seen: set[str]) -> Iterator[ArchivedRecord]:
        """Yield the rows of all objects whose names are not in ``seen``, and add each name after its last row.

        Called again with the same set it yields what has come since. Every row that was archived before a call was
        yielded by the end of it, at least once: rows of an object that was replaced come again with its replacement.
        """
        for found, content in each_object(self._store, domain, seen):
            yield from decode_object(found.name, content)

    def compact(
        self, domain: str, *, before_day: str | None = None, part_content_bytes: int = compaction.PART_CONTENT_BYTES
    ) -> compaction.Compaction:
        """Turn segments and small parts into parts; see ``archive.compact``."""
        return compaction.compact(self._store, domain, before_day=before_day, part_content_bytes=part_content_bytes)

    def erase(self, domain: str, ref: str, rest: erasure.Rest) -> erasure.ErasedRows:
        """Remove the values of a record; see ``archive.erase``."""
        return erasure.erase(self._store, domain, ref, rest)

    def holds(self, domain: str, ref: str) -> list[str]:
        """Return the names of the objects that hold values of a record: none after its erasure."""
        return erasure.holding(self._store, domain, ref)

    def search(self, domain: str, needles: Sequence[bytes]) -> list[str]:
        """Return the names of the objects in whose rows one of some UTF-8 texts occurs."""
        return erasure.search(self._store, domain, needles)

    def verify(self, domain: str) -> Verification:
        """Read everything and return what was found; changes nothing."""
        objects = rows = 0
        damaged = []
        for found, content in each_object(self._store, domain, set()):
            objects += 1
            try:
                rows += sum(1 for _ in decode_object(found.name, content))
            except DamagedObjectError as error:
                damaged.append(str(error))
        unfinished = sum(1 for _ in self._store.list(replacement_folder(domain)))
        return Verification(objects, rows, tuple(damaged), unfinished)

    def sources(self, domain: str) -> SourceMarkStore:
        """Return what operators have decided about whole sources of a domain."""
        return SourceMarkStore(self._store, domain)

    def falls(self, domain: str) -> FallStore:
        """Return where falling positions of a domain's sources are noted."""
        return FallStore(self._store, domain)

    def location(self, domain: str) -> str:
        """Return where a domain's objects lie, for people."""
        return self._store.location(domain_folder(domain).rstrip("/"))


def open_archive(url: str, *, s3_client: Any = None, kms_key_id: str = "") -> Archive:
    """Return the archive at ``file:///folder`` or ``s3://bucket/prefix``; ``ConfigurationError`` for any other."""
    return Archive(open_object_store(url, s3_client=s3_client, kms_key_id=kms_key_id))


def _first(store: ObjectStore, prefix: str) -> Iterator[Any]:
    for stored in store.list(prefix):
        yield stored
        return


def pieces(records: Sequence[ArchivedRecord]) -> Iterator[Sequence[ArchivedRecord]]:
    """Yield the records in pieces of at most ``SEGMENT_CONTENT_BYTES`` (or one record); one empty piece if none."""
    start = content_bytes = 0
    for number, record in enumerate(records):
        if number > start and content_bytes + record.content_bytes > SEGMENT_CONTENT_BYTES:
            yield records[start:number]
            start, content_bytes = number, 0
        content_bytes += record.content_bytes
    yield records[start:]
