"""Why each golden value survived: what every rule had to choose from, and which strategy left each record behind. Pure.

It watches ``survive`` itself, so that it cannot say anything else than what happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mdm_stream.core.cluster.strategies import Candidate
from mdm_stream.core.cluster.survive import TIE_BREAK, UNION, survive
from mdm_stream.core.cluster.survivor import Survivor
from mdm_stream.core.model import Standardised
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset, SurvivorshipRule


@dataclass(frozen=True, slots=True)
class Competitor:
    """A record that a rule could choose: what it offered for the rule's attributes, and when that was set.

    ``lost_by`` is the strategy that left it behind (``record_key``: nothing but its name); empty if it survived.
    """

    ref: str
    values: tuple[Standardised, ...]
    event_time_us: int
    lost_by: str


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """What one rule of survivorship did: its competitors in the order of their keys, and what decided.

    ``decided_by`` is the last strategy that left fewer records than it found: ``record_key`` where none did, and
    ``union`` where the values of all that were left are kept.
    """

    rule: SurvivorshipRule
    competitors: tuple[Competitor, ...]
    decided_by: str


@dataclass(slots=True)
class _Traced:
    attributes: tuple[int, ...]
    offered: list[tuple[Candidate, tuple[Standardised, ...]]]
    left: list[str]
    lost_by: dict[str, str] = field(default_factory=dict)
    decided_by: str = TIE_BREAK


class _Tracer:
    """A watch that keeps what it sees."""

    def __init__(self) -> None:
        self.traced: list[_Traced] = []

    def begin(self, attributes: Sequence[int], candidates: Sequence[Candidate]) -> None:
        offered = [(candidate, candidate.values) for candidate in candidates]
        self.traced.append(_Traced(tuple(attributes), offered, [candidate.record.ref for candidate in candidates]))

    def narrow(self, strategy: str, candidates: Sequence[Candidate]) -> None:
        traced = self.traced[-1]
        kept = {candidate.record.ref for candidate in candidates}
        for ref in traced.left:
            if ref not in kept:
                traced.lost_by[ref] = strategy
                traced.decided_by = strategy
        traced.left = [ref for ref in traced.left if ref in kept]


def trace_survival(rules: Ruleset, members: Sequence[Record]) -> tuple[dict[str, Survivor], tuple[RuleTrace, ...]]:
    """Return what survives of a cluster's live records (``survive``), and why, rule by rule in their order.

    Rules that no record has a value for are left out. A steward's override stands above all rules, and is in the
    survivors' origins alone.
    """
    tracer = _Tracer()
    survivors = survive(rules, members, tracer)
    traces = [
        _trace(rules, rule, traced)
        for rule, traced in zip(rules.survivorship, tracer.traced, strict=True)
        if traced.offered
    ]
    return survivors, tuple(traces)


def _trace(rules: Ruleset, rule: SurvivorshipRule, traced: _Traced) -> RuleTrace:
    union = any(strategy.name == UNION for strategy in rule.strategies)
    lost_by = dict(traced.lost_by)
    if not union:
        lost_by.update(dict.fromkeys(traced.left[1:], TIE_BREAK))
    competitors = tuple(
        Competitor(candidate.record.ref, values, candidate.event_time_us(rules), lost_by.get(candidate.record.ref, ""))
        for candidate, values in traced.offered
    )
    return RuleTrace(rule, competitors, UNION if union and traced.left else traced.decided_by)
