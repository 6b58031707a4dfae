"""From archived records to folded states: what is fed to the engines that fill a new epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mdm_stream.archive import ArchivedRecord, Exclusion, SourceMarks
from mdm_stream.archive.rows import delivery_of
from mdm_stream.core.faults import as_rejection, is_fault
from mdm_stream.core.fold import EMPTY, Delivered, RecordState, fold
from mdm_stream.core.model import ChangeEvent
from mdm_stream.decode import Decoder
from mdm_stream.errors import RejectedEventError

PORTION_BYTES_MAX = 128 * 1024**2
"""Archived bytes that are folded together: three times those of 100,000 ordinary records. Records may be hundreds of
kilobytes each, so that their number alone bounds no memory; as states they take some two bytes a byte."""


@dataclass(slots=True)
class LoadCounters:
    """What was loaded. ``rejected`` counts, by reason, archived records that the rules of today do not accept.

    ``faults`` counts, by type and place, the unexpected faults among these. ``excluded`` counts events that were taken
    out, ``excluded_refs`` are the records that they are about.
    """

    rows: int = 0
    events: int = 0
    states: int = 0
    excluded: int = 0
    excluded_refs: set[str] = field(default_factory=set)
    rejected: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    erased: set[str] = field(default_factory=set)

    def refuse(self, error: RejectedEventError, count: int = 1) -> None:
        """Count archived records that have no part in the new state."""
        self.rejected[error.reasons[0].code] += count
        if is_fault(error):
            self.faults[error.reasons[0].message] += count


def states_of(
    rows: Iterable[ArchivedRecord],
    domain: str,
    decoder: Decoder,
    counters: LoadCounters,
    states_max: int,
    exclusions: Sequence[Exclusion] = (),
) -> Iterator[list[Delivered]]:
    """Yield the folded states of archived records, which bounds memory: at most ``states_max`` record keys at a time,
    and fewer where more than ``PORTION_BYTES_MAX`` (but for the last record) have been folded.

    Folding commutes, so that a key that comes in several portions ends in the same state. Records that are rejected now
    though they were accepted once (rules have changed) are counted, and so are events that one of ``exclusions`` takes
    out; both stay in the archive.
    """
    states: dict[str, RecordState] = {}
    marks = SourceMarks(exclusions=tuple(exclusions))
    folded_bytes = 0
    for row in rows:
        counters.rows += 1
        try:
            own = [event for event in decoder.decode(delivery_of(row)) if event.domain == domain]
            counting = marks.counting(own, row.arrival_time_us)
            folded = _folded(counting, states)
        except Exception as error:  # noqa: BLE001 - one of the process is raised again
            counters.refuse(as_rejection(error))
            continue
        states |= folded
        if len(counting) < len(own):
            counters.excluded += len(own) - len(counting)
            counters.excluded_refs.update(ref for event in own if event not in counting for ref in event.refs)
        counters.events += len(counting)
        folded_bytes += row.content_bytes
        if len(states) >= states_max or folded_bytes >= PORTION_BYTES_MAX:
            yield _delivered(domain, states, counters)
            states, folded_bytes = {}, 0
    if states:
        yield _delivered(domain, states, counters)


def _folded(events: Sequence[ChangeEvent], states: Mapping[str, RecordState]) -> dict[str, RecordState]:
    """Return the states of the records that events name, after them."""
    folded: dict[str, RecordState] = {}
    for event in events:
        for ref in event.refs:
            before = folded[ref] if ref in folded else states.get(ref, EMPTY)
            folded[ref] = fold(before, event, ref).state
    return folded


def _delivered(domain: str, states: dict[str, RecordState], counters: LoadCounters) -> list[Delivered]:
    counters.states += len(states)
    counters.erased.update(ref for ref, state in states.items() if state.erased)
    return [Delivered(domain, ref, state) for ref, state in states.items()]
