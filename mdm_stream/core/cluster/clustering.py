"""Clustering: from a component's members and links to clusters that hold no conflict.

A pure function that a better model can replace: it sees nothing but its arguments, and its result depends on
neither their order nor anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mdm_stream.core.cluster.edges import VERDICT_RULE, Edge, ordered
from mdm_stream.core.cluster.partition import Partition

JointConfidence = Callable[[Collection[str], Collection[str]], float]
"""The confidence, in 0..1, that two clusters are one thing. Symmetric, and blind to the order of members."""

RefusalReason = Literal["contradiction", "separated", "exclusive", "max_cluster_size", "evidence"]

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


@dataclass(frozen=True, slots=True)
class Weighing:
    """How clusters are weighed before a scored link joins them: ``confidence`` must be at least ``needed``."""

    confidence: JointConfidence
    needed: float


def cluster(
    members: Collection[str],
    links: Iterable[Edge],
    separated: Collection[tuple[str, str]],
    exclusive: Mapping[str, Sequence[object]],
    max_cluster_size: int,
    weighing: Weighing | None = None,
) -> Clustering:
    """Partition ``members`` along ``links``, strongest first, refusing each that would join a conflict.

    ``separated`` holds pairs under a SEPARATE verdict; ``exclusive`` gives each member's values of the exclusive
    attributes (``None`` = missing, conflicts with nothing): two clusters with different values are never joined.
    A join past ``max_cluster_size`` members is refused too. A component without any of the three comes out whole,
    so this is the connected component there.

    With ``weighing`` a link that was scored joins two clusters, of which one at least has several members, only if all
    that can be compared between them supports it too; verdicts and deterministic rules are not weighed. What is
    refused is tried again, strongest first, as long as a round joins anything: a cluster that has grown may say
    something else. A round asks each link that is left over at most once, and every round but the last joins.
    """
    grouping = _Grouping(members, separated, exclusive, max_cluster_size, weighing)
    waiting = sorted(links, key=lambda link: link.strength)
    refused = grouping.follow(waiting)
    while weighing and grouping.grown and refused:
        refused = grouping.follow([refusal.edge for refusal in refused])
    return Clustering(grouping.clusters(), tuple(sorted(refused, key=lambda r: r.edge.pair)))


class _Grouping:
    """Clusters on their way: they only grow. ``grown`` says whether the last round joined any."""

    def __init__(
        self,
        members: Collection[str],
        separated: Collection[tuple[str, str]],
        exclusive: Mapping[str, Sequence[object]],
        max_cluster_size: int,
        weighing: Weighing | None,
    ) -> None:
        self._separated = separated
        self._max_cluster_size = max_cluster_size
        self._weighing = weighing
        self._group_of: dict[str, _Group] = {}
        self._met: dict[_AsTheyAre, list[tuple[str, str]]] = {}
        self._confidence: dict[_AsTheyAre, float] = {}
        self.grown = False
        for member in members:
            values = {i: v for i, v in enumerate(exclusive.get(member, ())) if v is not None}
            self._group_of[member] = _Group([member], values)
        for a, b in separated:
            if a in self._group_of and b in self._group_of:
                self._group_of[a].separated.add(b)
                self._group_of[b].separated.add(a)

    def follow(self, links: Iterable[Edge]) -> list[Refusal]:
        """Follow links in the order given; return those refused, in that order."""
        self.grown = False
        refused: list[Refusal] = []
        for edge in links:
            left, right = self._group_of[edge.a], self._group_of[edge.b]
            if left is right:
                continue
            reason = _objection(left, right, self._max_cluster_size) or self._doubt(edge, left, right)
            if reason is None:
                self._join(left, right)
                continue
            between: list[tuple[str, str]] = []
            if reason == "separated":
                between = self._between(left, right)
                reason = "contradiction" if edge.rule == VERDICT_RULE else reason
            refused.append(Refusal(edge, reason, tuple(between[:SEPARATED_LISTED_MAX]), len(between)))
        return refused

    def clusters(self) -> tuple[tuple[str, ...], ...]:
        """Return the clusters, each sorted, in the order of their first members."""
        groups = {id(group): group for group in self._group_of.values()}
        return tuple(sorted(tuple(sorted(group.members)) for group in groups.values()))

    def _join(self, left: _Group, right: _Group) -> None:
        self.grown = True
        if len(left.members) < len(right.members):
            left, right = right, left
        left.members += right.members
        left.exclusive.update(right.exclusive)
        left.separated |= right.separated
        for member in right.members:
            self._group_of[member] = left

    def _doubt(self, edge: Edge, left: _Group, right: _Group) -> RefusalReason | None:
        """Return ``evidence`` if what was compared between two groups does not support a scored link of theirs."""
        if self._weighing is None or edge.rule or len(left.members) + len(right.members) == 2:
            return None
        as_they_are = _as_they_are(left, right)
        confidence = self._confidence.get(as_they_are)
        if confidence is None:
            confidence = self._weighing.confidence(left.members, right.members)
            self._confidence[as_they_are] = confidence
        return None if confidence >= self._weighing.needed else "evidence"

    def _between(self, left: _Group, right: _Group) -> list[tuple[str, str]]:
        """Return the pairs under a SEPARATE verdict that have one record in each group."""
        as_they_are = _as_they_are(left, right)
        found = self._met.get(as_they_are)
        if found is None:
            a_side, b_side = set(left.members), set(right.members)
            pairs = (ordered(*pair) for pair in self._separated)
            across = {(a, b) for a, b in pairs if (a in a_side and b in b_side) or (a in b_side and b in a_side)}
            found = self._met[as_they_are] = sorted(across)
        return found


_AsTheyAre = tuple[int, int, int, int]
"""Two groups and their sizes: groups only grow, so that the size says whether one is still as it was."""


def _as_they_are(left: _Group, right: _Group) -> _AsTheyAre:
    first, second = sorted((left, right), key=id)
    return id(first), len(first.members), id(second), len(second.members)


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


def _objection(left: _Group, right: _Group, max_cluster_size: int) -> RefusalReason | None:
    small, large = (left, right) if len(left.members) <= len(right.members) else (right, left)
    if large.separated and any(member in large.separated for member in small.members):
        return "separated"
    if any(key in large.exclusive and large.exclusive[key] != value for key, value in small.exclusive.items()):
        return "exclusive"
    if len(left.members) + len(right.members) > max_cluster_size:
        return "max_cluster_size"
    return None
