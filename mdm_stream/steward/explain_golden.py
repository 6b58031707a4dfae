"""How a golden record came together, and why each of its values survived. Pure: one component and its records in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mdm_stream.contracts.feed_model import GoldenValue
from mdm_stream.contracts.golden_explanation import (
    BuiltValue,
    GoldenExplanation,
    JoinedLink,
    KeptApartFrom,
    SurvivalCompetitor,
    SurvivalOfAttributes,
)
from mdm_stream.contracts.steward import LinkState
from mdm_stream.core.cluster.compose import parts_named
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.cluster.golden import ResolvedComponent, anchor_of, evidence_of, resolve_component
from mdm_stream.core.cluster.survival_trace import Competitor, RuleTrace, trace_survival
from mdm_stream.core.cluster.survive import OVERRIDE
from mdm_stream.core.cluster.survivor import Survivor
from mdm_stream.core.plan.commit import HeldComponent
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset, Strategy
from mdm_stream.core.times import format_time_us
from mdm_stream.steward.assembly import Join, assembly_of, weakest_bridge
from mdm_stream.steward.describe import Reveal, record_key, shown_value
from mdm_stream.steward.explain import link_refusal

CUT_OFF_LISTED_MAX = 20
"""Members that a join lists as cut off without it, the first in order."""


def explain_golden(
    rules: Ruleset,
    ref: str,
    component: HeldComponent,
    records: Mapping[str, Record],
    *,
    values: bool = False,
    reveal: Reveal = False,
) -> GoldenExplanation:
    """Return how the golden record of a live record came together, and why its values survived.

    ``records`` has every member of the component. The clusters are those of F on the component's links. Values are in
    it with ``values`` alone, those of sensitive attributes with ``reveal`` too.
    """
    resolved = resolve_component(rules, component.members, component.links, records)
    golden = next(each for each in resolved.golden if ref in each.members)
    inside = frozenset(golden.members)
    links = [link for link in component.links if link.a in inside and link.b in inside]
    joins = assembly_of(golden.members, links)
    weakest = weakest_bridge(joins)
    members = [records[member] for member in golden.members]
    survivors, traces = trace_survival(rules, members)
    explanation = GoldenExplanation(
        domain=rules.domain,
        rules_version=rules.version,
        golden_id=golden.golden_id,
        redirected_from=None,
        anchor=record_key(anchor_of(members)),
        members=[record_key(member) for member in golden.members],
        links_count=len(links),
        joins=[_joined(rules, number, join) for number, join in enumerate(joins, start=1)],
        weakest=None if weakest is None else weakest + 1,
        kept_apart=_kept_apart(rules, resolved, golden.golden_id, records),
        survival=[_survival(rules, trace, survivors, values=values, reveal=reveal) for trace in traces],
    )
    if not values:
        return explanation
    return explanation.model_copy(update={"values": _golden_values(rules, survivors, reveal=reveal)})


def _joined(rules: Ruleset, number: int, join: Join) -> JoinedLink:
    link = join.link
    return JoinedLink(
        number=number,
        a=record_key(link.a),
        b=record_key(link.b),
        confidence=link.confidence,
        weight_bits=link.weight,
        decided_by=link.rule or "score",
        evidence=_spoken(rules, link),
        sizes=join.sizes,
        cuts_off=[record_key(ref) for ref in join.parts_off[:CUT_OFF_LISTED_MAX]],
        cut_off_count=len(join.parts_off),
    )


def _spoken(rules: Ruleset, link: Edge) -> dict[str, str]:
    """Return the levels of the comparisons that moved a link's score, by their names."""
    said = evidence_of(rules, link)["evidence"]
    assert isinstance(said, dict)
    silent = {
        (comparison.name, level.label)
        for comparison in rules.match.comparisons
        for level in comparison.levels
        if level.bits == 0 and level.terms is None
    }
    return {name: label for name, label in said.items() if (name, label) not in silent and label != "missing"}


def _kept_apart(
    rules: Ruleset, resolved: ResolvedComponent, golden_id: str, records: Mapping[str, Record]
) -> list[KeptApartFrom]:
    members = {golden.golden_id: frozenset(golden.members) for golden in resolved.golden}
    golden_of = {ref: golden for golden, refs in members.items() for ref in refs}
    found = []
    for kept in resolved.apart:
        if golden_id not in kept.golden_ids:
            continue
        link = kept.strongest.edge
        sides = members[golden_of[link.a]], members[golden_of[link.b]]
        state = LinkState(
            a=record_key(link.a),
            b=record_key(link.b),
            confidence=link.confidence,
            weight_bits=link.weight,
            decided_by=link.rule or "score",
            refused=link_refusal(rules, records, kept.strongest.reason, kept.refused_links, sides),
        )
        other = next(each for each in kept.golden_ids if each != golden_id)
        found.append((link.strength, KeptApartFrom(golden_id=other, strongest=state, answered=kept.answered)))
    return [kept for _, kept in sorted(found, key=lambda each: each[0])]


def _survival(
    rules: Ruleset, trace: RuleTrace, survivors: Mapping[str, Survivor], *, values: bool, reveal: Reveal
) -> SurvivalOfAttributes:
    names = [rules.attributes[position].name for position in trace.rule.attributes]
    offered = [
        name
        for place, name in enumerate(names)
        if any(competitor.values[place].value is not None for competitor in trace.competitors)
    ]
    overridden = [
        name
        for name in names
        if name in survivors and any(each.strategy == OVERRIDE for each in survivors[name].origins)
    ]
    built = [each for name in names if name in survivors and (each := _built(name, survivors[name])) is not None]
    said = {*offered, *overridden, *(each.attribute for each in built)}
    return SurvivalOfAttributes(
        attributes=[name for name in names if name in said],
        strategies=[_strategy(strategy) for strategy in trace.rule.strategies],
        decided_by=trace.decided_by,
        overridden=overridden,
        built=built,
        competitors=[_competitor(rules, trace, each, values=values, reveal=reveal) for each in _ranked(trace)],
    )


def _built(name: str, survivor: Survivor) -> BuiltValue | None:
    parts = {part: record_key(each.ref) for each in survivor.origins for part in parts_named(each.strategy)}
    return BuiltValue(attribute=name, parts=parts) if parts else None


def _ranked(trace: RuleTrace) -> list[Competitor]:
    """Return a rule's competitors: what survived first, then those that held out longest, ties by their keys."""
    places = {strategy.name: place for place, strategy in enumerate(trace.rule.strategies)}
    last = len(places)
    return sorted(
        trace.competitors, key=lambda each: -(last + 1 if not each.lost_by else places.get(each.lost_by, last))
    )


def _competitor(
    rules: Ruleset, trace: RuleTrace, competitor: Competitor, *, values: bool, reveal: Reveal
) -> SurvivalCompetitor:
    key = record_key(competitor.ref)
    described = SurvivalCompetitor(
        source=key.source,
        record_id=key.record_id,
        event_time=format_time_us(competitor.event_time_us),
        lost_by=competitor.lost_by or None,
    )
    if not values:
        return described
    shown: dict[str, GoldenValue] = {}
    for position, value in zip(trace.rule.attributes, competitor.values, strict=True):
        attribute = rules.attributes[position]
        if value.value is not None:
            shown[attribute.name] = shown_value(attribute, value.value, reveal=reveal)
    return described.model_copy(update={"values": shown})


def _golden_values(rules: Ruleset, survivors: Mapping[str, Survivor], *, reveal: Reveal) -> dict[str, GoldenValue]:
    return {
        attribute.name: shown_value(attribute, survivors[attribute.name].value, reveal=reveal)
        for attribute in rules.attributes
        if attribute.name in survivors
    }


def _strategy(strategy: Strategy) -> str:
    """Return a strategy as the rules write it, with its options."""
    options: Iterable[str] = (f"{name}: {_option(value)}" for name, value in strategy.options.items())
    said = ", ".join(options)
    return f"{strategy.name} ({said})" if said else strategy.name


def _option(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
