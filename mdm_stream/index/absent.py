"""Which live records of a source a full load has not: what it deletes.

The index is asked, not the archive: it holds what is live now, and a scan of it takes seconds where the archive has all
that was ever delivered. A record whose last change still waits on the stream is not in it yet, and so is kept.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import islice

from mdm_stream.core.model import Version, split_ref, version_order
from mdm_stream.core.record import Record
from mdm_stream.index.reader import IndexReader

READ_REFS = 500
"""Records of which an index is asked at a time."""


def absent_refs(reader: IndexReader, source: str, seen: Container[str], version: Version) -> tuple[list[str], int]:
    """Return the live records of ``source`` that are not in ``seen``, sorted, and how many live ones there are.

    One that was written at a version above ``version`` is left out: its deletion at that version would be stale.
    """
    found: set[str] = set()
    live: set[str] = set()
    refs = (ref for ref in reader.scan_refs() if split_ref(ref)[0] == source)
    while some := list(islice(refs, READ_REFS)):
        for ref, record in reader.read_records(some).items():
            if record.state.live:
                live.add(ref)
                if ref not in seen and _is_older(record, version):
                    found.add(ref)
    return sorted(found), len(live)


def _is_older(record: Record, version: Version) -> bool:
    return all(version_order(each) < version_order(version) for each in _versions(record))


def _versions(record: Record) -> Iterator[Version]:
    if record.state.base is not None:
        yield record.state.base.version
    for patch in record.state.patches.values():
        yield patch.version
