"""What the steps of a load work with, opened once a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from mdm_stream.contracts.change import EVENT_BYTES_MAX
from mdm_stream.contracts.signature import SIGNED_BYTES_MAX
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.file_rules import FileRules
from mdm_stream.core.model import make_ref
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.dead_letters.quarantine import QuarantineEntry, QuarantineStore, quarantine_report
from mdm_stream.decode.canonical import signable
from mdm_stream.errors import ConfigurationError, TerminalError
from mdm_stream.index.errors import NoIndexError
from mdm_stream.index.reader import IndexReader
from producers.files.drop import DropBucket
from producers.files.loads import LoadStore
from producers.files.manifest import LoadView
from producers.files.notify import ChunkQueue, Notifier
from producers.files.reading import LoadReader
from producers.files.settings import FileLimits

QUARANTINED_AT_A_TIME = 500


class EventStream(AbstractContextManager["EventStream"], Protocol):
    """Takes events; what was put before a ``flush`` returns is kept."""

    def put(self, event: Mapping[str, Any] | bytes, partition_key: str | None = None) -> None:
        """Take an event: bytes as they are, a mapping as JSON."""
        ...

    def flush(self) -> None:
        """Return once everything is kept; raises what could not be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSurroundings:
    """Stores, streams and rules. Without ``queue`` all is done at once; without ``open_index`` full loads are held.

    ``open_stream`` returns a publisher of the change stream, which is closed after a step, and which signs events
    if ``signs``. ``now_us`` is a clock. ``reads_all``: files are read whatever their size (``producers.files.bulk``).
    """

    store: LoadStore
    bucket: DropBucket
    rulesets: Mapping[str, Ruleset]
    limits: FileLimits
    quarantine: QuarantineStore
    notifier: Notifier
    open_stream: Callable[[], EventStream]
    now_us: Callable[[], int]
    queue: ChunkQueue | None = None
    open_index: Callable[[Ruleset], IndexReader] | None = None
    loads_url: str = ""
    signs: bool = False
    reads_all: bool = False

    def rules_digest(self, domain: str, rules: FileRules) -> str:
        """Return what tells whether a file would be read and judged alike: the rule set's digest, and ``files:``."""
        return f"{self.rulesets[domain].digest}/{digest_of(asdict(rules))[:16]}"

    def put_event(self, stream: EventStream, event: bytes, key: str) -> None:
        """Put an event on the change stream, signed if events are."""
        stream.put(signable(event) if self.signs else event, key)

    def keep_rejected(self, domain: str, entries: list[QuarantineEntry]) -> None:
        """Keep rejected rows in the quarantine, and report them on the feed; nothing is kept of an erased record.

        An erasure is written first, and then looks into the quarantine. Here a row is written first, and then it is
        asked for the erasure: one of the two sees the other. Where nothing was resolved yet, nothing is erased.
        """
        if not entries:
            return
        places = self.quarantine.put(entries)
        erased = self._of_erased_records(domain, entries)
        self.quarantine.remove([entry for entry in entries if entry.quarantine_id in erased])
        kept = [each for each in zip(entries, places, strict=True) if each[0].quarantine_id not in erased]
        self.notifier.report([quarantine_report(*each) for each in kept])

    def _of_erased_records(self, domain: str, entries: Sequence[QuarantineEntry]) -> set[str]:
        """Return the ids of those that claim to be of an erased record."""
        claims = {
            entry.quarantine_id: make_ref(entry.source, entry.record_id)
            for entry in entries
            if entry.source is not None and entry.record_id is not None
        }
        if self.open_index is None or not claims:
            return set()
        try:
            index = self.open_index(self.rulesets[domain])
        except NoIndexError:
            return set()
        records = index.read_records(sorted(set(claims.values())))
        erased = {ref for ref, record in records.items() if record.state.erased}
        return {quarantine_id for quarantine_id, ref in claims.items() if ref in erased}


def file_rules(rulesets: Mapping[str, Ruleset], domain: str, source: str) -> FileRules:
    """Return the rules of a source's files; ``ConfigurationError`` if the rules have no such source any more."""
    rules = rulesets.get(domain)
    found = rules.sources.get(source) if rules is not None else None
    if found is None or found.files is None:
        raise ConfigurationError(f"the rules have no files of source {source} of domain {domain}, which a load is of")
    return found.files


def reader_of(around: LoadSurroundings, view: LoadView) -> LoadReader:
    """Return what reads the chunks of a load: the same for every step of it."""
    record = view.record
    if view.survey is None or record.domain is None or record.source is None:
        raise TerminalError(f"load {record.load_id} has no survey, so there is no chunk of it to read")
    return LoadReader(
        view.survey,
        around.rulesets,
        record.domain,
        record.source,
        record.object.key,
        record.as_of_us,
        record.received_at_us,
        event_bytes_max=EVENT_BYTES_MAX - (SIGNED_BYTES_MAX if around.signs else 0),
    )
