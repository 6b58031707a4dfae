"""A record as the core works on it: its folded state, standardised values and blocking keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mdm_stream.core.blocking.keys import blocking_keys
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.fold import RecordState, state_to_wire
from mdm_stream.core.model import InvalidReason, MatchValues, Standardised, Version, split_ref, version_order
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise import (
    delivered,
    has_own_value,
    match_values,
    set_aside,
    standardise_record,
    why_absent,
    why_values_are_invalid,
)

_BY_ATTRIBUTE = ""
"""No source can be called so: its columns are read as attributes by their names."""

REVISION_LENGTH = 16
"""Hex digits of a revision. 64 bits: a revision is compared only with others of the same record."""


class StandingOverride(NamedTuple):
    """What a steward's override gives an attribute: ``MISSING`` if it takes away what would contradict it.

    ``by`` is the attribute that was overridden: this one, or a whole (a full name) that fills it.
    """

    attribute: int
    value: Standardised
    by: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record key at one revision. Immutable, so it may be cached by ``(ref, revision)``.

    ``revision`` is a digest of the state, so it is the same wherever the same events were folded. ``values`` and
    ``match`` are aligned with the rule set's attributes and empty, like ``keys``, if the record is not live.
    ``overrides`` are a steward's values by attribute, which survive in place of any record's but neither block nor
    match.
    """

    ref: str
    revision: str
    state: RecordState
    values: tuple[Standardised, ...]
    match: MatchValues
    keys: tuple[str, ...]
    overrides: tuple[StandingOverride, ...] = ()

    @property
    def live(self) -> bool:
        """Whether the record exists now."""
        return self.state.live

    @property
    def born_at_us(self) -> int:
        """The least event time ever delivered for the record key (0 if only verdicts were)."""
        return self.state.born_at_us or 0


def build_record(rules: Ruleset, ref: str, state: RecordState) -> Record:
    """Standardise a state and derive its blocking keys."""
    revision = revision_of(state)
    if not state.live:
        return Record(ref, revision, state, (), (), ())
    source = split_ref(ref)[0]
    values = standardise_record(rules, source, state.columns())
    match = match_values(rules, source, values)
    return Record(ref, revision, state, values, match, blocking_keys(rules, match), _overrides(rules, state, values))


def _overrides(rules: Ruleset, state: RecordState, own: tuple[Standardised, ...]) -> tuple[StandingOverride, ...]:
    """Return the standing overrides, standardised as a record's values are; unusable ones are left out.

    They are read by the attributes' own options, and as of the country of the record.

    An override of a whole also gives the parts that it fills, and takes away those that it lacks, but for a part that
    was overridden itself at the same time or later.
    """
    standing = {name: held.value for name, held in state.overrides.items() if held.value is not None}
    if not standing:
        return ()
    found: dict[int, StandingOverride] = {}
    for position, attribute in enumerate(rules.attributes):
        if attribute.name in standing:
            lone = {attribute.name: standing[attribute.name]}
            values = standardise_record(rules, _BY_ATTRIBUTE, lone, own)
            if values[position].value is None:
                continue
            time_us = state.overrides[attribute.name].event_time_us
            for given in (position, *tied_parts(rules).get(position, ())):
                held = found.get(given)
                held_us = -1 if held is None else state.overrides[rules.attributes[held.by].name].event_time_us
                if held is None or (time_us, given == position) > (held_us, held.by == given):
                    found[given] = StandingOverride(given, values[given], position)
    return tuple(found[position] for position in sorted(found))


def overrides_set_aside(rules: Ruleset, record: Record) -> Iterator[tuple[int, InvalidReason]]:
    """Yield ``(attribute, why)`` for each standing override of a live record that is a placeholder or invalid."""
    if not record.state.overrides:
        return
    for position, attribute in enumerate(rules.attributes):
        held = record.state.overrides.get(attribute.name)
        if record.live and held is not None and held.value is not None:
            lone = {attribute.name: held.value}
            values = standardise_record(rules, _BY_ATTRIBUTE, lone, record.values)
            found = set_aside(rules, _BY_ATTRIBUTE, lone, values)
            yield from [(place, why) for place, why in found if place == position][:1]


class DescribedValue(NamedTuple):
    """An attribute of a live record as people see it: what is shown, the write that set it, and why it is invalid.

    ``shown`` is the standardised value; of a placeholder what was delivered. ``invalid_because`` is ``None`` where the
    value is valid.
    """

    attribute: int
    shown: str | tuple[str, ...]
    version: Version
    event_time_us: int
    invalid_because: InvalidReason | None


def described_values(rules: Ruleset, record: Record) -> Iterator[DescribedValue]:
    """Yield the attributes of a record that say anything, in the order of the rules; none of one that is not live."""
    source = split_ref(record.ref)[0]
    columns = record.state.columns() if record.live else {}
    for position, value in enumerate(record.values):
        shown = value.value if value.value is not None else tuple(delivered(rules, source, columns, position))
        if not shown:
            continue
        because = None
        if value.value is None:
            because = why_absent(rules, source, position, delivered(rules, source, columns, position))
        elif not value.valid or value.invalid:
            because = why_values_are_invalid(rules, source, position, value)[0]
        if not rules.attributes[position].multi and not isinstance(shown, str):
            shown = shown[0]
        yield DescribedValue(position, shown, *written_at(rules, record, position), because)


def _make_tied_parts(rules: Ruleset) -> Mapping[int, tuple[int, ...]]:
    tied: dict[int, tuple[int, ...]] = {}
    for rule in rules.survivorship:
        within = {rules.attributes[position].name: position for position in rule.attributes}
        if not any(strategy.name == "union" for strategy in rule.strategies):
            for name, position in within.items():
                filled = rules.attributes[position].fills.values()
                if parts := tuple(place for part, place in within.items() if part in filled and part != name):
                    tied[position] = parts
    return tied


tied_parts = PerRuleset(_make_tied_parts)
"""By attribute those that it fills and survives with, so that they say the same."""


def revision_of(state: RecordState) -> str:
    """Return the revision of a state."""
    return digest_of(state_to_wire(state))[:REVISION_LENGTH]


def written_at(rules: Ruleset, record: Record, attribute: int) -> tuple[Version, int]:
    """Return the version and event time that set an attribute of a live record.

    Of several columns the newest write counts. An attribute that another one fills has that one's, also where a column
    of its own holds a placeholder; an attribute that no column of the record carries has the record's newest write.
    """
    state = record.state
    if not state.patches and state.base is not None:
        return state.base.version, state.base.event_time_us
    source_name = split_ref(record.ref)[0]
    source = rules.sources.get(source_name)
    present = state.columns()
    newest = _newest(state, [c for c in _columns(rules, source, attribute) if c in present])
    name = rules.attributes[attribute].name
    filling = [position for position, other in enumerate(rules.attributes) if name in other.fills.values()]
    if filling and not has_own_value(rules, source_name, present, attribute):
        writes = (_newest(state, [c for c in _columns(rules, source, place) if c in present]) for place in filling)
        newest = next((write for write in writes if write is not None), newest)
    return newest or _newest(state, list(present) or list(state.patches)) or (0, 0)


def _columns(rules: Ruleset, source: object, attribute: int) -> tuple[str, ...]:
    name = rules.attributes[attribute].name
    mapping = getattr(source, "columns", None)
    if not mapping:
        return (name,)
    columns: tuple[str, ...] = mapping.get(name, ())
    return columns


def _newest(state: RecordState, columns: list[str]) -> tuple[Version, int] | None:
    writes = [write for column in columns if (write := state.written(column)) is not None]
    return max(writes, key=lambda write: (version_order(write[0]), write[1]), default=None)
