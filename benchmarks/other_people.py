"""What other people can do to a running local stack: from a web page in a real browser, and as another user.

    python benchmarks/other_people.py [--json] [--tree CHECKOUT]

Starts ``mdm-stream up`` under the most open umask in a folder that everybody can reach, publishes to it, and then tries
to read and to write in every way that a page (``other_pages.py``) and a user (``other_user.py``) have. After each
attempt of a page, and after all of the user's, streams, index, buckets and files are compared with what they were
before. It prints how many attempts there were, how many read and how many wrote, and ends with 1 if any did.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
import other_pages
import redis

from mdm_stream.aws.loopback import LoopbackKeys, loopback_client

ROOT = Path(__file__).resolve().parent.parent
NOBODY = 65534
AS_NOBODY: dict[str, Any] = {
    "user": NOBODY,
    "group": NOBODY,
    "extra_groups": [],
    "cwd": "/",
    "env": {"PATH": os.defpath},
}
CANARY = "Zyxwvutsson"
WAIT_S = 60.0
STATE_FILES = ("archive", "quarantine", "kinesis", "redis", "warehouse.duckdb")
"""What is compared; the rest of the folder changes by itself (counters, logs)."""
PLAIN_UMASK = 0o022
LISTENING = "0A"
"""The state of a socket in Linux' tables."""


@dataclass(slots=True)
class Found:
    """What came of all attempts of one kind of people; ``skipped`` says why there were none."""

    attempts: int = 0
    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    skipped: str = ""


class Stack:
    """A running ``mdm-stream up``, and its owner's way in."""

    def __init__(self, state: Path, pid: int, said: dict[str, Any], keys: LoopbackKeys | None) -> None:
        self.state, self.pid, self.said, self.keys = state, pid, said, keys
        self._kinesis = loopback_client("kinesis", said["kinesis_endpoint_url"], keys)
        self._s3 = loopback_client("s3", said["kinesis_endpoint_url"], keys)

    @property
    def port(self) -> int:
        """The port of its Kinesis API."""
        return int(str(self.said["kinesis_endpoint_url"]).rpartition(":")[2])

    @property
    def events_api_port(self) -> int:
        """The port of its events API."""
        return int(str(self.said["events_api_url"]).rpartition(":")[2])

    def pids(self) -> list[int]:
        """Return its process, and those that it has started."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with suppress(OSError):
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        found = [self.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def ports(self) -> list[int]:
        """Return every TCP port that its processes listen on, found as anybody can find them."""
        inodes = set()
        for pid in self.pids():
            with suppress(OSError):
                inodes |= {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
        rows = [row for table in tables for line in table if (row := line.split())[3] == LISTENING]
        return sorted({int(row[1].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in inodes})

    def contents(self) -> dict[str, str]:
        """Return a digest of every record, key, bucket and file, by its name."""
        kinesis, found = self._kinesis, {}
        for stream in kinesis.list_streams()["StreamNames"]:
            found[f"stream {stream}"] = ""
            for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
                place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
                iterator = kinesis.get_shard_iterator(**place)["ShardIterator"]
                for record in kinesis.get_records(ShardIterator=iterator)["Records"]:
                    found[f"record {stream} {shard['ShardId']} {record['SequenceNumber']}"] = _digest(record["Data"])
        found |= {f"bucket {bucket['Name']}": "" for bucket in self._s3.list_buckets()["Buckets"]}
        with redis.Redis.from_url(self.said["redis_url"]) as client:
            found |= {f"key {key.decode()}": _digest(client.dump(key) or b"") for key in client.scan_iter()}
        for name in STATE_FILES:
            top = self.state / name
            for path in [top, *top.rglob("*")]:
                if path.is_file():
                    found[f"file {path.relative_to(self.state)}"] = _digest(path.read_bytes())
                mode = path.lstat()
                found[f"mode {path.relative_to(self.state)}"] = f"{mode.st_mode:o} {mode.st_uid} {mode.st_nlink}"
        return found

    def settled(self) -> dict[str, str]:
        """Return its contents once they have stopped to change by themselves."""
        before, deadline_s = self.contents(), time.monotonic() + WAIT_S
        while (now := self._after(2.5)) != before and time.monotonic() < deadline_s:
            before = now
        return now

    def _after(self, pause_s: float) -> dict[str, str]:
        time.sleep(pause_s)
        return self.contents()


@contextmanager
def running_stack(tree: Path = ROOT) -> Iterator[Stack]:
    """Run ``mdm-stream up`` of a checkout with some events in it, as a user who has thought of nothing."""
    folder = Path(tempfile.mkdtemp(prefix="mdm-other-people-"))
    folder.chmod(0o755)  # everybody can come this far
    state = folder / "state"
    environment = {**os.environ, "PYTHONPATH": str(tree), "TMPDIR": str(folder)}
    program = [sys.executable, "-m", "mdm_stream.cli.main"]
    command = [*program, "up", "--state", str(state), "--json"]
    try:
        with subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.PIPE, umask=PLAIN_UMASK) as process:
            try:
                lines = []
                while not lines or lines[-1] not in (b"}\n", b""):
                    lines.append(process.stdout.readline() if process.stdout else b"")
                said = orjson.loads(b"".join(lines))
                keys = orjson.loads((state / "stack.json").read_bytes()).get("keys")
                stack = Stack(state, process.pid, said, LoopbackKeys(**keys) if keys else None)
                _fill(stack, program, tree, environment, folder)
                yield stack
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(WAIT_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(stack: Stack, program: Sequence[str], tree: Path, environment: dict[str, str], folder: Path) -> None:
    """Publish a record and an event that is rejected, have a result written, and wait until all of it has arrived."""
    attributes = {"given_name": "Ann", "family_name": CANARY, "birth_date": "1980-01-01"}
    event = {"domain": "person", "source": "crm", "record_id": "1", "op": "upsert", "version": 1}
    event["attributes"] = attributes
    events = folder / "events.jsonl"
    events.write_bytes(orjson.dumps(event) + b"\n" + orjson.dumps({**event, "op": CANARY}) + b"\n")
    for arguments in (
        ["publish", str(events), "--format", "canonical", "--state", str(stack.state)],
        ["replay", str(events), "--rules", "person", "--out", str(folder / "result")],
        ["generate", "--people", "20", "--out", str(folder / "people")],
    ):
        subprocess.run(
            [*program, *arguments], cwd=tree, env=environment, check=True, capture_output=True, umask=PLAIN_UMASK
        )
    deadline_s = time.monotonic() + WAIT_S
    while not any(name.startswith("file quarantine") for name in stack.contents()):
        if time.monotonic() > deadline_s:
            raise SystemExit("nothing came of the events that were published")
        time.sleep(0.2)


def from_pages(stack: Stack) -> Found:
    """Try what a page can, and compare the stack after each attempt."""
    if not other_pages.CHROMIUM or importlib.util.find_spec("playwright") is None:
        return Found(skipped="there is no chromium, or no playwright to drive it")
    found, before = Found(), stack.settled()

    def look(seen: other_pages.Seen) -> None:
        nonlocal before
        found.attempts += 1
        if seen.is_answer or _is_told(seen.text):
            found.reads.append(seen.name)
        after = stack.contents()
        if changed := _changed(before, after):
            found.writes.append(f"{seen.name} ({changed})")
            before = stack.settled()

    others = [port for port in stack.ports() if port != stack.port]
    other_pages.attempts(stack.port, others, look)
    return found


def as_another_user(stack: Stack) -> Found:
    """Try what another user can, with the names of everything that there is, and compare the stack afterwards."""
    if os.geteuid() != 0:
        return Found(skipped="only root can become another user")
    interpreter = _their_interpreter()
    if interpreter is None:
        return Found(skipped="another user finds no Python to run")
    before = stack.settled()
    places = [stack.state, *stack.state.parent.glob("*")]
    paths = sorted({path for place in places for path in [place, *place.rglob("*")]})
    given = {
        "ports": stack.ports(),
        "pids": stack.pids(),
        "paths": [str(path) for path in paths if path.name != "events.jsonl"],
        "sockets": [str(path) for path in paths if path.is_socket()],
    }
    done = subprocess.run(
        [interpreter, "-I", "-S", "-c", Path(__file__).with_name("other_user.py").read_text()],
        input=orjson.dumps(given), capture_output=True, check=True, **AS_NOBODY,
    )  # fmt: skip
    answer = orjson.loads(done.stdout)
    if answer["uid"] != NOBODY:
        raise SystemExit("the attempts were not made by another user")
    found = Found(len(answer["attempts"]))
    found.reads = [name for name, outcome in answer["attempts"] if outcome == "read"]
    found.writes = [name for name, outcome in answer["attempts"] if outcome == "wrote"]
    found.attempts += len(given["pids"])
    secrets = [text.encode() for text in (asdict(stack.keys).values() if stack.keys else ())]
    for pid in given["pids"]:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        found.reads += [f"keys on the command line of process {pid}" for secret in secrets if secret in line]
    try:
        changed = _changed(before, stack.settled())
    except (OSError, redis.RedisError) as error:
        changed = f"the stack has gone: {type(error).__name__}"
    if changed:
        found.writes.append(f"after all ({changed})")
    return found


def _their_interpreter() -> str | None:
    """Return a Python that another user may run, which need not be ours: that may lie in a home."""
    for program in (
        str(Path(sys.executable).resolve()),
        *(shutil.which(name, path=os.defpath) or "" for name in ("python3", "python")),
    ):
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run([program, "-I", "-S", "-c", ""], check=True, capture_output=True, **AS_NOBODY)
            return program
    return None


def measure(tree: Path = ROOT) -> dict[str, Found]:
    """Run both kinds of attempts, each against a stack of its own."""
    found = {}
    for name, attempt in (("pages", from_pages), ("another user", as_another_user)):
        with running_stack(tree) as stack:
            found[name] = attempt(stack)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what came of it; return 1 if anything was read or written, or nothing could be tried."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout whose stack is tried")
    options = parser.parse_args(arguments)
    results = measure(options.tree.resolve())
    if options.json:
        document = {name: asdict(found) for name, found in results.items()}
        print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        for name, found in results.items():
            said = f"not tried: {found.skipped}" if found.skipped else ""
            print(f"{name}: {said or f'{found.attempts} attempts, {len(found.reads)} read, {len(found.writes)} wrote'}")
            for kind, names in (("read", found.reads), ("wrote", found.writes)):
                print("".join(f"  {kind}: {each}\n" for each in names), end="")
    return 1 if any(found.reads or found.writes or found.skipped for found in results.values()) else 0


def _is_told(text: str) -> bool:
    """Whether a text holds the value that was published, as it is or as a stream carries it."""
    encoded = {base64.b64encode(b" " * shift + CANARY.encode())[4:-4].decode() for shift in range(3)}
    return CANARY in text or "mdm-changes" in text or any(each in text for each in encoded)


def _changed(before: dict[str, str], after: dict[str, str]) -> str:
    """Return what differs, the first names of it."""
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
