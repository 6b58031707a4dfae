"""A component as an index holds it, of one that was resolved. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from mdm_stream.core.cluster.golden import ResolvedComponent, digest_of_item, review_item
from mdm_stream.core.plan.commit import ABSENT, HeldComponent, HeldGolden, HeldItem
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset


def held_component(rules: Ruleset, component: ResolvedComponent, records: Mapping[str, Record]) -> HeldComponent:
    """Return what an index holds of a component, not stamped yet; ``records`` has its members."""
    refused = [HeldItem(kept.strongest.edge.pair, digest_of_item(review_item(rules, kept))) for kept in component.apart]
    return HeldComponent(
        stamp=ABSENT,
        members=component.members,
        revisions=tuple([records[ref].revision for ref in component.members]),
        links=component.links,
        golden=tuple([HeldGolden(g.golden_id, g.digest, g.members) for g in component.golden]),
        refused=tuple(sorted(refused, key=lambda item: item.pair)),
    )
