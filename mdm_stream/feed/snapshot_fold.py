"""The messages of a snapshot that is being made: each once, or of each key the newest, in a scratch database on disk.

What is left depends on the set of messages alone: not on their order, nor on how often each came, nor on how they were
divided among snapshots before. Messages are told apart by ``id`` and ``type``, so those of a later release have their
place too.

*Once* (``history``): of the sequenced ones (``id`` is ``domain/epoch/sequence``) one an id; of others, each different
one. *Newest*: a sequenced golden change stays while it is the last word on its golden record, or on where one of the
records is that it names: so golden records, crosswalk and redirects come out as they do from all messages. Of source
records, links and review items the newest stays; of erasures, reports and manifests what the warehouse would keep.
Messages of other types all stay.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from mdm_stream.contracts.evidence import EVIDENCE_TYPE_OF_OP, key_and_digest
from mdm_stream.contracts.golden import ERASED, FILE_LOADED, QUARANTINED, RETIRED, UPSERTED, parse_moment
from mdm_stream.errors import RejectedEventError
from mdm_stream.feed.snapshot_store import Kind, Ranges

SEQUENCES_PER_GROUP = 20_000
"""Of one epoch, in ``history``: a group whose messages do not change is named again and not written."""

RecordsByDomain = dict[str, set[tuple[str, str]]]
"""Source and record id of records, by domain."""

ERASURES = "e/"
"""How the groups of erasures begin: they come first, so that a reader knows them before any value."""

_ID = re.compile(r"([a-z][a-z0-9_]{0,62})/([1-9][0-9]{0,9})/([1-9][0-9]{0,15})", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_NO_RANK = (0, 0)
_US_PER_S = 1_000_000
_KEY_BYTES = 16

_SCHEMA = """
CREATE TABLE message (name TEXT PRIMARY KEY, type TEXT, part_group TEXT, domain TEXT, epoch INTEGER, sequence INTEGER,
    lacks_data INTEGER, raw BLOB);
CREATE INDEX message_in_order ON message (part_group, epoch, sequence, name);
CREATE TABLE said (key BLOB, epoch INTEGER, sequence INTEGER, name TEXT,
    PRIMARY KEY (key, epoch, sequence, name)) WITHOUT ROWID;
CREATE TABLE newest (key BLOB PRIMARY KEY, epoch INTEGER, sequence INTEGER) WITHOUT ROWID;
"""

_ADD = """
INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET
    type = excluded.type, part_group = excluded.part_group, lacks_data = excluded.lacks_data, raw = excluded.raw
WHERE (excluded.lacks_data, length(excluded.raw), excluded.raw) < (message.lacks_data, length(message.raw), message.raw)
"""

_NOTE_NEWEST = """
INSERT INTO newest VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET
    epoch = excluded.epoch, sequence = excluded.sequence
WHERE (excluded.epoch, excluded.sequence) > (newest.epoch, newest.sequence)
"""

_PRUNE = """
DELETE FROM message WHERE name NOT IN (
    SELECT said.name FROM said JOIN newest USING (key, epoch, sequence)
)
"""


@dataclass(frozen=True, slots=True)
class _FeedItem:
    """What places a message: sequenced ones by ``place``, the others by a day."""

    name: str
    type: str
    place: tuple[str, int, int] | None
    day: str
    lacks_data: bool
    data: dict[str, Any]


class SnapshotFold:
    """Gathers messages. The scratch database has no name, and is gone when this is closed or its process ends.

    Memory is bounded by the largest message, and by ``erased``: some 200 bytes a record.
    """

    def __init__(self, kind: Kind) -> None:
        """Start with no message."""
        self._kind = kind
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA}")
        self._database.execute("BEGIN")
        self.erased: RecordsByDomain = {}
        self.unreadable = 0

    def close(self) -> None:
        """Remove the scratch database."""
        self._database.close()

    def add(self, raw: bytes) -> None:
        """Take a message. One that is no JSON with an id and a type is counted as unreadable, and left out."""
        message = _read(raw)
        if message is None:
            self.unreadable += 1
            return
        domain, epoch, sequence = message.place or (None, 0, 0)
        row = (message.name, message.type, self._group_of(message), domain, epoch, sequence, message.lacks_data)
        self._database.execute(_ADD, (*row, _one_line(raw)))
        if message.type == ERASED and message.place and "source" in message.data and "record_id" in message.data:
            key = (str(message.data["source"]), str(message.data["record_id"]))
            self.erased.setdefault(message.place[0], set()).add(key)
        if self._kind == "newest":
            self._note_keys(message)

    def _note_keys(self, message: _FeedItem) -> None:
        try:
            keys = list(_keys_of(message))
        except (KeyError, TypeError):
            keys = [(f"message {message.name}", _NO_RANK)]  # not of the contract: it stays, and its reader judges it
        for text, rank in keys:
            key = hashlib.sha256(text.encode()).digest()[:_KEY_BYTES]
            self._database.execute(_NOTE_NEWEST, (key, *rank))
            self._database.execute("INSERT OR IGNORE INTO said VALUES (?, ?, ?, ?)", (key, *rank, message.name))

    def positions(self, before: Ranges) -> Ranges:
        """Return the sequence numbers ``before``, and those of the messages that were added."""
        found = {domain: {epoch: [list(each) for each in ranges] for epoch, ranges in epochs.items()}
                 for domain, epochs in before.items()}  # fmt: skip
        asked = "SELECT domain, epoch, sequence FROM message WHERE domain IS NOT NULL ORDER BY domain, epoch, sequence"
        added: Ranges = {}
        for domain, epoch, sequence in self._database.execute(asked):
            ranges = added.setdefault(domain, {}).setdefault(str(epoch), [])
            if ranges and ranges[-1][1] >= sequence - 1:
                ranges[-1][1] = max(ranges[-1][1], sequence)
            else:
                ranges.append([sequence, sequence])
        for domain, epochs in added.items():
            for epoch, ranges in epochs.items():
                held = found.setdefault(domain, {}).get(epoch, [])
                found[domain][epoch] = _joined([*held, *ranges])
        return {domain: dict(sorted(found[domain].items(), key=lambda each: int(each[0]))) for domain in sorted(found)}

    def prune(self) -> None:
        """Leave of each key the newest message alone, if this is of that kind."""
        if self._kind == "newest":
            self._database.execute(_PRUNE)

    def groups(self) -> list[str]:
        """Return the groups that have a message, in order."""
        return [row[0] for row in self._database.execute("SELECT DISTINCT part_group FROM message ORDER BY 1")]

    def messages(self, group: str) -> Iterator[tuple[str, bytes]]:
        """Yield the messages of a group in their order, each after its type."""
        asked = "SELECT type, raw FROM message WHERE part_group = ? ORDER BY epoch, sequence, name"
        yield from self._database.execute(asked, (group,))

    def forget(self, group: str) -> None:
        """Free the room of a group's messages."""
        self._database.execute("DELETE FROM message WHERE part_group = ?", (group,))

    def _group_of(self, message: _FeedItem) -> str:
        if message.place is None:
            return f"o/{message.day}" if self._kind == "history" else "o"
        domain, epoch, sequence = message.place
        if message.type == ERASED:
            return f"{ERASURES}{domain}"
        if self._kind == "newest":
            return f"s/{domain}"
        return f"s/{domain}/{epoch:010d}/{sequence // SEQUENCES_PER_GROUP:012d}"


def _read(raw: bytes) -> _FeedItem | None:
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(message, dict):
        return None
    identity, kind, data = message.get("id"), message.get("type"), message.get("data")
    if not isinstance(identity, str) or not isinstance(kind, str):
        return None
    found = _ID.fullmatch(identity)
    place = (found[1], int(found[2]), int(found[3])) if found else None
    day = str(message.get("time", ""))[:10]
    name = identity if place else f"{identity} {hashlib.sha256(raw).hexdigest()}"
    return _FeedItem(
        name, kind, place, day if _DAY.fullmatch(day) else "none", data is None, data if isinstance(data, dict) else {}
    )


def _keys_of(message: _FeedItem) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield what a message is a word on, with how new that word is: the greatest counts, and all that are as new."""
    data = message.data
    if message.place is not None and message.type in {UPSERTED, RETIRED} and "golden_id" in data:
        domain, *rank = message.place
        yield f"golden {domain} {data['golden_id']}", (rank[0], rank[1])
        named = [*data.get("members", ()), *data.get("removed", ())]
        for key in named:
            yield f"record {domain} {key['source']}/{key['record_id']}", (rank[0], rank[1])
    elif message.place is not None and message.type == ERASED and "record_id" in data:
        domain, *rank = message.place
        yield f"erased {domain} {data['source']}/{data['record_id']}", (rank[0], rank[1])
    elif message.place is not None and message.type in EVIDENCE_TYPE_OF_OP.values():
        domain, *rank = message.place
        yield f"evidence {domain} {key_and_digest(data)[0]}", (rank[0], rank[1])
    elif message.type == FILE_LOADED and isinstance(data.get("revision"), int):
        yield f"load {data.get('load_id')}", (0, data["revision"])
    elif message.type == QUARANTINED and (first_us := _moment_us(data.get("quarantined_at"))) is not None:
        yield f"report {data.get('quarantine_id')}", (0, -first_us)  # the first report stays
    else:
        yield f"message {message.name}", _NO_RANK


def _moment_us(text: object) -> int | None:
    try:
        return round(parse_moment(str(text), "data.quarantined_at").timestamp() * _US_PER_S)
    except RejectedEventError:
        return None


def _one_line(raw: bytes) -> bytes:
    """Return a message without line ends: JSON has none within its texts."""
    return raw if b"\n" not in raw and b"\r" not in raw else orjson.dumps(orjson.loads(raw))


def _joined(ranges: Iterable[list[int]]) -> list[list[int]]:
    joined: list[list[int]] = []
    for first, last in sorted(ranges):
        if joined and joined[-1][1] >= first - 1:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    return joined
