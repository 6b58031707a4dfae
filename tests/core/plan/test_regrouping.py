"""Components from those that were held: the same as if all links were looked at anew."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.cluster.clustering import connected
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.cluster.strongest import KeptLinks
from mdm_stream.core.plan.commit import ABSENT, HeldComponent
from mdm_stream.core.plan.component_id import component_id_of
from mdm_stream.core.plan.regrouping import regrouped

REFS = [f"crm/{number}" for number in range(9)]
PAIRS = list(combinations(REFS, 2))
LINKS = st.dictionaries(st.sampled_from(PAIRS), st.sampled_from([1.0, 2.0]), max_size=14)


def link(a: str, b: str, weight: float) -> Edge:
    """A link of some strength."""
    return Edge(a, b, True, weight, 0.9, "", "")


def held_components(refs: list[str], links: list[Edge]) -> dict[str, HeldComponent]:
    """Return the components of records, by id."""
    found = {}
    for members in connected(refs, (edge.pair for edge in links)):
        own = tuple(sorted(edge for edge in links if edge.a in members))
        revisions = ("0" * 16,) * len(members)
        found[component_id_of(members)] = HeldComponent(ABSENT, tuple(members), revisions, own, (), ())
    return found


@given(LINKS, LINKS, st.sets(st.sampled_from(REFS), min_size=1, max_size=4), st.data())
def test_components_are_those_of_all_links_that_are_kept(before, after, changed, data):
    """New records, deleted ones, links that go, return or are left out: members and links, each in order."""
    there = sorted(data.draw(st.sets(st.sampled_from(REFS))) | (set(REFS) - changed))
    dead = data.draw(st.sets(st.sampled_from(sorted(changed))))
    held = held_components(there, [link(*pair, w) for pair, w in before.items() if {*pair} <= {*there}])
    component_of = {ref: component_id for component_id, each in held.items() for ref in each.members}
    now = (set(there) | changed) - dead
    fresh = [link(*pair, w) for pair, w in after.items() if {*pair} & changed and {*pair} <= now]
    near = {ref for edge in fresh for ref in edge.pair} | changed
    touched = {component_of[ref] for ref in near if ref in component_of}
    held = {component_id: held[component_id] for component_id in touched}
    links = KeptLinks({i: each.links for i, each in held.items()}, fresh, frozenset(changed), 2)
    known = {ref: component_id for ref, component_id in component_of.items() if ref in near}
    found = regrouped(held, known, links, changed - dead, dead)

    nodes = ({ref for each in held.values() for ref in each.members} | changed) - dead
    expected = connected(nodes, (edge.pair for edge in links.kept()))
    assert [list(members) for members, _ in found] == expected
    assert sorted(edge for _, own in found for edge in own) == sorted(links.kept())
    for members, own in found:
        assert list(own) == sorted(own)
        assert {edge.a for edge in own} | {edge.b for edge in own} <= set(members)
