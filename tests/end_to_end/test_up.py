"""``mdm-stream up`` as its user has it: started, published to, stopped, killed, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from shutil import copytree
from typing import Any

import orjson
import pytest
import redis
from end_state import GoldenState, state_of_warehouse, wait_for

from mdm_stream.cli.main import run
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import MdmError
from mdm_stream.index.redis.epochs import hold
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rules import load_rulesets

PROCESSES = Path("/proc")
pytestmark = pytest.mark.skipif(not PROCESSES.is_dir(), reason="children are told by the process table of Linux")

PROGRAM = [sys.executable, "-m", "mdm_stream.cli.main", "up"]
RULES = load_rulesets(["person"])
"""Those that ``up`` takes unasked."""

STOP_TIMEOUT_S = 60
SERVERS_AND_CONSUMERS = 4


@dataclass(slots=True)
class Up:
    """A running ``mdm-stream up`` and what it said of itself."""

    process: subprocess.Popen[bytes]
    said: dict[str, Any]

    def snapshot(self) -> Resolution:
        """Return what its index holds now."""
        with redis.Redis.from_url(self.said["redis_url"]) as client:
            return RedisIndex(client, RULES["person"]).snapshot()

    def children(self) -> list[int]:
        """Return the processes that it has started, and that those have started."""
        parents = {pid: parent for pid, _, parent in _process_table()}
        found: list[int] = []
        waiting = [self.process.pid]
        while waiting:
            above = waiting.pop()
            below = [pid for pid, parent in parents.items() if parent == above]
            found += below
            waiting += below
        return found

    def ctrl_c(self) -> tuple[int, bytes]:
        """Do what a terminal does at Ctrl-C, to the whole process group; return the exit code and stderr."""
        os.killpg(self.process.pid, signal.SIGINT)
        _, err = self.process.communicate(timeout=STOP_TIMEOUT_S)
        return self.process.returncode, err

    def kill_all(self) -> None:
        """Kill it and all that it started, at once."""
        for pid in (self.process.pid, *self.children()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate(timeout=STOP_TIMEOUT_S)


@contextmanager
def up(state: Path, *options: str) -> Iterator[Up]:
    """Start it on a state folder and wait until it says that it is up; kill what is left of it in the end."""
    process = subprocess.Popen(
        [*PROGRAM, "--state", str(state), "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    running = Up(process, {})
    try:
        lines = []
        while not lines or lines[-1] not in (b"}\n", b""):
            lines.append(process.stdout.readline())
        running.said = orjson.loads(b"".join(lines))
        yield running
    finally:
        if process.poll() is None:
            running.kill_all()


def events(people: Iterable[int]) -> list[bytes]:
    """Return two canonical events a person, from two systems that know them by the same name, birthday and address."""
    found = []
    for number in people:
        letters = "".join(chr(ord("a") + byte % 26) for byte in sha256(b"%d" % number).digest())
        common = {"domain": "person", "op": "upsert", "version": 1, "event_time": "2026-01-01T00:00:00Z"}
        common["attributes"] = {
            "given_name": letters[:6],
            "family_name": letters[6:14],
            "birth_date": str(date(1930, 1, 1) + timedelta(days=37 * number)),
            "email": f"{letters[14:22]}@example.org",
        }
        found += [orjson.dumps({"source": s, "record_id": f"{s}-{number}", **common}) for s in ("crm", "erp")]
    return found


def f_of(raws: Iterable[bytes]) -> Resolution:
    """Return what must become of canonical events that carry their version and time."""
    decoder = Decoder(RULES)
    return resolve(RULES["person"], [event for raw in raws for event in decoder.decode(Delivery.from_row(raw, 1))])


def publish(state: Path, folder: Path, raws: list[bytes]) -> None:
    """Publish events as a user would, from a file."""
    path = folder / "events.jsonl"
    path.write_bytes(b"\n".join(raws))
    assert run(["publish", str(path), "--format", "canonical", "--state", str(state), "--json"]) == 0


def wait_for_warehouse(running: Up, expected: Resolution) -> None:
    """Wait until an analyst sees the whole result."""

    def is_there() -> bool:
        try:
            found = state_of_warehouse(Path(running.said["warehouse"]))
        except MdmError:
            return False  # there is no file before the first golden change
        return found == GoldenState(expected.golden, expected.crosswalk)

    wait_for(is_there)


def alive(pids: Iterable[int]) -> list[int]:
    """Return which processes still run; one that is dead and not yet waited for does not."""
    wanted = set(pids)
    return [pid for pid, status, _ in _process_table() if pid in wanted and status != "Z"]


def _process_table() -> list[tuple[int, str, int]]:
    """Return (process id, status, parent's id) of every process, as proc(5) has them."""
    table = []
    for path in PROCESSES.glob("[0-9]*/stat"):
        try:
            status, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it ended meanwhile
        table.append((int(path.parent.name), status, int(parent)))
    return table


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """A state folder after one life of ``up``, and the events that were resolved in it."""
    folder = tmp_path_factory.mktemp("up")
    state, raws = folder / "state", events(range(30))
    with up(state) as running:
        publish(state, folder, raws)
        wait_for_warehouse(running, f_of(raws))
        children = running.children()
        assert len(children) >= SERVERS_AND_CONSUMERS
        assert alive(children) == children
        second = subprocess.run([*PROGRAM, "--state", str(state)], capture_output=True, timeout=60, check=False)
        assert (second.returncode, second.stdout) == (2, b"")
        assert f"in use by a stack that process {running.process.pid} started".encode() in second.stderr
        assert running.ctrl_c() == (0, b"")
        assert alive(children) == []
    return state, raws


def test_up_resolves_what_is_published_until_ctrl_c(kept: tuple[Path, list[bytes]], capsys) -> None:
    """Events become golden records in the warehouse; a second ``up`` is refused with a sentence; Ctrl-C ends it with
    0, leaves no process, and from then on ``publish`` says that no stack runs.
    """
    state, raws = kept
    expected = f_of(raws)
    assert len(expected.golden) == len(expected.crosswalk) / 2
    assert run(["publish", "x.jsonl", "--format", "canonical", "--state", str(state)]) == 2
    assert "mdm-stream up" in capsys.readouterr().err


def test_the_next_up_takes_the_state_up_again(kept: tuple[Path, list[bytes]]) -> None:
    """Index and warehouse are there from the start, and new events meet the old ones. SIGTERM stops it as well."""
    state, raws = kept
    later = [raw.replace(b'"version":1', b'"version":2').replace(b"example.org", b"example.com") for raw in raws[:4]]
    with up(state) as running:
        assert running.snapshot() == f_of(raws)
        publish(state, state.parent, later)
        wait_for_warehouse(running, f_of(raws + later))
        running.process.terminate()
        assert running.process.wait(STOP_TIMEOUT_S) == 0


def test_what_was_published_outlives_sigkill_of_everything(tmp_path: Path) -> None:
    """Whatever ``publish`` has reported as sent is resolved by the next ``up``, whenever the last one was killed."""
    state, raws = tmp_path / "state", events(range(100, 250))
    with up(state) as running:
        publish(state, tmp_path, raws)
        children = running.children()
        running.kill_all()
    wait_for(lambda: not alive(children))
    expected = f_of(raws)
    with up(state) as running:
        wait_for_warehouse(running, expected)
        assert running.snapshot() == expected


class Window:
    """What a running ``up`` writes to stderr, line by line as it comes."""

    def __init__(self, running: Up) -> None:
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(running.process.stderr,), daemon=True)
        self._thread.start()

    def _read(self, stderr: Any) -> None:
        for line in stderr:
            self.lines.append(line.decode().rstrip())

    def wait_for(self, text: str, after: int = 0) -> int:
        """Wait for a line that holds a text; return the number of the line after it."""
        wait_for(lambda: any(text in line for line in self.lines[after:]))
        return next(n for n, line in enumerate(self.lines) if n >= after and text in line) + 1


def test_new_rules_wait_for_a_rebuild(kept: tuple[Path, list[bytes]], tmp_path: Path, capsys) -> None:
    """An index belongs to its rule set: ``up`` with another one says so until a rebuild has switched, which waits for
    nobody and says what it does. So it is with a hold, a rebuild that was killed, and an index that is lost.
    """
    state = tmp_path / "state"
    copytree(kept[0], state)
    path = tmp_path / "rules.yaml"
    path.write_text("extends: person\nversion: 2\nmatch: {thresholds: {link: 0.99}}\n")
    (rules,) = load_rulesets([str(path)]).values()
    with up(state, "--rules", str(path)) as running:
        window = Window(running)
        warned = window.wait_for("was built with another rule set")
        publish(state, tmp_path, events(range(300, 303)))
        capsys.readouterr()
        assert run(["rebuild", "--state", str(state)]) == 0
        said = capsys.readouterr()
        assert "waited" not in said.out
        steps = [line.removeprefix("person: ") for line in said.err.splitlines() if line.startswith("person: ")]
        assert steps[0] == "filling"
        assert [step for step in steps if step == "holding writers" or step.startswith("switched")] == steps[-2:]
        window.wait_for("is written again, in epoch 2", warned)
        with redis.Redis.from_url(running.said["redis_url"]) as client:
            index = RedisIndex(client, rules)
            wait_for(lambda: index.golden_of(["crm/crm-300"]) != {})
            assert not any("warning" in line for line in window.lines[warned:])
            hold(client, "main", "person", "somebody looks at it")
            held = window.wait_for("is held (somebody looks at it)", warned)
            assert run(["release", "person", "--state", str(state)]) == 0
            released = window.wait_for("is written again", held)
            index.epochs.fence(index.epochs.begin())
            fenced = window.wait_for("release person --abandon-rebuild", released)
            assert run(["release", "person", "--state", str(state)]) == 0
            assert "release with --abandon-rebuild" in capsys.readouterr().err
            assert run(["release", "person", "--abandon-rebuild", "--state", str(state)]) == 0
            fenced = window.wait_for("is written again", fenced)
            client.flushall()
            lost = window.wait_for("is not to be trusted", fenced)
            assert run(["rebuild", "--state", str(state), "--grace", "0", "--json"]) == 0
            window.wait_for("is written again", lost)
        running.process.terminate()
        assert running.process.wait(STOP_TIMEOUT_S) == 0
