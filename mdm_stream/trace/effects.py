"""What each delivery of a record did to its state: it is folded anew, in the order of arrival. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mdm_stream.core.fold import EMPTY, RecordState, fold
from mdm_stream.core.histories import shown_version
from mdm_stream.core.model import (
    ChangeEvent,
    EraseEvent,
    OverrideEvent,
    RecordEvent,
    VerdictEvent,
    Version,
    version_order,
)
from mdm_stream.trace.findings import AcceptedDelivery

EffectKind = Literal["applied", "duplicate", "stale", "excluded", "unreadable"]


@dataclass(frozen=True, slots=True)
class FoldEffect:
    """What a delivery did to one record's state when it arrived, and what has become of that since.

    ``earlier`` is the origin of the delivery that said the same before a ``duplicate``. ``beaten_by`` is the version
    that a ``stale`` one lost to, or that has taken the place of one that was ``applied``; empty while it stands.
    """

    kind: EffectKind
    earlier: str = ""
    beaten_by: str = ""


def in_order(deliveries: Iterable[AcceptedDelivery]) -> list[AcceptedDelivery]:
    """Return deliveries in the order of arrival."""
    return sorted(deliveries, key=lambda each: (each.delivery.arrival_time_us, each.delivery.place))


def fold_effects(ref: str, deliveries: Sequence[AcceptedDelivery], now: RecordState | None) -> list[FoldEffect]:
    """Return what each delivery did, of all that the archive has of a record, in the order of arrival.

    ``now`` is the record's state in the index; without it the state is that of the deliveries.
    """
    state, seen = EMPTY, dict[object, str]()
    kinds: list[tuple[EffectKind, str, str]] = []
    for each in deliveries:
        said = [event for event in each.counting if ref in event.refs]
        before = state
        for event in said:
            state = fold(state, event, ref).state
        if each.problem:
            kinds.append(("unreadable", "", ""))
        elif not said:
            kinds.append(("excluded", "", ""))
        elif _content(state) != _content(before):
            kinds.append(("applied", "", ""))
        elif (earlier := seen.get(_identity(said))) is not None:
            kinds.append(("duplicate", earlier, ""))
        else:
            kinds.append(("stale", "", _newest(before, said, ref)))
        if said:
            seen.setdefault(_identity(said), each.delivery.origin)
    held = state if now is None else now
    found = []
    for (kind, earlier, lost_to), each in zip(kinds, deliveries, strict=True):
        said = [event for event in each.counting if ref in event.refs]
        beaten_by = _superseded_by(held, said, ref) if kind in ("applied", "duplicate") else lost_to
        found.append(FoldEffect(kind, earlier, beaten_by))
    return found


def versions_of(delivery: AcceptedDelivery, ref: str) -> frozenset[Version]:
    """Return the versions of what a delivery says of a record: those that provenance names."""
    return frozenset(
        event.version for event in delivery.events if ref in event.refs and not isinstance(event, EraseEvent)
    )


def _content(state: RecordState) -> tuple[object, ...]:
    return state.base, state.patches, state.verdicts, state.overrides, state.erased


def _identity(events: Sequence[ChangeEvent]) -> object:
    """Return what two deliveries have in common that say the same, whatever their places in a log."""
    return tuple(
        (event.op, event.version, event.event_time_us, repr(sorted(event.attributes.items())))
        if isinstance(event, RecordEvent)
        else repr(event)
        for event in events
    )


def _held(state: RecordState, event: ChangeEvent, ref: str) -> list[Version]:
    """Return the versions that an event has to beat, or to equal if it stands."""
    if isinstance(event, VerdictEvent):
        held = state.verdicts.get(event.b if ref == event.a else event.a)
        return [] if held is None else [held.version]
    if isinstance(event, OverrideEvent):
        return [state.overrides[name].version for name in event.attributes if name in state.overrides]
    if not isinstance(event, RecordEvent):
        return []
    base = [] if state.base is None else [state.base.version]
    columns = event.attributes if event.op == "patch" else state.patches
    return base + [state.patches[name].version for name in columns if name in state.patches]


def _newest(state: RecordState, events: Sequence[ChangeEvent], ref: str) -> str:
    held = [version for event in events for version in _held(state, event, ref)]
    return shown_version(max(held, key=version_order)) if held else ""


def _superseded_by(state: RecordState, events: Sequence[ChangeEvent], ref: str) -> str:
    """Return the version that has taken the place of all that some events said; empty while any of it stands."""
    if state.erased:
        return "" if any(isinstance(event, EraseEvent) for event in events) else "an erasure"
    for event in events:
        if isinstance(event, EraseEvent) or event.version in _held(state, event, ref):
            return ""
    return _newest(state, events, ref)
