"""Looking into the stores for a trace, each at most as often as it has to be; what was seen is noted for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.fold import RecordState
from mdm_stream.core.record import Record
from mdm_stream.errors import MdmError
from mdm_stream.trace.assemble import RESOLVE, WAREHOUSE, Shown
from mdm_stream.trace.causes import CausedChange
from mdm_stream.trace.findings import (
    AcceptedDelivery,
    FeedPlace,
    FeedPosition,
    GoldenHistory,
    LookedInto,
    RefusedDelivery,
    ToldChange,
    WaitingDelivery,
)
from mdm_stream.trace.in_letters import refused_deliveries
from mdm_stream.trace.in_logs import LoggedPlace, find_lines, log_files
from mdm_stream.trace.steps import log_step
from mdm_stream.trace.stores import TraceOptions, TraceStores
from mdm_stream.trace.subject import EventSelector
from mdm_stream.trace.timeline import TraceStep


@dataclass(slots=True)
class Lookups:
    """The stores of one trace. ``looked`` says what was found in each, ``notes`` what could not be known."""

    stores: TraceStores
    options: TraceOptions
    looked: dict[str, LookedInto] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    has_met_erased: bool = False
    """Whether something on a stream was passed over because its record is erased."""

    @property
    def domain(self) -> str:
        """The domain that is traced in."""
        return self.stores.rules.domain

    def saw(self, store: str, found: int, note: str = "") -> None:
        """Note what was found in a store."""
        self.looked[store] = LookedInto(store, self.stores.places.get(store, ""), found, note)

    def records(self, refs: Sequence[str]) -> dict[str, Record]:
        """Return the records of the index."""
        found = self.stores.index.read_records(list(refs)) if refs else {}
        self.saw("index", len(found))
        return found

    def is_erased(self, ref: str, record: Record | None) -> bool:
        """Tell whether a record was erased: the index says so, or for want of the record the warehouse does."""
        if record is not None:
            return record.state.erased
        return self.erasure(ref) is not None

    def erasure(self, ref: str) -> ToldChange | None:
        """Return the erasure of a record, as the warehouse has applied it."""
        return None if self.stores.warehouse is None else self.stores.warehouse.erasure(ref)

    def deliveries(self, refs: Sequence[str]) -> list[AcceptedDelivery]:
        """Return the deliveries of some records that the archive holds."""
        if not refs:
            return []
        found = self.stores.archive.deliveries(refs, self.stores.decoder, self.stores.marks)
        self.saw("archive", len(found), self._archive_note())
        if self.options.since_day:
            self.notes[f"what was archived before {self.options.since_day} is left out, as if it had never come"] = None
        return found

    def refs_at(self, selector: EventSelector) -> list[str]:
        """Return the records of what the archive holds at a place, or of some bytes."""
        found = self.stores.archive.find(selector)
        self.saw("archive", len(found), self._archive_note())
        return found

    def refused(self, selectors: Sequence[EventSelector]) -> list[RefusedDelivery]:
        """Return what lies among the dead letters, and what the warehouse has a report of though it lies there no more.

        A report has no version: it is left out where one was asked for.
        """
        found, unreadable = refused_deliveries(self.stores.letters, selectors, self.domain)
        self.saw("dead_letters", len(found), f"{unreadable:,} could not be read" if unreadable else "")
        if self.stores.warehouse is None:
            return found
        known = {each.letter_id for each in found}
        for selector in selectors:
            if selector.version or not (selector.ref or selector.letter_id):
                continue
            for report in self.stores.warehouse.reports(selector.ref, selector.letter_id):
                if report.letter_id not in known:
                    known.add(report.letter_id)
                    found.append(report)
        return found

    def waiting(self, selectors: Sequence[EventSelector]) -> list[WaitingDelivery]:
        """Return what lies on a change stream at a named place; and, where that was asked for, of a record anywhere.

        Nothing of it that is of an erased record.
        """
        streams = self.stores.streams
        if streams is None:
            return []
        found: list[WaitingDelivery] = []
        for selector in selectors:
            if selector.shard:
                found += streams.at(selector)
            elif self.options.scan_streams and selector.ref:
                found += streams.scan(selector)
        refs = sorted({ref for each in found for ref in each.refs})
        records = self.stores.index.read_records(refs) if refs else {}
        erased = {ref for ref in refs if self.is_erased(ref, records.get(ref))}
        self.has_met_erased |= bool(erased)
        self.saw("change_stream", len(found), "" if self.options.scan_streams else "at a named place alone")
        return [each for each in found if erased.isdisjoint(each.refs)]

    def history_of(
        self, refs: Sequence[str], deliveries: Sequence[AcceptedDelivery], known: Iterable[ToldChange] = ()
    ) -> GoldenHistory:
        """Return what was told of the golden records that some records were ever in, and of those of ``known``.

        Without a warehouse it is what the feed still has of the first record, from its first delivery on.
        """
        warehouse = self.stores.warehouse
        if warehouse is None:
            first_us = min((each.delivery.arrival_time_us for each in deliveries), default=0)
            return self.on_feed(refs[0], first_us) if refs else GoldenHistory()
        own_ids = {golden_id_of(self.domain, ref) for ref in refs}
        return self.of_ids(warehouse.golden_ids(refs) | own_ids | {each.golden_id for each in known})

    def of_ids(self, golden_ids: Iterable[str]) -> GoldenHistory:
        """Return what the warehouse has of some golden records."""
        warehouse = self.stores.warehouse
        history = GoldenHistory() if warehouse is None else warehouse.history(golden_ids)
        note = "" if history.is_whole else f"the newest {len(history.changes):,} changes alone"
        self.saw("warehouse", len(history.changes), note)
        return history

    def on_feed(self, ref: str, from_us: int) -> GoldenHistory:
        """Return what the golden feed still has of a record, from a time on."""
        feed = self.stores.feed
        if feed is None:
            self.notes["neither warehouse nor golden feed was named: golden changes are not known"] = None
            return GoldenHistory()
        try:
            changes, places = feed.told_of(self.domain, ref, from_us, self.stores.follow)
        except MdmError as error:
            self.notes[f"the golden feed could not be read, so golden changes are not known: {error}"] = None
            return GoldenHistory()
        self.saw("golden_feed", len(places), "there is no warehouse, and what has left the stream is not known")
        return GoldenHistory(tuple(changes), (), places)

    def of_commit(self, change: ToldChange) -> list[ToldChange]:
        """Return the other changes of the commit of a change."""
        warehouse = self.stores.warehouse
        return [] if warehouse is None or change.status == "erased" else warehouse.of_commit(change)

    def places(self, changes: Sequence[ToldChange]) -> dict[FeedPosition, FeedPlace]:
        """Return where messages lie on the golden feed, as far as it can be read and still has them."""
        feed = self.stores.feed
        if feed is None or not changes:
            return {}
        try:
            places = feed.places(self.domain, changes)
        except MdmError as error:
            self.saw("golden_feed", 0, f"it could not be read: {error}")
            return {}
        gone = len({each.position for each in changes}) - len(places)
        note = f"{gone:,} of the messages are not on it (any more)" if gone else ""
        if gone and not feed.is_whole:
            note = f"{gone:,} of the messages were not among the {feed.records:,} that were read"
        self.saw("golden_feed", len(places), note)
        return places

    def shown(
        self, history: GoldenHistory, of_commit: Sequence[ToldChange], deliveries: Iterable[AcceptedDelivery]
    ) -> Shown:
        """Return what journeys are made with."""
        logs = self._logs(history, deliveries) if self.options.logs else {}
        return Shown(history, logs, of_commit, self.options.values, self.stores.warehouse is not None)

    def _logs(
        self, history: GoldenHistory, deliveries: Iterable[AcceptedDelivery]
    ) -> dict[tuple[str, str, str], list[TraceStep]]:
        places = [_logged(RESOLVE, *shard_of(each.delivery.origin)) for each in deliveries]
        places += [_logged(WAREHOUSE, each.shard, each.sequence_number) for each in history.feed.values()]
        files = log_files(self.options.logs)
        found = find_lines(files, [place for place in places if place is not None])
        self.looked["logs"] = LookedInto("logs", f"{len(files):,} files", sum(map(len, found.values())))
        return {
            (place.service, place.shard, place.sequence): [log_step(line, values=self.options.values) for line in lines]
            for place, lines in found.items()
        }

    def _archive_note(self) -> str:
        since = f", archived from {self.options.since_day} on" if self.options.since_day else ""
        return f"{self.stores.archive.objects:,} objects{since}"


def state_of(record: Record | None) -> RecordState | None:
    """Return the state of a record, if the index knows it."""
    return None if record is None else record.state


def changes_in(caused: Iterable[Sequence[CausedChange]]) -> list[ToldChange]:
    """Return the changes that several deliveries have caused, each once."""
    return list({each.change.position: each.change for of in caused for each in of}.values())


def shard_of(origin: str) -> tuple[str, str]:
    """Return shard and sequence number of an origin, as it is written."""
    shard, _, sequence = origin.partition("/")[2].partition(":")
    return shard, sequence


def _logged(service: str, shard: str, sequence: str) -> LoggedPlace | None:
    is_number = sequence.isascii() and sequence.isdigit()
    return LoggedPlace(service, shard, sequence) if shard and is_number else None
