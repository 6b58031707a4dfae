"""REVIEW edges around the records of a commit, cut back to what F keeps: the strongest of either end. Pure.

A stored edge says which of its two records keep it. So an edge that falls out of one record's strongest can be settled
without reading the other record's, and what is read reaches no further than the ends of the edges that change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.cluster.strongest import Pair, by_side, has_hole, strongest
from mdm_stream.core.plan.commit import HeldReview


@dataclass(frozen=True, slots=True)
class ReviewPlan:
    """What becomes of REVIEW edges.

    ``kept`` are all edges of the changed records afterwards, ``old`` all that were stored. ``put`` are the stored forms
    to write, those between other records included; ``drop`` the pairs whose edge goes. ``read`` are the records whose
    stored edges all this rests on, ``holes`` those that must be evaluated again.
    """

    old: Mapping[Pair, Edge]
    kept: Mapping[Pair, Edge]
    put: Sequence[HeldReview]
    drop: Sequence[Pair]
    read: frozenset[str]
    holes: Sequence[str]


def plan_reviews(
    held: Mapping[str, Sequence[HeldReview]],
    fresh: Iterable[Edge],
    changed: frozenset[str],
    limit: int,
    *,
    again: bool = False,
) -> ReviewPlan:
    """Plan REVIEW edges where ``fresh`` are all of the ``changed`` records, before any is left out.

    ``held`` has the stored edges of those and of every record at the other end of an edge of theirs, old or fresh.
    ``again``: those that are stored as they are to be are among ``put`` too.
    """
    old = {review.edge.pair: review for ref in changed for review in held.get(ref, ())}
    new = {edge.pair: edge for edge in fresh}
    if not old and not new:
        return ReviewPlan({}, {}, (), (), changed, ())
    read = changed.union(*old, *new)
    fresh_beside = by_side(new.values())
    keepers: dict[Pair, set[str]] = {}
    holes = set()
    for side in ((ref, later) for ref in read for later in (True, False)):
        ref = side[0]
        known = [review.edge for review in held.get(ref, ()) if review.is_kept_by(side)]
        after = [edge for edge in known if changed.isdisjoint(edge.pair)] + fresh_beside.get(side, [])
        top = strongest(side, after, limit)
        for edge in top:
            keepers.setdefault(edge.pair, set()).add(ref)
        if ref not in changed and has_hole(side, known, top, limit):
            holes.add(ref)
    stored = {review.edge.pair: review for ref in read for review in held.get(ref, ())}
    for pair, review in stored.items():
        for ref, keeps in ((pair[0], review.by_a), (pair[1], review.by_b)):
            if keeps and ref not in read:
                keepers.setdefault(pair, set()).add(ref)
    kept = {
        (a, b): HeldReview(new[a, b] if (a, b) in new else stored[a, b].edge, a in who, b in who)
        for (a, b), who in keepers.items()
    }
    return ReviewPlan(
        {pair: review.edge for pair, review in old.items()},
        {pair: review.edge for pair, review in kept.items() if pair in new},
        [review for pair, review in kept.items() if again or stored.get(pair) != review],
        sorted(stored.keys() - kept.keys()),
        read,
        sorted(holes),
    )
