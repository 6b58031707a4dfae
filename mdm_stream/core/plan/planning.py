"""The plan: from what was read to what must be written, and what must still be true when it is. Pure.

A batch comes in as :class:`Revision` objects, one for each record whose state changes or that waits for
re-evaluation. :func:`block_view` says which blocking keys are live once the batch is in; :func:`candidates` lists the
pairs to score; :func:`plan_commits` clusters, lets values survive, and cuts the batch into groups that share nothing,
one :class:`Commit` each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mdm_stream.core.cluster.edges import Edge, ordered, verdict_edge, verdict_on
from mdm_stream.core.cluster.golden import (
    Golden,
    ResolvedComponent,
    anchor_named_by,
    resolve_component,
    review_item,
)
from mdm_stream.core.cluster.partition import Partition
from mdm_stream.core.cluster.strongest import KeptLinks
from mdm_stream.core.plan import changes
from mdm_stream.core.plan.commit import (
    ABSENT,
    BlockView,
    Commit,
    HeldComponent,
    HeldReview,
    Revision,
)
from mdm_stream.core.plan.component_id import component_id_of
from mdm_stream.core.plan.evidence import evidence_changes
from mdm_stream.core.plan.expiries import write_expiries
from mdm_stream.core.plan.held_component import held_component
from mdm_stream.core.plan.regrouping import regrouped
from mdm_stream.core.plan.reviews import ReviewPlan, plan_reviews
from mdm_stream.core.plan.rewriting import Rewrite
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset


def members_read_max(limits: Mapping[str, int], by_key: Mapping[str, Sequence[Revision]]) -> dict[str, int]:
    """Return for each key the size up to which its members must be read: the batch can bring so many under its limit.

    ``by_key``: the records of the batch by each key that they leave, keep or enter; ``limits``: the members that each
    key may have to make candidates.
    """
    return {key: limit + len(by_key[key]) for key, limit in limits.items()}


def block_view(
    stamp: str, after: dict[str, str] | None, size: int, key: str, revisions: Iterable[Revision], limit: int
) -> BlockView:
    """Return a block as it is before and after the batch; its members (``after``) are brought up to date in place.

    ``limit``: how many members it may have to make candidates.
    """
    growth = 0
    for revision in revisions:
        was, will = revision.membership(key)
        growth += int(will) - int(was)
        if after is not None:
            if will:
                after[revision.after.ref] = revision.after.revision
            else:
                after.pop(revision.after.ref, None)
    return BlockView(stamp, size, size + growth if after is None else len(after), after, limit)


def revisions_by_key(revisions: Iterable[Revision]) -> dict[str, list[Revision]]:
    """Return the batch's records by each blocking key that they leave, keep or enter."""
    by_key: dict[str, list[Revision]] = {}
    for revision in revisions:
        for key in revision.keys:
            if key in by_key:
                by_key[key].append(revision)
            else:
                by_key[key] = [revision]
    return by_key


def candidates(revisions: Sequence[Revision], blocks: Mapping[str, BlockView]) -> dict[str, dict[str, str]]:
    """Return, for each live record of the batch, its candidates as ``reference -> revision``."""
    found: dict[str, dict[str, str]] = {}
    for revision in revisions:
        mates: dict[str, str] = {}
        for key in revision.after.keys:
            view = blocks[key]
            # The block has the record itself, and most blocks have nothing else.
            if view.members is not None and len(view.members) > 1 and view.open_after:
                mates.update(view.members)
        mates.pop(revision.ref, None)
        if revision.after.live:
            found[revision.ref] = mates
    return found


@dataclass(frozen=True, slots=True)
class PlanInput:
    """All that :func:`plan_commits` needs: what was read and what was scored.

    ``edges`` are the new edges (LINK and REVIEW, verdicts included) that touch a record of the batch; ``records``
    has every live record that is a member of a touched component or at the end of a new link, as it will be.
    ``reviews`` and ``review_stamps`` are the stored REVIEW edges, and their stamps, of every record of the batch, of
    those at the other ends of their edges, old and new, and of every member of a component.
    ``partners`` gives the revision of every record under a LINK verdict with one of the batch, itself not in it.
    ``rewrite``: everything around the batch is made anew and written; it is one group then.
    """

    rules: Ruleset
    revisions: Sequence[Revision]
    blocks: Mapping[str, BlockView]
    edges: Sequence[Edge]
    component_of: Mapping[str, str]
    components: Mapping[str, HeldComponent]
    reviews: Mapping[str, Sequence[HeldReview]]
    review_stamps: Mapping[str, str]
    records: Mapping[str, Record]
    partners: Mapping[str, str]
    rewrite: Rewrite | None = None


def verdict_links(revisions: Sequence[Revision], live: Mapping[str, Record]) -> list[Edge]:
    """Return the edges of standing LINK verdicts between a live record of the batch and any live record."""
    pairs = {
        ordered(revision.ref, other)
        for revision in revisions
        if revision.after.live
        for other in revision.after.state.verdicts
        if other in live and verdict_on(revision.after, live[other]) == "link"
    }
    return [verdict_edge(pair) for pair in sorted(pairs)]


def plan_commits(batch: PlanInput, groups_per_commit_max: int = 1) -> list[Commit]:
    """Return commits that cover the batch, each of whole groups of records that depend on each other.

    Up to ``groups_per_commit_max`` groups go into one commit, in the order of their first record. A commit's fixed cost
    is then shared; a conflict costs all of its groups another attempt.
    """
    groups = [list(batch.revisions)] if batch.rewrite else _groups(batch)
    joined = [groups[i : i + groups_per_commit_max] for i in range(0, len(groups), groups_per_commit_max)]
    return [_plan_group(batch, [revision for group in several for revision in group]) for several in joined]


def _groups(batch: PlanInput) -> list[list[Revision]]:
    """Cut the batch where nothing is shared: no open blocking key, no component, no verdict."""
    position = {revision.ref: i for i, revision in enumerate(batch.revisions)}
    parts = Partition(len(position))
    for key, sharers in revisions_by_key(batch.revisions).items():
        view = batch.blocks[key]
        members = view.members
        if len(sharers) == 1 and members is not None and len(members) == 1 and sharers[0].after.ref in members:
            continue  # what most keys are: of one record alone
        if view.open_before or view.open_after:
            for sharer in sharers[1:]:
                parts.join(position[sharers[0].ref], position[sharer.ref])
            # A record may have entered the block after the batch read it as being elsewhere. Its mates were scored with
            # it as the batch leaves it, so they must not be committed if it is not.
            for ref in (view.members or {}).keys() & position.keys():
                parts.join(position[sharers[0].ref], position[ref])
    for i, revision in enumerate(batch.revisions):
        for state in (revision.after.state, *([revision.before.state] if revision.before else [])):
            for other in state.verdicts.keys() & position.keys():
                parts.join(i, position[other])
    _join_by_component(batch, position, parts)
    _join_by_review(batch, position, parts)
    groups: dict[int, list[Revision]] = {}
    for i, revision in enumerate(batch.revisions):
        groups.setdefault(parts.root(i), []).append(revision)
    return list(groups.values())


def _join_by_component(batch: PlanInput, position: Mapping[str, int], parts: Partition) -> None:
    """Join records that are members of one component, or have new links into one."""
    first_at: dict[str, int] = {}
    held = batch.component_of
    for ref, i in position.items():
        if ref in held:
            parts.join(i, first_at.setdefault(held[ref], i))
    # Where records are alike, thousands of links lie between the same few parts.
    links = {
        (position.get(edge.a), position.get(edge.b), held.get(edge.a), held.get(edge.b))
        for edge in batch.edges
        if edge.link
    }
    for left, right, *component_ids in links:
        ends = [i for i in (left, right) if i is not None]
        parts.join(ends[0], ends[-1])
        for component_id in component_ids:
            if component_id is not None:
                parts.join(ends[0], first_at.setdefault(component_id, ends[0]))


def _join_by_review(batch: PlanInput, position: Mapping[str, int], parts: Partition) -> None:
    """Join records whose REVIEW edges, old or new, meet in one record: which of them that one keeps is one decision."""
    first_at: dict[str, int] = {}
    pairs = {edge.pair for edge in batch.edges if not edge.link}
    pairs.update(review.edge.pair for ref in position for review in batch.reviews.get(ref, ()))
    for a, b in pairs:
        i = position[a] if a in position else position[b]
        for ref in (a, b):
            first = first_at.setdefault(ref, position.get(ref, i))
            if first != i:
                parts.join(i, first)


def _plan_group(batch: PlanInput, revisions: list[Revision]) -> Commit:
    commit = Commit(refs=tuple(revision.ref for revision in revisions))
    in_group = frozenset(commit.refs)
    edges = [edge for edge in batch.edges if edge.a in in_group or edge.b in in_group]
    fresh = [edge for edge in edges if edge.link]
    near = in_group | {edge.a for edge in fresh} | {edge.b for edge in fresh}
    touched = {batch.component_of[ref] for ref in near if ref in batch.component_of}
    held = {component_id: batch.components[component_id] for component_id in sorted(touched)}

    _expect_and_place(batch, revisions, commit)
    _expect_partners(batch, revisions, commit)
    commit.expect_components = {component_id: component.stamp for component_id, component in held.items()}

    before = {component_id: component.links for component_id, component in held.items()}
    links = KeptLinks(before, fresh, in_group, batch.rules.max_links)
    if batch.rewrite:
        links.torn |= held.keys()
    dead = [revision.ref for revision in revisions if not revision.after.live]
    moved = frozenset(revision.ref for revision in revisions if revision.changed)
    held, resolved = _resolve(batch, held, links, in_group, dead, moved)
    doubts = (edge for edge in edges if not edge.link)
    reviews = plan_reviews(batch.reviews, doubts, in_group, batch.rules.max_reviews, again=batch.rewrite is not None)
    commit.enqueue = sorted({*commit.enqueue, *links.with_hole(), *reviews.holes})

    _write_components(batch, held, resolved, commit, dead)
    _write_reviews(batch, held, resolved.values(), commit, reviews)
    _write_erasures(batch.rules, revisions, commit)
    _write_golden(batch, held, resolved.values(), commit)
    if batch.rules.publish:
        told = (batch.rules, revisions, held.values(), resolved.values(), commit)
        commit.changes += evidence_changes(*told, again=batch.rewrite is not None)
    write_expiries(revisions, commit)
    commit.dequeue = [revision.ref for revision in revisions]
    return commit


def _expect_and_place(batch: PlanInput, revisions: list[Revision], commit: Commit) -> None:
    """Set the expectations on records and blocks, and the writes of records and blocks."""
    in_group = set(commit.refs)
    changed = {revision.ref for revision in revisions if revision.changed}
    for revision in revisions:
        commit.expect_records[revision.ref] = ABSENT if revision.before is None else revision.before.revision
        if revision.written:
            commit.put_records.append(revision.after)
    for key, sharers in revisions_by_key(revisions).items():
        view = batch.blocks[key]
        before, after = view.open_before, view.open_after
        if before or after:
            commit.expect_blocks[key] = view.stamp
            if not changed.isdisjoint([revision.after.ref for revision in sharers]):
                _place_open(commit, key, view.members or {}, opened=not before, suspended=not after)
            if before != after:
                commit.enqueue += [ref for ref in view.members or {} if ref not in in_group]
        else:
            _place_suspended(commit, key, sharers, changed)
    commit.enqueue = sorted(set(commit.enqueue))


def _place_open(commit: Commit, key: str, members: Mapping[str, str], *, opened: bool, suspended: bool) -> None:
    if suspended:
        commit.suspend[key] = members
        return
    commit.put_blocks[key] = members
    if opened:
        commit.resume.append(key)


def _place_suspended(commit: Commit, key: str, sharers: Sequence[Revision], changed: Collection[str]) -> None:
    growth = 0
    for revision in sharers:
        was, will = revision.membership(key)
        growth += int(will) - int(was)
        if will and revision.ref in changed:
            commit.grow.setdefault(key, {})[revision.ref] = revision.after.revision
        elif was and not will:
            commit.shrink.setdefault(key, []).append(revision.ref)
    commit.expect_suspended[key] = growth


def _expect_partners(batch: PlanInput, revisions: list[Revision], commit: Commit) -> None:
    """Expect the other side of every verdict to be as it was read: alive, deleted, or never seen."""
    for revision in revisions:
        for other in revision.after.state.verdicts:
            if other not in commit.expect_records and other in batch.partners:
                commit.expect_records[other] = batch.partners[other]


def _resolve(
    batch: PlanInput,
    held: Mapping[str, HeldComponent],
    links: KeptLinks,
    in_group: frozenset[str],
    dead: Collection[str],
    moved: frozenset[str],
) -> tuple[dict[str, HeldComponent], dict[str, ResolvedComponent]]:
    """Return those of the held components that change, and what they become, both by id.

    A component without a record of the group, whose links are what they were, stays as it is. A golden record that has
    the members it had, none of which is written (``moved``), is not made anew: it depends on nothing else.
    """
    known = {
        tuple(sorted(golden.members)): Golden(golden.golden_id, golden.members, b"", golden.digest)
        for component in held.values()
        for golden in component.golden
        if moved.isdisjoint(golden.members)
    }
    changing = dict(held)
    resolved = {}
    for members, own in regrouped(held, batch.component_of, links, in_group.difference(dead), dead):
        component_id = component_id_of(members)
        before = held.get(component_id)
        unchanged = before is not None and before.members == members and before.links == own
        if unchanged and in_group.isdisjoint(members):
            del changing[component_id]
            continue
        resolved[component_id] = resolve_component(batch.rules, members, own, batch.records, known)
    return changing, resolved


def _write_components(
    batch: PlanInput,
    held: Mapping[str, HeldComponent],
    resolved: Mapping[str, ResolvedComponent],
    commit: Commit,
    dead: Sequence[str],
) -> None:
    records = batch.records
    before = {ref: component_id for component_id, component in held.items() for ref in component.members}
    if batch.rewrite:
        before = dict.fromkeys(dead, ABSENT)
    for component_id, component in resolved.items():
        commit.put_components[component_id] = held_component(batch.rules, component, records)
        for ref in component.members:
            if before.get(ref) != component_id:
                commit.component_of[ref] = component_id
    commit.drop_components = [component_id for component_id in held if component_id not in commit.put_components]
    commit.drop_refs = [ref for ref in dead if ref in before]


def _write_reviews(
    batch: PlanInput,
    held: Mapping[str, HeldComponent],
    resolved: Collection[ResolvedComponent],
    commit: Commit,
    reviews: ReviewPlan,
) -> None:
    """Write the REVIEW edges of the group's records, and what differs in the queue around the components.

    An edge between two other records may go, because one of the group's is stronger. Its item goes with it, whether or
    not it is there: that depends on components which are not looked at.
    """
    commit.put_edges, commit.drop_edges = list(reviews.put), list(reviews.drop)
    commit.expect_edges = {ref: batch.review_stamps.get(ref, ABSENT) for ref in sorted(reviews.read)}
    inside = {ref for component in held.values() for ref in component.members}.difference(commit.refs)
    standing = {
        review.edge.pair: review.edge
        for ref in inside
        for review in batch.reviews.get(ref, ())
        if inside.issuperset(review.edge.pair)
    }
    gone = set(reviews.drop)
    before = _queued(held.values(), {**reviews.old, **standing})
    staying = {pair: edge for pair, edge in standing.items() if pair not in gone}
    after = _queued(commit.put_components.values(), {**reviews.kept, **staying})
    apart = {kept.strongest.edge.pair: kept for component in resolved for kept in component.apart}
    for pair, content in after.items():
        if batch.rewrite or before.get(pair) != content:
            commit.put_review[pair] = review_item(batch.rules, content if isinstance(content, Edge) else apart[pair])
            if pair in staying:
                commit.expect_edges.setdefault(pair[0], batch.review_stamps.get(pair[0], ABSENT))
    named = batch.rewrite.reviews if batch.rewrite else ()
    commit.drop_review = sorted((before.keys() | gone - reviews.old.keys() | set(named)) - after.keys())


def _queued(
    components: Collection[HeldComponent], reviews: Mapping[tuple[str, str], Edge]
) -> dict[tuple[str, str], Edge | str]:
    """Return what the review queue has of some components and REVIEW edges, each with what its item is made from.

    That is the digest of the item for refused links, or the edge. A REVIEW edge is no item within a golden record,
    and none between two that the item for refused links stands for.
    """
    golden_of = {ref: golden.golden_id for held in components for golden in held.golden for ref in golden.members}
    refused = {item.pair: item.digest for held in components for item in held.refused}
    apart = {ordered(golden_of[a], golden_of[b]) for a, b in refused}
    found: dict[tuple[str, str], Edge | str] = {**refused}
    for pair, edge in reviews.items():
        left, right = golden_of.get(edge.a), golden_of.get(edge.b)
        if left is None or right is None or (left != right and ordered(left, right) not in apart):
            found[pair] = edge
    return found


def _write_golden(
    batch: PlanInput, held: Mapping[str, HeldComponent], resolved: Collection[ResolvedComponent], commit: Commit
) -> None:
    """Diff the golden records of the touched components; retirements come first, then by golden id."""
    rules = batch.rules
    before = {golden.golden_id: golden for component in held.values() for golden in component.golden}
    after = {golden.golden_id: golden for component in resolved for golden in component.golden}
    # Those with the members that they had have nothing to say of where a record is.
    same = {name for name, golden in after.items() if name in before and before[name].members == golden.members}
    if batch.rewrite:
        before, same = batch.rewrite.golden_before(before), set()
    moved_from = {ref: name for name, golden in before.items() if name not in same for ref in golden.members}
    moved_to = {ref: name for name, golden in after.items() if name not in same for ref in golden.members}
    commit.crosswalk = {
        ref: golden_id for ref, golden_id in moved_to.items() if batch.rewrite or moved_from.get(ref) != golden_id
    }

    def removed(golden_id: str) -> list[str]:
        if golden_id in same or golden_id not in before:
            return []
        return [ref for ref in before[golden_id].members if ref not in moved_to]

    for golden_id in sorted(before.keys() - after.keys()):
        ended = before[golden_id]
        commit.changes.append(changes.retired(rules, golden_id, ended.members, removed(golden_id), moved_to))
        commit.drop_golden.append(golden_id)
        commit.merges += int(anchor_named_by(rules.domain, golden_id, ended.members) in moved_to)
    for golden_id in sorted(after):
        golden = after[golden_id]
        known = before.get(golden_id)
        if batch.rewrite or known is None or known.digest != golden.digest:
            commit.put_golden[golden_id] = golden
            commit.changes.append(changes.upserted(rules, golden_id, golden.content, removed(golden_id)))


def _write_erasures(rules: Ruleset, revisions: Sequence[Revision], commit: Commit) -> None:
    """Tell the feed which records were erased, before the changes that follow from it."""
    for revision in revisions:
        if revision.after.state.erased and revision.changed:
            commit.changes.append(changes.erased(rules, revision.ref))
