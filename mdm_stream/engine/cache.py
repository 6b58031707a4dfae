"""A bounded cache of records by reference and revision. A record at a revision never changes, so it is never stale.

The tombstone of an erased record takes the place of what was held of it. A process that does not see the erasure
forgets it too, since nobody uses a record that was erased: see ``forget_unused``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from time import monotonic

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

    def __init__(
        self, size: int, characters_max: int = CACHED_CHARACTERS_MAX, *, clock_s: Callable[[], float] = monotonic
    ) -> None:
        self._size = size
        self._characters_max = characters_max
        self._clock_s = clock_s
        self._records: OrderedDict[str, tuple[Record, int, float]] = OrderedDict()
        self._characters = 0

    def get(self, ref: str, revision: str) -> Record | None:
        """Return the record if it is held at this very revision."""
        held = self._records.get(ref)
        if held is None or held[0].revision != revision:
            return None
        self._records[ref] = (*held[:2], self._clock_s())
        self._records.move_to_end(ref)
        return held[0]

    def put(self, records: Iterable[Record]) -> None:
        """Hold records, forgetting those not used for the longest time."""
        now_s = self._clock_s()
        for record in records:
            held = self._records.get(record.ref)
            if held is None or held[0].revision != record.revision:
                characters = _characters_of(record)
                self._characters += characters - (0 if held is None else held[1])
                held = record, characters, now_s
            self._records[record.ref] = (*held[:2], now_s)
            self._records.move_to_end(record.ref)
        while len(self._records) > self._size or self._characters > self._characters_max:
            self._drop_oldest()

    def forget_unused(self, for_s: float) -> None:
        """Forget the records that were not used for so many seconds."""
        before_s = self._clock_s() - for_s
        while self._records and next(iter(self._records.values()))[2] <= before_s:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, (_, characters, _) = self._records.popitem(last=False)
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
