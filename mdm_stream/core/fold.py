"""Fold events into the state of one record key: a last-writer-wins map per column, per verdict and for existence.

Folding commutes, associates and absorbs duplicates, so any order of delivery gives the same state:

* an *upsert* or *delete* is a whole-record write, the ``base``; the greatest ``(version, digest)`` is kept;
* a *patch* writes single columns; per column the greatest ``(version, digest)`` is kept, and only while it is
  greater than the base's;
* a *verdict* is kept per other record, by the same order; of more than ``VERDICTS_MAX`` the greatest are kept;
* an *override* is kept per attribute, by the same order; of one version, its expiry wins;
* ``born_at_us`` is the least birth ever delivered for the key, stale events and deletes included: the event's time,
  or the bound that its arrival sets;
* an *erasure* absorbs everything: of an erased key nothing else is kept, whatever came or comes.

A record is live if its newest whole-record write is an upsert, or if a patch is newer than that write: a patch
asserts that the record exists. A verdict or an override asserts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mdm_stream.core.canonical import digest_of
from mdm_stream.core.histories import split_version
from mdm_stream.core.model import (
    NO_PLACE,
    ChangeEvent,
    OverrideEvent,
    RecordEvent,
    Value,
    Verdict,
    VerdictEvent,
    Version,
    version_order,
)
from mdm_stream.core.position_fall import Contradiction

VERDICTS_MAX = 500
"""Verdicts that one record holds. A record is read, digested and written whole, so each further verdict on it costs as
much as all that it holds. Those with the greatest versions stay, whatever order they come in: one that was left out is
never among them later, since versions only grow. A verdict stands while both of its records hold it.
"""


@dataclass(frozen=True, slots=True)
class Base:
    """The newest whole-record write. ``columns`` is empty if ``deleted``."""

    version: Version
    digest: str
    event_time_us: int
    deleted: bool
    columns: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Patch:
    """The newest single write of one column, newer than the base."""

    version: Version
    digest: str
    event_time_us: int
    value: Value


@dataclass(frozen=True, slots=True)
class HeldVerdict:
    """The newest verdict on this record and one other; ``none`` (withdrawn) is remembered too."""

    version: Version
    digest: str
    event_time_us: int
    verdict: Verdict
    steward: str


@dataclass(frozen=True, slots=True)
class HeldOverride:
    """The newest override of one attribute. ``value`` is ``None`` if it was taken back or is ``expired``.

    An expired one keeps its version and time alone, so that it is the same whether or not the override itself came.
    """

    version: Version
    digest: str
    event_time_us: int
    value: Value
    steward: str
    expires_at_us: int | None
    expired: bool


@dataclass(frozen=True, slots=True)
class RecordState:
    """All that was delivered about one record key, folded.

    ``verdicts`` is keyed by the other record's reference, ``overrides`` by attribute. ``erased`` leaves nothing else.
    """

    born_at_us: int | None = None
    base: Base | None = None
    patches: Mapping[str, Patch] = field(default_factory=dict)
    verdicts: Mapping[str, HeldVerdict] = field(default_factory=dict)
    overrides: Mapping[str, HeldOverride] = field(default_factory=dict)
    erased: bool = False

    @property
    def live(self) -> bool:
        """Whether the record exists now."""
        return bool(self.patches) or (self.base is not None and not self.base.deleted)

    def columns(self) -> dict[str, Value]:
        """Return the record's present column values (nulls left out)."""
        values: dict[str, Value] = {}
        if self.base is not None:
            values.update(self.base.columns)
        for column, patch in self.patches.items():
            values[column] = patch.value
        return {column: value for column, value in values.items() if value is not None}

    def written(self, column: str) -> tuple[Version, int] | None:
        """Return the version and event time that last set a column, or ``None`` if nothing ever did."""
        patch = self.patches.get(column)
        if patch is not None:
            return patch.version, patch.event_time_us
        if self.base is not None:
            return self.base.version, self.base.event_time_us
        return None


EMPTY = RecordState()
"""The state of a record key of which nothing was delivered."""

ERASED = RecordState(erased=True)
"""The state of an erased record key."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """All that was delivered about one record key, folded before: it stands for its events in a rebuild."""

    domain: str
    ref: str
    state: RecordState

    @property
    def refs(self) -> tuple[str, ...]:
        """The reference of the record, as events have it."""
        return (self.ref,)


Foldable = ChangeEvent | Delivered


@dataclass(frozen=True, slots=True)
class Folded:
    """The outcome of folding one event.

    ``state`` is the very same object if the event changed nothing. ``collided`` says that another event had the
    same version: the greater digest won. ``contradiction`` says that a write of the record lost to one that was made
    earlier: its source's versions contradict its clock.
    """

    state: RecordState
    collided: bool
    contradiction: Contradiction | None = None


def fold(state: RecordState, event: Foldable, ref: str) -> Folded:
    """Fold an event into the state of ``ref``, one of the event's references."""
    if state.erased:
        return Folded(state, collided=False)
    if isinstance(event, Delivered):
        joined = join_states(state, event.state)
        return Folded(state if joined == state else joined, collided=False)
    if isinstance(event, RecordEvent):
        return fold_record(state, event)
    if isinstance(event, VerdictEvent):
        return fold_verdict(state, event, ref)
    if isinstance(event, OverrideEvent):
        return fold_override(state, event)
    return Folded(ERASED, collided=False)


def fold_override(state: RecordState, event: OverrideEvent) -> Folded:
    """Fold an override, or the expiry of one, into the state of its record key (which is not erased)."""
    overrides = dict(state.overrides)
    changed = collided = False
    for attribute, value in event.attributes.items():
        new = _override(event, value)
        held = overrides.get(attribute)
        if held is not None:
            both_set = not (held.expired or new.expired)
            collided = collided or (both_set and held.version == new.version and held.digest != new.digest)
            if _override_order(new) <= _override_order(held):
                continue
        overrides[attribute] = new
        changed = True
    return Folded(replace(state, overrides=overrides) if changed else state, collided)


def _override(event: OverrideEvent, value: Value) -> HeldOverride:
    if event.expired:
        return HeldOverride(event.version, "", event.event_time_us, None, "", None, expired=True)
    digest = digest_of([value, event.event_time_us, event.steward, event.expires_at_us])
    return HeldOverride(
        event.version, digest, event.event_time_us, value, event.steward, event.expires_at_us, expired=False
    )


def _override_order(override: HeldOverride) -> tuple[object, ...]:
    # Expiries of one version differ in nothing but a time that a sender got wrong: the least wins, like a birth.
    time_us = -override.event_time_us if override.expired else 0
    return version_order(override.version), override.expired, time_us, override.digest


def join_states(left: RecordState, right: RecordState) -> RecordState:
    """Return the state of all that was folded into either: commutative, associative and idempotent.

    ``fold`` of an event is the join with the state of that event alone.
    """
    if left.erased or right.erased:
        return ERASED
    bases = [base for base in (left.base, right.base) if base is not None]
    base = max(bases, key=_write_order, default=None)
    patches = _greatest(left.patches, right.patches, _write_order)
    if base is not None:
        patches = {c: patch for c, patch in patches.items() if _write_order(patch) > _write_order(base)}
    births_us = [state.born_at_us for state in (left, right) if state.born_at_us is not None]
    return RecordState(
        born_at_us=min(births_us, default=None),
        base=base,
        patches=patches,
        verdicts=_newest_verdicts(_greatest(left.verdicts, right.verdicts, _write_order)),
        overrides=_greatest(left.overrides, right.overrides, _override_order),
    )


def _write_order(write: Base | Patch | HeldVerdict) -> tuple[object, ...]:
    return version_order(write.version), write.digest


_Held = TypeVar("_Held")


def _greatest(
    left: Mapping[str, _Held], right: Mapping[str, _Held], order: Callable[[_Held], tuple[object, ...]]
) -> dict[str, _Held]:
    joined = dict(left)
    for name, held in right.items():
        if name not in joined or order(held) > order(joined[name]):
            joined[name] = held
    return joined


def fold_record(state: RecordState, event: RecordEvent) -> Folded:
    """Fold a record event into the state of its record key."""
    digest = digest_of([event.op, event.event_time_us, dict(event.attributes)])
    born_at_us = event.event_time_us if event.born_at_us is None else event.born_at_us
    if state.born_at_us is None or born_at_us < state.born_at_us:
        state = replace(state, born_at_us=born_at_us)
    if event.op == "patch":
        return _fold_patch(state, event, digest)
    return _fold_base(state, event, digest)


def fold_verdict(state: RecordState, event: VerdictEvent, ref: str) -> Folded:
    """Fold a verdict into the state of ``ref``, one of its two records."""
    other = event.b if ref == event.a else event.a
    digest = digest_of([event.verdict, event.event_time_us, event.steward])
    held = state.verdicts.get(other)
    order = (version_order(event.version), digest)
    collided = False
    if held is not None:
        collided = held.version == event.version and held.digest != digest
        if order <= (version_order(held.version), held.digest):
            return Folded(state, collided)
    verdict = HeldVerdict(event.version, digest, event.event_time_us, event.verdict, event.steward)
    verdicts = _newest_verdicts({**state.verdicts, other: verdict})
    if other not in verdicts:
        return Folded(state, collided)
    return Folded(replace(state, verdicts=verdicts), collided)


def _newest_verdicts(verdicts: dict[str, HeldVerdict]) -> dict[str, HeldVerdict]:
    """Return the greatest ``VERDICTS_MAX`` of the verdicts on one record, of equal ones by the greater reference."""
    if len(verdicts) <= VERDICTS_MAX:
        return verdicts
    ordered = sorted(verdicts, key=lambda other: (_write_order(verdicts[other]), other))
    return {other: verdicts[other] for other in ordered[-VERDICTS_MAX:]}


def _fold_base(state: RecordState, event: RecordEvent, digest: str) -> Folded:
    order = (version_order(event.version), digest)
    collided = False
    if state.base is not None:
        collided = state.base.version == event.version and state.base.digest != digest
        if order <= (version_order(state.base.version), state.base.digest):
            return Folded(state, collided, _lost_later(event, state.base))
    replaced = _replaced_later(event, state.base) if state.base is not None else None
    patches = state.patches
    if patches:
        collided = collided or any(p.version == event.version and p.digest != digest for p in patches.values())
        for patch in patches.values():
            if (version_order(patch.version), patch.digest) <= order:
                replaced = replaced or _replaced_later(event, patch)
        patches = {c: p for c, p in patches.items() if (version_order(p.version), p.digest) > order}
    deleted = event.op == "delete"
    columns = {} if deleted else dict(event.attributes)
    base = Base(event.version, digest, event.event_time_us, deleted, columns)
    return Folded(replace(state, base=base, patches=patches), collided, replaced)


def _fold_patch(state: RecordState, event: RecordEvent, digest: str) -> Folded:
    order = (version_order(event.version), digest)
    collided = False
    if state.base is not None:
        collided = state.base.version == event.version
        if order <= (version_order(state.base.version), state.base.digest):
            return Folded(state, collided, _lost_later(event, state.base))
    patches = dict(state.patches)
    changed, lost = False, None
    for column, value in event.attributes.items():
        held = patches.get(column)
        if held is not None:
            collided = collided or (held.version == event.version and held.digest != digest)
            if order <= (version_order(held.version), held.digest):
                lost = lost or _lost_later(event, held)
                continue
            lost = lost or _replaced_later(event, held)
        patches[column] = Patch(event.version, digest, event.event_time_us, value)
        changed = True
    return Folded(replace(state, patches=patches) if changed else state, collided, lost)


def _lost_later(event: RecordEvent, winner: Base | Patch) -> Contradiction | None:
    """Return the contradiction if an event that loses was made later than what wins."""
    if event.event_time_us <= winner.event_time_us:
        return None
    return Contradiction(winner.event_time_us, event.event_time_us, split_version(event.version)[0], event.place)


def _replaced_later(event: RecordEvent, loser: Base | Patch) -> Contradiction | None:
    """Return the contradiction if an event that wins was made earlier than what it replaces, which came first."""
    if event.event_time_us >= loser.event_time_us:
        return None
    return Contradiction(event.event_time_us, loser.event_time_us, split_version(loser.version)[0], NO_PLACE)


def state_to_wire(state: RecordState) -> list[object]:
    """Return the JSON form of a state: equal states have equal canonical JSON.

    What few records have comes last, and is left out where there is none of it.
    """
    base = state.base
    wire: list[object] = [
        state.born_at_us,
        None
        if base is None
        else [base.version, base.digest, base.event_time_us, int(base.deleted), dict(base.columns)],
        {c: [p.version, p.digest, p.event_time_us, p.value] for c, p in state.patches.items()},
        {o: [v.version, v.digest, v.event_time_us, v.verdict, v.steward] for o, v in state.verdicts.items()},
    ]
    if state.overrides or state.erased:
        wire.append({
            a: [h.version, h.digest, h.event_time_us, h.value, h.steward, h.expires_at_us, int(h.expired)]
            for a, h in state.overrides.items()
        })  # fmt: skip
    if state.erased:
        wire.append(1)
    return wire


def state_from_wire(wire: list) -> RecordState:  # type: ignore[type-arg]
    """Return the state of its JSON form (lists in it become tuples)."""
    born, base, patches, verdicts, *rest = wire
    overrides = rest[0] if rest else {}
    return RecordState(
        born_at_us=born,
        base=None
        if base is None
        else Base(base[0], base[1], base[2], bool(base[3]), {c: _frozen(v) for c, v in base[4].items()}),
        patches={c: Patch(p[0], p[1], p[2], _frozen(p[3])) for c, p in patches.items()},
        verdicts={o: HeldVerdict(v[0], v[1], v[2], v[3], v[4]) for o, v in verdicts.items()},
        overrides={
            a: HeldOverride(h[0], h[1], h[2], _frozen(h[3]), h[4], h[5], bool(h[6])) for a, h in overrides.items()
        },
        erased=len(rest) > 1,
    )


def _frozen(value: object) -> Value:
    return tuple(value) if isinstance(value, list) else value  # type: ignore[return-value]
