"""Survivorship: which member's value becomes the golden value, and why.

Each rule covers one attribute or a group that survives together, from one record. Its strategies narrow the
candidate records in order; what is still tied is decided by ``(source, record_id)``. Nothing here looks at a clock:
ages are measured against the newest value in the cluster.

A steward's override stands above the rules: it replaces what survived, attribute by attribute, also within a group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from mdm_stream.core.model import STEWARD_SOURCE, Standardised, Version, make_ref, split_ref
from mdm_stream.core.record import Record, written_at
from mdm_stream.core.ruleset import Ruleset, Strategy, SurvivorshipRule

US_PER_DAY = 86_400_000_000
OVERRIDE = "override"
"""The strategy named in the provenance of a value that a steward has set."""
UNION = "union"
VALID_ONLY = "valid_only"
TIE_BREAK = "record_key"
"""The strategy named in provenance when the record key alone decided, or when there was no choice to make."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a golden value comes from: the member, what it wrote and when, and the strategy that decided."""

    ref: str
    version: Version
    event_time_us: int
    strategy: str


@dataclass(frozen=True, slots=True)
class Survivor:
    """The golden value of one attribute: a text, or a tuple of texts, with one origin a value."""

    value: str | tuple[str, ...]
    origins: tuple[Origin, ...]


@dataclass(slots=True)
class _Candidate:
    """What one member offers for the attributes of a rule. (Not frozen: those take three times as long to make.)"""

    record: Record
    source: str
    record_id: str
    attributes: tuple[int, ...]
    values: tuple[Standardised, ...]

    def event_time_us(self, rules: Ruleset) -> int:
        """Return when the newest of the values was set. Only asked for where a strategy looks at times."""
        return max(
            written_at(rules, self.record, attribute)[1]
            for attribute, value in zip(self.attributes, self.values, strict=True)
            if value.value is not None
        )

    @property
    def present(self) -> int:
        return sum(value.value is not None for value in self.values)

    @property
    def match(self) -> tuple[object, ...]:
        return tuple(v.value if v.match is None else v.match for v in self.values)


_Narrow = Callable[[Ruleset, Sequence[_Candidate], Mapping[str, object]], list[_Candidate]]


def survive(rules: Ruleset, members: Sequence[Record]) -> dict[str, Survivor]:
    """Return the surviving value of each attribute that any member has, by attribute name.

    ``members`` are live records of one cluster, in any order.
    """
    survivors: dict[str, Survivor] = {}
    ordered = sorted(members, key=lambda record: split_ref(record.ref))
    if len(ordered) == 1:
        for rule in rules.survivorship:
            _survive_alone(rules, rule, ordered[0], survivors)
    else:
        for rule in rules.survivorship:
            candidates = _candidates(rule, ordered)
            if candidates:
                survivors.update(_apply(rules, rule, candidates))
    if any(record.overrides for record in ordered):
        survivors.update(_overridden(rules, ordered))
    return survivors


def _overridden(rules: Ruleset, members: Sequence[Record]) -> dict[str, Survivor]:
    """Return the overrides of a cluster: of one attribute the newest, ties by the key of the record overridden.

    ``members`` are in the order of their keys.
    """
    unions = {i for rule in rules.survivorship for i in rule.attributes if UNION in [s.name for s in rule.strategies]}
    newest: dict[int, tuple[int, Survivor]] = {}
    for record in members:
        for position, standardised in record.overrides:
            held = record.state.overrides[rules.attributes[position].name]
            if position in newest and newest[position][0] >= held.event_time_us:
                continue
            origin = Origin(make_ref(STEWARD_SOURCE, record.ref), held.version, held.event_time_us, OVERRIDE)
            value = standardised.value or ()
            if isinstance(value, str) and position not in unions:
                survivor = Survivor(value, (origin,))
            elif position in unions:
                value = (value,) if isinstance(value, str) else value
                survivor = Survivor(value, (origin,) * len(value))
            else:
                survivor = Survivor(value, (origin,))
            newest[position] = (held.event_time_us, survivor)
    return {rules.attributes[position].name: survivor for position, (_, survivor) in newest.items()}


def _survive_alone(rules: Ruleset, rule: SurvivorshipRule, record: Record, survivors: dict[str, Survivor]) -> None:
    """Do what a rule does to a cluster of one, which most clusters are: a filter may drop, a union makes a tuple."""
    names = [strategy.name for strategy in rule.strategies]
    if VALID_ONLY in names and not all(record.values[attribute].valid for attribute in rule.attributes):
        return
    union = UNION in names
    for attribute in rule.attributes:
        value = record.values[attribute].value
        if value is not None:
            origin = Origin(record.ref, *written_at(rules, record, attribute), UNION if union else TIE_BREAK)
            if union:
                value = (value,) if isinstance(value, str) else value
                survivors[rules.attributes[attribute].name] = Survivor(value, (origin,) * len(value))
            else:
                survivors[rules.attributes[attribute].name] = Survivor(value, (origin,))


def _candidates(rule: SurvivorshipRule, members: Sequence[Record]) -> list[_Candidate]:
    candidates = []
    for record in members:
        values = tuple(record.values[attribute] for attribute in rule.attributes)
        if any(value.value is not None for value in values):
            source, record_id = split_ref(record.ref)
            candidates.append(_Candidate(record, source, record_id, rule.attributes, values))
    return candidates


def _apply(rules: Ruleset, rule: SurvivorshipRule, candidates: list[_Candidate]) -> dict[str, Survivor]:
    decided = TIE_BREAK
    for strategy in rule.strategies:
        if strategy.name == UNION:
            return _union(rules, rule, candidates)
        if len(candidates) == 1 and strategy.name != VALID_ONLY:
            continue
        narrowed = _STRATEGIES[strategy.name](rules, candidates, strategy.options)
        if len(narrowed) < len(candidates):
            decided = strategy.name
        candidates = narrowed
        if not candidates:
            return {}
    winner = candidates[0]
    survivors = {}
    for attribute, value in zip(rule.attributes, winner.values, strict=True):
        if value.value is not None:
            origin = Origin(winner.record.ref, *written_at(rules, winner.record, attribute), decided)
            survivors[rules.attributes[attribute].name] = Survivor(value.value, (origin,))
    return survivors


def _union(rules: Ruleset, rule: SurvivorshipRule, candidates: Sequence[_Candidate]) -> dict[str, Survivor]:
    """Keep every distinct value (by match form), sorted; each from the first record in key order that has it."""
    survivors = {}
    for position, attribute in enumerate(rule.attributes):
        kept: dict[str, tuple[str, Origin]] = {}
        for candidate in candidates:
            version, time_us = written_at(rules, candidate.record, attribute)
            for text, match in _items(candidate.values[position]):
                kept.setdefault(match, (text, Origin(candidate.record.ref, version, time_us, UNION)))
        if kept:
            chosen = [kept[match] for match in sorted(kept)]
            survivors[rules.attributes[attribute].name] = Survivor(
                tuple(text for text, _ in chosen), tuple(origin for _, origin in chosen)
            )
    return survivors


def _items(value: Standardised) -> list[tuple[str, str]]:
    """Return ``(value, match)`` of each single value; a value without a match form stands for itself."""
    if value.value is None:
        return []
    if isinstance(value.value, str):
        return [(value.value, value.match if isinstance(value.match, str) else value.value)]
    matches = value.match if isinstance(value.match, tuple) and len(value.match) == len(value.value) else value.value
    return list(zip(value.value, matches, strict=True))


def _best(candidates: Sequence[_Candidate], score: Callable[[_Candidate], object]) -> list[_Candidate]:
    scores = [score(candidate) for candidate in candidates]
    best = max(scores)  # type: ignore[type-var]
    return [candidate for candidate, mark in zip(candidates, scores, strict=True) if mark == best]


def _trust(rules: Ruleset, source: str) -> float:
    known = rules.sources.get(source)
    return 0.5 if known is None else known.trust


def _source_priority(
    rules: Ruleset, candidates: Sequence[_Candidate], options: Mapping[str, object]
) -> list[_Candidate]:
    listed = options.get("sources")
    if listed is None:
        order = sorted(rules.sources, key=lambda name: (-rules.sources[name].trust, name))
    else:
        order = list(cast("tuple[str, ...]", listed))
    rank = {name: position for position, name in enumerate(order)}
    return _best(candidates, lambda c: -rank.get(c.source, len(rank)))


def _most_recent(rules: Ruleset, candidates: Sequence[_Candidate], _: Mapping[str, object]) -> list[_Candidate]:
    return _best(candidates, lambda c: c.event_time_us(rules))


def _most_complete(_: Ruleset, candidates: Sequence[_Candidate], __: Mapping[str, object]) -> list[_Candidate]:
    """Of a group: most of its attributes present. Of a single attribute: most attributes of the whole record."""
    return _best(
        candidates,
        lambda c: c.present if len(c.values) > 1 else sum(v.value is not None for v in c.record.values),
    )


def _most_frequent(_: Ruleset, candidates: Sequence[_Candidate], __: Mapping[str, object]) -> list[_Candidate]:
    counts = Counter(candidate.match for candidate in candidates)
    return _best(candidates, lambda c: counts[c.match])


def _text(candidate: _Candidate) -> tuple[str, ...]:
    texts: list[str] = []
    for value in candidate.values:
        texts += [value.value or ""] if not isinstance(value.value, tuple) else list(value.value)
    return tuple(texts)


def _longest(_: Ruleset, candidates: Sequence[_Candidate], __: Mapping[str, object]) -> list[_Candidate]:
    return _best(candidates, lambda c: sum(map(len, _text(c))))


def _numeric_or_text(candidate: _Candidate) -> tuple[tuple[int, float, str], ...]:
    keys = []
    for text in _text(candidate):
        try:
            keys.append((0, float(text), ""))
        except ValueError:
            keys.append((1, 0.0, text))
    return tuple(keys)


def _max(_: Ruleset, candidates: Sequence[_Candidate], __: Mapping[str, object]) -> list[_Candidate]:
    return _best(candidates, _numeric_or_text)


def _min(_: Ruleset, candidates: Sequence[_Candidate], __: Mapping[str, object]) -> list[_Candidate]:
    least = min(map(_numeric_or_text, candidates))
    return [candidate for candidate in candidates if _numeric_or_text(candidate) == least]


def _decayed_trust(rules: Ruleset, candidates: Sequence[_Candidate], options: Mapping[str, object]) -> list[_Candidate]:
    """Exponential decay: trust halves with every ``half_life_days`` behind the newest candidate."""
    half_life_us = float(cast("float", options["half_life_days"])) * US_PER_DAY
    times_us = [candidate.event_time_us(rules) for candidate in candidates]
    newest_us = max(times_us)
    trusts = [
        _trust(rules, candidate.source) * 0.5 ** ((newest_us - time_us) / half_life_us)
        for candidate, time_us in zip(candidates, times_us, strict=True)
    ]
    most = max(trusts)
    return [candidate for candidate, trust in zip(candidates, trusts, strict=True) if trust == most]


def _valid_only(_: Ruleset, candidates: Sequence[_Candidate], __: Mapping[str, object]) -> list[_Candidate]:
    return [c for c in candidates if all(value.valid for value in c.values)]


_STRATEGIES: Mapping[str, _Narrow] = {
    "source_priority": _source_priority,
    "most_recent": _most_recent,
    "most_complete": _most_complete,
    "most_frequent": _most_frequent,
    "longest": _longest,
    "min": _min,
    "max": _max,
    "trust": _decayed_trust,
    VALID_ONLY: _valid_only,
}

STRATEGY_NAMES = (*sorted(_STRATEGIES), UNION)
"""Every strategy that a rule set may name."""

__all__ = ["STRATEGY_NAMES", "UNION", "Origin", "Strategy", "Survivor", "survive"]
