"""The grammar of ``when``: what must hold of two records.

    when: exact                                        a kind, of each attribute in scope
    when: null                                         no attribute in scope can be compared
    when: {jaro_winkler: 0.92}                         a kind with its threshold
    when: {national_id: exact, family_name: {jaro_winkler: 0.85}}     of several attributes, all must hold
    when: else                                         always

The scope is the attributes of the comparison or level; a deterministic rule has none, so it names each attribute.
A name that is both an attribute and a kind is a kind where a number follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mdm_stream.core.match.compare import PREDICATE_KINDS
from mdm_stream.core.ruleset import Predicate
from mdm_stream.rules.findings import Findings, Place, nearest, one_of
from mdm_stream.rules.tree import Node


@dataclass(frozen=True, slots=True)
class Scope:
    """What a condition may speak of: the domain's attributes, and those that a bare kind applies to."""

    positions: Mapping[str, int]
    default: tuple[str, ...]
    findings: Findings


def parse_condition(when: Node, scope: Scope) -> tuple[Predicate, ...]:
    """Return the predicates of a ``when``; problems go to the scope's findings, and leave predicates out."""
    content = when.content
    if content is None or isinstance(content, str):
        return tuple(_of_kind(content or "null", None, scope.default, when.place, scope))
    if not isinstance(content, dict) or not content:
        _expected(when.place, "'when' is neither a kind nor a mapping", scope)
        return ()
    predicates: list[Predicate] = []
    for name, node in content.items():
        is_threshold = isinstance(node.content, int | float) and not isinstance(node.content, bool)
        if name in scope.positions and not is_threshold:
            predicates += _of_attribute(name, node, scope)
        elif name in PREDICATE_KINDS:
            threshold = float(node.content) if isinstance(node.content, int | float) and is_threshold else None
            if threshold is None:
                scope.findings.error(node.place, f"the threshold of {name!r} is not a number; write {{{name}: number}}")
            else:
                predicates += _of_kind(name, threshold, scope.default, node.place, scope)
        elif is_threshold:
            _unknown_kind(name, node.place, scope)
        else:
            scope.findings.error(node.place, unknown_attribute(name, scope.positions))
    return tuple(predicates)


def unknown_attribute(name: str, positions: Mapping[str, int]) -> str:
    """Return the message for a name that is no attribute of the domain."""
    return f"there is no attribute {name!r}{nearest(name, positions)}; expected {one_of(positions)}"


def describe(predicates: tuple[Predicate, ...], names: Callable[[int], str], default: tuple[str, ...]) -> str:
    """Return a label for people, such as ``jaro_winkler 0.92`` or ``exact birth_date, exact email``."""
    parts: dict[str, None] = {}
    for predicate in predicates:
        read = tuple(names(position) for position in predicate.attributes)
        shown = f" {'/'.join(read)}" if read and read != default else ""
        threshold = f" {predicate.threshold:g}" if takes_threshold(predicate.kind) else ""
        parts[f"{predicate.kind}{threshold}{shown}"] = None
    return ", ".join(parts)


def takes_threshold(kind: str) -> bool:
    """Return whether a kind has a threshold."""
    return PREDICATE_KINDS[kind][1] is not None


def _of_attribute(name: str, node: Node, scope: Scope) -> list[Predicate]:
    content = node.content
    if content is None or isinstance(content, str):
        return _of_kind(content or "null", None, (name,), node.place, scope)
    if isinstance(content, dict) and content:
        predicates: list[Predicate] = []
        for kind, value in content.items():
            if isinstance(value.content, bool) or not isinstance(value.content, int | float):
                scope.findings.error(
                    value.place, f"the threshold of {kind!r} is not a number; write {{{kind}: number}}"
                )
            else:
                predicates += _of_kind(kind, float(value.content), (name,), value.place, scope)
        return predicates
    _expected(node.place, f"what must hold of {name!r} is neither a kind nor a mapping", scope)
    return []


def _of_kind(
    kind: str, threshold: float | None, attributes: tuple[str, ...], place: Place, scope: Scope
) -> list[Predicate]:
    if kind not in PREDICATE_KINDS:
        _unknown_kind(kind, place, scope)
        return []
    count, limits = PREDICATE_KINDS[kind]
    if limits is None and threshold is not None:
        scope.findings.error(place, f"{kind!r} takes no threshold; write it alone")
        return []
    if limits is not None:
        low, high = limits
        expected = f"expected {{{kind}: number}} with a number from {low:g}" + (f" to {high:g}" if high < 1e9 else "")
        if threshold is None:
            scope.findings.error(place, f"{kind!r} has no threshold; {expected}")
            return []
        if not low <= threshold <= high:
            scope.findings.error(place, f"the threshold of {kind!r} is out of range; {expected}")
            return []
    return _applied(kind, count, threshold or 0.0, attributes, place, scope)


def _applied(
    kind: str, count: int, threshold: float, attributes: tuple[str, ...], place: Place, scope: Scope
) -> list[Predicate]:
    """Return the kind applied to its attributes: once to all it needs, or once to each if it reads one."""
    if count == 0:
        return [Predicate(kind, (), threshold)]
    if not attributes:
        scope.findings.error(place, f"{kind!r} needs an attribute; expected {{attribute: {kind}}}; name the attribute")
        return []
    positions = tuple(scope.positions[name] for name in attributes if name in scope.positions)
    if len(positions) < len(attributes):
        return []  # the unknown attribute is reported where it is declared
    if count == 1:
        return [Predicate(kind, (position,), threshold) for position in positions]
    if len(positions) != count:
        advice = f"give this level 'attributes: [a, b]' with {count} names"
        scope.findings.error(place, f"{kind!r} reads {count} attributes but has {len(positions)}; {advice}")
        return []
    return [Predicate(kind, positions, threshold)]


def _unknown_kind(kind: str, place: Place, scope: Scope) -> None:
    close = nearest(kind, [*PREDICATE_KINDS, *scope.positions])
    scope.findings.error(place, f"unknown kind of agreement {kind!r}{close}; expected {one_of(PREDICATE_KINDS)}")


def _expected(place: Place, problem: str, scope: Scope) -> None:
    scope.findings.error(place, f"{problem}; expected a kind such as exact, or {{kind: threshold}}")
