"""A bounded cache of records by reference and revision. A record at a revision never changes, so it is never stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from mdm_stream.core.record import Record

CACHED_CHARACTERS_MAX = 64 * 1024**2
"""Characters of text in the records of one cache: five times what 50,000 ordinary records have. A legal event may have
a million, so that a number of records alone bounds no memory; a record takes some two bytes a character."""

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
    """Count by what Python prints of the values and their names, which costs a tenth of adding up their lengths."""
    state = record.state
    characters = _VERDICT_CHARACTERS * len(state.verdicts)
    if state.base is not None:
        characters += len(repr(state.base.columns))
    if state.patches:
        characters += len(repr([patch.value for patch in state.patches.values()]))
    if state.overrides:
        characters += len(repr([override.value for override in state.overrides.values()]))
    return characters
