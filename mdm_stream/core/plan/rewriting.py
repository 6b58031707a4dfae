"""Writing again what an index holds around some records, whatever it holds there. Pure.

An ordinary plan trusts what is stored: it writes what differs from a component's own account of itself. Where that
account is right, and what it accounts for is damaged (or the other way round), nothing would ever be written. A plan
that rewrites takes from the index who belongs together, and nothing else: records, edges, components, golden records
and questions are made anew from the records' states, and all of them are written and told again.

It is committed like any other plan, under the same expectations. So it is safe beside any number of writers, and where
nothing was damaged it changes nothing but stamps, and says again what was said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mdm_stream.core.plan.commit import HeldComponent, HeldGolden

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a plan takes back where it does not come out of it, beside what the components say.

    ``golden``: golden ids, each with records that an index or a reader has under it. Where such an id is none of the
    golden records that come out, it is retired. ``reviews``: pairs that may stand in the queue. Both are to be around
    records of the batch: an id whose anchor is not in it must not be live.
    """

    golden: Mapping[str, Collection[str]] = field(default_factory=dict)
    reviews: Collection[Pair] = ()

    def golden_before(self, held: Mapping[str, HeldGolden]) -> dict[str, HeldGolden]:
        """Return what is to be taken back or told again: the golden records held, and those named."""
        before = dict(held)
        for golden_id, refs in self.golden.items():
            known = before.get(golden_id)
            members = sorted({*refs, *(known.members if known else ())})
            before[golden_id] = HeldGolden(golden_id, "", tuple(members))
        return before


def component_of_members(components: Mapping[str, HeldComponent]) -> dict[str, str]:
    """Return the component of each record as the components have it, which may differ from what the records have."""
    return {ref: component_id for component_id, component in components.items() for ref in component.members}
