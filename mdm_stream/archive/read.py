"""Listing and reading the archive while others write, compact and erase in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mdm_stream.archive.object_names import ArchiveObject, ObjectKind, folder_of, is_mark, parse_object
from mdm_stream.archive.part import decode_part, decode_part_refs
from mdm_stream.archive.record import ArchivedRecord, RecordKind
from mdm_stream.archive.segment import decode_segment
from mdm_stream.objects.store import MissingObjectError, ObjectStore, fetch_ahead

_IN_ORDER: tuple[ObjectKind, ...] = ("segment", "part")


def list_objects(store: ObjectStore, domain: str) -> list[ArchiveObject]:
    """Return the objects that hold a domain's rows, in name order.

    Every row that was archived when the call began is in at least one of them, or in one that has replaced it since. A
    listing alone would not do: while it is under way, an object that it has not reached may be replaced by one that
    sorts before. So two are put together; segments, from which rows move to parts, come first in each.
    """
    found = {}
    for _ in range(2):
        for kind in _IN_ORDER:
            for stored in store.list(folder_of(domain, kind)):
                if not is_mark(stored):
                    found[stored.name] = parse_object(stored)
    return [found[name] for name in sorted(found)]


def each_object(store: ObjectStore, domain: str, seen: set[str]) -> Iterator[tuple[ArchiveObject, bytes]]:
    """Yield every object whose name is not in ``seen``, with its content, and add its name once it was worked off.

    What was replaced between listing and reading is looked for by listing again, until nothing has slipped away.
    """
    while True:
        slipped = False
        fresh = {found.name: found for found in list_objects(store, domain) if found.name not in seen}
        for name, content in fetch_ahead(store, fresh):
            if isinstance(content, MissingObjectError):
                slipped = True
                continue
            yield fresh[name], content
            seen.add(name)
        if not slipped:
            return


def read_objects(store: ObjectStore, objects: Iterable[ArchiveObject]) -> Iterator[ArchivedRecord]:
    """Yield the rows of some objects, in order; ``MissingObjectError`` for one that was replaced meanwhile."""
    for name, content in fetch_ahead(store, (each.name for each in objects)):
        if isinstance(content, MissingObjectError):
            raise content
        yield from decode_object(name, content)


def read_present(store: ObjectStore, names: Iterable[str], missing: list[str]) -> Iterator[ArchivedRecord]:
    """Yield the rows of some objects, in order, and note in ``missing`` the names of those that were replaced."""
    for name, content in fetch_ahead(store, names):
        if isinstance(content, MissingObjectError):
            missing.append(name)
        else:
            yield from decode_object(name, content)


def decode_object(name: str, content: bytes) -> Iterator[ArchivedRecord]:
    """Yield the rows of an object; ``DamagedObjectError`` if it is damaged."""
    return decode_part(name, content) if name.endswith(".parquet") else decode_segment(name, content)


def decode_refs(name: str, content: bytes) -> Iterator[tuple[RecordKind, tuple[str, ...]]]:
    """Yield kind and references of each row of an object: all that says whether a record's values are in it."""
    if name.endswith(".parquet"):
        yield from decode_part_refs(name, content)
        return
    for record in decode_segment(name, content):
        yield record.kind, record.refs
