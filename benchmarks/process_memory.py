"""Memory and CPU time of a process and of all that it starts, read from Linux's ``/proc`` while it runs."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import defaultdict
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

INTERVAL_S = 0.5
DRIVER, JAVA, WORKERS = "driver", "java", "workers"
MB = 1024**2
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class TreeUse:
    """CPU seconds, and the peaks of proportional set sizes (what several share counts once, over all), in bytes.

    ``total`` is of the whole tree at one moment; ``parts`` of the first process (``driver``), of Java and of the other
    processes (``workers``), each at a moment of its own. ``exceeded``: the tree had more than it may and was ended. On
    a machine that is busy otherwise, compare CPU seconds: they do not grow by waiting.
    """

    total: int = 0
    cpu_s: dict[str, float] = field(default_factory=lambda: {DRIVER: 0.0, JAVA: 0.0, WORKERS: 0.0})
    parts: dict[str, int] = field(default_factory=lambda: {DRIVER: 0, JAVA: 0, WORKERS: 0})
    exceeded: bool = False


def watched(
    command: list[str], *, env: dict[str, str] | None = None, limit_bytes: int, out: Path | None = None
) -> tuple[int, TreeUse]:
    """Run a command to its end; return its exit code and the peaks of its tree, which is killed above the limit.

    ``out`` is a file for what it prints; it is printed if left out.
    """
    peak = TreeUse()
    with out.open("ab") if out else nullcontext() as stream:
        process = subprocess.Popen(command, env=env, stdout=stream)
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process, peak, limit_bytes, done))
    watcher.start()
    try:
        return process.wait(), peak
    finally:
        done.set()
        watcher.join()
        process.kill()


def _watch(process: subprocess.Popen[bytes], peak: TreeUse, limit_bytes: int, done: threading.Event) -> None:
    spent: dict[tuple[str, int], float] = {}
    while not done.wait(INTERVAL_S):
        now = dict.fromkeys(peak.parts, 0)
        tree = _tree(process.pid)
        for pid in tree:
            with suppress(OSError):
                name = (Path("/proc") / str(pid) / "comm").read_text().strip()
                part = DRIVER if pid == process.pid else JAVA if name == "java" else WORKERS
                now[part] += _pss_bytes(pid)
                spent[part, pid] = _cpu_s(pid)
        for part in peak.cpu_s:
            peak.cpu_s[part] = sum(spent_s for (of, _), spent_s in spent.items() if of == part)
        peak.total = max(peak.total, sum(now.values()))
        peak.parts = {part: max(most, now[part]) for part, most in peak.parts.items()}
        if sum(now.values()) > limit_bytes:
            peak.exceeded = True
            for pid in reversed(tree):
                with suppress(OSError):
                    subprocess.run(["kill", "-KILL", str(pid)], check=False)


def _tree(root: int) -> list[int]:
    """Return a process and all below it."""
    children = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name stands in brackets and may have any character: what follows the last one is state and parent.
            children[int(path.read_text().rpartition(")")[2].split()[1])].append(int(path.parent.name))
    tree = [root]
    for pid in tree:
        tree += children[pid]
    return tree


def _pss_bytes(pid: int) -> int:
    for line in (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu_s(pid: int) -> float:
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
