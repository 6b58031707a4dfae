"""The trace of an event: from a name to what became of each delivery that it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mdm_stream.core.histories import shown_version
from mdm_stream.core.model import make_ref
from mdm_stream.core.record import Record
from mdm_stream.errors import TerminalError
from mdm_stream.steward.describe import status_of
from mdm_stream.steward.inspect import NotFoundError
from mdm_stream.trace.assemble import delivery_journey, refused_journey, story_of, waiting_journey, with_related
from mdm_stream.trace.causes import CausedChange
from mdm_stream.trace.findings import AcceptedDelivery, RefusedDelivery
from mdm_stream.trace.lookups import Lookups, changes_in, state_of
from mdm_stream.trace.steps import erased_steps
from mdm_stream.trace.subject import EventSelector
from mdm_stream.trace.timeline import Journey, Timeline

_Timed = tuple[int, Journey]
"""A journey, and when it began."""


def trace_event(lookups: Lookups, name: str, selectors: Sequence[EventSelector]) -> Timeline:
    """Return what became of the deliveries that the first selector means of which anything is known.

    ``NotFoundError`` where nothing is known of any: it says what was looked for, where, and how to go on. Of an erased
    record the timeline says that it is erased, and nothing else.
    """
    refused = lookups.refused(selectors)
    refs = [each.ref for each in selectors if each.ref] or _claimed(refused)
    if not refs and not selectors[0].letter_id:
        refs = lookups.refs_at(selectors[0])
    records = lookups.records(refs)
    erased = [ref for ref in refs if lookups.is_erased(ref, records.get(ref))]
    if erased and (len(erased) == len(refs) or refs[0] in erased):
        return erased_timeline(lookups, name, erased[0])
    refs = [ref for ref in refs if ref not in erased]
    deliveries = lookups.deliveries(refs)
    for selector in selectors:
        of = [selector.ref] if selector.ref else refs
        here = [each for each in deliveries if not set(of).isdisjoint(each.refs)]
        letters = [each for each in refused if _is_of(each, selector)]
        if here or letters or any(ref in records for ref in of):
            return _told(lookups, name, selector, here, letters, {ref: records.get(ref) for ref in of})
    waiting = lookups.waiting(selectors)
    if not waiting and lookups.has_met_erased:
        return erased_timeline(lookups, name, "")
    if not waiting:
        raise _unknown(lookups, name, selectors)
    journeys = [(each.delivery.arrival_time_us, waiting_journey(each, "")) for each in waiting]
    return _timeline(lookups, name, "", journeys, ())


def erased_timeline(lookups: Lookups, name: str, ref: str) -> Timeline:
    """Return that a record is erased, and when if that is known; nothing else, whatever the stores still have."""
    journey = Journey(f"{ref or 'a record'}: erased", "erased", erased_steps(lookups.erasure(ref) if ref else None))
    return Timeline(name, "event", lookups.domain, ref, journeys=(journey,))


def _told(
    lookups: Lookups,
    name: str,
    selector: EventSelector,
    deliveries: Sequence[AcceptedDelivery],
    refused: Sequence[RefusedDelivery],
    records: Mapping[str, Record | None],
) -> Timeline:
    """Return the timeline of the deliveries that a selector means, of records of which something is known."""
    journeys: list[_Timed] = [(_began_us(each), refused_journey(each)) for each in refused]
    for ref, record in records.items():
        journeys += _of_record(lookups, selector, ref, record, [each for each in deliveries if ref in each.refs])
    if not journeys or lookups.options.scan_streams:
        known = {each.delivery.origin for each in deliveries}
        known |= {each.delivery.origin for each in refused if each.delivery is not None}
        journeys += [
            (each.delivery.arrival_time_us, waiting_journey(each, selector.ref))
            for each in lookups.waiting([selector])
            if each.delivery.origin not in known
        ]
    first = next(iter(records), selector.ref)
    if not journeys and deliveries:
        raise _other_version(selector, len(deliveries), records.get(first))
    if not journeys:
        lookups.notes[_WITHOUT_DELIVERY] = None
    return _timeline(lookups, name, first, journeys, _summary(lookups, records))


_WITHOUT_DELIVERY = (
    "the index knows the record, and the archive has no delivery of it: it may have been archived before --since, or "
    "only a steward's decision names it"
)


def _of_record(
    lookups: Lookups, selector: EventSelector, ref: str, record: Record | None, deliveries: Sequence[AcceptedDelivery]
) -> list[_Timed]:
    if not deliveries:
        return []
    history = lookups.history_of([ref], deliveries)
    story = story_of(lookups.domain, ref, deliveries, history, state_of(record))
    meant = story.selected(selector)[-lookups.options.last :]
    changes = changes_in([story.caused[place] for place in meant])
    of_commit = list({told.position: told for change in changes for told in lookups.of_commit(change)}.values())
    if lookups.stores.warehouse is not None:
        caused = [CausedChange(change, ()) for change in changes]
        history = replace(history, feed=lookups.places([each.change for each in with_related(caused, of_commit)]))
    shown = lookups.shown(history, of_commit, [story.deliveries[place] for place in meant])
    return [
        (story.deliveries[place].delivery.arrival_time_us, delivery_journey(story, place, shown)) for place in meant
    ]


def _timeline(lookups: Lookups, name: str, ref: str, journeys: Sequence[_Timed], summary: tuple[str, ...]) -> Timeline:
    ordered = [journey for _, journey in sorted(journeys, key=lambda each: each[0])]
    kept = ordered[-lookups.options.last :]
    return Timeline(
        asked=name,
        kind="event",
        domain=lookups.domain,
        ref=ref,
        summary=summary,
        journeys=tuple(kept),
        left_out=len(ordered) - len(kept),
        looked_into=tuple(lookups.looked.values()),
        notes=tuple(lookups.notes),
    )


def _summary(lookups: Lookups, records: Mapping[str, Record | None]) -> tuple[str, ...]:
    golden = lookups.stores.index.golden_of(list(records))
    said = []
    for ref, record in records.items():
        if record is None:
            said.append(f"{ref}: the index does not know it")
            continue
        base = record.state.base
        version = f", last whole write at version {shown_version(base.version)}" if base is not None else ""
        where = f", in golden record {golden[ref]}" if ref in golden else ""
        said.append(f"{ref} is {status_of(record)}{version}{where}")
    return tuple(said)


def _began_us(letter: RefusedDelivery) -> int:
    delivery = letter.delivery
    return delivery.arrival_time_us if delivery is not None and delivery.arrived else letter.when_us


def _claimed(refused: Sequence[RefusedDelivery]) -> list[str]:
    """Return the records that dead letters claim to be of."""
    claims = [(each.claimed.source, each.claimed.record_id) for each in refused]
    return list(dict.fromkeys(make_ref(source, record_id) for source, record_id in claims if source and record_id))


def _is_of(letter: RefusedDelivery, selector: EventSelector) -> bool:
    """Tell whether a dead letter that one of several selectors means is meant by this one."""
    if selector.version and letter.version not in ("", selector.version):
        return False
    return not selector.ref or selector.ref in _claimed([letter])


def _unknown(lookups: Lookups, name: str, selectors: Sequence[EventSelector]) -> TerminalError:
    looked = []
    for each in lookups.looked.values():
        told = ", ".join(filter(None, (each.where, each.note)))
        looked.append(f"{each.store.replace('_', ' ')}{f' ({told})' if told else ''}")
    what = " or ".join(each.described() for each in selectors if not each.raw_digest) or f"the event {name}"
    advice = "check the name and the domain"
    if lookups.options.since_day:
        advice += f"; look at what was archived before {lookups.options.since_day} too"
    if not lookups.options.scan_streams:
        advice += "; look for what still waits on the streams with --streams"
    return NotFoundError(
        f"nothing is known of {what} in domain {lookups.domain}. Looked into: {'; '.join(looked)}. To go on: {advice}"
    )


def _other_version(selector: EventSelector, deliveries: int, record: Record | None) -> TerminalError:
    base = None if record is None else record.state.base
    now = f"; it is at version {shown_version(base.version)} now" if base is not None else ""
    return NotFoundError(
        f"{deliveries:,} deliveries of {selector.ref or 'the record'} are archived, and none is "
        f"{selector.described()}{now}. Leave the version out to see them all, or look for one that still waits on the "
        "streams with --streams"
    )
