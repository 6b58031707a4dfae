"""What a rewrite is of: the records around a damage, with all that they may be connected to.

A rewrite makes anew what an index holds around some records (``core.plan.rewriting``). It has to cover whole
components, as the index has them and as they should be: one of which a member is left out would be torn. So the records
that are asked for are joined by all members of the components that they are in, until nothing is added.

States come from the caller where the index's are wrong, and from the index elsewhere. A state that is given takes the
place of the one that is held only if that is the one that was seen to be wrong (``instead_of``): otherwise an event has
come in between, and the two are joined, as if what is given had been delivered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from mdm_stream.core.canonical import digest_of
from mdm_stream.core.fold import EMPTY, RecordState, join_states, state_to_wire
from mdm_stream.core.plan.commit import HeldComponent, Revision
from mdm_stream.core.plan.planning import PlanInput
from mdm_stream.core.plan.rewriting import Pair, Rewrite, component_of_members
from mdm_stream.core.record import build_record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import TransientError
from mdm_stream.index.port import IndexReads

ROUNDS_MAX = 20
"""Rounds in which further components were found, before it is left to another attempt."""


@dataclass(frozen=True, slots=True)
class GivenState:
    """The right state of a record. ``instead_of``: the digest of the held one that is wrong, "" where there is none."""

    state: RecordState
    instead_of: str = ""


@dataclass(frozen=True, slots=True)
class RewriteWanted:
    """What is to be written again: ``refs`` and ``given`` records; ``golden`` and ``reviews`` are as in ``Rewrite``."""

    refs: Collection[str] = ()
    given: Mapping[str, GivenState] = field(default_factory=dict)
    golden: Mapping[str, Collection[str]] = field(default_factory=dict)
    reviews: Collection[Pair] = ()


@dataclass(frozen=True, slots=True)
class Closure:
    """The records to write again, and the components that the index has them in."""

    refs: tuple[str, ...]
    components: Mapping[str, HeldComponent]

    def applied_to(self, batch: PlanInput, wanted: RewriteWanted) -> PlanInput:
        """Return what a plan rests on, with its records in those components whose members name them."""
        components = {**batch.components, **self.components}
        return replace(
            batch,
            component_of=component_of_members(components),
            components=components,
            rewrite=Rewrite(wanted.golden, wanted.reviews),
        )


def digest_of_state(state: RecordState) -> str:
    """Return the digest of a state: what ``GivenState.instead_of`` names."""
    return digest_of(state_to_wire(state))


def closed(index: IndexReads, wanted: RewriteWanted) -> Closure:
    """Return the records asked for, with all that they are connected to in the index."""
    refs = {*wanted.refs, *wanted.given, *(ref for pair in wanted.reviews for ref in pair)}
    refs.update(ref for several in wanted.golden.values() for ref in several)
    for _ in range(ROUNDS_MAX):
        components = index.read_neighbourhood(sorted(refs)).components
        more = {ref for component in components.values() for ref in component.members}
        if more <= refs:
            return Closure(tuple(sorted(refs)), components)
        refs |= more
    raise TransientError("components kept growing while they were read to be written again")


def revisions_again(rules: Ruleset, index: IndexReads, wanted: RewriteWanted, refs: Collection[str]) -> list[Revision]:
    """Return the records as they are held, and as they are to be, each to be written again."""
    held = index.read_records(list(refs))
    revisions = []
    for ref in refs:
        before = held.get(ref)
        state = EMPTY if before is None else before.state
        given = wanted.given.get(ref)
        if given is not None:
            wrong = before is None or digest_of_state(before.state) == given.instead_of
            state = given.state if wrong else join_states(given.state, state)
        revisions.append(Revision(before, build_record(rules, ref, state), again=True))
    return revisions
