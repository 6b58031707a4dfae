"""Components after a change, from those that were held: what did not lose a link is taken as it is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.cluster.partition import Partition
from mdm_stream.core.cluster.strongest import KeptLinks
from mdm_stream.core.plan.commit import HeldComponent


def regrouped(
    held: Mapping[str, HeldComponent],
    component_of: Mapping[str, str],
    links: KeptLinks,
    live: Collection[str],
    dead: Collection[str],
) -> list[tuple[tuple[str, ...], tuple[Edge, ...]]]:
    """Return members and links of each component that the ``held`` ones and the changed records become, both in order.

    ``live`` and ``dead`` are the changed records; ``component_of`` tells the held component of each of these, and of
    each end of a fresh link, that is in one.
    """
    torn = links.torn | {component_of[ref] for ref in dead if ref in component_of}
    whole = held.keys() - torn
    alone = {ref for component_id in torn for ref in held[component_id].members}.difference(dead)
    alone.update(ref for ref in live if ref not in component_of)
    place = {name: i for i, name in enumerate([*whole, *alone])}

    def place_of(ref: str) -> int:
        component_id = component_of.get(ref)
        return place[component_id] if component_id in whole else place[ref]

    parts = Partition(len(place))
    for edge in links.fresh:
        parts.join(place_of(edge.a), place_of(edge.b))
    for component_id in torn:
        for edge in links.standing[component_id]:
            parts.join(place[edge.a], place[edge.b])

    members: dict[int, list[str]] = {}
    links_of: dict[int, list[Edge]] = {}
    for name, i in place.items():
        root = parts.root(i)
        if name in whole:
            members.setdefault(root, []).extend(held[name].members)
            links_of.setdefault(root, []).extend(links.standing[name])
        else:
            members.setdefault(root, []).append(name)
    for component_id in torn:
        for edge in links.standing[component_id]:
            links_of.setdefault(parts.root(place[edge.a]), []).append(edge)
    for edge in links.fresh:
        links_of.setdefault(parts.root(place_of(edge.a)), []).append(edge)
    return sorted((tuple(sorted(refs)), _in_order(links_of.get(root, ()))) for root, refs in members.items())


def _in_order(links: Sequence[Edge]) -> tuple[Edge, ...]:
    return tuple(sorted(links))  # an edge begins with its pair
