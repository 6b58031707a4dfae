"""Survivorship: which member's value becomes the golden value, and why.

Each rule covers one attribute or a group that survives together, from one record. Its strategies narrow the
candidate records in order; what is still tied is decided by ``(source, record_id)``. Nothing here looks at a clock:
ages are measured against the newest value in the cluster.

A steward's override stands above the rules: it replaces what survived, attribute by attribute, also within a group.
Only attributes that ``fills`` ties are kept from contradicting each other there too; last of all ``compose`` builds
wholes from what their parts have become.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mdm_stream.core.cluster.compose import COMPOSE, compose, wholes_of
from mdm_stream.core.cluster.strategies import STRATEGIES, VALID_ONLY, Candidate, Narrow, valid_values
from mdm_stream.core.cluster.survivor import Origin, Survivor
from mdm_stream.core.model import MISSING, STEWARD_SOURCE, Standardised, make_ref, split_ref
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.record import Record, tied_parts, written_at
from mdm_stream.core.ruleset import Ruleset, SurvivorshipRule

OVERRIDE = "override"
"""The strategy named in the provenance of a value that a steward has set."""
UNION = "union"
TIE_BREAK = "record_key"
"""The strategy named in provenance when the record key alone decided, or when there was no choice to make."""


class SurvivalWatch(Protocol):
    """Looks on while values survive, rule by rule, and changes nothing: see ``survival_trace``."""

    def begin(self, attributes: Sequence[int], candidates: Sequence[Candidate]) -> None:
        """Take the candidates of the next rule, in the order of their keys; perhaps none."""
        ...

    def narrow(self, strategy: str, candidates: Sequence[Candidate]) -> None:
        """Take those that a strategy left."""
        ...


@dataclass(frozen=True, slots=True)
class _Plan:
    """One rule made ready. ``steps`` are its strategies before a union, or before wholes are composed.

    ``wholes`` are places in the rule of attributes that fill others of it: they repeat what those say.
    """

    attributes: tuple[int, ...]
    names: tuple[str, ...]
    steps: tuple[tuple[str, Narrow, Mapping[str, object]], ...]
    valid_only: bool
    union: bool
    wholes: tuple[int, ...]


def _make_plans(rules: Ruleset) -> tuple[_Plan, ...]:
    return tuple(_make_plan(rules, rule) for rule in rules.survivorship)


def _make_plan(rules: Ruleset, rule: SurvivorshipRule) -> _Plan:
    names = [strategy.name for strategy in rule.strategies]
    before = [strategy for strategy in rule.strategies[: _end(names)] if strategy.name != COMPOSE]
    attributes = tuple(rules.attributes[position] for position in rule.attributes)
    named = tuple(attribute.name for attribute in attributes)
    return _Plan(
        rule.attributes,
        named,
        tuple((strategy.name, STRATEGIES[strategy.name], strategy.options) for strategy in before),
        valid_only=any(strategy.name == VALID_ONLY for strategy in before),
        union=UNION in names,
        wholes=tuple(
            i for i, attribute in enumerate(attributes) if not set(named).isdisjoint(attribute.fills.values())
        ),
    )


def _end(names: Sequence[str]) -> int:
    return names.index(UNION) if UNION in names else len(names)


_plans = PerRuleset(_make_plans)


class _Origins:
    """Makes origins for one cluster. What one event has written whole is described once for all its attributes."""

    def __init__(self, rules: Ruleset) -> None:
        self._rules = rules
        self._whole: dict[tuple[str, str], Origin] = {}

    def of(self, record: Record, attribute: int, strategy: str) -> Origin:
        """Return where a record's value of an attribute comes from."""
        state = record.state
        if state.patches or state.base is None:
            return Origin(record.ref, *written_at(self._rules, record, attribute), strategy)
        key = record.ref, strategy
        origin = self._whole.get(key)
        if origin is None:
            origin = self._whole[key] = Origin(record.ref, state.base.version, state.base.event_time_us, strategy)
        return origin


def survive(rules: Ruleset, members: Sequence[Record], watch: SurvivalWatch | None = None) -> dict[str, Survivor]:
    """Return the surviving value of each attribute that any member has, by attribute name.

    ``members`` are live records of one cluster, in any order. ``watch`` sees what the rules do, in their order.
    """
    survivors: dict[str, Survivor] = {}
    plans = _plans(rules)
    origins = _Origins(rules)
    if len(members) == 1 and watch is None:
        ordered = members
        for plan in plans:
            _survive_alone(plan, members[0], origins, survivors)
    else:
        ordered = sorted(members, key=lambda record: split_ref(record.ref))
        sources = [split_ref(record.ref)[0] for record in ordered]
        for plan in plans:
            candidates = _candidates(plan, ordered, sources)
            if watch is not None:
                watch.begin(plan.attributes, candidates)
            _survive_together(rules, plan, candidates, origins, survivors, watch)
    wholes = wholes_of(rules)
    survived = {whole.position: survivors[whole.name] for whole in wholes if whole.name in survivors}
    settled: set[int] = set()
    if any(record.overrides for record in ordered):
        settled = _override(rules, ordered, survivors)
    if wholes:
        compose(rules, survivors, survived, settled)
    return survivors


@dataclass(frozen=True, slots=True)
class _Overriding:
    """The newest override of an attribute in a cluster: ``own``, or given by one of its whole. ``None``: no value."""

    origin: Origin
    survivor: Survivor | None
    own: bool

    def contradicts(self, whole: _Overriding | None) -> bool:
        """Whether a part with this override takes its whole away."""
        if whole is None:
            return True
        return (self.own or self.origin != whole.origin) and self.origin.event_time_us >= whole.origin.event_time_us


def _override(rules: Ruleset, members: Sequence[Record], survivors: dict[str, Survivor]) -> set[int]:
    """Put a cluster's overrides in place: of one attribute the newest, ties by the key of the record overridden.

    Returns the attributes that stand as a steward has set them themselves.

    ``members`` are in the order of their keys. A whole (a full name) goes where a part of it has an override that comes
    from another one, or is its own, and is not older.
    """
    unions = {position for plan in _plans(rules) if plan.union for position in plan.attributes}
    newest: dict[int, _Overriding] = {}
    for record in members:
        for position, standardised, by in record.overrides:
            held = record.state.overrides[rules.attributes[by].name]
            if position in newest and newest[position].origin.event_time_us >= held.event_time_us:
                continue
            origin = Origin(make_ref(STEWARD_SOURCE, record.ref), held.version, held.event_time_us, OVERRIDE)
            survivor = _overriding(standardised, origin, position in unions)
            newest[position] = _Overriding(origin, survivor, own=by == position)
    for whole, parts in tied_parts(rules).items():
        overridden = [newest[part] for part in parts if part in newest]
        if any(part.contradicts(newest.get(whole)) for part in overridden):
            newest[whole] = _Overriding(overridden[0].origin, None, own=False)
    for position, overriding in newest.items():
        name, survivor = rules.attributes[position].name, overriding.survivor
        if survivor is None:
            survivors.pop(name, None)
        else:
            survivors[name] = survivor
    return {position for position, each in newest.items() if each.own and each.survivor is not None}


def _overriding(standardised: Standardised, origin: Origin, union: bool) -> Survivor | None:
    value = standardised.value
    if value is None:
        return None
    if union:
        value = (value,) if isinstance(value, str) else value
        return Survivor(value, (origin,) * len(value))
    return Survivor(value, (origin,))


def _survive_alone(plan: _Plan, record: Record, origins: _Origins, survivors: dict[str, Survivor]) -> None:
    """Do what a rule does to a cluster of one, which most clusters are: a filter may drop, a union makes a tuple."""
    if plan.valid_only and not all(record.values[attribute].valid for attribute in plan.attributes):
        return
    for name, attribute in zip(plan.names, plan.attributes, strict=True):
        value = record.values[attribute]
        if value.value is not None:
            text = valid_values(value).value if plan.valid_only else value.value
            origin = origins.of(record, attribute, UNION if plan.union else TIE_BREAK)
            if plan.union:
                texts = (text,) if isinstance(text, str) else text or ()
                survivors[name] = Survivor(texts, (origin,) * len(texts))
            else:
                survivors[name] = Survivor(text or (), (origin,))


def _survive_together(
    rules: Ruleset,
    plan: _Plan,
    candidates: list[Candidate],
    origins: _Origins,
    survivors: dict[str, Survivor],
    watch: SurvivalWatch | None = None,
) -> None:
    """Do what a rule does to candidates in the order of their keys."""
    decided = TIE_BREAK
    for name, narrow, options in plan.steps:
        if not candidates or (len(candidates) == 1 and name != VALID_ONLY):
            continue
        narrowed = narrow(rules, candidates, options)
        if len(narrowed) < len(candidates):
            decided = name
        candidates = narrowed
        if watch is not None:
            watch.narrow(name, candidates)
    if not candidates:
        return
    if plan.union:
        _union(plan, candidates, origins, survivors)
        return
    winner = candidates[0]
    for name, attribute, value in zip(plan.names, plan.attributes, winner.values, strict=True):
        if value.value is not None:
            survivors[name] = Survivor(value.value, (origins.of(winner.record, attribute, decided),))


def _candidates(plan: _Plan, members: Sequence[Record], sources: Sequence[str]) -> list[Candidate]:
    attributes = plan.attributes
    candidates = []
    if len(attributes) == 1:
        position = attributes[0]
        for record, source in zip(members, sources, strict=True):
            value = record.values[position]
            if value.value is not None:
                lone = (value,)
                candidates.append(Candidate(record, source, attributes, lone, lone))
        return candidates
    for record, source in zip(members, sources, strict=True):
        values = tuple([record.values[position] for position in attributes])
        if any(value.value is not None for value in values):
            compared = _compared(plan, values) if plan.wholes else values
            candidates.append(Candidate(record, source, attributes, values, compared))
    return candidates


def _compared(plan: _Plan, values: tuple[Standardised, ...]) -> tuple[Standardised, ...]:
    """Leave a whole (a full name) out of the comparison of records that have any of its parts: those say the same.

    Otherwise a record would count as fuller, longer or another value only because its source writes names in one cell.
    """
    parts = tuple([MISSING if place in plan.wholes else value for place, value in enumerate(values)])
    return parts if any(value.value is not None for value in parts) else values


def _union(plan: _Plan, candidates: Sequence[Candidate], origins: _Origins, survivors: dict[str, Survivor]) -> None:
    """Keep every distinct value: by match value, then those without one; each from the first record that has it."""
    for place, (name, attribute) in enumerate(zip(plan.names, plan.attributes, strict=True)):
        kept: dict[tuple[bool, str], tuple[str, Origin]] = {}
        for candidate in candidates:
            value = candidate.values[place]
            if value.value is None:
                continue
            origin = origins.of(candidate.record, attribute, UNION)
            for key, text in _items(value):
                kept.setdefault(key, (text, origin))
        if kept:
            chosen = [kept[key] for key in sorted(kept)]
            survivors[name] = Survivor(tuple([text for text, _ in chosen]), tuple([origin for _, origin in chosen]))


def _items(value: Standardised) -> Iterator[tuple[tuple[bool, str], str]]:
    """Yield each single value with what it is told apart by: whether it lacks a match value, and that one or itself."""
    texts = value.value if isinstance(value.value, tuple) else (value.value or "",)
    matches = value.match if isinstance(value.match, tuple) else (value.match,) if value.match else ()
    for place, text in enumerate(texts):
        yield ((False, matches[place]) if place < len(matches) else (True, text)), text


STRATEGY_NAMES = (*sorted(STRATEGIES), COMPOSE, UNION)
"""Every strategy that a rule set may name."""

__all__ = ["STRATEGY_NAMES", "UNION", "VALID_ONLY", "Origin", "Survivor", "survive"]
