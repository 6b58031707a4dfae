"""The ``match`` section compiled: comparisons, deterministic rules, thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mdm_stream.core.cluster.edges import VERDICT_RULE
from mdm_stream.core.match.compare import PREDICATE_KINDS, SIMILARITY_KINDS
from mdm_stream.core.ruleset import Attribute, Comparison, DeterministicRule, Level, Match
from mdm_stream.rules.conditions import Scope, describe, parse_condition, unknown_attribute
from mdm_stream.rules.findings import Findings, nearest, one_of
from mdm_stream.rules.learned import LearnedModel, with_learned
from mdm_stream.rules.model import ComparisonModel, LevelModel, MatchModel
from mdm_stream.rules.tree import Node

BITS_DECIMALS = 6
"""Weights made from m and u are rounded to this, so that a digest does not hang on the last bit of a logarithm."""


def compile_match(
    model: MatchModel,
    tree: Node,
    attributes: Sequence[Attribute],
    findings: Findings,
    learned: LearnedModel | None = None,
) -> Match:
    """Compile the ``match`` section; ``tree`` is its node; weights are those of ``learned`` where there is one."""
    positions = {attribute.name: place for place, attribute in enumerate(attributes)}
    thresholds = model.thresholds
    if thresholds.review > thresholds.link:
        place = tree.at(("thresholds", "review")).place
        findings.error(place, "review is greater than link; expected review <= link; lower it")
    if not model.comparisons and not model.deterministic:
        findings.error(tree.place, "nothing can match; expected comparisons or deterministic rules; add one")
    match = Match(
        method=model.method,
        prior=model.prior,
        link=thresholds.link,
        review=thresholds.review,
        deterministic=_deterministic(model, tree, positions, findings),
        comparisons=tuple(
            _comparison(name, comparison, model.method, tree.at(("comparisons", name)), positions, findings)
            for name, comparison in model.comparisons.items()
        ),
        exclusive=_exclusive(model, tree.at(("exclusive",)), attributes, positions, findings),
        clustering=model.clustering,
        evidence_margin=model.evidence_margin,
    )
    if learned is None or findings.errors:
        return match
    return with_learned(match, learned, attributes, tree.at(("model",)).place, findings)


def _exclusive(
    model: MatchModel, node: Node, attributes: Sequence[Attribute], positions: Mapping[str, int], findings: Findings
) -> tuple[int, ...]:
    """Return the exclusive attributes. One of many values cannot be one: when do two sets of them contradict?"""
    for place, name in enumerate(model.exclusive):
        if name in positions and attributes[positions[name]].multi:
            findings.error(
                node.at((place,)).place,
                f"{name!r} holds several values, so a golden record cannot be limited to one; expected an attribute "
                "without 'multi: true'; remove it here",
            )
    return _known(model.exclusive, node, positions, findings)


def _known(names: tuple[str, ...], node: Node, positions: Mapping[str, int], findings: Findings) -> tuple[int, ...]:
    """Return the positions of attributes; unknown and repeated ones are errors at ``node``."""
    known: list[int] = []
    for place, name in enumerate(names):
        where = node.at((place,)).place
        if name not in positions:
            findings.error(where, unknown_attribute(name, positions))
        elif positions[name] in known:
            findings.error(where, f"{name!r} is listed twice; remove one")
        else:
            known.append(positions[name])
    return tuple(known)


def _deterministic(
    model: MatchModel, tree: Node, positions: Mapping[str, int], findings: Findings
) -> tuple[DeterministicRule, ...]:
    rules: list[DeterministicRule] = []
    for name, rule in model.deterministic.items():
        node = tree.at(("deterministic", name))
        if name == VERDICT_RULE or not name:
            findings.error(node.place, f"a rule may not be called {name!r}, which names stewards' verdicts; rename it")
        predicates = parse_condition(node.at(("when",)), Scope(positions, (), findings))
        if any(predicate.kind == "else" for predicate in predicates):
            findings.error(node.at(("when",)).place, "'else' would decide every pair; expected a condition; remove it")
        link = rule.decision == "link"
        confidence = rule.confidence if rule.confidence is not None else float(link)
        if link and confidence < model.thresholds.link:
            limit = f"the link threshold {model.thresholds.link:g}"
            findings.error(node.at(("confidence",)).place, f"a rule that links is less sure than {limit}; raise it")
        if not link and confidence >= model.thresholds.review:
            limit = f"the review threshold {model.thresholds.review:g}"
            findings.error(node.at(("confidence",)).place, f"a rule against a link is as sure as {limit}; lower it")
        rules.append(DeterministicRule(name, predicates, link, confidence))
    return tuple(rules)


def _comparison(
    name: str,
    model: ComparisonModel,
    method: str,
    node: Node,
    positions: Mapping[str, int],
    findings: Findings,
) -> Comparison:
    names = model.attributes if model.attributes is not None else (name,)
    attributes = _known(names, node.at(("attributes",)) if model.attributes else node, positions, findings)
    if method == "weighted_mean":
        return _similarity(name, model, attributes, node, findings)
    if model.terms is not None and model.terms not in positions:
        findings.error(node.at(("terms",)).place, unknown_attribute(model.terms, positions))
    for unfit in ("similarity", "weight"):
        if getattr(model, unfit) is not None:
            advice = "use levels, or set 'method: weighted_mean'"
            findings.error(node.at((unfit,)).place, f"{unfit!r} has no meaning with fellegi_sunter; {advice}")
    _check_order(name, model.levels, node, findings)
    levels = tuple(
        _level(level, names, node.at(("levels", place)), positions, findings)
        for place, level in enumerate(model.levels)
    )
    return Comparison(name, attributes, levels, terms_of=positions.get(model.terms or ""))


def _similarity(
    name: str, model: ComparisonModel, attributes: tuple[int, ...], node: Node, findings: Findings
) -> Comparison:
    if model.terms is not None:
        findings.error(node.at(("terms",)).place, "'terms' has no meaning with weighted_mean; remove it")
    if model.levels:
        advice = "give 'similarity' and 'weight', or set 'method: fellegi_sunter'"
        findings.error(node.at(("levels",)).place, f"'levels' has no meaning with weighted_mean; {advice}")
    if model.similarity is None or model.weight is None:
        findings.error(node.place, f"comparison {name!r} needs 'similarity' and 'weight' with weighted_mean; add them")
        return Comparison(name, attributes)
    if model.similarity not in SIMILARITY_KINDS:
        close = nearest(model.similarity, SIMILARITY_KINDS)
        place = node.at(("similarity",)).place
        findings.error(place, f"{model.similarity!r} has no similarity{close}; expected {one_of(SIMILARITY_KINDS)}")
    elif len(attributes) != (count := PREDICATE_KINDS[model.similarity][0]):
        findings.error(
            node.place, f"{model.similarity!r} reads {count} attribute(s) but has {len(attributes)}; correct it"
        )
    return Comparison(name, attributes, similarity=model.similarity, weight=model.weight)


def _check_order(name: str, levels: tuple[LevelModel, ...], node: Node, findings: Findings) -> None:
    elses = [place for place, level in enumerate(levels) if level.when == "else"]
    if not levels:
        findings.error(node.place, f"comparison {name!r} has no levels; expected some, the last one 'when: else'")
    elif not elses:
        findings.error(node.place, f"comparison {name!r} does not end in 'when: else'; add it, with its bits")
    elif elses[0] < len(levels) - 1:
        place = node.at(("levels", elses[0])).place
        findings.error(place, "levels after 'else' never apply; expected it last; move it to the end")


def _level(
    model: LevelModel, names: tuple[str, ...], node: Node, positions: Mapping[str, int], findings: Findings
) -> Level:
    default = names
    if model.attributes is not None:
        default = model.attributes
        _known(default, node.at(("attributes",)), positions, findings)
    predicates = parse_condition(node.at(("when",)), Scope(positions, default, findings))
    reverse = {position: name for name, position in positions.items()}
    label = model.label or describe(predicates, reverse.__getitem__, names)
    return Level(label, predicates, _bits(model, node, findings))


def _bits(model: LevelModel, node: Node, findings: Findings) -> float:
    """Return the weight of a level: as given, or log2(m / u) (Fellegi and Sunter, 1969)."""
    if model.bits is not None and model.m is None and model.u is None:
        return model.bits
    if model.bits is None and model.m is not None and model.u is not None:
        return round(math.log2(model.m / model.u), BITS_DECIMALS)
    given = [name for name in ("bits", "m", "u") if getattr(model, name) is not None]
    had = f"it has {one_of(given).replace(' or ', ' and ')}" if given else "it has none of them"
    findings.error(node.place, f"a level needs either 'bits' or both 'm' and 'u'; {had}; write one or the other")
    return 0.0
