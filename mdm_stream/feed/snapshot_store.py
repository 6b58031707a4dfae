"""Feed snapshots in an object store: parts with messages, and a manifest that is written last.

A snapshot is the content of the golden feed up to a place in its stream, of one of two kinds, each in a folder::

    history/manifests/<generation>.json        names the parts, and where in the stream the tail begins
    history/parts/<generation>-<digest>.ndjson.gz   messages, one a line, as the feed carried them
    newest/...                                 the same, with the newest message of each key alone

The greatest generation counts. Its manifest is *created*, so that of several runs which began from one generation
exactly one gets the next; the others raise ``OvertakenError`` and change nothing. A part is of the generation that
wrote it, and later ones name it again for as long as nothing in it changes. What no manifest names (a run was killed)
is removed by the run that publishes its generation. Parts hold personal values; see ``erasure.in_snapshots``.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import orjson

from mdm_stream.aws.read_shards import Marks
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.objects.store import MissingObjectError, ObjectStore, fetch_ahead

FOLDER = "feed-snapshots"
"""Where snapshots lie in the archive's store, unless a setting names another place."""

FORMAT = 1
"""What this release writes and reads. A later one refuses none that is older."""

COMPRESSION = 4
"""A third of the time of gzip's own default, for a tenth more bytes."""

Kind = Literal["history", "newest"]
KINDS: tuple[Kind, ...] = ("history", "newest")

Ranges = dict[str, dict[str, list[list[int]]]]
"""Sequence numbers by domain and epoch, as ranges of the first and the last one, in order."""

TypedMessage = tuple[str, bytes]
"""A message of the feed after its type."""

_GENERATION_DIGITS = 12
_PART = re.compile(r"(?:history|newest)/parts/([0-9]{12})-[0-9a-f]{64}\.ndjson\.gz", re.ASCII)
_MANIFEST = re.compile(r"(?:history|newest)/manifests/([0-9]{12})\.json", re.ASCII)


class OvertakenError(TransientError):
    """Another run, or an erasure, has published the next snapshot since this run began."""


class DamagedSnapshotError(TerminalError):
    """An object of a snapshot is not what was written."""


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """One part: messages of one ``group`` in their order, ``types`` how many of each type.

    ``sha256`` and ``size_bytes`` are of the lines before they are packed: equal messages have equal ones.
    """

    name: str
    group: str
    sha256: str
    size_bytes: int
    types: Mapping[str, int]

    @property
    def messages(self) -> int:
        """How many messages are in it."""
        return sum(self.types.values())


@dataclass(frozen=True, slots=True)
class SnapshotManifest:
    """What a snapshot holds, and where its tail begins.

    ``marks``: the last record read of each shard of ``stream``. ``tail_from``: a time (RFC 3339) before which nothing
    arrived that is not in it, for readers that begin at a time. ``positions``: the sequence numbers that were seen.
    """

    kind: Kind
    generation: int
    stream: str
    marks: Marks = field(default_factory=dict)
    positions: Ranges = field(default_factory=dict)
    parts: tuple[SnapshotPart, ...] = ()
    made_at: str = ""
    tail_from: str = ""
    format: int = FORMAT

    @property
    def messages(self) -> int:
        """How many messages are in it."""
        return sum(part.messages for part in self.parts)

    @property
    def is_empty(self) -> bool:
        """Whether a first run began and has published nothing yet."""
        return not self.parts and not self.marks

    @property
    def digest(self) -> str:
        """A digest of the messages, equal for equal ones, however many runs gathered them."""
        told = orjson.dumps([[part.group, part.sha256] for part in self.parts])
        return hashlib.sha256(told).hexdigest()

    def types(self) -> dict[str, int]:
        """Return how many messages there are of each type."""
        found: dict[str, int] = {}
        for part in self.parts:
            for kind, count in part.types.items():
                found[kind] = found.get(kind, 0) + count
        return dict(sorted(found.items()))

    def missing(self) -> dict[str, int]:
        """Return, by domain and epoch (``person/1``), how many numbers up to the last were never seen, if any."""
        return missing_in(self.positions)


def missing_in(positions: Ranges) -> dict[str, int]:
    """Return, by domain and epoch, how many sequence numbers from 1 to the last one are in no range, if any."""
    found = {
        f"{domain}/{epoch}": ranges[-1][1] - sum(last - first + 1 for first, last in ranges)
        for domain, epochs in positions.items()
        for epoch, ranges in epochs.items()
    }
    return {place: count for place, count in sorted(found.items()) if count}


def snapshots_url_of(archive_url: str, snapshots_url: str = "") -> str:
    """Return where snapshots are kept: at ``snapshots_url``, or beside the archive if that is empty."""
    return snapshots_url or f"{archive_url.rstrip('/')}/{FOLDER}"


class FeedSnapshots:
    """The snapshots in one store. Methods raise ``TransientError`` or ``TerminalError`` for what the store meets."""

    def __init__(self, objects: ObjectStore) -> None:
        """Take the store."""
        self._objects = objects

    def latest(self, kind: Kind) -> SnapshotManifest | None:
        """Return the manifest of the greatest generation; ``None`` if no run was ever begun."""
        while True:
            names = [each.name for each in self._objects.list(f"{kind}/manifests/")]
            newest = max((name for name in names if _MANIFEST.fullmatch(name)), default=None)
            if newest is None:
                return None
            try:
                return self._manifest(newest, self._objects.get(newest))
            except MissingObjectError:
                continue  # another run has published the next one, and removed it

    def put_part(
        self, base: SnapshotManifest, group: str, messages: Sequence[TypedMessage], before: Sequence[SnapshotPart]
    ) -> SnapshotPart:
        """Return the part of ``before`` that has these messages, or else write one for the generation after ``base``.

        May be repeated. ``OvertakenError`` if ``base`` is not the latest any more: what was written for the generation
        after it is removed then, so that a run which an erasure has overtaken leaves no values behind, even if it is
        killed later.
        """
        content = b"\n".join([*(raw for _, raw in messages), b""])
        digest = hashlib.sha256(content).hexdigest()
        for part in before:
            if part.sha256 == digest:
                return part
        self._require_latest(base)
        name = f"{base.kind}/parts/{base.generation + 1:0{_GENERATION_DIGITS}d}-{digest}.ndjson.gz"
        self._objects.put(name, gzip.compress(content, COMPRESSION, mtime=0))
        types = Counter(kind for kind, _ in messages)
        return SnapshotPart(name, group, digest, len(content), dict(sorted(types.items())))

    def publish(self, manifest: SnapshotManifest) -> None:
        """Make a generation the one that counts, and remove what it leaves behind: older ones, and what no one named.

        ``OvertakenError``, and nothing is published, if there is one of that generation; what this run wrote is
        removed then, but for what the other has too.
        """
        kind, generation = manifest.kind, manifest.generation
        name = f"{kind}/manifests/{generation:0{_GENERATION_DIGITS}d}.json"
        if not self._objects.create(name, orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2)):
            raise self._overtaken(kind, generation)
        self._clear(manifest)

    def _require_latest(self, base: SnapshotManifest) -> None:
        latest = self.latest(base.kind)
        if latest is None or latest.generation != base.generation:
            raise self._overtaken(base.kind, base.generation + 1)

    def _overtaken(self, kind: Kind, generation: int) -> OvertakenError:
        """Remove what runs have written for a generation that is another's, and return what to raise."""
        winner = self.latest(kind)
        kept = {part.name for part in winner.parts} if winner else set()
        written = (each.name for each in self._objects.list(f"{kind}/parts/{generation:0{_GENERATION_DIGITS}d}-"))
        self._objects.delete(sorted(set(written) - kept))
        return OvertakenError(
            f"another run has published snapshot {generation} of the feed ({kind}) meanwhile; run it again, which "
            "goes on from that one"
        )

    def lines(self, parts: Sequence[SnapshotPart]) -> Iterator[tuple[SnapshotPart, list[bytes]]]:
        """Yield each part with its messages, in order; a few parts are in memory at a time.

        ``OvertakenError`` for one that a newer snapshot has replaced meanwhile: ask for the ``latest`` again.
        """
        wanted = {part.name: part for part in parts}
        for name, content in fetch_ahead(self._objects, wanted):
            if isinstance(content, MissingObjectError):
                raise self._gone(name) from content
            yield wanted[name], self._unpacked(wanted[name], content)

    def each_content(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the unpacked content of every part there is, those that no manifest names too."""
        for stored in self._objects.list(""):
            if _MANIFEST.fullmatch(stored.name):
                continue  # numbers and names of shards
            try:
                content = self._objects.get(stored.name)
            except MissingObjectError:
                continue  # a newer snapshot has replaced it, and is listed itself or found by the next search
            yield stored.name, self._gunzipped(stored.name, content) if _PART.fullmatch(stored.name) else content

    def sweep(self) -> None:
        """Remove what writers that died in the middle of a write left behind."""
        self._objects.sweep()

    def location(self, name: str) -> str:
        """Return where an object lies, for people."""
        return self._objects.location(name)

    def _clear(self, manifest: SnapshotManifest) -> None:
        kind, kept = manifest.kind, {part.name for part in manifest.parts}
        gone = [
            stored.name
            for stored in self._objects.list(f"{kind}/manifests/")
            if (found := _MANIFEST.fullmatch(stored.name)) and int(found[1]) < manifest.generation
        ]
        gone += [
            stored.name
            for stored in self._objects.list(f"{kind}/parts/")
            # One of a greater generation belongs to a run that has begun from this one.
            if stored.name not in kept and _generation_of(stored.name) <= manifest.generation
        ]
        self._objects.delete(gone)
        self._objects.sweep()

    def _manifest(self, name: str, content: bytes) -> SnapshotManifest:
        try:
            document: dict[str, Any] = orjson.loads(content)
            if document["format"] > FORMAT:
                raise TerminalError(
                    f"the snapshot {self.location(name)} was made by a later release; read it with that one"
                )
            parts = tuple(SnapshotPart(**part) for part in document["parts"])
            return SnapshotManifest(**{**document, "parts": parts})
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise DamagedSnapshotError(_damaged(self.location(name))) from error

    def _gone(self, name: str) -> OvertakenError | DamagedSnapshotError:
        kind: Kind = "newest" if name.startswith("newest/") else "history"
        latest = self.latest(kind)
        if latest is not None and any(part.name == name for part in latest.parts):
            return DamagedSnapshotError(_damaged(self.location(name)))
        return OvertakenError(f"a newer snapshot of the feed ({kind}) was published while this one was read")

    def _unpacked(self, part: SnapshotPart, content: bytes) -> list[bytes]:
        unpacked = self._gunzipped(part.name, content)
        if hashlib.sha256(unpacked).hexdigest() != part.sha256:
            raise DamagedSnapshotError(_damaged(self.location(part.name)))
        return unpacked.splitlines()

    def _gunzipped(self, name: str, content: bytes) -> bytes:
        try:
            return gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DamagedSnapshotError(_damaged(self.location(name))) from error


def _generation_of(name: str) -> int:
    found = _PART.fullmatch(name)
    return int(found[1]) if found else 0


def _damaged(place: str) -> str:
    return (
        f"{place} is damaged: restore it from a copy, or remove the folder of the snapshots of its kind and take a new "
        "one from what the stream still holds"
    )
