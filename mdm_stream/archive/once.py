"""Appending to the archive what one process has not appended before.

A batch whose changes cannot be published is delivered again and again, and its rows are in the archive since the first
time. This process remembers the rows that it has appended, and writes only the witness then: an object without rows.
Another process that gets the batch knows nothing of that, and appends the rows once more; compaction drops them.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import orjson

from mdm_stream.archive.archive import Archive, pieces
from mdm_stream.archive.record import ArchivedRecord
from mdm_stream.core.epoch_position import EpochPosition

ROWS_REMEMBERED_MAX = 50_000
"""Five of the largest batches of an event source, some 100 bytes a row. A row that is forgotten is appended again."""

_DIGEST_BYTES = 16


class AppendOnce:
    """The writing end of an archive for one consumer process. Not thread-safe, as the resolver is not."""

    def __init__(self, archive: Archive) -> None:
        """Take the archive. Nothing is remembered yet."""
        self._archive = archive
        self._appended: OrderedDict[bytes, None] = OrderedDict()
        self._witnessed: dict[str, EpochPosition] = {}

    def append(self, domain: str, records: Sequence[ArchivedRecord], witness: EpochPosition) -> int:
        """Keep records and witness as ``Archive.append`` does; return how many records were not kept already.

        On return every record is in the archive and so is the witness, durable. After an error some may have been
        kept: what is known to be is not written again.
        """
        unknown = {digest: record for record in records if (digest := _digest(record)) not in self._appended}
        fresh, digests = list(unknown.values()), iter(unknown)
        if not fresh and self._witnessed.get(domain) == witness:
            return 0
        for piece in pieces(fresh):
            self._archive.append(domain, piece, witness)
            self._witnessed[domain] = witness
            self._appended.update((next(digests), None) for _ in piece)
        while len(self._appended) > ROWS_REMEMBERED_MAX:
            self._appended.popitem(last=False)
        return len(fresh)

    def forget(self) -> None:
        """Remember no row any more, since one of a record that is erased might be among them.

        A digest is no value, but it tells whether a value that somebody guesses was there.
        """
        self._appended.clear()


def _digest(record: ArchivedRecord) -> bytes:
    """Return what tells a row from every other one: all of it, for what is skipped must be there to the last byte."""
    head = orjson.dumps([
        record.domain,
        record.kind,
        record.refs,
        record.position,
        record.arrival_time_us,
        record.origin,
        record.redriven_on,
        record.key_id,
    ])  # fmt: skip
    digest = hashlib.blake2b(head, digest_size=_DIGEST_BYTES)
    digest.update(record.raw)
    return digest.digest()
