"""A bounded cache of records by reference and revision. A record at a revision never changes, so it is never stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from mdm_stream.core.record import Record


class RecordCache:
    """Least-recently-used records of one domain, at most ``size`` of them, one revision a reference."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._records: OrderedDict[str, Record] = OrderedDict()

    def get(self, ref: str, revision: str) -> Record | None:
        """Return the record if it is held at this very revision."""
        record = self._records.get(ref)
        if record is None or record.revision != revision:
            return None
        self._records.move_to_end(ref)
        return record

    def put(self, records: Iterable[Record]) -> None:
        """Hold records, forgetting those not used for the longest time."""
        for record in records:
            self._records[record.ref] = record
            self._records.move_to_end(record.ref)
        while len(self._records) > self._size:
            self._records.popitem(last=False)
