"""The trace of a golden record: from its id to its changes, the events behind each, and the rows that came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mdm_stream.errors import TerminalError
from mdm_stream.steward.inspect import NotFoundError, find_record
from mdm_stream.trace.assemble import golden_journey, story_of
from mdm_stream.trace.event_trace import erased_timeline
from mdm_stream.trace.findings import GoldenHistory, ToldChange
from mdm_stream.trace.lookups import Lookups, state_of
from mdm_stream.trace.timeline import Timeline

RECORDS_MAX = 200
"""Records whose deliveries are looked for behind one golden record."""


def trace_golden(lookups: Lookups, name: str, golden_id: str) -> Timeline:
    """Return the newest changes of a golden record, live or not, each with the deliveries that it came of.

    ``NotFoundError`` where no change of that id was ever told.
    """
    history = _history(lookups, golden_id)
    changes = [change for change in history.changes if change.golden_id == golden_id]
    if not changes:
        raise _unknown(lookups, golden_id)
    newest = changes[-lookups.options.last :]
    near = [
        each for change in newest for each in (lookups.of_commit(change) or history.changes) if _concerns(each, change)
    ]
    refs = _refs_behind(lookups, [*newest, *near])
    records = lookups.records(refs)
    erased = {ref for ref, record in records.items() if record.state.erased}
    if erased and len(erased) == len(refs):
        return replace(erased_timeline(lookups, name, ""), kind="golden", golden_id=golden_id)
    if erased:
        lookups.notes[f"{len(erased):,} of the records behind it were erased: nothing is said of them"] = None
    refs = [ref for ref in refs if ref not in erased]
    deliveries = lookups.deliveries(refs)
    whole = history
    if lookups.stores.warehouse is not None:
        whole = lookups.history_of(refs, deliveries, [*changes, *near])
        history = replace(history, feed=lookups.places(newest))
    stories = [story_of(lookups.domain, ref, deliveries, whole, state_of(records.get(ref))) for ref in refs]
    causing = [
        delivery
        for story in stories
        for delivery, caused in zip(story.deliveries, story.caused, strict=True)
        if any(each.change in newest or each.change in near for each in caused)
    ]
    shown = lookups.shown(history, near, causing)
    return Timeline(
        asked=name,
        kind="golden",
        domain=lookups.domain,
        golden_id=golden_id,
        summary=_summary(lookups, golden_id, changes[-1]),
        journeys=tuple(golden_journey(change, stories, shown) for change in newest),
        left_out=len(changes) - len(newest),
        looked_into=tuple(lookups.looked.values()),
        notes=tuple(lookups.notes),
    )


def _history(lookups: Lookups, golden_id: str) -> GoldenHistory:
    if lookups.stores.warehouse is not None:
        return lookups.of_ids([golden_id])
    # Without a warehouse the id leads to the record that it is named after, and that to what the feed still has.
    return lookups.on_feed(find_record(lookups.stores.index, lookups.stores.rules, golden_id), 0)


def _refs_behind(lookups: Lookups, changes: Iterable[ToldChange]) -> list[str]:
    """Return the records that some changes name, ``RECORDS_MAX`` at most."""
    refs: set[str] = set()
    for change in changes:
        refs |= change.members | change.removed | ({change.anchor} if change.anchor else set())
    if len(refs) > RECORDS_MAX:
        note = f"the events of {RECORDS_MAX:,} of the {len(refs):,} records behind it were looked for, and no others"
        lookups.notes[note] = None
    return sorted(refs)[:RECORDS_MAX]


def _summary(lookups: Lookups, golden_id: str, last: ToldChange) -> tuple[str, ...]:
    live = lookups.stores.index.golden_record(golden_id)
    if live is not None:
        return (f"golden record {golden_id} is live, of {len(live['members']):,}",)
    said = f"golden record {golden_id} is not live any more"
    if last.merged_into:
        said += f": it was merged into {last.merged_into}"
    if last.anchor:
        now = lookups.stores.index.golden_of([last.anchor]).get(last.anchor)
        said += f"; it leads to {now} now" if now else "; its first record is in no golden record now"
    return (said,)


def _unknown(lookups: Lookups, golden_id: str) -> TerminalError:
    store = "warehouse" if lookups.stores.warehouse is not None else "golden_feed"
    said = f"no change of golden record {golden_id} is in {lookups.stores.places.get(store) or 'what was named'}"
    if lookups.stores.index.golden_record(golden_id) is not None:
        return NotFoundError(f"{said}, though the index has it: its message is on its way; ask again in a moment")
    return NotFoundError(
        f"{said}, and the index of domain {lookups.domain} has no live golden record of that id; check the id, or "
        "name another domain with --domain"
    )


def _concerns(each: ToldChange, change: ToldChange) -> bool:
    """Tell whether another change of the same commit is of a golden record that this one was merged with."""
    if (each.epoch, each.committed_us) != (change.epoch, change.committed_us):
        return False
    return change.merged_into == each.golden_id or each.merged_into == change.golden_id
