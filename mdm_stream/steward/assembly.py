"""How a cluster came together: the links that joined it, strongest first, and those without which it would part. Pure.

A link joins if its two ends are not connected by stronger ones yet; all others repeat what is connected already. A link
is a *bridge* (Tarjan, A note on finding the bridges of a graph, 1974) if no other link of the cluster connects its two
sides: without it there are two clusters. Every bridge joins; a link that joins need not be one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mdm_stream.core.cluster.edges import Edge


@dataclass(frozen=True, slots=True)
class Join:
    """A link that joined two groups, of ``sizes`` members each: that of its first record, and that of its second.

    ``parts_off`` are the members that would be cut off without it, sorted: the smaller side, of two equal ones the one
    with the first reference. Empty if other links hold the two sides together.
    """

    link: Edge
    sizes: tuple[int, int]
    parts_off: tuple[str, ...]


def assembly_of(members: Collection[str], links: Iterable[Edge]) -> list[Join]:
    """Return the joins of one cluster, in the order in which they are made: strongest first, one fewer than members.

    ``links`` are those that were followed; each has both ends in ``members``, which they connect.
    """
    by_strength = sorted(links, key=lambda link: link.strength)
    cut_off = _bridges(members, by_strength)
    parent = {ref: ref for ref in members}
    size = dict.fromkeys(members, 1)
    joins = []

    def root(ref: str) -> str:
        while parent[ref] != ref:
            parent[ref] = parent[parent[ref]]
            ref = parent[ref]
        return ref

    for link in by_strength:
        left, right = root(link.a), root(link.b)
        if left != right:
            joins.append(Join(link, (size[left], size[right]), cut_off.get(link.pair, ())))
            parent[left] = right
            size[right] += size[left]
    return joins


def weakest_bridge(joins: Sequence[Join]) -> int | None:
    """Return the place of the weakest link without which the cluster parts; ``None`` if no single one parts it."""
    return next((place for place in reversed(range(len(joins))) if joins[place].parts_off), None)


def _bridges(members: Collection[str], links: Sequence[Edge]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the smaller side of each bridge, by its pair. One walk in depth, without recursion."""
    around: dict[str, list[str]] = {ref: [] for ref in members}
    for link in links:
        around[link.a].append(link.b)
        around[link.b].append(link.a)
    order: list[str] = []
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    reached: dict[str, int] = {}
    lowest: dict[str, int] = {}
    for start in sorted(members):
        if start not in reached:
            _walk(start, around, order, reached, lowest, found)
    return found


def _walk(
    start: str,
    around: Mapping[str, Sequence[str]],
    order: list[str],
    reached: dict[str, int],
    lowest: dict[str, int],
    found: dict[tuple[str, str], tuple[str, ...]],
) -> None:
    begun = len(order)
    came_from: dict[str, str | None] = {start: None}
    path: list[tuple[str, Iterator[str]]] = []

    def enter(ref: str) -> None:
        reached[ref] = lowest[ref] = len(order)
        order.append(ref)
        path.append((ref, iter(around[ref])))

    enter(start)
    bridges: list[tuple[str, str, int]] = []
    while path:
        ref, others = path[-1]
        other = next(others, None)
        if other is None:
            path.pop()
            before = came_from[ref]
            if before is not None:
                lowest[before] = min(lowest[before], lowest[ref])
                if lowest[ref] > reached[before]:
                    bridges.append((before, ref, len(order)))
        elif other not in reached:
            came_from[other] = ref
            enter(other)
        elif other != came_from[ref]:
            lowest[ref] = min(lowest[ref], reached[other])
    whole = order[begun:]
    for before, ref, end in bridges:
        found[min(before, ref), max(before, ref)] = _smaller_side(whole, order[reached[ref] : end])


def _smaller_side(whole: Sequence[str], behind: Sequence[str]) -> tuple[str, ...]:
    if 2 * len(behind) < len(whole):
        return tuple(sorted(behind))
    inside = set(behind)
    others = [ref for ref in whole if ref not in inside]
    mine, rest = sorted(behind), sorted(others)
    return tuple(mine if (len(mine), mine) < (len(rest), rest) else rest)
