"""Timelines from findings: what became of deliveries, and what golden changes came of. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.fold import RecordState
from mdm_stream.core.histories import shown_version
from mdm_stream.trace.causes import CausedChange, RecordAttribution, transitions
from mdm_stream.trace.effects import FoldEffect, fold_effects, in_order, versions_of
from mdm_stream.trace.findings import (
    AcceptedDelivery,
    GoldenHistory,
    RefusedDelivery,
    ToldChange,
    WaitingDelivery,
)
from mdm_stream.trace.steps import (
    archived_step,
    change_steps,
    described_delivery,
    is_erasure,
    received_steps,
    refused_steps,
    state_step,
    waiting_steps,
)
from mdm_stream.trace.subject import EventSelector
from mdm_stream.trace.timeline import Journey, Outcome, TraceStep

RESOLVE, WAREHOUSE = "resolve", "warehouse"
"""Parts of the names of the functions whose log lines are shown."""

_OUTCOMES: Mapping[str, Outcome] = {
    "applied": "applied",
    "duplicate": "absorbed",
    "stale": "absorbed",
    "excluded": "excluded",
    "unreadable": "unreadable",
}


@dataclass(frozen=True, slots=True)
class RecordStory:
    """All deliveries of one record in the order of arrival, what each did, and what came of those that were applied."""

    ref: str
    deliveries: tuple[AcceptedDelivery, ...]
    effects: tuple[FoldEffect, ...]
    caused: tuple[tuple[CausedChange, ...], ...]

    def selected(self, selector: EventSelector) -> list[int]:
        """Return the places of the deliveries that a selector means."""
        return [place for place, each in enumerate(self.deliveries) if _is_meant(selector, each, self.ref)]


def story_of(
    domain: str,
    ref: str,
    deliveries: Iterable[AcceptedDelivery],
    history: GoldenHistory,
    now: RecordState | None,
) -> RecordStory:
    """Return the story of a record. ``history`` has all golden ids that it was ever in; ``now`` is its state."""
    ordered = in_order(each for each in deliveries if ref in each.refs)
    effects = fold_effects(ref, ordered, now)
    applied = [each for each, effect in zip(ordered, effects, strict=True) if effect.kind == "applied"]
    of = transitions(domain, ref, history.changes, is_whole=history.is_whole)
    attribution = RecordAttribution(ref, of, applied)
    caused = [
        tuple(attribution.of(each)) if effect.kind == "applied" and not is_erasure(each) else ()
        for each, effect in zip(ordered, effects, strict=True)
    ]
    return RecordStory(ref, tuple(ordered), tuple(effects), tuple(caused))


@dataclass(frozen=True, slots=True)
class Shown:
    """What journeys are made with.

    ``history`` is what was told of golden records, ``of_commit`` other changes of the commits that events have caused,
    ``logs`` are log steps by function, shard and sequence number. ``values`` are shown, or not. ``warehouse`` says
    whether there is one, so that a change that it does not have can be said to be missing.
    """

    history: GoldenHistory
    logs: Mapping[tuple[str, str, str], Sequence[TraceStep]] = field(default_factory=dict)
    of_commit: Sequence[ToldChange] = ()
    values: bool = False
    warehouse: bool = False


def delivery_journey(story: RecordStory, number: int, shown: Shown) -> Journey:
    """Return what became of one delivery of a record."""
    delivery, effect = story.deliveries[number], story.effects[number]
    steps = [*received_steps(delivery.delivery), archived_step(delivery), *_logs(shown, delivery.delivery.origin)]
    steps.append(state_step(delivery, effect, story.ref, values=shown.values))
    caused = with_related(story.caused[number], shown.of_commit)
    steps += changes_of(caused, shown)
    if effect.kind == "applied" and not caused:
        steps.append(TraceStep("golden", _no_change(shown)))
    about = f"{story.ref}: {described_delivery(delivery, story.ref)}"
    return Journey(about, _OUTCOMES[effect.kind], tuple(steps))


def _no_change(shown: Shown) -> str:
    if not shown.history.is_whole:
        return "no golden change of it among the newest that were read; older ones were not looked at"
    if not (shown.warehouse or shown.history.changes):
        return "what it changed is not known: there is no warehouse, and nothing of it is on the golden feed"
    return (
        "no golden change came of it that the warehouse or the feed tells: none of its values is published, or the "
        "change is on its way"
    )


def changes_of(caused: Iterable[CausedChange], shown: Shown) -> list[TraceStep]:
    """Return the steps of golden changes, with log lines of the function that applied their messages."""
    steps: list[TraceStep] = []
    for each in caused:
        steps += change_steps(each, shown.history, values=shown.values)
        place = shown.history.feed.get(each.change.position)
        if place is not None:
            steps += shown.logs.get((WAREHOUSE, place.shard, place.sequence_number), ())
        if shown.warehouse and each.change.applied_us is None:
            said = f"change {each.change.epoch}/{each.change.sequence} is not in the warehouse (yet)"
            steps.append(TraceStep("warehouse", said))
    return steps


def with_related(caused: Sequence[CausedChange], of_commit: Iterable[ToldChange]) -> list[CausedChange]:
    """Return caused changes with the others of their commit that concern the same golden records, by position.

    These are golden records that were merged into one of them, and those that have members of one of them.
    """
    known = {each.change.position for each in caused}
    commits = {(each.change.epoch, each.change.committed_us) for each in caused}
    golden_ids = {each.change.golden_id for each in caused} | {each.change.merged_into for each in caused} - {""}
    found = list(caused)
    for change in of_commit:
        if change.position in known or (change.epoch, change.committed_us) not in commits:
            continue
        if change.merged_into in golden_ids:
            found.append(CausedChange(change, (f"of the same commit, merged into {change.merged_into}",)))
            known.add(change.position)
        elif change.golden_id in golden_ids:
            found.append(CausedChange(change, ("of the same commit",)))
            known.add(change.position)
    return sorted(found, key=lambda each: each.change.position)


def refused_journey(each: RefusedDelivery) -> Journey:
    """Return what became of a delivery that was refused."""
    claimed = each.claimed
    about = f"{claimed.source or '?'}/{claimed.record_id or '?'}"
    about += f": claims version {each.version}" if each.version else ": refused"
    return Journey(about, "refused", tuple(refused_steps(each)))


def waiting_journey(each: WaitingDelivery, ref: str) -> Journey:
    """Return what is known of a delivery that lies on a stream alone."""
    about = f"{ref or ', '.join(each.refs) or 'a record'}: {described_delivery(each, ref)}"
    return Journey(about, "waiting", tuple(waiting_steps(each)))


def golden_journey(change: ToldChange, stories: Collection[RecordStory], shown: Shown) -> Journey:
    """Return where one golden change comes from, and where it went."""
    steps: list[TraceStep] = []
    evidence: dict[str, None] = {}
    for story in stories:
        for delivery, effect, caused in zip(story.deliveries, story.effects, story.caused, strict=True):
            if not _explains(caused, change):
                continue
            steps += received_steps(delivery.delivery)
            steps.append(archived_step(delivery))
            steps += _logs(shown, delivery.delivery.origin)
            state = state_step(delivery, effect, story.ref, values=shown.values)
            steps.append(replace(state, said=f"{story.ref}, {state.said}"))
            words = next((each.evidence for each in caused if each.change.position == change.position), ())
            evidence.update(dict.fromkeys(f"{story.ref}: {word}" for word in words))
    if not steps:
        steps.append(TraceStep("cause", _unexplained(change, shown)))
    steps += changes_of([CausedChange(change, tuple(evidence))], shown)
    about = f"{change.golden_id} at {change.epoch}/{change.sequence}: {change.status}"
    return Journey(about, "told", tuple(steps))


def _unexplained(change: ToldChange, shown: Shown) -> str:
    if change.status == "erased":
        return "an erasure of a record: what it was is not kept"
    place = shown.history.feed.get(change.position)
    if place is not None and place.wave:
        return "it is among the first messages of a new epoch, which a rebuild or other rules have made, and no event"
    return (
        "no event that the archive holds explains it: a record that was erased since, a block or component that was "
        "evaluated again, or an event that --since has left out"
    )


def _explains(caused: Iterable[CausedChange], change: ToldChange) -> bool:
    for each in caused:
        other = each.change
        if other.position == change.position:
            return True
        if (other.epoch, other.committed_us) != (change.epoch, change.committed_us):
            continue
        if change.merged_into == other.golden_id or other.merged_into == change.golden_id:
            return True
    return False


def _logs(shown: Shown, origin: str) -> Sequence[TraceStep]:
    _, _, place = origin.partition("/")
    shard, _, sequence = place.partition(":")
    return shown.logs.get((RESOLVE, shard, sequence), ())


def _is_meant(selector: EventSelector, each: AcceptedDelivery, ref: str) -> bool:
    if not selector.at(each.delivery.origin):
        return False
    if selector.raw_digest and digest_of_bytes(each.delivery.raw) != selector.raw_digest:
        return False
    if not selector.version:
        return True
    return any(selector.version in (str(version), shown_version(version)) for version in versions_of(each, ref))
