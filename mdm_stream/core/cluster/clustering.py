"""Clustering: from a component's members and links to clusters that hold no conflict.

A pure function that a better model can replace: it sees nothing but its arguments, and its result depends on
neither their order nor anything else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mdm_stream.core.cluster.edges import VERDICT_RULE, Edge, ordered
from mdm_stream.core.cluster.partition import Partition

RefusalReason = Literal["contradiction", "separated", "exclusive", "max_cluster_size"]

SEPARATED_LISTED_MAX = 20
"""SEPARATE verdicts that a refusal lists, the first in order: one LINK can meet thousands."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A link that was not followed, and why. Its two ends are in different clusters.

    ``separated`` are the first of the ``separated_count`` pairs under a SEPARATE verdict that it would have joined. A
    steward's LINK that meets one is a ``contradiction``: LINK verdicts are followed first, so that these alone connect
    the two records of each such pair.
    """

    edge: Edge
    reason: RefusalReason
    separated: tuple[tuple[str, str], ...] = ()
    separated_count: int = 0


@dataclass(frozen=True, slots=True)
class Clustering:
    """A partition of the members (each cluster sorted, clusters by first member) and the links refused on the way."""

    clusters: tuple[tuple[str, ...], ...]
    refused: tuple[Refusal, ...]


@dataclass(slots=True)
class _Group:
    members: list[str]
    exclusive: dict[int, object] = field(default_factory=dict)
    separated: set[str] = field(default_factory=set)


def cluster(
    members: Collection[str],
    links: Iterable[Edge],
    separated: Collection[tuple[str, str]],
    exclusive: Mapping[str, Sequence[object]],
    max_cluster_size: int,
) -> Clustering:
    """Partition ``members`` along ``links``, strongest first, refusing each that would join a conflict.

    ``separated`` holds pairs under a SEPARATE verdict; ``exclusive`` gives each member's values of the exclusive
    attributes (``None`` = missing, conflicts with nothing): two clusters with different values are never joined.
    A join past ``max_cluster_size`` members is refused too. A component without any of the three comes out whole,
    so this is the connected component there.
    """
    group_of: dict[str, _Group] = {}
    for member in members:
        values = {i: v for i, v in enumerate(exclusive.get(member, ())) if v is not None}
        group_of[member] = _Group([member], values)
    for a, b in separated:
        if a in group_of and b in group_of:
            group_of[a].separated.add(b)
            group_of[b].separated.add(a)

    refused: list[Refusal] = []
    met: dict[tuple[int, int, int, int], list[tuple[str, str]]] = {}
    for edge in sorted(links, key=lambda link: link.strength):
        left, right = group_of[edge.a], group_of[edge.b]
        if left is right:
            continue
        reason = _objection(left, right, max_cluster_size)
        if reason is not None:
            between: list[tuple[str, str]] = []
            if reason == "separated":
                # Groups only grow, so that the size says whether one is still as it was.
                as_they_are = (id(left), len(left.members), id(right), len(right.members))
                between = met.get(as_they_are) or met.setdefault(as_they_are, _between(left, right, separated))
                reason = "contradiction" if edge.rule == VERDICT_RULE else reason
            refused.append(Refusal(edge, reason, tuple(between[:SEPARATED_LISTED_MAX]), len(between)))
            continue
        if len(left.members) < len(right.members):
            left, right = right, left
        left.members += right.members
        left.exclusive.update(right.exclusive)
        left.separated |= right.separated
        for member in right.members:
            group_of[member] = left

    groups = {id(group): group for group in group_of.values()}
    clusters = sorted(tuple(sorted(group.members)) for group in groups.values())
    return Clustering(tuple(clusters), tuple(sorted(refused, key=lambda r: r.edge.pair)))


def connected(nodes: Iterable[str], links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the connected components of a graph, each sorted, ordered by first node."""
    ordered = sorted(nodes)
    position = {node: i for i, node in enumerate(ordered)}
    parts = Partition(len(ordered))
    for a, b in links:
        parts.join(position[a], position[b])
    components: dict[int, list[str]] = {}
    for i, node in enumerate(ordered):
        components.setdefault(parts.root(i), []).append(node)
    return list(components.values())


def _between(left: _Group, right: _Group, separated: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs of ``separated`` that have one record in each group."""
    a_side, b_side = set(left.members), set(right.members)
    pairs = (ordered(*pair) for pair in separated)
    return sorted({(a, b) for a, b in pairs if (a in a_side and b in b_side) or (a in b_side and b in a_side)})


def _objection(left: _Group, right: _Group, max_cluster_size: int) -> RefusalReason | None:
    small, large = (left, right) if len(left.members) <= len(right.members) else (right, left)
    if large.separated and any(member in large.separated for member in small.members):
        return "separated"
    if any(key in large.exclusive and large.exclusive[key] != value for key, value in small.exclusive.items()):
        return "exclusive"
    if len(left.members) + len(right.members) > max_cluster_size:
        return "max_cluster_size"
    return None
