"""The store of loads: what exists of a load says how far it is, so a step that finds its output has nothing to do.

    open/LOAD.json                                   while it has neither ended nor failed
    sources/DOMAIN/SOURCE/YYYY-MM/TIME-LOAD.json     loads of a source by the time of the load, for listings
    loads/LOAD/load.json                             what was delivered first, and when
    loads/LOAD/deliveries/ID.json                    each delivery of the content
    loads/LOAD/again/002.json                        why it was begun again: there is a second attempt
    loads/LOAD/001/...                               what the first attempt wrote, see ``LoadAttempt``
    loads/LOAD/manifest.json                         the manifest, rendered from all this

Objects are written once (``create``: the first of several writers holds) or are the same whoever writes them, and are
never changed. What holds values of rows (``chunks/``, and the keys in ``deletions.json``) is removed when the load has
ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from mdm_stream.errors import TerminalError
from mdm_stream.objects.store import MissingObjectError, ObjectStore
from producers.files.records import AgainRecord, DeliveryRecord, LoadRecord

OPEN = "open/"
SOURCES = "sources/"
LOADS = "loads/"
UNKNOWN = "unknown"
"""Domain and source under which loads are listed whose prefix names none."""

_EMPTY = b"{}"
_StoredT = TypeVar("_StoredT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class IndexedLoad:
    """A load as the listing of its source has it."""

    load_id: str
    as_of_us: int


class LoadStore:
    """All loads, in one store of objects."""

    def __init__(self, objects: ObjectStore) -> None:
        """Take the store, which nothing else writes."""
        self.objects = objects

    def read(self, name: str, kind: type[_StoredT]) -> _StoredT | None:
        """Return what an object holds, None if it is not there; ``TerminalError`` for one that is damaged."""
        try:
            content = self.objects.get(name)
        except MissingObjectError:
            return None
        try:
            return kind.model_validate_json(content)
        except ValidationError:
            raise TerminalError(f"{self.objects.location(name)} is damaged, or of another release") from None

    def begin(self, record: LoadRecord) -> LoadRecord:
        """Make a load known, and return it as its first delivery has it."""
        held = self.find(record.load_id)
        if held is None:
            self.mark_open(record.load_id)
            created = self.objects.create(_load_name(record.load_id), record.encode())
            held = record if created else self.record(record.load_id)
        self.objects.put(_source_name(held), _EMPTY)
        return held

    def record(self, load_id: str) -> LoadRecord:
        """Return what was delivered first of a load; ``MissingObjectError`` if there is no such load."""
        found = self.find(load_id)
        if found is None:
            raise MissingObjectError(f"there is no load {load_id}")
        return found

    def find(self, load_id: str) -> LoadRecord | None:
        """Return what was delivered first of a load, None if it is not known."""
        return self.read(_load_name(load_id), LoadRecord)

    def mark_open(self, load_id: str) -> None:
        """List a load among those that have not ended."""
        self.objects.put(f"{OPEN}{load_id}.json", _EMPTY)

    def mark_ended(self, load_id: str) -> None:
        """Take a load off that list."""
        self.objects.delete([f"{OPEN}{load_id}.json"])

    def open_loads(self) -> Iterator[str]:
        """Yield the ids of the loads that have not ended: some time longer of one whose last step was cut short.

        One whose very first step was cut short is not known yet, and passed over.
        """
        for each in self.objects.list(OPEN):
            load_id = each.name.removeprefix(OPEN).removesuffix(".json")
            if self.find(load_id) is not None:
                yield load_id

    def loads_of(self, domain: str, source: str) -> Iterator[IndexedLoad]:
        """Yield the loads of a source, the one with the latest time first; a month is listed when it is reached."""
        for month in reversed(list(self.objects.folders(f"{SOURCES}{domain}/{source}/"))):
            for each in reversed(list(self.objects.list(month))):
                time, _, load_id = each.name.removeprefix(month).removesuffix(".json").partition("-")
                yield IndexedLoad(load_id, int(time))

    def sources(self) -> Iterator[tuple[str, str]]:
        """Yield domain and source of every source that has loads."""
        for domain in self.objects.folders(SOURCES):
            for source in self.objects.folders(domain):
                yield domain.removeprefix(SOURCES).strip("/"), source.removeprefix(domain).strip("/")

    def deliveries(self, load_id: str) -> list[DeliveryRecord]:
        """Return the deliveries of a load, in the order of their times."""
        found = [self.read(each.name, DeliveryRecord) for each in self.objects.list(f"{LOADS}{load_id}/deliveries/")]
        known = [each for each in found if each is not None]
        return sorted(known, key=lambda each: (each.delivered_at, each.bucket, each.key, each.version_id or ""))

    def attempt(self, load_id: str) -> LoadAttempt:
        """Return the newest attempt at a load, and all that exists of the load, in one listing."""
        prefix = f"{LOADS}{load_id}/"
        names = frozenset(each.name.removeprefix(prefix) for each in self.objects.list(prefix))
        number = max((int(name[6:9]) for name in names if name.startswith("again/")), default=1)
        return LoadAttempt(self, load_id, number, names)

    def again(self, load_id: str, attempt: int, record: AgainRecord) -> bool:
        """Begin an attempt at a load; tell whether it is by this record."""
        self.mark_open(load_id)
        return self.objects.create(f"{LOADS}{load_id}/again/{attempt:03d}.json", record.encode())


@dataclass(frozen=True, slots=True)
class LoadAttempt:
    """An attempt at a load as it was when it was looked at: ``names`` are all objects of the load, without its folder.

    ``survey.json`` and ``plan.json`` come after all ``chunks/``; ``verdict.json`` after all ``checked/``;
    ``sent/N.json`` once the stream and the quarantine have all of a chunk; ``deletions.json`` after all ``sent/``, for
    a full load; ``finished.json`` after that, once the stream has the deletions; ``fed/`` and ``told/`` after a
    manifest was put on the golden feed, and after a notice.
    """

    store: LoadStore
    load_id: str
    number: int
    names: frozenset[str]

    @property
    def folder(self) -> str:
        """The folder of the attempt, within that of the load."""
        return f"{self.number:03d}/"

    def name(self, what: str) -> str:
        """Return the whole name of an object of the attempt."""
        return f"{LOADS}{self.load_id}/{self.folder}{what}"

    def of_chunk(self, folder: str, number: int) -> str:
        """Return the whole name of an object of a chunk."""
        return self.name(f"{folder}/{number:05d}.json")

    def has(self, what: str) -> bool:
        """Tell whether an object of the attempt existed."""
        return f"{self.folder}{what}" in self.names

    def read(self, what: str, kind: type[_StoredT]) -> _StoredT | None:
        """Return what an object of the attempt holds, None if it is not there."""
        return self.store.read(self.name(what), kind)

    def chunks_in(self, folder: str) -> set[int]:
        """Return the numbers of the chunks that had an object in a folder of the attempt."""
        prefix = f"{self.folder}{folder}/"
        return {int(name.removeprefix(prefix)[:5]) for name in self.names if name.startswith(prefix)}

    @property
    def revision(self) -> int:
        """How much exists of the load: it grows with each thing that becomes known of it."""
        passing = ("manifest.json", "/chunks/", "/deletions.json", "/fed/", "/told/")
        return sum(not any(part in name for part in passing) for name in self.names)

    def is_of_job(self) -> bool:
        """Tell whether a job has taken the load over from the functions: with this attempt, or with one before."""
        names = (f"again/{number:03d}.json" for number in range(2, self.number + 1))
        found = (self.store.read(f"{LOADS}{self.load_id}/{name}", AgainRecord) for name in names if name in self.names)
        return any(record is not None and record.because == "job" for record in found)

    def again(self) -> LoadAttempt:
        """Return the newest attempt as it is now."""
        return self.store.attempt(self.load_id)

    def remove_values(self, *, earlier: bool = False) -> None:
        """Remove what holds values of rows: of all attempts, or of the ``earlier`` ones alone."""
        prefix = f"{LOADS}{self.load_id}/"
        names = [
            f"{prefix}{name}"
            for name in self.names
            if (name[3:11] == "/chunks/" or name[3:] == "/deletions.json")
            and not (earlier and int(name[:3]) >= self.number)
        ]
        if names:
            self.store.objects.delete(sorted(names))


def _load_name(load_id: str) -> str:
    return f"{LOADS}{load_id}/load.json"


def _source_name(record: LoadRecord) -> str:
    domain, source = (record.domain or UNKNOWN, record.source or UNKNOWN)
    return f"{SOURCES}{domain}/{source}/{record.as_of[:7]}/{record.as_of_us:016d}-{record.load_id}.json"
