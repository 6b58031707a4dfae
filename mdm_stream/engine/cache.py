"""A bounded cache of records by reference and revision. A record at a revision never changes, so it is never stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from mdm_stream.core.model import Value
from mdm_stream.core.record import Record

CACHED_CHARACTERS_MAX = 64 * 1024**2
"""Characters of text in the records of one cache: ten times what 50,000 ordinary records have. A legal event may have a
million, so that a number of records alone bounds no memory; a record takes some two bytes a character."""

_VERDICT_CHARACTERS = 100
"""What a verdict is counted as: a reference, a steward, a version."""


class RecordCache:
    """Least-recently-used records of one domain, one revision a reference: at most ``size`` of them, and at most so
    many that they have ``characters_max`` characters.
    """

    def __init__(self, size: int, characters_max: int = CACHED_CHARACTERS_MAX) -> None:
        self._size = size
        self._characters_max = characters_max
        self._records: OrderedDict[str, tuple[Record, int]] = OrderedDict()
        self._characters = 0

    def get(self, ref: str, revision: str) -> Record | None:
        """Return the record if it is held at this very revision."""
        held = self._records.get(ref)
        if held is None or held[0].revision != revision:
            return None
        self._records.move_to_end(ref)
        return held[0]

    def put(self, records: Iterable[Record]) -> None:
        """Hold records, forgetting those not used for the longest time."""
        for record in records:
            held = self._records.get(record.ref)
            if held is None or held[0].revision != record.revision:
                characters = _characters_of(record)
                self._characters += characters - (0 if held is None else held[1])
                self._records[record.ref] = record, characters
            self._records.move_to_end(record.ref)
        while len(self._records) > self._size or self._characters > self._characters_max:
            _, (_, characters) = self._records.popitem(last=False)
            self._characters -= characters


def _characters_of(record: Record) -> int:
    return sum(map(_length, _held_values(record))) + _VERDICT_CHARACTERS * len(record.state.verdicts)


def _held_values(record: Record) -> Iterator[Value]:
    state = record.state
    if state.base is not None:
        yield from state.base.columns.values()
    for patch in state.patches.values():
        yield patch.value
    for override in state.overrides.values():
        yield override.value


def _length(value: Value) -> int:
    if isinstance(value, tuple):
        return sum(map(_length, value))
    return len(value) if isinstance(value, str) else 1
