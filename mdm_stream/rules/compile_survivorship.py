"""The ``survivorship`` section compiled: every attribute of the domain gets exactly one rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mdm_stream.core.cluster.survive import STRATEGY_NAMES, UNION
from mdm_stream.core.ruleset import Attribute, Strategy, SurvivorshipRule
from mdm_stream.rules.conditions import unknown_attribute
from mdm_stream.rules.findings import Findings, nearest, one_of
from mdm_stream.rules.model import SurvivorshipModel
from mdm_stream.rules.tree import Node

STRATEGY_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "source_priority": ("sources",),
    "trust": ("half_life_days",),
}
"""The options of the strategies that have any."""

OptionValue = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Domain:
    attributes: Sequence[Attribute]
    positions: Mapping[str, int]
    sources: Sequence[str]
    findings: Findings


def compile_survivorship(
    model: SurvivorshipModel, tree: Node, attributes: Sequence[Attribute], sources: Sequence[str], findings: Findings
) -> tuple[SurvivorshipRule, ...]:
    """Compile the ``survivorship`` section, whose node is ``tree``.

    The result is ordered by each rule's first attribute; attributes without a rule have the default, one by one.
    """
    positions = {attribute.name: place for place, attribute in enumerate(attributes)}
    domain = _Domain(attributes, positions, sources, findings)
    ruled: dict[int, str] = {}
    rules: list[SurvivorshipRule] = []
    for name, rule in model.rules.items():
        node = tree.at(("rules", name))
        group: list[int] = []
        for attribute in rule.attributes or (name,):
            place = (node.at(("attributes",)) if rule.attributes else node).place
            if attribute not in positions:
                findings.error(place, unknown_attribute(attribute, positions))
            elif positions[attribute] in ruled:
                taken = ruled[positions[attribute]]
                findings.error(
                    place, f"{attribute!r} already survives by rule {taken!r}; expected one rule; drop it here"
                )
            else:
                ruled[positions[attribute]] = name
                group.append(positions[attribute])
        listed = node.at(("strategies",)) if "strategies" in node.items else node
        strategies = tuple(_strategy(item, domain) for item in _each(listed))
        _check_union(strategies, group, listed, domain)
        if group:
            rules.append(SurvivorshipRule(tuple(group), strategies))
    default_node = tree.at(("default",))
    default = tuple(_strategy(item, domain) for item in _each(default_node)) or (Strategy("most_recent"),)
    if any(strategy.name == UNION for strategy in default):
        findings.error(default_node.place, "'union' cannot be a default; expected it in the rule of a multi attribute")
    rules += [SurvivorshipRule((place,), default) for place in range(len(attributes)) if place not in ruled]
    return tuple(sorted(rules, key=lambda rule: rule.attributes))


def _each(node: Node) -> tuple[Node, ...]:
    """Return the items of a list node; a lone text is a list of one; anything else was not written at all."""
    if isinstance(node.content, tuple):
        return node.content
    return (node,) if isinstance(node.content, str) else ()


def _check_union(strategies: tuple[Strategy, ...], group: list[int], node: Node, domain: _Domain) -> None:
    names = [strategy.name for strategy in strategies]
    if UNION not in names:
        return
    if names.index(UNION) < len(names) - 1:
        domain.findings.error(node.place, "strategies after 'union' never apply; expected it last; move it to the end")
    single = [domain.attributes[place].name for place in group if not domain.attributes[place].multi]
    if single:
        domain.findings.error(
            node.place, f"'union' gives several values but {single[0]!r} holds one; add 'multi: true'"
        )


def _strategy(node: Node, domain: _Domain) -> Strategy:
    content = node.content
    if isinstance(content, str):
        name, options = content, Node({}, node.place)
    elif isinstance(content, dict) and len(content) == 1:
        name, options = next(iter(content.items()))
    else:
        domain.findings.error(
            node.place, "a strategy is not a name; expected most_recent, or {trust: {...}}; correct it"
        )
        return Strategy("")
    if name not in STRATEGY_NAMES:
        close = nearest(name, STRATEGY_NAMES)
        domain.findings.error(node.place, f"unknown strategy {name!r}{close}; expected {one_of(STRATEGY_NAMES)}")
        return Strategy("")
    return Strategy(name, _options(name, options, domain))


def _options(name: str, node: Node, domain: _Domain) -> dict[str, OptionValue]:
    known = STRATEGY_OPTIONS.get(name, ())
    if not isinstance(node.content, dict):
        domain.findings.error(
            node.place, f"the options of {name!r} are not a mapping; write {{{name}: {{option: value}}}}"
        )
        return {}
    for option, value in node.content.items():
        if option not in known:
            expected = f"expected {one_of(known)}" if known else "it has none; remove it"
            domain.findings.error(
                value.place, f"unknown option {option!r} of {name!r}{nearest(option, known)}; {expected}"
            )
    options: dict[str, OptionValue] = {}
    if name == "source_priority" and (listed := node.items.get("sources")):
        options["sources"] = tuple(text for item in _each(listed) if (text := _source(item, domain)))
        if not options["sources"]:
            domain.findings.error(listed.place, "'sources' lists no source; expected [name, ...], the best first")
    elif name == "trust":
        days = node.items.get("half_life_days", node).content
        if isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days <= 36_500:
            advice = "write {trust: {half_life_days: 365}}"
            domain.findings.error(node.place, f"'trust' needs half_life_days between 0 and 36500; {advice}")
        else:
            options["half_life_days"] = float(days)
    return options


def _source(node: Node, domain: _Domain) -> str:
    """Return the name of a source; if the rule set declares sources it has to be one of them."""
    name = node.content
    if not isinstance(name, str):
        domain.findings.error(node.place, "the name of a source is not text; put it in quotes")
        return ""
    if domain.sources and name not in domain.sources:
        known = one_of(domain.sources)
        domain.findings.error(
            node.place, f"there is no source {name!r}{nearest(name, domain.sources)}; expected {known}"
        )
    return name
