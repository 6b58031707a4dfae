"""The local stack with the functions of files: files put through it, processes measured and killed, what it came to."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.deployment import FILES_FOLDER, QUARANTINE_FOLDER
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.file_functions import DROP_FOLDER, FileFunctions, FunctionOptions
from mdm_stream.local.file_places import make_places, messages_in
from mdm_stream.local.housekeeping import Housekeeping
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, LocalStack, StackOptions
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.rules import load_rulesets
from producers.files.chunks import ChunkFindings
from producers.files.loads import LoadStore
from producers.files.manifest import render, view_of
from producers.files.operations import manifests

FUNCTIONS = ("files-1", "files-worker-1", "files-worker-2")
VISIBILITY_TIMEOUT_S = 20
"""For small chunks; a row more a chunk adds ``ROWS_PER_S``: a chunk that takes longer is done twice."""
ROWS_PER_S = 400
RECEIPTS_MAX = 100
"""More than there are kills: what is shown is that work goes on, and not when a message is set aside."""
ENDED = ("done", "failed", "held")

_SAMPLE_S = 0.1
_POLL_S = 0.1


@dataclass(slots=True)
class Peaks:
    """The greatest resident memory of each function, of all processes that it had.

    That is the most that its own process had, or what it had while another one read for it, with the most of that one.
    """

    bytes_of: Counter[str] = field(default_factory=Counter)

    def look(self, name: str, pid: int) -> None:
        """Take what Linux says was the most that a process had so far."""
        with suppress(OSError, ValueError, IndexError):
            peak = _bytes_of(pid, "VmHWM")
            own = Path(f"/proc/{pid}/cmdline").read_bytes()
            for child in _children(pid):
                with suppress(OSError, ValueError, IndexError):
                    if Path(f"/proc/{child}/cmdline").read_bytes() != own:  # until then it shares the memory
                        peak = max(peak, _bytes_of(pid, "VmRSS") + _bytes_of(child, "VmHWM"))
            function = name.rpartition("-")[0]
            self.bytes_of[function] = max(self.bytes_of[function], peak)


def _bytes_of(pid: int, kind: str) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().split(f"{kind}:")[1].split()[0]) * 1024


def _children(pid: int) -> list[int]:
    lists = (each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for text in lists for child in text.split()]


class FileStack:
    """A stack in an empty folder of its own; ``golden`` starts the consumers too. Chunks have ``chunk_rows``."""

    def __init__(self, folder: Path, rules: str, *, chunk_rows: int, golden: bool = False) -> None:
        folder.mkdir(parents=True)
        self.state = folder / "state"
        rules_file = folder / "rules.yaml"
        rules_file.write_text(rules)
        self.rules = (str(rules_file),)
        self.rulesets = load_rulesets(self.rules)
        self.peaks = Peaks()
        self.put_at_s = 0.0
        self.visibility_timeout_s = VISIBILITY_TIMEOUT_S + chunk_rows // ROWS_PER_S
        self._golden = golden
        self._environment = {"MDM_FILES_CHUNK_ROWS": str(chunk_rows), "MDM_FILES_DIRECT_BYTES_MAX": "65536"}
        self._folder = folder

    def __enter__(self) -> Self:
        """Start the servers, the functions and, for golden records, the consumers."""
        self.stack = LocalStack(self.state, StackOptions(keep_records=100_000_000)).start()
        if self._golden:
            start_consumers(self.stack, self.rules)
        self.places = make_places(
            self.stack.kinesis, visibility_timeout_s=self.visibility_timeout_s, receipts_max=RECEIPTS_MAX
        )
        options = FunctionOptions(workers=2, environment=self._environment)
        self.functions = FileFunctions(self.stack, self.rules, self.rulesets, self.places, options)
        self.store = LoadStore(FolderObjects(self.state / FILES_FOLDER))
        self._drop = self.functions.drop_folder(self.state / DROP_FOLDER)
        self.functions.start()
        self._watching = [Housekeeping(self._look, 0.2), Housekeeping(self._measure, _SAMPLE_S)]
        for each in self._watching:
            each.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop everything, and remove the folder: what a million rows leave is large."""
        for each in self._watching:
            each.__exit__(None, None, None)
        self.stack.stop()
        if error[0] is None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def drop(self, path: Path, source: str, name: str, as_of: str = "2026-02-01") -> str:
        """Move a copy of a file into the watched folder with a time of its own; return its key."""
        folder = self.state / DROP_FOLDER / "person" / source
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{name}"
        shutil.copyfile(path, draft)
        moment = time.mktime(time.strptime(as_of, "%Y-%m-%d"))
        os.utime(draft, (moment, moment))
        draft.rename(folder / name)
        return f"person/{source}/{name}"

    def manifest(self, key: str) -> FileManifest | None:
        """Return the manifest of the load that an object was delivered for, as of now."""
        found = (each for each in manifests(self.store) if any(delivery.key == key for delivery in each.deliveries))
        return next(found, None)

    def ended(self, key: str, timeout_s: float, state: str | None = None) -> FileManifest:
        """Wait until the load of an object has ended or is held, or is in a state, and return its manifest."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            found = self.manifest(key)
            if found is not None and (found.state == state if state else found.state in ENDED):
                return found
            self.stack.check()
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{key} is {found and found.state} after {timeout_s:g} s")
            time.sleep(_POLL_S)

    def progress(self, key: str) -> int:
        """Return how many chunks were checked and sent; -1 before there is a plan."""
        for load_id in self.store.open_loads():
            record = self.store.find(load_id)
            if record is not None and record.object.key == key:
                attempt = self.store.attempt(load_id)
                done = len(attempt.chunks_in("checked")) + len(attempt.chunks_in("sent"))
                return done if attempt.has("plan.json") else -1
        return -1

    def rejected_rows(self, load_id: str) -> dict[int, set[tuple[str, str]]]:
        """Return code and path of each reason of each rejected row, by its number."""
        attempt = self.store.attempt(load_id)
        found = {}
        for number in attempt.chunks_in("checked"):
            findings = ChunkFindings.from_json(self.store.objects.get(attempt.of_chunk("checked", number)))
            for each in findings.rejected:
                found[each.row] = {(reason.code, reason.path) for reason in each.reasons}
        return found

    def quarantined(self) -> frozenset[str]:
        """Return the names of all that the quarantine holds."""
        return frozenset(path.name for path in (self.state / QUARANTINE_FOLDER).rglob("*.json"))

    def events(self) -> tuple[int, int, str]:
        """Return how many records are on the change stream, how many of them differ, and a digest of those."""
        client, count = self.stack.kinesis.client("kinesis"), 0
        seen: set[bytes] = set()
        for shard in client.list_shards(StreamName=CHANGES_STREAM)["Shards"]:
            place = {"StreamName": CHANGES_STREAM, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = client.get_shard_iterator(**place)["ShardIterator"]
            while page := (answer := client.get_records(ShardIterator=iterator))["Records"]:
                count += len(page)
                seen.update(hashlib.blake2b(each["Data"], digest_size=16).digest() for each in page)
                iterator = answer["NextShardIterator"]
        return count, len(seen), hashlib.sha256(b"".join(sorted(seen))).hexdigest()

    def golden(self, timeout_s: float) -> tuple[int, str]:
        """Wait until all that was sent is resolved; return how many golden records there are, and their digest."""
        rules = self.rulesets["person"]
        index = RedisIndex(self.stack.redis.client(), rules)
        deadline_s = time.monotonic() + timeout_s
        self.stack.wait_idle(timeout_s)
        while index.pending(1) or index.read(1):
            if time.monotonic() > deadline_s:
                raise TimeoutError("the index did not come to rest")
            time.sleep(_POLL_S)
        found = index.snapshot()
        digest = hashlib.sha256(repr((sorted(found.golden.items()), sorted(found.crosswalk.items()))).encode())
        return len(found.golden), digest.hexdigest()

    def dead_messages(self) -> int:
        """Return how many messages were set aside."""
        sqs = self.stack.kinesis.client("sqs")
        return sum(messages_in(sqs, url) for url in (self.places.files_dead_url, self.places.chunks_dead_url))

    def kill(self, name: str) -> bool:
        """Kill a process of a function, as if its machine had failed; tell whether there was one to kill."""
        pid = self.stack.consumer_pid(name)
        if not _is_polling(pid):
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def _look(self) -> None:
        if self._drop.look():
            self.put_at_s = time.monotonic()

    def _measure(self) -> None:
        for name in FUNCTIONS:
            self.peaks.look(name, self.stack.consumer_pid(name))


class Killer:
    """Kills processes of functions while a load runs: some while its file is read, others spread over its chunks."""

    def __init__(self, stack: FileStack, key: str, kills: int, chunks: int, seed: int) -> None:
        self._stack, self._key = stack, key
        drawn = random.Random(seed)
        self._drawn = drawn
        reading = max(1, kills // 7)
        self._reading = reading
        self._places = sorted(drawn.randrange(max(1, chunks * 3 // 2)) for _ in range(kills - reading))
        self.killed: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)

    def __enter__(self) -> Self:
        """Begin to kill."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        self._when(lambda: self._stack.put_at_s > 0)
        while self._reading and self._stack.progress(self._key) < 0 and not self._stopping.is_set():
            self._kill(("files-1",))
            self._reading -= 1
            again_s = time.monotonic() + self._stack.visibility_timeout_s  # then the file is read anew
            self._when(lambda again_s=again_s: time.monotonic() > again_s or self._stack.progress(self._key) >= 0)
        for place in sorted([*self._places, *[0] * self._reading]):
            self._when(lambda place=place: self._stack.progress(self._key) >= place)
            self._kill(self._drawn.sample(FUNCTIONS[1:], 2))

    def _when(self, condition: Callable[[], bool]) -> None:
        while not self._stopping.is_set() and not condition():
            self._stopping.wait(0.05)

    def _kill(self, names: Sequence[str]) -> None:
        """Kill the first of some processes that is at work, a moment from now."""
        self._stopping.wait(self._drawn.uniform(0.0, 0.3))
        while not self._stopping.is_set():
            for name in names:
                if self._stack.kill(name):
                    self.killed[name] += 1
                    return
            self._stopping.wait(0.02)


def _is_polling(pid: int) -> bool:
    """Tell whether a process has begun its work: its interpreter has numpy mapped."""
    try:
        return "numpy" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def is_consistent(manifest: FileManifest) -> bool:
    """Tell whether a manifest accounts for every row."""
    return manifest.accepted + manifest.rejected + manifest.skipped == manifest.rows


def counts_of(manifest: FileManifest) -> dict[str, Any]:
    """Return what a manifest says that must not depend on who died meanwhile."""
    fields = {"load_id", "state", "rows", "accepted", "rejected", "skipped", "sent", "deleted", "chunks", "profile",
              "rejected_rows", "reasons", "warnings"}  # fmt: skip
    return manifest.model_dump(mode="json", include=fields)


def rendered(store: LoadStore, load_id: str) -> FileManifest:
    """Return the manifest of a load as of now."""
    return render(view_of(store.attempt(load_id)))
