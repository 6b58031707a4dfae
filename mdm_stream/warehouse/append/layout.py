"""Writing to a schema of the append kind, and asking it. Three statements a batch: upload, load, look for erasures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from mdm_stream.contracts.evidence import RecordChanged
from mdm_stream.contracts.golden import FeedEnvelope, GoldenChange, RecordErased
from mdm_stream.warehouse import statements
from mdm_stream.warehouse.append.erasure import find_mentions, rewrite_events
from mdm_stream.warehouse.append.events import event_file
from mdm_stream.warehouse.append.schema import (
    VIEWS,
    FoldSettings,
    check_append_schema,
    has_versions,
    migrate_append,
    pending_append,
)
from mdm_stream.warehouse.layout import Layout
from mdm_stream.warehouse.migrations import APPEND_VERSIONS_FROM
from mdm_stream.warehouse.quick_rows import QuickChange
from mdm_stream.warehouse.redaction import ErasedRecords, contributors
from mdm_stream.warehouse.rows import timestamp_text
from mdm_stream.warehouse.session import Session

_LOOK = "look for erased records"

Writer = Literal["append", "merge"]

ERASED_KNOWN_MAX = 100_000
"""The newest erased records that a writer keeps in memory, some 20 MB. What it does not know before it writes, it finds
after it has written."""

_SELECT_KNOWN = """
SELECT DISTINCT domain, source, record_id, epoch, sequence FROM golden_event WHERE kind = 'erasure'
ORDER BY epoch DESC, sequence DESC LIMIT ?
"""

# Whoever erases looks for values after it has written, and whoever writes values looks for erasures after it has
# written: one of the two sees the other. The set of erased records only grows, so their number says whether a writer
# knows them all.
_COUNT_ERASED = """
SELECT COUNT(*) FROM (SELECT DISTINCT domain, source, record_id FROM golden_event WHERE kind = 'erasure') AS x
"""

# Which erased records the batch names that was just loaded.
_SELECT_ERASED_OF_BATCH = """
SELECT DISTINCT k.domain, k.source, k.record_id
FROM (
    SELECT batch_id, domain, source, record_id FROM event_key
    UNION ALL
    SELECT batch_id, domain, source, record_id FROM golden_event WHERE kind = 'record'
) AS k
JOIN golden_event AS x ON x.domain = k.domain AND x.source = k.source AND x.record_id = k.record_id
WHERE k.batch_id = ? AND x.kind = 'erasure'
"""


# Which erased records are named by rows that were loaded after a time.
_SELECT_LEFT = """
SELECT DISTINCT k.domain, k.source, k.record_id
FROM (
    SELECT domain, source, record_id, applied_at FROM event_key
    UNION ALL
    SELECT domain, source, record_id, applied_at FROM golden_event
    WHERE kind = 'record' AND CAST(document AS $text) <> '{}'
) AS k
JOIN golden_event AS x ON x.domain = k.domain AND x.source = k.source AND x.record_id = k.record_id
WHERE x.kind = 'erasure' AND k.applied_at >= CAST(? AS TIMESTAMP)
"""

FIRST_LOOK_BACK = timedelta(days=7)
"""How far the first look of a writer goes back: to what one left that was killed, and had no successor until now."""
CLOCKS_APART = timedelta(hours=1)
"""So far the clocks of two writers may be apart, and a batch take to be loaded after its time."""


class EventSession(Session, Protocol):
    """A session that loads the file of a batch into ``golden_event``."""

    def load_events(self, ndjson: bytes, batch_id: str, applied_at: datetime) -> None:
        """Add the rows of ``ndjson`` (see ``events``), all or none. A repetition may add them again."""
        ...


class AppendLayout:
    """A schema of the append kind. One instance serves one writer: it remembers which records are erased."""

    appends = True
    # The newest change of each golden record. Not of golden_record, which may lag.
    select_published = """
SELECT document FROM golden_event
WHERE kind = 'change' AND domain = ? AND golden_id > ?
QUALIFY ROW_NUMBER() OVER (PARTITION BY golden_id ORDER BY epoch DESC, sequence DESC) = 1
ORDER BY golden_id LIMIT ?
"""
    # Not of evidence_history, which may lag.
    select_published_evidence = statements.SELECT_PUBLISHED_EVIDENCE.replace(
        "FROM evidence_history", "FROM fresh_evidence_history"
    )
    select_erased = "SELECT DISTINCT source, record_id FROM golden_event WHERE kind = 'erasure' AND domain = ?"
    select_position = """
SELECT epoch, sequence FROM golden_event WHERE kind IN ('change', 'erasure', 'record', 'match', 'review') AND domain = ?
ORDER BY epoch DESC, sequence DESC LIMIT 1
"""

    def __init__(
        self,
        settings: FoldSettings | None = None,
        look_every_s: float = 0.0,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how the folded tables are kept: views if left out.

        ``look_every_s``: how often to look for values of records that others have erased meanwhile; with each batch if
        0. A batch that erases looks in any case, and so does the first batch of a writer.
        """
        self._settings = settings or VIEWS
        self._look_every_s = look_every_s
        self._monotonic_s = monotonic_s
        self._looked_s: float | None = None
        self._looked_at: datetime | None = None
        self._has_loaded = False
        self._lagging = False
        self._known: ErasedRecords = {}

    def migrate(self, session: EventSession) -> None:
        """Bring the schema up to this code, and learn which records are erased."""
        self._lagging = bool(migrate_append(session, self._settings).lag_s)
        self._known = _newest_erased(session)

    def pending(self, session: Session) -> list[tuple[str, tuple[str, ...]]]:
        """Return what ``migrate`` would do, without writing; see ``schema.pending_append``."""
        return pending_append(session, self._settings)

    def check(self, session: EventSession) -> None:
        """Check without writing that this code can read the schema."""
        check_append_schema(session)

    def apply(
        self, session: EventSession, messages: Sequence[FeedEnvelope | QuickChange], applied_at: datetime
    ) -> None:
        """Load the batch without the values of records that are known to be erased, then look for others."""
        envelopes = [message if isinstance(message, FeedEnvelope) else message.envelope() for message in messages]
        own = _erased_by(envelopes)
        erased = {domain: set(keys) for domain, keys in self._known.items()} if own else self._known
        _add(erased, own)
        file = event_file(envelopes, erased)
        session.load_events(file.ndjson, file.batch_id, applied_at)
        if not file.sequenced:
            return
        # Only now: what is known is in the table. And what a batch names that is erased is looked for in all rows: one
        # that was cut off here before may have left values that it loaded without knowing.
        self._known = erased
        if self._look_every_s:
            self._has_loaded = True
            if own or self._is_due():
                self._look(session, own, applied_at)
            return
        found = self._erased_since(session, file.batch_id)
        _add(found, named_in(envelopes, self._known) if self._known else {})
        _add(found, own)
        if found:
            rewrite_events(session, found, applied_at, lagging=self._lagging)

    def settle(self, session: EventSession, now: datetime) -> None:
        """Look for values of erased records among what was loaded since the last look, before the session ends."""
        if self._look_every_s and self._has_loaded:
            self._look(session, {}, now)

    def mentions(self, session: EventSession, domain: str, record: tuple[str, str]) -> list[str]:
        """Return the tables, views aside, with rows whose provenance names the record; dynamic tables may lag."""
        return find_mentions(session, domain, record)

    def _is_due(self) -> bool:
        return self._looked_s is None or self._monotonic_s() - self._looked_s >= self._look_every_s

    def _look(self, session: EventSession, own: ErasedRecords, now: datetime) -> None:
        """Learn what is erased, and rewrite what of it is named by rows that anybody has loaded since the last look.

        Rows are told by their time, so that nothing depends on what a process remembered that was killed. The look
        counts when it is done: one that fails is done again.
        """
        since = now - FIRST_LOOK_BACK if self._looked_at is None else self._looked_at - CLOCKS_APART
        rows = session.execute(session.dialect.render(_SELECT_LEFT), (timestamp_text(since),), step=_LOOK)
        _add(self._known, _newest_erased(session))
        found = _by_domain(rows)
        _add(found, own)
        if found:
            rewrite_events(session, found, now, lagging=self._lagging)
        self._looked_s, self._looked_at, self._has_loaded = self._monotonic_s(), now, False

    def _erased_since(self, session: EventSession, batch_id: str) -> ErasedRecords:
        """Learn what others have erased; return what a batch names of it where there is too much to remember."""
        [(there,)] = session.execute(_COUNT_ERASED, step=_LOOK)
        if int(there) <= sum(len(keys) for keys in self._known.values()):
            return {}
        if int(there) <= ERASED_KNOWN_MAX:
            self._known = _newest_erased(session)
            return {}
        return _by_domain(session.execute(_SELECT_ERASED_OF_BATCH, (batch_id,), step=_LOOK))


def choose_layout(session: Session, writer: Writer | None, append: AppendLayout, merge: Layout) -> Layout:
    """Return the layout of a schema: what ``writer`` says, and without it append for a new schema, else its own kind.

    Raises nothing: a layout that does not fit the schema says so itself when it migrates.
    """
    if writer is not None:
        return append if writer == "append" else merge
    if not has_versions(session):
        return append
    [(least,)] = session.execute(_SELECT_LEAST, step="read schema_version")
    return merge if 0 < int(least) < APPEND_VERSIONS_FROM else append


_SELECT_LEAST = "SELECT COALESCE(MIN(version), 0) FROM schema_version"


def named_in(envelopes: Sequence[FeedEnvelope], erased: ErasedRecords) -> ErasedRecords:
    """Return those of ``erased`` that a batch names: as members, as removed, in a provenance, or as records."""
    found: ErasedRecords = {}
    for data in (envelope.data for envelope in envelopes):
        if isinstance(data, GoldenChange) and data.domain in erased:
            keys = {(key.source, key.record_id) for key in (*data.members, *data.removed)} | contributors(data)
            if named := keys & erased[data.domain]:
                found.setdefault(data.domain, set()).update(named)
        elif isinstance(data, RecordChanged) and (data.source, data.record_id) in erased.get(data.domain, ()):
            found.setdefault(data.domain, set()).add((data.source, data.record_id))
    return found


def _newest_erased(session: Session) -> ErasedRecords:
    rows = session.execute(_SELECT_KNOWN, (ERASED_KNOWN_MAX,), step=_LOOK)
    return _by_domain([row[:3] for row in rows])


def _by_domain(rows: Iterable[tuple[Any, ...]]) -> ErasedRecords:
    erased: ErasedRecords = {}
    for domain, source, record_id in rows:
        erased.setdefault(domain, set()).add((source, record_id))
    return erased


def _add(erased: ErasedRecords, more: ErasedRecords) -> None:
    for domain, keys in more.items():
        erased.setdefault(domain, set()).update(keys)


def _erased_by(envelopes: Sequence[FeedEnvelope]) -> ErasedRecords:
    erased: ErasedRecords = {}
    for data in (envelope.data for envelope in envelopes):
        if isinstance(data, RecordErased):
            erased.setdefault(data.domain, set()).add((data.source, data.record_id))
    return erased
