"""Looking for what is left of erased records in every store: by their keys, and by their values where these are known.

Reads everything there is: each key of the domain in Redis, all streams from their oldest record, all claim objects, all
snapshots of the feed, all tables of the warehouse, every dead letter, every row of the archive, and rows of files that
wait. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass

import orjson

from mdm_stream.archive.record import VALUE_KINDS
from mdm_stream.aws.read_shards import StreamedRecord, StreamReader
from mdm_stream.contracts.evidence import RecordChanged
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.golden import ClaimCheck, GoldenChange, QuarantinedEvent, parse_message
from mdm_stream.core.model import split_ref
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Delivery
from mdm_stream.erasure.evidence import Evidence, Remnant
from mdm_stream.erasure.in_claims import CLAIMS, look_into_claims
from mdm_stream.erasure.in_index import INDEX, look_into_index
from mdm_stream.erasure.in_letters import UNCLEAR, look_into_letters
from mdm_stream.erasure.in_loads import LOADS, look_into_loads
from mdm_stream.erasure.in_snapshots import SNAPSHOTS
from mdm_stream.erasure.needles import written_forms
from mdm_stream.erasure.places import Places
from mdm_stream.erasure.values import Values
from mdm_stream.erasure.whose import Owners
from mdm_stream.errors import RejectedEventError
from mdm_stream.warehouse import Warehouse

CHANGES, STEWARD, GOLDEN, WAREHOUSE = "change_stream", "steward_stream", "golden_feed", "warehouse"
QUARANTINE, ON_FAILURE, ARCHIVE, FILES = "quarantine", "on_failure", "archive", "files"
STORES = (INDEX, CHANGES, STEWARD, GOLDEN, CLAIMS, SNAPSHOTS, WAREHOUSE, QUARANTINE, ON_FAILURE, ARCHIVE, LOADS, FILES)

NOT_HERE = "golden change whose data are in another place: name it with --claims"

ROWS_PER_VALUE_MAX = 100
"""Rows of the warehouse's history that are read to see whether one value is others' too: any of them says so."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Searched:
    """The outcome of a search. ``values`` were looked for by their bytes, save for the ``shared`` ones, which records
    that are not erased have too; ``too_short`` ones were looked for by key alone.
    """

    findings: tuple[Remnant, ...]
    own: frozenset[str]
    values: int
    shared: int
    too_short: int


class Search:
    """One search for what is left of some records of one domain."""

    def __init__(self, places: Places, rules: Ruleset, refs: Collection[str], values: Values) -> None:
        """Take the records' references, and their values as far as they are known."""
        self._places = places
        self._domain = rules.domain
        self._refs = frozenset(refs)
        self._owners = Owners(places.decoder, rules.domain, refs)
        self._evidence = Evidence(refs, values)

    def run(self, on_progress: Progress = lambda _what, _done, _expected: None) -> Searched:
        """Look everywhere. What cannot be read is raised: nothing is proven then."""
        steps = (
            (INDEX, self._look_into_index),
            (ARCHIVE, self._look_into_archive),
            (CHANGES, lambda: self._look_into_stream(CHANGES, self._places.changes)),
            (STEWARD, lambda: self._look_into_stream(STEWARD, self._places.steward)),
            (GOLDEN, self._look_into_golden),
            (CLAIMS, self._look_into_claims),
            (SNAPSHOTS, self._look_into_snapshots),
            ("dead letters", self._look_into_letters),
            (LOADS, self._look_into_loads),
            # These two come last: by now it is known what others have.
            (WAREHOUSE, self._look_into_warehouse),
            (FILES, self._look_into_files),
        )
        for done, (name, look) in enumerate(steps):
            on_progress(f"searching {name}", done, len(steps))
            look()
        evidence, values = self._evidence, self._evidence.values
        found = tuple(evidence.findings())
        return Searched(found, evidence.own, len(values.texts), len(evidence.shared), values.too_short)

    def _look_into_index(self) -> None:
        look_into_index(self._places, self._domain, self._evidence)

    def _look_into_archive(self) -> None:
        for row in self._places.archive.read_new(self._domain, set()):
            if row.kind not in VALUE_KINDS:
                continue
            if self._refs.isdisjoint(row.refs):
                self._evidence.others(row.raw, row.refs)
            else:
                self._evidence.theirs(ARCHIVE, "row")

    def _look_into_stream(self, store: str, stream: StreamReader) -> None:
        """Look into one of the streams that bring events: overrides and redriven events have values too."""
        keeps_us = _retention_us(stream)
        for record in stream.records():
            until_us = _until_us(record, keeps_us)
            delivery = Delivery.from_kinesis(record.data, record.sequence_number, record.arrival_time_s)
            for said in self._owners.of(delivery):
                if said.whose == "theirs":
                    self._evidence.theirs(store, "event", until_us)
                elif said.whose == "others":
                    self._evidence.others(said.raw, said.refs)
                else:
                    named = self._owners.claims_other(said)
                    where = f"{record.shard_id}:{record.sequence_number}"
                    self._evidence.unclear(store, UNCLEAR, said.raw, until_us, where, may_name_them=named)

    def _look_into_golden(self) -> None:
        keeps_us = _retention_us(self._places.golden)
        for record in self._places.golden.records():
            until_us = _until_us(record, keeps_us)
            self._look_into_message(GOLDEN, record.data, until_us, f"{record.shard_id}:{record.sequence_number}")

    def _look_into_message(self, store: str, raw: bytes, until_us: int | None, where: str) -> None:
        """Look into a message of the golden feed, in the stream or in a snapshot."""
        try:
            envelope = parse_message(raw, strict=True)
        except RejectedEventError:
            self._evidence.unclear(store, "unreadable message", raw, until_us, where)
            return
        if isinstance(envelope, ClaimCheck):
            # It holds no value; what it leads to is looked into where it lies, if that is where it is looked for.
            if envelope.domain == self._domain and not self._places.claims.holds(envelope):
                self._evidence.theirs(CLAIMS, NOT_HERE, until_us)
            return
        message = envelope.data
        if isinstance(message, GoldenChange) and message.domain == self._domain:
            self._evidence.golden(store, "golden change", message.model_dump(), until_us)
        elif isinstance(message, RecordChanged) and message.domain == self._domain:
            self._evidence.record(store, "source record", message.model_dump(), until_us)
        elif isinstance(message, QuarantinedEvent):
            # It keeps keys, as what it reports on does; a value is in it where an event had one in a member's name.
            self._evidence.unclear(store, "report of a rejected event", raw, until_us, may_name_them=True)
        elif isinstance(message, FileManifest):
            self._evidence.unclear(store, "manifest of a file", raw, until_us, may_name_them=True)

    def _look_into_snapshots(self) -> None:
        if self._places.snapshots is not None:
            for name, content in self._places.snapshots.each_content():
                for line in content.splitlines():
                    self._look_into_message(SNAPSHOTS, line, None, name)

    def _look_into_claims(self) -> None:
        look_into_claims(self._places.claims, self._domain, self._evidence)

    def _look_into_letters(self) -> None:
        for letters in self._places.letters:
            look_into_letters(letters, self._owners, self._evidence)

    def _look_into_loads(self) -> None:
        if self._places.loads is not None:
            look_into_loads(self._places.loads, self._evidence)

    def _look_into_warehouse(self) -> None:
        warehouse = self._places.open_warehouse(False)
        if warehouse is None:
            return
        with closing(warehouse):
            for ref in sorted(self._refs):
                for table in warehouse.mentions(self._domain, *split_ref(ref)):
                    self._evidence.theirs(WAREHOUSE, f"values in table {table}")
            self._ask_who_else_has(warehouse)
            for place in warehouse.search(
                sorted({form for text in self._evidence.own for form in written_forms(text)})
            ):
                self._evidence.theirs(WAREHOUSE, f"value of theirs alone in {place}")
            for kept in warehouse.old_versions(self._domain, self._refs):
                until_us = round(kept.until.timestamp() * 1_000_000)
                self._evidence.theirs(WAREHOUSE, f"old rows of table {kept.table} ({kept.kept_by})", until_us)

    def _ask_who_else_has(self, warehouse: Warehouse) -> None:
        """Note what the history has of other records: the values that they had once."""
        for payload in warehouse.history_with(sorted(self._evidence.own), ROWS_PER_VALUE_MAX):
            self._evidence.golden(WAREHOUSE, "golden change", orjson.loads(payload))

    def _look_into_files(self) -> None:
        if self._places.own_machine is not None:
            for name in self._places.own_machine.files_with(self._evidence.own):
                self._evidence.theirs(FILES, f"value of theirs alone in {name}")


def _retention_us(stream: StreamReader) -> int:
    return round(stream.retention_s() * 1_000_000)


def _until_us(record: StreamedRecord, keeps_us: int) -> int:
    return round(record.arrival_time_s * 1_000_000) + keeps_us
