"""Which golden changes an event has caused. Pure.

No message of the feed names the event behind it. What tells is there all the same: provenance names record and version
of each golden value, members say who came and left, one commit gives all its changes one time, and the object in which
the consumer has archived a batch is named after how far the index had come by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.model import STEWARD_SOURCE, Version, make_ref
from mdm_stream.trace.effects import versions_of
from mdm_stream.trace.findings import AcceptedDelivery, FeedPosition, ToldChange

CLOCKS_APART_US = 5_000_000
"""So much earlier than the arrival of its event a commit may seem to be: the stream and Redis have clocks of their own.
"""


@dataclass(frozen=True, slots=True)
class Transition:
    """What a golden change says that is new of one record.

    ``joined`` and ``left`` say that the record became a member, or is none any more; ``versions`` are those of its
    writes that give the golden record values from here on; ``ended`` that the golden record was retired with it.
    """

    change: ToldChange
    joined: bool = False
    left: bool = False
    ended: bool = False
    erased: bool = False
    changed: bool = False
    versions: frozenset[Version] = frozenset()


@dataclass(frozen=True, slots=True)
class CausedChange:
    """A golden change that an event has caused, and what tells: ``evidence`` are words for people."""

    change: ToldChange
    evidence: tuple[str, ...]


def transitions(domain: str, ref: str, history: Sequence[ToldChange], *, is_whole: bool) -> list[Transition]:
    """Return what is new of a record, change by change, in the order of the feed.

    Where older changes were left out, the first one of each golden id says nothing: what was before is not known.
    """
    own_id = golden_id_of(domain, ref)
    before: dict[str, ToldChange] = {}
    found = []
    for change in sorted(history, key=lambda each: each.position):
        if change.status == "erased":
            if change.golden_id == own_id:
                found.append(Transition(change, erased=True))
            continue
        last = before.get(change.golden_id)
        before[change.golden_id] = change
        if last is None and not is_whole:
            continue
        held = last is not None and ref in last.members
        holds = ref in change.members
        old = frozenset() if last is None else _written(last, ref)
        new = _written(change, ref)
        ended = change.status == "retired" and (held or change.anchor == ref)
        each = Transition(
            change,
            joined=holds and not held,
            left=ref in change.removed or (held and not holds and not ended),
            ended=ended,
            changed=old != new,
            versions=frozenset(version for _, version in new - old),
        )
        if each.joined or each.left or each.ended or each.changed:
            found.append(each)
    return found


@dataclass(frozen=True, slots=True)
class RecordAttribution:
    """One record's transitions, and its deliveries that were applied: tells which of the former came of the latter."""

    ref: str
    transitions: Sequence[Transition]
    applied: Sequence[AcceptedDelivery]

    def of(self, delivery: AcceptedDelivery) -> list[CausedChange]:
        """Return the changes of the commit in which a delivery's write came out, in the order of the feed.

        First the commit whose provenance names a version of the delivery counts. Without one it is the first that says
        something new of the record within the time of the delivery, and that is not explained by another batch.
        """
        own = versions_of(delivery, self.ref)
        others = [each for each in self.applied if each is not delivery]
        foreign = frozenset(
            version
            for each in others
            if not are_of_one_batch(each, delivery)
            for version in versions_of(each, self.ref) - own
        )
        within = [each for each in self.transitions if _is_within(each.change, delivery, others)]
        commit = next((each for each in within if each.versions & own), None)
        if commit is None:
            commit = next((each for each in within if not each.versions or not each.versions <= foreign), None)
        if commit is None:
            return []
        same = [each for each in self.transitions if _commit(each.change) == _commit(commit.change)]
        return [CausedChange(each.change, _evidence(self.ref, each, own, same)) for each in same]


def are_of_one_batch(left: AcceptedDelivery, right: AcceptedDelivery) -> bool:
    """Tell whether two deliveries were archived as one batch, as far as objects of one batch are left to say so."""
    names = {place.name for place in left.places if place.is_batch}
    return any(place.name in names for place in right.places)


def reached(delivery: AcceptedDelivery) -> FeedPosition | None:
    """Return how far the feed had come when the batch of a delivery was done; ``None`` if no object says it."""
    found = [(place.witness.epoch, place.witness.sequence) for place in delivery.places if place.is_batch]
    return min(found, default=None)


def _is_within(change: ToldChange, delivery: AcceptedDelivery, others: Iterable[AcceptedDelivery]) -> bool:
    """Tell whether a change may be of a delivery's commit, by time and by what archived objects witness."""
    arrived_us, done = delivery.delivery.arrival_time_us, reached(delivery)
    if change.committed_us < arrived_us - CLOCKS_APART_US or (done is not None and change.position > done):
        return False
    for other in others:
        if are_of_one_batch(other, delivery):
            continue
        other_us, other_done = other.delivery.arrival_time_us, reached(other)
        if other_us <= arrived_us and other_done is not None and change.position <= other_done:
            return False
        if other_us > arrived_us and done is None and change.committed_us >= other_us:
            return False
    return True


def _commit(change: ToldChange) -> tuple[int, int]:
    return change.epoch, change.committed_us


def _written(change: ToldChange, ref: str) -> frozenset[tuple[str, Version]]:
    """Return what a golden record has of a record: of its own writes, and of a steward's overrides of it."""
    own = change.written.get(ref, frozenset())
    return own | change.written.get(make_ref(STEWARD_SOURCE, ref), frozenset())


def _evidence(ref: str, each: Transition, own: frozenset[Version], same: Sequence[Transition]) -> tuple[str, ...]:
    words = []
    if each.erased:
        words.append("it says that the record was erased")
    if each.joined:
        words.append("the record became a member")
    if each.left:
        words.append("the record left it")
    if each.ended:
        into = each.change.merged_into
        words.append(f"it was retired, merged into {into}" if into else "it was retired")
    if each.versions & own:
        count = sum(version in own for _, version in _written(each.change, ref))
        words.append(f"{count} of its values {'is' if count == 1 else 'are'} of this write")
    elif each.changed and not (each.left or each.ended):
        words.append("other values of the record are in it")
    if len({other.change.golden_id for other in same}) > 1:
        words.append("of one commit with the others")
    return tuple(words)
