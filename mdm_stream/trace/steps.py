"""Findings as steps: one sentence each, for people, and its facts, for programs. Pure, and without values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mdm_stream.core.histories import shown_version
from mdm_stream.core.model import ChangeEvent, EraseEvent, OverrideEvent, RecordEvent, VerdictEvent
from mdm_stream.decode import Delivery
from mdm_stream.trace.causes import CausedChange
from mdm_stream.trace.effects import FoldEffect
from mdm_stream.trace.findings import (
    AcceptedDelivery,
    CurrentRow,
    FeedPlace,
    GoldenHistory,
    RefusedDelivery,
    ToldChange,
    WaitingDelivery,
)
from mdm_stream.trace.in_logs import LogLine
from mdm_stream.trace.timeline import TraceStep

ROW_CODES_MAX = 5
"""Reasons that a sentence names; programs get all."""


def described_event(event: ChangeEvent) -> str:
    """Return an event in a few words, without a value: what it is, of which version."""
    if isinstance(event, RecordEvent):
        return f"{event.op} at version {shown_version(event.version)}"
    if isinstance(event, VerdictEvent):
        return f"verdict {event.verdict} on {event.a} and {event.b}, version {shown_version(event.version)}"
    if isinstance(event, OverrideEvent):
        what = "end of an override" if event.expired else "override"
        return f"{what} of {', '.join(sorted(event.attributes))}, version {shown_version(event.version)}"
    return "erasure"


def described_delivery(each: AcceptedDelivery | WaitingDelivery, ref: str) -> str:
    """Return what a delivery says of a record, in a few words."""
    said = [described_event(event) for event in each.events if not ref or ref in event.refs]
    return "; ".join(said) or "an event that these rules do not read"


def received_steps(delivery: Delivery) -> list[TraceStep]:
    """Return the arrival of a delivery."""
    if not delivery.arrived:
        where = delivery.origin or "a place that is not known"
        return [TraceStep("received", f"it came from {where}, not by a stream", place=delivery.origin)]
    facts = {"stream": delivery.stream, "shard": delivery.shard.rpartition("/")[2], "subsequence": delivery.subsequence}
    said = f"arrived on the stream {delivery.stream}"
    if delivery.redriven_on:
        said += f", and was sent again on {delivery.redriven_on}"
        facts["redriven_on"] = delivery.redriven_on
    return [TraceStep("received", said, delivery.arrival_time_us, delivery.origin, facts)]


def archived_step(each: AcceptedDelivery) -> TraceStep:
    """Return where a delivery lies in the archive."""
    place = each.places[0]
    more = len(each.places) - 1
    said = f"archived on {place.day}, row {place.row:,}" + (f"; {more:,} more rows of redeliveries" if more else "")
    said += "" if place.is_batch else "; compacted, so that the batch is not known any more"
    facts = {
        "object": place.name,
        "row": place.row,
        "rows": len(each.places),
        "witness": {"epoch": place.witness.epoch, "sequence": place.witness.sequence} if place.is_batch else None,
    }
    return TraceStep("archived", said, None, place.name, facts)


def state_step(each: AcceptedDelivery, effect: FoldEffect, ref: str, *, values: bool) -> TraceStep:
    """Return what a delivery did to its record's state."""
    what = described_delivery(each, ref)
    facts: dict[str, object] = {"effect": effect.kind, "events": what, "superseded_by": None}
    if effect.kind == "applied":
        said = f"{what}: applied, and stands"
        if effect.beaten_by:
            said = f"{what}: applied; {_version(effect.beaten_by)} has taken its place since"
    elif effect.kind == "duplicate":
        said = f"{what}: absorbed, since {effect.earlier} said the same before"
        facts["duplicate_of"] = effect.earlier
    elif effect.kind == "stale":
        beaten = f"{_version(effect.beaten_by)} was there" if effect.beaten_by else "newer ones were there"
        said = f"{what}: absorbed as stale, since {beaten} before it"
    elif effect.kind == "excluded":
        said = f"{what}: not applied, since an operator has taken out what its source sent then"
    else:
        said = f"archived, but the rules of now do not read it: {each.problem}"
    facts["superseded_by"] = effect.beaten_by or None
    return TraceStep("state", said, facts=facts, values=_values_of(each.events, ref) if values else {})


def _version(beaten_by: str) -> str:
    return beaten_by if beaten_by.startswith("an ") else f"version {beaten_by}"


def _values_of(events: Sequence[ChangeEvent], ref: str) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for event in events:
        if isinstance(event, RecordEvent | OverrideEvent) and ref in event.refs:
            found |= {name: list(v) if isinstance(v, tuple) else v for name, v in event.attributes.items()}
    return found


def refused_steps(each: RefusedDelivery) -> list[TraceStep]:
    """Return the arrival of a delivery that was refused, and why it was."""
    received = received_steps(each.delivery) if each.delivery is not None and each.delivery.placed else []
    codes = [f"{reason.code} at {reason.path or 'event'}" for reason in each.reasons[:ROW_CODES_MAX]]
    facts = {
        "letter_id": each.letter_id,
        "kind": each.kind,
        "condition": each.condition or None,
        "reasons": [{"code": r.code, "path": r.path, "message": r.message} for r in each.reasons],
        "redriving": each.redriving,
    }
    if each.kind == "on_failure":
        said = f"its batch failed the last attempt ({each.condition}); it is kept, and was not archived"
    elif each.kind == "quarantine":
        said = f"quarantined: {', '.join(codes)}"
    else:
        said = f"was quarantined: {', '.join(codes)}; its object is gone, as it was redriven or dropped"
    if each.kind != "report":
        said += "; being redriven" if each.redriving else f"; see mdm-stream dlq show {each.letter_id}"
    return [*received, TraceStep("refused", said, each.when_us, each.where, facts)]


def waiting_steps(each: WaitingDelivery) -> list[TraceStep]:
    """Return the arrival of a delivery that lies on a stream and nowhere else, and what that means."""
    facts: dict[str, object] = {"passed": each.passed}
    if each.refused:
        said = f"the rules of now refuse it: {', '.join(reason.code for reason in each.refused[:ROW_CODES_MAX])}"
        facts["reasons"] = [{"code": r.code, "path": r.path, "message": r.message} for r in each.refused]
    elif not each.events:
        said = "it says nothing that is applied: a tombstone, a control record, or a table that the rules ignore"
    elif each.passed:
        said = "the consumer says that it is past this place, and the archive has no row of it"
    elif each.passed is None:
        said = "it waits on the stream, and no consumer has said how far it is"
    else:
        said = "it waits on the stream: the consumer is not as far yet; mdm-stream status shows the backlog"
    return [*received_steps(each.delivery), TraceStep("waiting", said, None, each.delivery.origin, facts)]


def change_steps(caused: CausedChange, history: GoldenHistory, *, values: bool) -> list[TraceStep]:
    """Return a golden change with its message on the feed and its row in the warehouse, as far as either is known."""
    change = caused.change
    facts = {
        "golden_id": change.golden_id,
        "epoch": change.epoch,
        "sequence": change.sequence,
        "status": change.status,
        "merged_into": change.merged_into or None,
        "members": len(change.members),
        "evidence": list(caused.evidence),
    }
    said = f"{_told(change)}: {', and '.join(caused.evidence)}" if caused.evidence else _told(change)
    shown = change.values if values else {}
    steps = [TraceStep("golden", said, change.committed_us, _place_of(change), facts, shown)]
    place = history.feed.get(change.position)
    if place is not None:
        steps.append(feed_step(change, place))
    steps += warehouse_steps(change, history.rows)
    return steps


def _told(change: ToldChange) -> str:
    if change.status == "erased":
        return "its erasure was committed"
    if change.status == "retired":
        return f"golden record {change.golden_id} was retired"
    return f"golden record {change.golden_id} of {len(change.members):,} changed"


def _place_of(change: ToldChange) -> str:
    return f"{change.epoch}/{change.sequence}"


def feed_step(change: ToldChange, place: FeedPlace) -> TraceStep:
    """Return the message of a change on the golden stream."""
    facts = {"message": _place_of(change), "shard": place.shard, "sequence_number": place.sequence_number}
    said = f"message {_place_of(change)} arrived on the golden feed" + (
        ", among the first of a new epoch" if place.wave else ""
    )
    where = f"{place.shard}:{place.sequence_number}"
    return TraceStep("feed", said, place.arrived_us, where, {**facts, "wave": place.wave})


def warehouse_steps(change: ToldChange, rows: Iterable[CurrentRow]) -> list[TraceStep]:
    """Return the row of a change in the warehouse's history, and what its current tables say of the golden record."""
    if change.applied_us is None:
        return []
    table = "erased_record" if change.status == "erased" else "golden_history"
    facts: dict[str, object] = {"table": table, "epoch": change.epoch, "sequence": change.sequence}
    steps = [TraceStep("warehouse", f"row {_place_of(change)} of {table} was written", change.applied_us, table, facts)]
    for row in rows:
        if row.key != change.golden_id or change.status == "erased":
            continue
        is_this = (row.epoch, row.sequence) == change.position
        told = f"shows this change ({row.status})" if is_this else f"shows a later one, {row.epoch}/{row.sequence}"
        facts = {"table": row.table, "epoch": row.epoch, "sequence": row.sequence, "status": row.status}
        steps.append(TraceStep("warehouse", f"{row.table} {told}", None, row.table, facts))
    return steps


def erased_steps(change: ToldChange | None) -> tuple[TraceStep, ...]:
    """Return the erasure of a record: when it was committed, if that is known, and nothing else."""
    said = "the record was erased: nothing but its key is kept, and nothing more can be said of it"
    return (TraceStep("state", said, None if change is None else change.committed_us),)


def log_step(line: LogLine, *, values: bool) -> TraceStep:
    """Return a log line: what of it is a count, a name or a place, and its message where values were asked for."""
    facts = line.facts
    counts = [f"{name} {value}" for name, value in facts.items() if isinstance(value, int)]
    said = f"{facts.get('level', '')} {facts.get('service', '')}: {facts.get('message', 'a line')}".strip()
    said += f" ({', '.join(counts)})" if counts else ""
    if "function_request_id" in facts:
        said += f", request {facts['function_request_id']}"
    shown = {"message": line.text} if values else {}
    return TraceStep("log", said, line.time_us, f"{line.file}:{line.number}", facts, shown)


def is_erasure(delivery: AcceptedDelivery) -> bool:
    """Tell whether a delivery is an erasure."""
    return any(isinstance(event, EraseEvent) for event in delivery.events)
