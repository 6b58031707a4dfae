"""Torture for a time: fresh seeds on every core, until the time is up or something is violated. ``make torture``.

Exit code 0 if everything held, 1 on a violation, which is printed with its seed and its least schedule.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

# Where the tests' own modules lie.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import redis
from torture.crew import run_crew
from torture.hunt import Hunt, hunt
from torture.machine import Tally, run

from mdm_stream.local.servers.redis import RedisServer

SCHEDULES_PER_ROUND = 50
SCHEDULES_PER_CREW_ROUND = 10
"""Starting processes takes its time, so these rounds are short."""
CREW_EVERY = 12
"""Of so many rounds one is run by processes."""
PROGRESS_INTERVAL_S = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run rounds, print what was done, and return the exit code."""
    options = _options(arguments)
    started_s = time.monotonic()
    with ExitStack() as stack:
        rounds = _rounds(stack, options, time.time() + options.minutes * 60)
        tally, violated = _watch(rounds, started_s)
    for found in violated:
        _say(_violation(found))
    _say(_summary(tally, time.monotonic() - started_s, len(violated)))
    return 1 if violated else 0


def run_round(socket_path: str, seed: int, deadline_s: float, *, by_processes: bool) -> Hunt:
    """Run the schedules of one seed on the Redis at a socket; the rest is left out after a time (of the wall clock)."""
    with redis.Redis(unix_socket_path=socket_path) as client:
        return hunt(
            client,
            seed,
            SCHEDULES_PER_CREW_ROUND if by_processes else SCHEDULES_PER_ROUND,
            running=run_crew if by_processes else run,
            shrink=not by_processes,  # nothing that the operating system decided comes again
            over=lambda: time.time() > deadline_s,
        )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to go on (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="rounds at a time (default: cores)")
    parser.add_argument("--seed", type=int, help="run the round of this seed alone")
    parser.add_argument("--crew", action="store_true", help="let processes that are killed run every round")
    return parser.parse_args(arguments)


def _rounds(stack: ExitStack, options: argparse.Namespace, deadline_s: float) -> Iterator[Hunt]:
    """Yield what came of each round, several of which run at a time; stop at the first violation."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
    count = 1 if options.seed is not None else options.processes
    servers = [RedisServer(socket_path=folder / f"{n}.sock") for n in range(count)]
    for server in servers:
        stack.enter_context(server)
    context = multiprocessing.get_context("spawn")
    pool = stack.enter_context(ProcessPoolExecutor(count, mp_context=context))
    seeds = iter([options.seed]) if options.seed is not None else _fresh_seeds()
    running: dict[Future[Hunt], str] = {}
    free = [str(server.socket_path) for server in servers]
    number, going = 0, True
    while going or running:
        while free and going:
            seed = next(seeds, None)
            going = seed is not None and time.time() < deadline_s
            if seed is not None and going:
                number += 1
                by_processes = options.crew or (options.seed is None and number % CREW_EVERY == 0)
                path = free.pop()
                running[pool.submit(run_round, path, seed, deadline_s, by_processes=by_processes)] = path
        for done in wait(running, return_when=FIRST_COMPLETED).done:
            free.append(running.pop(done))
            found = done.result()
            going = going and found.violation is None
            yield found


def _fresh_seeds() -> Iterator[int]:
    chance = random.SystemRandom()
    while True:
        yield chance.randrange(2**32)


def _watch(rounds: Iterator[Hunt], started_s: float) -> tuple[Tally, list[Hunt]]:
    """Add the rounds up, telling from time to time; return the sums and the rounds with a violation."""
    tally, violated, told_s = Tally(), [], started_s
    for found in rounds:
        tally.add(found.tally)
        if found.violation is not None:
            violated.append(found)
        if time.monotonic() - told_s > PROGRESS_INTERVAL_S:
            told_s = time.monotonic()
            _say(f"{told_s - started_s:6.0f} s  {tally.schedules:7,} schedules")
    return tally, violated


def _violation(found: Hunt) -> str:
    """Return how a round failed, and how to run it again: sets are ordered by the hash seed, so that is part of it."""
    crew = " --crew" if found.by_processes else ""
    hash_seed = os.environ.get("PYTHONHASHSEED", "random")
    return (
        f"VIOLATION of seed {found.seed}\n{found.violation}\nThe least schedule that shows it:\n{found.schedule!r}\n"
        f"Run the round again:\nPYTHONHASHSEED={hash_seed} make torture ARGS='--seed {found.seed}{crew}'\n"
    )


def _summary(tally: Tally, taken_s: float, violations: int) -> str:
    faults = ", ".join(f"{kind} {count:,}" for kind, count in tally.faults.most_common())
    rows = {
        "schedules": f"{tally.schedules:,} in {taken_s:,.0f} s, {tally.by_processes:,} of them by processes",
        "operations": f"{tally.operations:,} calls of Redis and Kinesis (without those inside processes)",
        "faults injected": f"{tally.faults.total():,}: {faults}",
        "events delivered": f"{tally.deliveries:,}",
        "duplicates absorbed": f"{tally.absorbed:,}",
        "conflicts retried": f"{tally.conflicts:,}",
        "records re-evaluated": f"{tally.reevaluated:,}",
        "golden changes": f"{tally.changes:,}, and {tally.published_again:,} published again",
        "states looked at": f"{tally.looks:,} between commits, {tally.schedules:,} at the end",
        "violations": f"{violations:,}",
    }
    return "\n".join(f"{name:<22}{value}" for name, value in rows.items())


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
