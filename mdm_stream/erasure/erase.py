"""The erasure of records: one event on the change stream, and then every store that no event can reach.

1. *Know.* All values that the records ever had, from the index, the archive and dead letters, so that they can be
looked for afterwards. 2. *Tell.* An erase event for each record goes to the steward stream. 3. *Wait* until the index
has the records erased, the golden feed their tombstones, and the warehouse has applied these; and until no consumer
can still write what it read before. 4. *Remove* the values from the archive, the claim objects, snapshots of the
feed, the dead letters, freed pages of the warehouse's file, and on one's own machine from the streams and Redis' file.
5. *Search* everything for what is left.

Every step may be repeated, and a run that was cut short is completed by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

import orjson

from mdm_stream.archive.rows import delivery_of, rest_without
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import ChangeEvent, EraseEvent, make_ref, split_ref
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.dead_letters import DeadEvent, DeadLetters, read_contents
from mdm_stream.decode import Delivery
from mdm_stream.erasure.evidence import records_in_change
from mdm_stream.erasure.in_claims import erase_in_claims
from mdm_stream.erasure.in_index import drop_kept_epoch
from mdm_stream.erasure.in_letters import erase_in_letters
from mdm_stream.erasure.in_snapshots import erase_in_snapshots
from mdm_stream.erasure.places import Places
from mdm_stream.erasure.receipt import Receipt, keep_receipt, make_receipt
from mdm_stream.erasure.search import Progress, Search, Searched
from mdm_stream.erasure.values import Values, values_of_events, values_of_record
from mdm_stream.erasure.whose import Owners
from mdm_stream.errors import RejectedEventError, TerminalError, TransientError
from mdm_stream.index.port import OutboxEntry
from mdm_stream.index.reader import IndexReader

POLL_INTERVAL_S = 0.25

OUTBOX_ENTRIES = 500
"""Entries of the outbox that are looked at together."""

SNOWFLAKE_NOTE = (
    "The tables hold nothing, but Snowflake keeps old versions of rows, which a SELECT can read (AT, BEFORE) until the "
    "time that is named; results of queries for 24 hours, and values that were bound to statements for seven days in "
    "the history of queries. Clones, shares, replicas and an account's MIN_DATA_RETENTION_TIME_IN_DAYS are outside of "
    "what was searched."
)
BACKUP_NOTE = (
    "Backups and snapshots of Redis, older versions in buckets that another rule keeps, and copies that subscribers of "
    "the golden feed made are outside of what was searched."
)


@dataclass(frozen=True, slots=True)
class EraseOptions:
    """How an erasure goes about it.

    ``wait_s``: how long each store may take to apply the erase event. ``grace_s``: how long a consumer may still write
    what it read before that, where this cannot be seen (on AWS): Lambda's function time-out.
    """

    wait_s: float = 120.0
    grace_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the records before they are erased: their values, and which of them were ever heard of."""

    values: Values
    refs: frozenset[str]


class Erase:
    """The erasure of some records of one domain."""

    def __init__(
        self,
        places: Places,
        rules: Ruleset,
        refs: Collection[str],
        options: EraseOptions | None = None,
        *,
        on_progress: Progress = lambda _what, _done, _expected: None,
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the records' references; ``TerminalError`` if the rules could not accept an erasure of one."""
        self._places = places
        self._rules = rules
        self._refs = sorted(set(refs))
        self._options = options or EraseOptions()
        self._on_progress = on_progress
        self._clock_us = clock_us
        self._sleep = sleep
        self._decoder = places.decoder
        self._owners = Owners(self._decoder, rules.domain, self._refs)
        self._began_us = clock_us()
        self._events = [encode_event(EraseEvent(rules.domain, ref, self._began_us)) for ref in self._refs]
        for event in self._events:
            try:
                self._decoder.decode(Delivery.unplaced(event))
            except RejectedEventError as error:
                raise TerminalError(f"the rules of domain {rules.domain!r} have no such record: {error}") from error

    def known(self, also: Collection[str] = ()) -> Known:
        """Return all values of the records that can be learnt from the stores; ``also`` are values known otherwise.

        Reads the whole archive: the values of a record's past are nowhere else.
        """
        found: set[str] = set(also)
        seen: set[str] = set()
        for ref, record in self._places.index.read_records(self._refs).items():
            seen.add(ref)
            found |= values_of_record(self._rules, record)
        for row in self._places.archive.read_new(self._rules.domain, set()):
            if not set(row.refs).isdisjoint(self._refs):
                seen |= set(row.refs) & set(self._refs)
                found |= self._values_in(delivery_of(row))
        for letters in self._places.letters:
            for event in _events_in(letters):
                for said in self._owners.of(event.delivery):
                    if said.whose == "theirs":
                        seen |= set(said.refs) & set(self._refs)
                        found |= self._values_of(said.events)
        return Known(Values(found, self._refs), frozenset(seen))

    def run(self, known: Known, reason: str) -> tuple[Receipt, Searched, str]:
        """Erase the records; return the receipt, what is left, and where the receipt is kept.

        ``TransientError`` if a store did not apply the erasure in time: run it again.
        """
        before = self._search(known.values)
        self._on_progress("telling the consumers", 0, 0)
        self._places.tell(self._events)
        self._wait("the index has not erased them", self._index_has_erased)
        committed = self._position()
        self._wait("the golden feed does not have the erasure yet", lambda: self._is_published(committed))
        self._wait("the warehouse has not erased them", self._warehouse_has_erased)
        self._wait_for_consumers()
        notes = self._remove(before)
        after = self._search(known.values)
        times_us = (self._began_us, self._clock_us())
        receipt = make_receipt(self._rules.domain, self._refs, reason, times_us, before, after, notes)
        return receipt, after, keep_receipt(self._places.receipts, receipt)

    def _search(self, values: Values) -> Searched:
        return Search(self._places, self._rules, self._refs, values).run(self._on_progress)

    def _remove(self, before: Searched) -> tuple[str, ...]:
        """Remove what no event reaches; return what has to be said about it."""
        self._on_progress("removing", 0, 0)
        for ref in self._refs:
            self._places.archive.erase(self._rules.domain, ref, rest_without(ref, self._decoder))
        drop_kept_epoch(self._places, self._rules)
        erase_in_claims(self._places.claims, self._rules.domain, self._refs)
        if self._places.snapshots is not None:
            erase_in_snapshots(self._places.snapshots, self._rules.domain, self._refs)
        for letters in self._places.letters:
            erase_in_letters(letters, self._owners, self._refs, before.own)
        notes: set[str] = {BACKUP_NOTE}
        self._wait("the warehouse's file could not be rewritten", lambda: self._purge(notes))
        if self._places.own_machine is not None:
            self._places.own_machine.trim_streams()
            self._places.own_machine.rewrite_index_file()
        return tuple(sorted(notes))

    def _purge(self, notes: set[str]) -> bool:
        warehouse = self._places.open_warehouse(True)
        if warehouse is not None:
            with closing(warehouse):
                if not warehouse.purge():
                    notes.add(SNOWFLAKE_NOTE)
        return True

    def _values_in(self, delivery: Delivery) -> set[str]:
        try:
            return self._values_of(self._decoder.decode(delivery))
        except RejectedEventError:
            return set()  # accepted once, by other rules; its row is found by its references

    def _values_of(self, events: Sequence[ChangeEvent]) -> set[str]:
        return values_of_events(self._rules, events, self._refs)

    def _index_has_erased(self) -> bool:
        self._places.index.refresh()
        records = self._places.index.read_records(self._refs)
        return len(records) == len(self._refs) and all(record.state.erased for record in records.values())

    def _position(self) -> EpochPosition:
        """Return how far the index had come when the erasure was in it."""
        reached: list[EpochPosition] = []

        def look() -> bool:
            reached.append(self._places.outbox.position())
            return True

        self._wait("the index does not say how far it has come", look)
        return reached[0]

    def _is_published(self, committed: EpochPosition) -> bool:
        """Tell whether all that names the records is on the feed. What waits of others is no matter of theirs."""
        after: OutboxEntry | None = None
        while entries := self._places.outbox.read(OUTBOX_ENTRIES, after=after):
            for after in entries:
                if (after.epoch, after.sequence) > (committed.epoch, committed.sequence):
                    return True
                if not records_in_change(orjson.loads(after.content)).isdisjoint(self._refs):
                    return False
        return True

    def _warehouse_has_erased(self) -> bool:
        warehouse = self._places.open_warehouse(False)
        if warehouse is None:
            return True
        sql = "SELECT 1 FROM erased_record WHERE domain = ? AND source = ? AND record_id = ?"
        with closing(warehouse):
            keys = [(self._rules.domain, *split_ref(ref)) for ref in self._refs]
            # A read copy may lag behind; the purge of the file renews it.
            return all(warehouse.query(sql, key) and not warehouse.mentions(*key, copies=False) for key in keys)

    def _wait_for_consumers(self) -> None:
        """Wait until nobody can write any more what he had read before the records were erased."""
        own_machine, now_us = self._places.own_machine, self._clock_us()
        if own_machine is None:
            self._on_progress("letting consumers finish", 0, 0)
            self._sleep(self._options.grace_s)
        else:
            self._wait("the consumers are behind", lambda: own_machine.consumers_are_past(now_us))

    def _wait(self, complaint: str, is_done: Callable[[], bool]) -> None:
        """Wait until something is done; a fault that may pass counts as not yet."""
        self._on_progress(f"waiting: {complaint}", 0, 0)
        deadline_us = self._clock_us() + round(self._options.wait_s * 1_000_000)
        cause = ""
        while True:
            try:
                if is_done():
                    return
            except TransientError as error:
                cause = f" ({error})"
            if self._clock_us() > deadline_us:
                raise TransientError(
                    f"{complaint} within {self._options.wait_s:g} s{cause}; look whether the consumers run and whether "
                    "the domain is held, and erase again, which goes on from here"
                )
            self._sleep(POLL_INTERVAL_S)


def members_of(index: IndexReader, ref: str) -> list[str]:
    """Return the members of the golden record that a record is in, sorted; the record alone if it is in none."""
    golden_id = index.golden_of([ref]).get(ref)
    golden = None if golden_id is None else index.golden_record(golden_id)
    members = [] if golden is None else [make_ref(key["source"], key["record_id"]) for key in golden["members"]]
    return sorted({ref, *members})


def _events_in(letters: DeadLetters) -> Iterator[DeadEvent]:
    for _, content in letters.each_object():
        with suppress(TerminalError):
            yield from read_contents(letters.kind, content).events
