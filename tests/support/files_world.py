"""A gatekeeper of files, its workers and all around them in one process, any part of which may die at any write."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from botocore.exceptions import ClientError

from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.signature import SigningKey
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.dead_letters.quarantine import QuarantineStore
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.objects.store import MissingObjectError, StoredObject, checked_name
from mdm_stream.rules import load_rulesets
from mdm_stream.testing import MemoryStream
from producers.delivery import PublishError
from producers.files.drop import DropBucket
from producers.files.gatekeeper import Gatekeeper
from producers.files.loads import LoadStore
from producers.files.notify import ChunkQueue, Notifier
from producers.files.operations import show
from producers.files.settings import FileLimits
from producers.files.surroundings import LoadSurroundings
from producers.publisher import Publisher

DROPS = "drops"
KEY = "person/vendor/customers.csv"
NOW_US = (time.time_ns() // 1_000_000_000 + 3_600) * 1_000_000
"""The clock of all processes: later than the time that any object here has."""

RULES = """\
extends: person
version: 1
sources:
  vendor:
    format: csv
    key: {key}
    attributes: {{given_name: first, family_name: last, city: town}}
    files: {{{files}}}
  other:
    format: csv
    key: id
    attributes: {{given_name: first}}
"""


class Killed(BaseException):
    """The process ends here: nothing that would catch an error catches it."""


class Mortality:
    """Counts the writes of a process, and ends it before, or after, the one that it is not to survive."""

    def __init__(self) -> None:
        self.writes = 0
        self.dies_at: int | None = None
        self.after = False
        self.watch: Callable[[], None] | None = None
        self.meanwhile: tuple[int, Callable[[], Any]] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the process has died."""
        return self.dies_at is not None and self.writes >= self.dies_at

    def write(self, do: Callable[[], Any]) -> Any:
        """Do a write, unless the process has ended."""
        self.writes += 1
        if self.meanwhile is not None and self.writes == self.meanwhile[0]:
            (_, other), self.meanwhile = self.meanwhile, None
            other()
        dies = self.is_over
        if dies and not self.after:
            raise Killed
        done = do()
        if self.watch is not None:
            self.watch()
        if dies:
            raise Killed
        return done


class MemoryObjects:
    """A store of objects in memory."""

    def __init__(self, mortality: Mortality) -> None:
        self.contents: dict[str, bytes] = {}
        self._mortality = mortality

    def put(self, name: str, content: bytes) -> None:
        """Write an object."""
        self._mortality.write(lambda: self.contents.__setitem__(checked_name(name), content))

    def create(self, name: str, content: bytes) -> bool:
        """Write an object unless it is there."""
        return self._mortality.write(lambda: self.contents.setdefault(checked_name(name), content) == content)

    def get(self, name: str) -> bytes:
        """Return an object."""
        if name not in self.contents:
            raise MissingObjectError(f"{name} is not there")
        return self.contents[name]

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects."""
        self._mortality.write(lambda: [self.contents.pop(name, None) for name in names])

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield objects by prefix."""
        yield from [
            StoredObject(name, len(self.contents[name])) for name in sorted(self.contents) if name.startswith(prefix)
        ]

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the folders in a prefix."""
        rests = (name.removeprefix(prefix) for name in self.contents if name.startswith(prefix))
        yield from [
            f"{prefix}{folder}/" for folder in sorted({rest.partition("/")[0] for rest in rests if "/" in rest})
        ]

    def sweep(self) -> None:
        """Do nothing."""

    def location(self, name: str) -> str:
        """Return where an object lies."""
        return f"memory://{name}"


class Stream(MemoryStream):
    """The change stream; a request to it is a write."""

    def __init__(self, mortality: Mortality) -> None:
        super().__init__()
        self._mortality = mortality

    def put_records(self, **request: Any) -> Any:
        """Take records. In the publisher's thread a process does not end: it is answered nothing any more."""
        try:
            return self._mortality.write(lambda: super(Stream, self).put_records(**request))
        except Killed:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutRecords") from None


class Queue:
    """An SQS queue as its client has it: messages stay until they are removed, and may come in any order."""

    def __init__(self, mortality: Mortality) -> None:
        self.bodies: list[str] = []
        self._mortality = mortality

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        """Take messages."""
        assert len(Entries) <= 10
        self._mortality.write(lambda: self.bodies.extend(entry["MessageBody"] for entry in Entries))
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries], "Failed": []}


class Topic:
    """SNS and EventBridge as their clients have them."""

    def __init__(self, mortality: Mortality) -> None:
        self.notices: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self._mortality = mortality

    def publish(self, *, Message: str, **_: Any) -> None:  # noqa: N803
        """Take a notice."""
        self._mortality.write(lambda: self.notices.append(json.loads(Message)))

    def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        """Take events."""
        self._mortality.write(lambda: self.events.extend(Entries))
        return {"FailedEntryCount": 0, "Entries": []}


class FilesWorld:
    """Everything that outlives a process, and ``process()`` to make one."""

    def __init__(
        self, s3: Any, folder: Path, files: str = "", *, fan_out: bool = False, key: str = "id", **limits: int
    ) -> None:
        """Take a client of S3 with the bucket ``drops``, and what the rules say of the source's files."""
        self.s3, self.folder = s3, folder
        self.mortality = Mortality()
        self.objects, self.kept = MemoryObjects(self.mortality), MemoryObjects(self.mortality)
        self.stream, self.golden, self.queue, self.topic = (
            kind(self.mortality) for kind in (Stream, Stream, Queue, Topic)
        )
        self.fan_out, self.limits = fan_out, limits
        self.now_us = NOW_US
        self.deaths = 0
        self.signing_key: SigningKey | None = None
        self.write_rules(files, key)
        self.index = MemoryIndex(self.rules["person"])
        self._engine = Engine(self.rules["person"], self.index)
        self.open_index: Callable[[Any], MemoryIndex] | None = lambda _: self.index
        self._resolved = 0

    def write_rules(self, files: str, key: str = "id") -> None:
        """Replace the rules that processes made from now on read."""
        self.rules = _rulesets(RULES.format(files=files, key=key))

    @property
    def store(self) -> LoadStore:
        """The store of loads."""
        return LoadStore(self.objects)

    def process(self) -> Gatekeeper:
        """Return what a process has that has just started."""
        limits = {"chunk_rows": 4, "direct_bytes_max": 0 if self.fan_out else 1_000_000, **self.limits}
        return Gatekeeper(
            LoadSurroundings(
                store=self.store,
                bucket=DropBucket(self.s3),
                rulesets=self.rules,
                limits=FileLimits(**limits),
                quarantine=QuarantineStore(self.kept),
                notifier=Notifier(
                    golden=_Feed(self.golden), sns=self.topic, topic_arn="arn", events=self.topic, bus="bus"
                ),
                open_stream=lambda: Publisher(self.stream, "changes", signing_key=self.signing_key),
                signs=self.signing_key is not None,
                now_us=lambda: self.now_us,
                queue=ChunkQueue(self.queue, "queue") if self.fan_out else None,
                open_index=self.open_index,
                loads_url="memory://",
            )
        )

    def drop(self, content: bytes, key: str = KEY, **more: Any) -> dict[str, Any]:
        """Put an object as a vendor does, and return the event that tells of it."""
        self.s3.put_object(Bucket=DROPS, Key=key, Body=content, **more)
        return created(key)

    def load(self, content: bytes, key: str = KEY, **more: Any) -> FileManifest:
        """Drop a file and have all of it done; return its manifest."""
        (load_id,) = self.process().handle(self.drop(content, key, **more))
        self.work()
        return show(self.store, load_id)

    def work(self, until: Callable[[bytes], bool] = lambda _: False) -> None:
        """Have workers do all that waits in the queue, until a message of this kind is next."""
        for _ in range(10_000):
            if not self.queue.bodies or until(self.queue.bodies[0].encode()):
                return
            body = self.queue.bodies[0]
            self.process().handle_message({"body": body})
            self.queue.bodies.remove(body)
        raise AssertionError("the queue never empties")

    def run(
        self, event: dict[str, Any], deaths: Iterable[int] = (), between: Callable[[], None] = lambda: None
    ) -> None:
        """Have a file done by processes each of which dies at the write that ``deaths`` says, as long as it says one.

        A process does one message, which stays in the queue unless it was done. ``between`` is called after each.
        """
        self.queue.bodies.insert(0, orjson.dumps(event).decode())
        coming = iter(deaths)
        for _ in range(10_000):
            if not self.queue.bodies:
                return
            body = self.queue.bodies[0]
            self.mortality.writes, self.mortality.dies_at = 0, next(coming, None)
            try:
                self.process().handle_message({"body": body})
            except (ClientError, Killed, PublishError):
                if not self.mortality.is_over:
                    raise
                self.deaths += 1
                self.queue.bodies.append(self.queue.bodies.pop(0))
            else:
                self.queue.bodies.remove(body)
            finally:
                self.mortality.dies_at = None
            between()
        raise AssertionError("the queue never empties")

    def begin_and_die(self, event: dict[str, Any], last: str) -> list[str]:
        """Have a process die once an object of that name was written; return the loads that are open."""
        for number in itertools.count(1):
            self.mortality.writes, self.mortality.dies_at = 0, number
            with suppress(ClientError, Killed, PublishError):
                self.process().handle(event)
            self.mortality.dies_at = None
            if any(name.endswith(last) for name in self.objects.contents):
                break
        return list(self.store.open_loads())

    def meanwhile(self, write: int, other: Callable[[], Any]) -> None:
        """Have another process work right before a write of the next one."""
        self.mortality.writes, self.mortality.meanwhile = 0, (write, other)

    def left_behind(self) -> dict[str, Any]:
        """Return all that a load leaves where it ended: compared between ways to the same end."""
        feed = {message.data for message in self.stream.records}
        return {
            "manifests": self.manifests(),
            "events": sorted(feed),
            "quarantine": dict(self.kept.contents),
            "notices": {notice["id"]: notice for notice in self.topic.notices},
            "open": [name for name in self.objects.contents if name.startswith("open/")],
            "values": [name for name in self.objects.contents if "/chunks/" in name or "deletions" in name],
        }

    def resolve(self) -> None:
        """Have the consumer resolve what is new on the stream."""
        decoder = Decoder(self.rules)
        events = []
        for number, sent in enumerate(self.stream.records[self._resolved :], self._resolved + 1):
            events += decoder.decode(Delivery.from_kinesis(sent.data, str(number), NOW_US / 1_000_000))
        self._resolved = len(self.stream.records)
        self._engine.process(events)

    def records(self) -> dict[str, dict[str, Any] | None]:
        """Return what the stream says of each record by the slow reference: its values, by record id; live ones."""
        decoder = Decoder(self.rules)
        events = [
            event
            for number, sent in enumerate(self.stream.records, 1)
            for event in decoder.decode(Delivery.from_kinesis(sent.data, str(number), NOW_US / 1_000_000))
        ]
        state = resolve(self.rules["person"], events)
        found: dict[str, dict[str, Any] | None] = {}
        for ref, golden_id in state.crosswalk.items():
            found[ref.partition("/")[2]] = state.golden[golden_id]["values"]
        return found

    def manifests(self) -> list[FileManifest]:
        """Return the stored manifest of each load."""
        names = [name for name in self.objects.contents if name.endswith("/manifest.json")]
        return [FileManifest.model_validate_json(self.objects.contents[name]) for name in sorted(names)]


@cache
def _rulesets(text: str) -> dict[str, Ruleset]:
    """Compile rules once: hundreds of worlds have the same."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vendor.yaml"
        path.write_text(text)
        return dict(load_rulesets([str(path)]))


class _Feed:
    """The golden feed's publisher, on a stream in memory."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> list[Any]:
        """Take messages."""
        records = [{"PartitionKey": key, "Data": data} for key, data in messages]
        self._stream.put_records(StreamName="golden", Records=records)
        return []


def created(key: str, bucket: str = DROPS, version_id: str | None = None) -> dict[str, Any]:
    """Return S3's notification of an object that was written."""
    about = {"key": key} if version_id is None else {"key": key, "versionId": version_id}
    return {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": about}}]}


def rows(*given: tuple[Any, ...], header: str = "id,first,last,town") -> bytes:
    """Return a CSV file."""
    return "\n".join([header, *(",".join(str(cell) for cell in row) for row in given)]).encode() + b"\n"


def people(numbers: range, town: str = "Springfield") -> bytes:
    """Return a file of so many people, who differ in all that matches."""
    return rows(*((f"v{number}", _name(number), _name(number + 500), town) for number in numbers))


def _name(number: int) -> str:
    letters = "bcdfghklmnprstvz"
    parts = [f"{one}{two}" for one, two in itertools.product(letters, "aeiou")]
    return (parts[number % 80] + parts[(number * 7 + 3) % 80] + parts[(number // 80 + 11) % 80]).capitalize()
