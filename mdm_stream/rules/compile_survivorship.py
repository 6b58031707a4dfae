"""The ``survivorship`` section compiled: every attribute of the domain gets exactly one rule.

Attributes tied by ``fills`` get one together: a golden full name from one record beside a golden given name from
another would contradict it. Rules that tear them apart are an error and no warning, for what they would give is wrong
whatever their author meant. A tied attribute whose rule ends in ``union`` keeps the values of all records, those of the
chosen one among them, so it may stand by itself.

A whole that is built from its parts (``compose``) is as sensitive as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mdm_stream.core.cluster.compose import COMPOSE, composable, composed_wholes
from mdm_stream.core.cluster.survive import STRATEGY_NAMES, UNION, VALID_ONLY
from mdm_stream.core.ruleset import Attribute, Ruleset, Strategy, SurvivorshipRule
from mdm_stream.rules.conditions import unknown_attribute
from mdm_stream.rules.findings import Findings, nearest, one_of
from mdm_stream.rules.model import SurvivorshipModel
from mdm_stream.rules.tree import Node

STRATEGY_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "most_complete": ("at_least",),
    "source_priority": ("sources",),
    "trust": ("half_life_days",),
}
"""The options of the strategies that have any."""

PARTS_AT_LEAST = 2
"""Where no rule covers tied attributes, a record with one part alone stands back for those with two."""

AT_LEAST_MAX = 500
"""As many attributes as a domain may have."""

HALF_LIFE_DAYS_MAX = 36_500

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

    The result is ordered by each rule's first attribute; attributes without a rule have the default, one by one, but
    for those tied by ``fills``.
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
        _check_filter(strategies, listed, domain)
        _check_compose(strategies, group, listed, domain)
        if group:
            rules.append(SurvivorshipRule(tuple(group), strategies))
    default_node = tree.at(("default",))
    written = _each(default_node) if "default" in tree.items else ()
    default = tuple(_strategy(item, domain) for item in written) or (Strategy("most_recent"),)
    _check_filter(default, default_node, domain)
    if any(strategy.name == UNION for strategy in default):
        findings.error(default_node.place, "'union' cannot be a default; expected it in the rule of a multi attribute")
    if any(strategy.name == COMPOSE for strategy in default):
        findings.error(
            default_node.place,
            "'compose' cannot be a default; expected it in the rule of a name or an address with its parts; where no "
            "rule has them it applies by itself; remove it",
        )
    together = _together(ruled, rules, tree, domain)
    rules += [SurvivorshipRule(group, _composed(group, _without_splinters(default), domain)) for group in together]
    covered = set(ruled).union(*together)
    rules += [SurvivorshipRule((place,), default) for place in range(len(attributes)) if place not in covered]
    return tuple(sorted(rules, key=lambda rule: rule.attributes))


def _together(
    ruled: Mapping[int, str], rules: Sequence[SurvivorshipRule], tree: Node, domain: _Domain
) -> list[tuple[int, ...]]:
    """Return the groups tied by ``fills`` that no rule covers; a rule that tears one apart is an error."""
    unions = {place for rule in rules for place in rule.attributes if rule.strategies[-1].name == UNION}
    uncovered = []
    for tie in _ties(domain):
        group = tuple(place for place in tie if place not in unions)
        names = [domain.attributes[place].name for place in group]
        by = dict.fromkeys(ruled.get(place) for place in group)
        if len(group) > 1 and list(by) == [None]:
            uncovered.append(group)
        for rule in by if len(by) > 1 else ():
            if rule is not None:
                apart = [name for name, place in zip(names, group, strict=True) if ruled.get(place) != rule]
                domain.findings.error(
                    tree.at(("rules", rule)).place,
                    f"rule {rule!r} lacks {', '.join(apart)}: what 'fills' ties survives together, from one record; "
                    f"expected one rule with attributes: [{', '.join(names)}]; merge them",
                )
    return uncovered


def _ties(domain: _Domain) -> list[tuple[int, ...]]:
    """Return the sets of attributes that ``fills`` ties to each other, each in order."""
    tie_of: dict[int, set[int]] = {}
    for place, attribute in enumerate(domain.attributes):
        targets = [domain.positions[name] for name in attribute.fills.values() if name in domain.positions]
        for target in targets:
            joined = tie_of.get(place, {place}) | tie_of.get(target, {target})
            tie_of.update(dict.fromkeys(joined, joined))
    return sorted({tuple(sorted(tie)) for tie in tie_of.values()})


def _without_splinters(default: tuple[Strategy, ...]) -> tuple[Strategy, ...]:
    """Return the default for tied attributes: first of all, one part alone does not take the others away."""
    valid_first = int(default[0].name == VALID_ONLY)
    whole = Strategy("most_complete", {"at_least": PARTS_AT_LEAST})
    return (*default[:valid_first], whole, *default[valid_first:])


def _composed(group: tuple[int, ...], strategies: tuple[Strategy, ...], domain: _Domain) -> tuple[Strategy, ...]:
    """Return the strategies of tied attributes with ``compose``, if one of them can be built from the others."""
    wholes = composable({place: domain.attributes[place] for place in group})
    return (*strategies, Strategy(COMPOSE)) if wholes else strategies


def with_sensitive_wholes(rules: Ruleset) -> Ruleset:
    """Return the rules with each whole sensitive that is built from a sensitive part: it shows what that one hides."""
    attributes = list(rules.attributes)
    for rule in rules.survivorship:
        for whole in composed_wholes(rules, rule):
            if any(rules.attributes[place].sensitive for place in whole.parts.values()):
                attributes[whole.position] = replace(attributes[whole.position], sensitive=True)
    return replace(rules, attributes=tuple(attributes))


def _each(node: Node) -> tuple[Node, ...]:
    """Return the items of a list node; what stands by itself is a list of one; nothing was not written at all."""
    if isinstance(node.content, tuple):
        return node.content
    return (node,) if isinstance(node.content, str) or (isinstance(node.content, dict) and node.content) else ()


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


def _check_compose(strategies: tuple[Strategy, ...], group: list[int], node: Node, domain: _Domain) -> None:
    names = [strategy.name for strategy in strategies]
    if COMPOSE not in names:
        return
    if UNION in names or names.index(COMPOSE) < len(names) - 1:
        domain.findings.error(
            node.place, "'compose' builds a whole when all else is chosen; expected it last, without 'union'; move it"
        )
    if not composable({place: domain.attributes[place] for place in group}):
        domain.findings.error(
            node.place,
            "'compose' has nothing to build; expected an attribute of one value that fills others of the rule: a "
            "full_name with given and family, a full_address with street and city; add them, or remove 'compose'",
        )


def _check_filter(strategies: tuple[Strategy, ...], node: Node, domain: _Domain) -> None:
    if VALID_ONLY in [strategy.name for strategy in strategies[1:]] and strategies[0].name != VALID_ONLY:
        domain.findings.warning(
            node.place,
            "'valid_only' after other strategies leaves no value where those chose an invalid one; "
            "expected it first; move it to the front",
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
    return _OPTION_READERS[name](node, domain) if name in _OPTION_READERS else {}


def _source_priority(node: Node, domain: _Domain) -> dict[str, OptionValue]:
    listed = node.items.get("sources")
    if listed is None:
        return {}
    sources = tuple(text for item in _each(listed) if (text := _source(item, domain)))
    if not sources:
        domain.findings.error(listed.place, "'sources' lists no source; expected [name, ...], the best first")
    elif len(set(sources)) < len(sources):
        domain.findings.error(listed.place, "a source is listed twice; expected each once, the best first; remove one")
    return {"sources": sources}


def _most_complete(node: Node, domain: _Domain) -> dict[str, OptionValue]:
    wanted = node.items.get("at_least")
    if wanted is None:
        return {}
    least = wanted.content
    if isinstance(least, bool) or not isinstance(least, int) or not 1 <= least <= AT_LEAST_MAX:
        advice = f"expected 1 to {AT_LEAST_MAX}; write {{most_complete: {{at_least: 3}}}}"
        domain.findings.error(wanted.place, f"'at_least' is not a number of attributes; {advice}")
        return {}
    return {"at_least": least}


def _trust(node: Node, domain: _Domain) -> dict[str, OptionValue]:
    days = node.items.get("half_life_days", node).content
    if isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days <= HALF_LIFE_DAYS_MAX:
        advice = "write {trust: {half_life_days: 365}}"
        domain.findings.error(node.place, f"'trust' needs half_life_days between 0 and {HALF_LIFE_DAYS_MAX}; {advice}")
        return {}
    return {"half_life_days": float(days)}


_OPTION_READERS: Mapping[str, Callable[[Node, _Domain], dict[str, OptionValue]]] = {
    "source_priority": _source_priority,
    "most_complete": _most_complete,
    "trust": _trust,
}


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
