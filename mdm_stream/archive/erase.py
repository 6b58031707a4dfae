"""Erasure: every object that holds values of one record is written again without them.

What is removed are rows of the kinds that carry values (``record``, ``override``) and name the erased reference. Rows
of erase events stay, because a rebuild needs them to keep the record erased; so do verdicts, which have no values.

A row that names other references too cannot just go: it is, say, the change of a key, which deletes one record and
inserts another, and its bytes hold both. The caller says what takes its place (``rest``): rows that together name all
the other references and never the erased one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import orjson

from mdm_stream.archive.object_names import ArchiveObject, new_name
from mdm_stream.archive.part import compacted, encode_part
from mdm_stream.archive.read import decode_object, decode_refs, each_object, read_objects
from mdm_stream.archive.record import VALUE_KINDS, ArchivedRecord
from mdm_stream.archive.replace import replace, settle
from mdm_stream.archive.segment import encode_segment
from mdm_stream.errors import TransientError
from mdm_stream.objects.store import ObjectStore

PASSES_MAX = 50
"""Each pass but the last two follows a replacement by somebody else in the middle of ours."""

Rest = Callable[[ArchivedRecord], Sequence[ArchivedRecord]]
"""Returns what takes the place of a row that names the erased reference and others: rows of the others alone."""


@dataclass(frozen=True, slots=True)
class ErasedRows:
    """What an erasure did: rows removed, how many of these left rows of other references, and objects written again."""

    rows_removed: int = 0
    rows_divided: int = 0
    objects_rewritten: int = 0


def erase(store: ObjectStore, domain: str, ref: str, rest: Rest) -> ErasedRows:
    """Remove the values of a record from every object, and return what was done. Idempotent; may be killed anywhere.

    On return no object holds a row that was archived before the call and has values of ``ref``. May run beside
    writers, readers, compactions and other erasures. ``ValueError`` if ``rest`` returns what it must not; the row is
    still there then. ``TransientError`` if others replaced objects under its hands all the time.
    """
    examined: set[str] = set()
    removed = divided = rewritten = 0
    for _ in range(PASSES_MAX):
        settle(store, domain)
        holders = [found for found, content in each_object(store, domain, examined) if _holds(found, content, ref)]
        if not holders:
            return ErasedRows(removed, divided, rewritten)
        for holder in holders:
            examined.discard(holder.name)  # Should it not be replaced now, the next pass must meet it again.
            counts = _rewrite(store, domain, ref, rest, holder)
            removed, divided = removed + counts[0], divided + counts[1]
            rewritten += counts != (0, 0)
    raise TransientError(
        f"the erasure in the archive of domain {domain} is not complete: others replace objects all the time; "
        "repeat it when compaction is done"
    )


def holding(store: ObjectStore, domain: str, ref: str) -> list[str]:
    """Return the names of the objects that hold values of a record, sorted."""
    return sorted(found.name for found, content in each_object(store, domain, set()) if _holds(found, content, ref))


def search(store: ObjectStore, domain: str, needles: Sequence[bytes]) -> list[str]:
    """Return the names of the objects in whose rows one of some UTF-8 texts occurs, sorted.

    It is looked for in every column, and in ``raw`` as it is and, if that is JSON, as it reads without its escapes.
    """
    return sorted(
        found.name
        for found, content in each_object(store, domain, set())
        if any(
            needle in text
            for record in decode_object(found.name, content)
            for text in _texts(record)
            for needle in needles
        )
    )


def _rewrite(store: ObjectStore, domain: str, ref: str, rest: Rest, holder: ArchiveObject) -> tuple[int, int]:
    """Replace one object by one without the values; return rows removed and divided, zeros if it was overtaken."""
    removed = divided = 0

    def build() -> bytes:
        nonlocal removed, divided
        kept = []
        for record in read_objects(store, [holder]):
            if not _has_values_of(ref, record.kind, record.refs):
                kept.append(record)
                continue
            remaining = _divided(record, ref, rest)
            kept.extend(remaining)
            removed, divided = removed + 1, divided + bool(remaining)
        return encode_part(compacted(kept)) if holder.kind == "part" else encode_segment(kept)

    output = new_name(domain, holder.kind, holder.day, holder.witness, holder.content_bytes)
    return (removed, divided) if replace(store, domain, [holder], output, build) else (0, 0)


def _divided(record: ArchivedRecord, ref: str, rest: Rest) -> Sequence[ArchivedRecord]:
    others = set(record.refs) - {ref}
    if not others:
        return ()
    remaining = rest(record)
    named = {each for row in remaining for each in row.refs}
    if named != others or any(row.domain != record.domain for row in remaining):
        raise ValueError("what remains of a divided row must name all its other references, and nothing else")
    return remaining


def _holds(found: ArchiveObject, content: bytes, ref: str) -> bool:
    return any(_has_values_of(ref, kind, refs) for kind, refs in decode_refs(found.name, content))


def _has_values_of(ref: str, kind: str, refs: Sequence[str]) -> bool:
    return kind in VALUE_KINDS and ref in refs


def _texts(record: ArchivedRecord) -> Iterator[bytes]:
    yield record.raw
    if b"\\" in record.raw:
        with suppress(orjson.JSONDecodeError):
            yield from _strings(orjson.loads(record.raw))
    for text in (record.position, record.origin, *record.refs):
        yield text.encode()


def _strings(value: object) -> Iterator[bytes]:
    """Yield every text in a JSON value, member names included, as it reads."""
    if isinstance(value, str):
        yield value.encode()
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name.encode()
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
