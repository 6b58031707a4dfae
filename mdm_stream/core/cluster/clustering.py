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
from mdm_stream.core.match.decide import confidence_of

JointWeight = Callable[[Collection[str], Collection[str]], float]
"""The bits that speak for two clusters being one thing. Symmetric, and blind to the order of members."""

RefusalReason = Literal["contradiction", "separated", "exclusive", "max_cluster_size", "evidence", "ambiguous"]

BITS_DECIMALS = 6
"""Of the difference of two weights, before it is compared with a margin: beyond, only the order of sums is seen."""

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
    """How clusters are weighed before a scored link joins them: the confidence of ``weight`` must reach ``needed``.

    ``margin`` are the bits by which one cluster has to fit a record better than another that it fits too.
    """

    weight: JointWeight
    needed: float
    margin: float

    def confidence(self, left: Collection[str], right: Collection[str]) -> float:
        """Return the confidence, in 0..1, that two clusters are one thing."""
        return confidence_of(self.weight(left, right))


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

    A record that fits clusters which contradict each other, none of them better than the others by ``weighing.margin``,
    stands alone: all is clustered anew without it, until there is no such record, and its links are refused as
    ``ambiguous`` (or for what else forbids them). One with a link that a verdict or a deterministic rule makes is none.
    """
    waiting = sorted(links, key=lambda link: link.strength)
    alone: set[str] = set()
    while True:
        grouping = _Grouping(members, separated, exclusive, max_cluster_size, weighing)
        refused = grouping.follow([link for link in waiting if link.a not in alone and link.b not in alone])
        while weighing and grouping.grown and refused:
            refused = grouping.follow([refusal.edge for refusal in refused])
        found = _ambiguous(grouping, refused, waiting, weighing) if weighing and refused else set()
        if not found:
            break
        alone |= found
    if alone:
        refused += grouping.withhold([link for link in waiting if link.a in alone or link.b in alone])
    return Clustering(grouping.clusters(), tuple(sorted(refused, key=lambda r: r.edge.pair)))


def _ambiguous(grouping: _Grouping, refused: Iterable[Refusal], links: Iterable[Edge], weighing: Weighing) -> set[str]:
    """Return the records that fit their cluster no better, by the margin, than one that contradicts the rest of it."""
    decided = {end for link in links if link.rule for end in link.pair}
    ends = {
        (record, other)
        for refusal in refused
        if refusal.reason == "evidence"
        for record, other in (refusal.edge.pair, refusal.edge.pair[::-1])
        if record not in decided
    }
    found: set[str] = set()
    for record, other in sorted(ends):
        rest, elsewhere = grouping.beside(record), grouping.members_with(other)
        if not rest or record in found or not grouping.may_join(record, other):
            continue
        bits = weighing.weight((record,), elsewhere)
        better = round(weighing.weight((record,), rest) - bits, BITS_DECIMALS)
        fits = confidence_of(bits) >= weighing.needed and better < weighing.margin
        if fits and weighing.confidence(rest, elsewhere) < weighing.needed:
            found.add(record)
    return found


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
        self._exclusive = exclusive
        self._max_cluster_size = max_cluster_size
        self._weighing = weighing
        self._group_of: dict[str, _Group] = {}
        self._met: dict[_AsTheyAre, list[tuple[str, str]]] = {}
        self._confidence: dict[_AsTheyAre, float] = {}
        self.grown = False
        for member in members:
            self._group_of[member] = self._lone(member)
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
            refused.append(self._refusal(edge, reason))
        return refused

    def withhold(self, links: Iterable[Edge]) -> list[Refusal]:
        """Return the refusals of links whose record stands alone, since it fits several clusters."""
        return [self._refusal(edge, self._forbids(edge.a, edge.b) or "ambiguous") for edge in links]

    def members_with(self, record: str) -> Collection[str]:
        """Return the members of a record's cluster."""
        return self._group_of[record].members

    def beside(self, record: str) -> Collection[str]:
        """Return the other members of a record's cluster."""
        return [member for member in self._group_of[record].members if member != record]

    def may_join(self, record: str, other: str) -> bool:
        """Return whether nothing but evidence keeps a record, by itself, from another one's cluster."""
        lone = self._lone(record)
        lone.separated = {b if a == record else a for a, b in self._separated if record in (a, b)}
        return _objection(lone, self._group_of[other], self._max_cluster_size) is None

    def _lone(self, record: str) -> _Group:
        values = {i: v for i, v in enumerate(self._exclusive.get(record, ())) if v is not None}
        return _Group([record], values)

    def _forbids(self, a: str, b: str) -> RefusalReason | None:
        return _objection(self._group_of[a], self._group_of[b], self._max_cluster_size)

    def _refusal(self, edge: Edge, reason: RefusalReason) -> Refusal:
        between: list[tuple[str, str]] = []
        if reason == "separated":
            between = self._between(self._group_of[edge.a], self._group_of[edge.b])
            reason = "contradiction" if edge.rule == VERDICT_RULE else reason
        return Refusal(edge, reason, tuple(between[:SEPARATED_LISTED_MAX]), len(between))

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
