"""Workers that are processes of their own, killed for real: the same schedules, run by the operating system's dice.

A process that dies is started again and is given its batch again, as Lambda or the KCL would. Nothing is repeatable
here but what each worker is given and which of its calls go wrong.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.process import BaseProcess
from typing import Any

import redis
from torture.faults import Weather
from torture.lockstep import FreeRun
from torture.machine import Schedule, Tally, Worker, require_f, settle
from torture.small_pages import small_pages

PROGRESS_KEY = "progress"
"""A hash of each worker's done batches: the checkpoint of its shard. It is not part of what is looked at."""
_HEAVY = ["hypothesis", "mdm_stream.engine.batch", "mdm_stream.feed.publisher", "mdm_stream.index.redis.index"]
"""Imported once, for all processes: it takes a second."""
STARTS_MAX = 100
TIMEOUT_S = 120.0


@small_pages()
def run_crew(schedule: Schedule, client: redis.Redis) -> Tally:
    """Run a schedule by processes on an empty database, which it empties again; require F of everything at its end.

    What the processes did is known only as far as it shows: that they died, and what they published.
    """
    address = _address(client)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_HEAVY)
    client.flushdb()
    lanes = schedule.lanes()
    working: dict[int, BaseProcess] = {}
    tally = Tally(schedules=1, by_processes=1)
    starts = dict.fromkeys(range(len(lanes)), 0)

    def start(number: int) -> None:
        assert starts[number] < STARTS_MAX, "a worker makes no progress"
        arguments = (schedule, address, number, starts[number])
        working[number] = context.Process(target=_work, args=arguments, daemon=True)
        working[number].start()
        starts[number] += 1

    for number in starts:
        start(number)
    while working:
        for number, process in list(working.items()):
            process.join(TIMEOUT_S)
            assert process.exitcode is not None, "a worker hangs"
            assert process.exitcode <= 0, "a worker broke down"
            del working[number]
            if process.exitcode < 0:
                tally.faults["killed process"] += 1
                start(number)
    client.delete(PROGRESS_KEY)
    settle(schedule, client, Weather((), FreeRun(), client), tally)
    require_f(schedule, client, tally)
    client.flushdb()
    return tally


def _address(client: redis.Redis) -> dict[str, Any]:
    options = client.get_connection_kwargs()
    if "path" in options:
        return {"unix_socket_path": options["path"]}
    return {name: options[name] for name in ("host", "port", "db")}


@small_pages()
def _work(schedule: Schedule, address: dict[str, Any], number: int, starts: int) -> None:
    """Work off what is left of one worker's batches. Each start meets what comes after the faults met before."""
    with redis.Redis(**address) as client:
        mine = schedule.faults[number :: schedule.workers]
        weather = Weather(mine[starts:], FreeRun(), client, dying=True)
        worker = Worker(schedule, client, weather, number, Tally())
        batches = schedule.lanes()[number]
        done = int(client.hget(PROGRESS_KEY, str(number)) or 0)  # type: ignore[arg-type]
        for batch in batches[done:]:
            worker.work(batch)
            client.hincrby(PROGRESS_KEY, str(number))
        weather.let_late_ones_through()
