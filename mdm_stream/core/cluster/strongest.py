"""Which edges F keeps: of each record the strongest, so that what a component costs grows with its records alone.

Of *n* records that are all alike, n²/2 pairs are links, and nearly all of them say what the others say. So each record
keeps its ``max_links`` strongest links to records before it, in the order of references, and as many to records after
it; of pairs in the middle band it keeps ``max_reviews`` likewise. An edge stays if either of its two records keeps it:
then one that has no other still reaches a hub with many stronger ones. A steward's LINK always stays, and is not
counted. A component of at most ``max_links`` + 1 records keeps all of its links.

Of edges that are equally strong, the one to the nearest reference comes first. Records that are all alike then keep
those to their neighbours, and clusters that ``max_cluster_size`` cuts are what they would be with all links: runs of
neighbours, of which one more record moves few. If the least references came first, all would keep the links to the same
few; if a digest chose, each further record would cut the clusters anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mdm_stream.core.cluster.edges import VERDICT_RULE, Edge
from mdm_stream.core.ruleset import Ruleset

Pair = tuple[str, str]
Side = tuple[str, bool]
"""A record, and whether those after it are meant, or those before it."""


def kept_edges(rules: Ruleset, edges: Iterable[Edge]) -> list[Edge]:
    """Return those of all edges that F keeps, in the order given."""
    edges = list(edges)
    links = [edge for edge in edges if edge.link and edge.rule != VERDICT_RULE]
    doubts = [edge for edge in edges if not edge.link]
    kept = {edge.pair for edge in edges if edge.rule == VERDICT_RULE}
    for several, limit in ((links, rules.max_links), (doubts, rules.max_reviews)):
        for side, beside in by_side(several).items():
            kept.update(edge.pair for edge in strongest(side, beside, limit))
    return [edge for edge in edges if edge.pair in kept]


def by_side(edges: Iterable[Edge]) -> dict[Side, list[Edge]]:
    """Return the edges of each record to those after it, and to those before it."""
    found: defaultdict[Side, list[Edge]] = defaultdict(list)
    for edge in edges:
        found[edge.a, True].append(edge)
        found[edge.b, False].append(edge)
    return dict(found)


def strongest(side: Side, edges: Sequence[Edge], limit: int) -> Sequence[Edge]:
    """Return the ``limit`` strongest of a side's edges; all of them, as they are, if they are few."""
    if len(edges) <= limit:
        return edges
    return sorted(edges, key=_to_later)[:limit] if side[1] else sorted(edges, key=_to_earlier)[-limit:]


def has_hole(side: Side, before: Sequence[Edge], after: Sequence[Edge], limit: int) -> bool:
    """Return whether an edge that is not known may be among the strongest of a side now.

    ``before`` are those that were among its ``limit`` strongest, ``after`` those of what is known now. Whatever is not
    known was weaker than all of ``before``, or there would be fewer than ``limit``. So what is known suffices if the
    weakest of ``after`` is no weaker.
    """
    if len(before) < limit:
        return False
    if len(after) < limit:
        return True
    if side[1]:
        return max(map(_to_later, after)) > max(map(_to_later, before))
    return min(map(_to_earlier, after)) < min(map(_to_earlier, before))


class KeptLinks:
    """The links of some components after a change, cut back to what F keeps.

    ``held`` are the links as they were, by component, ``fresh`` all of the records in ``changed``, before any is left
    out. What comes out: ``standing``, those of the links held that stay, by component; ``fresh``, those of the changed
    records that stay; and ``torn``, the components which lost a link between two records.
    """

    def __init__(
        self, held: Mapping[str, Sequence[Edge]], fresh: Iterable[Edge], changed: frozenset[str], limit: int
    ) -> None:
        self._limit = limit
        self._changed = changed
        self.fresh = list(fresh)
        self.standing: dict[str, Sequence[Edge]] = dict(held)
        leaving: dict[str, list[Edge]] = {}
        for component_id, links in held.items():
            own = [edge for edge in links if edge.a in changed or edge.b in changed]
            if own:
                leaving[component_id] = own
                self.standing[component_id] = [
                    edge for edge in links if edge.a not in changed and edge.b not in changed
                ]
        gone = [edge for own in leaving.values() for edge in own]
        moved = {edge.a for edge in gone} | {edge.b for edge in gone}
        moved.update([edge.a for edge in self.fresh], [edge.b for edge in self.fresh])
        at_stake = [
            edge for links in self.standing.values() for edge in links if edge.a in moved or edge.b in moved
        ] + self.fresh
        self._gone = by_side(edge for edge in gone if edge.rule != VERDICT_RULE)
        # Of the records that moved, and of no other, these are all links.
        self._beside = by_side(edge for edge in at_stake if edge.rule != VERDICT_RULE)
        if any(len(edges) > limit for side, edges in self._beside.items() if side[0] in moved):
            self._cut_back(at_stake)
        again = {edge.pair for edge in self.fresh}
        self.torn = {
            component_id
            for component_id, links in held.items()
            if len(self.standing[component_id]) + len(leaving.get(component_id, ())) < len(links)
            or any(edge.pair not in again for edge in leaving.get(component_id, ()))
        }

    def _cut_back(self, at_stake: Sequence[Edge]) -> None:
        """Drop links that neither of their records keeps; those of records that did not move stay as they are."""
        after = by_side(edge for edge in self.kept() if edge.rule != VERDICT_RULE)
        sides = {(edge.a, True) for edge in at_stake}
        sides.update({(edge.b, False) for edge in at_stake})
        kept = {id(edge) for side in sides & after.keys() for edge in strongest(side, after[side], self._limit)}
        kept.update(id(edge) for edge in at_stake if edge.rule == VERDICT_RULE)
        dropped = {id(edge) for edge in at_stake} - kept
        if dropped:
            self.fresh = [edge for edge in self.fresh if id(edge) not in dropped]
            for component_id, links in self.standing.items():
                self.standing[component_id] = [edge for edge in links if id(edge) not in dropped]

    def kept(self) -> list[Edge]:
        """Return all links that are kept."""
        return [*(edge for links in self.standing.values() for edge in links), *self.fresh]

    def with_hole(self) -> list[str]:
        """Return the records that must be evaluated again, since a link that was not kept may be due to them now."""
        return sorted({side[0] for side in self._gone if side[0] not in self._changed and self._has_hole(side)})

    def _has_hole(self, side: Side) -> bool:
        after = self._beside.get(side, [])
        standing = [edge for edge in after if edge.a not in self._changed and edge.b not in self._changed]
        before = strongest(side, [*standing, *self._gone[side]], self._limit)
        return has_hole(side, before, strongest(side, after, self._limit), self._limit)


def _to_later(edge: Edge) -> tuple[int, float, str]:
    """Sort key of edges to later records, strongest first."""
    return 1 if edge.rule else 2, -edge.weight, edge.b


def _to_earlier(edge: Edge) -> tuple[int, float, str]:
    """Sort key of edges to earlier records, strongest last."""
    return -1 if edge.rule else -2, edge.weight, edge.a
