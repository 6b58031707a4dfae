"""The resolve function with its time nearly up, and at a start without its index: an answer in time, and nothing lost.

The real handler in this process, on servers of loopback. A server that is silent takes connections and calls, and
answers nothing; an address that is dead takes no connection. In each case the function's answer must come before Lambda
would end it, and must name the first record; once the fault is over the same batch is delivered again, and index,
archive and feed must be those of F over everything that was sent.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from show import Show

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "support"))

from timed_function import (
    AWS_TIMEOUT_S,
    ENDPOINT,
    REDIS_TIMEOUT_S,
    Endpoint,
    TimedWorld,
    deaf_addresses,
    on_a_port,
    timed_functions,
)

ENOUGH_S = 60.0
S3_LEFT_S = 0.5 + 2 * REDIS_TIMEOUT_S + AWS_TIMEOUT_S + (3 * AWS_TIMEOUT_S + 3.0) + 1.5
"""What a batch needs to begin where the archive is on S3, and a second and a half."""
ON_S3 = {"MDM_ARCHIVE_URL": "s3://kept/archive", "MDM_CLAIMS_URL": "s3://kept/claims"}


Start = Callable[..., TimedWorld]


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, and the seconds that the function has left when it meets it. ``fails``: no record can be done."""

    name: str
    left_s: float
    fault: Callable[[TimedWorld], AbstractContextManager[None]]
    fails: bool = True


CASES = (
    Case("3 s left, no fault", 3.0, lambda _: nullcontext(), fails=False),
    Case("1 s left, no fault", 1.0, lambda _: nullcontext()),
    Case("3 s left, Redis silent", 3.0, TimedWorld.silence),
    Case("1 s left, Redis silent", 1.0, TimedWorld.silence),
    Case("3 s left, Kinesis silent", 3.0, TimedWorld.silent_stream),
)


def figures(show: Show, scratch: Path) -> None:
    """Meet each fault with a warm function, then start functions that cannot reach their index."""
    del scratch
    show.fact("time-outs", f"Redis {REDIS_TIMEOUT_S:g} s, AWS {AWS_TIMEOUT_S:g} s a connection and a wait")
    with timed_functions() as start, _quietly():
        world = start()
        world.call(world.batch(), ENOUGH_S)
        for case in CASES:
            _meet(show, case.name, world, case.left_s, case.fault(world), fails=case.fails)
        world = start("on-s3", **ON_S3)
        world.call(world.batch(), ENOUGH_S)
        _meet(show, "S3 silent, with the time of a request to it", world, S3_LEFT_S, world.silent_stream())
        _dead_endpoint(show, start)
        _in_doubt(show, start)


def _meet(
    show: Show, name: str, world: TimedWorld, left_s: float, fault: AbstractContextManager[None], *, fails: bool = True
) -> None:
    batch = world.batch()
    with fault:
        first_failed, took_s = world.call(batch, left_s)
    said = "all done" if first_failed is None else f"not done from record {first_failed}"
    again, lost = world.call(batch, ENOUGH_S)[0], ""
    try:
        world.require_all()
    except AssertionError:
        lost = ", and the state is not F's"
    in_time = took_s < left_s and (first_failed == 0 if fails else first_failed is None)
    expected = "not done from record 0" if fails else "all done"
    _told(show, name, f"answered after {took_s:.2f} s of {left_s:.2f} s: {said}", f"in time: {expected}", in_time)
    after = "all done" if again is None else f"not done from record {again}"
    _told(show, f"{name}: delivered again", after + lost, "all done, state equal to F", again is None and not lost)


def _dead_endpoint(show: Show, start: Start) -> None:
    """An endpoint of three addresses that take no connection: at a start, and for a function that was connected."""
    with pytest.MonkeyPatch.context() as patch, deaf_addresses(3) as (addresses, port), ExitStack() as stack:
        dead = [(address, port) for address in addresses]
        endpoint = Endpoint(patch)
        endpoint.addresses = dead
        world = start("endpoint", MDM_REDIS_URL=f"redis://{ENDPOINT}:{port}/0")
        live = [("127.0.0.1", stack.enter_context(on_a_port(world.redis.socket_path)))]

        @contextmanager
        def away() -> Iterator[None]:
            endpoint.addresses = dead
            try:
                yield
            finally:
                endpoint.addresses = live

        _told(show, "start with Redis away", "no error", "no error", holds=True)
        _meet(show, "3 s left, start with three dead addresses", world, 3.0, away())
        world.disconnect()
        _meet(show, "3 s left, three dead addresses", world, 3.0, away())


def _in_doubt(show: Show, start: Start) -> None:
    """Start a function whose index has lost what the archive says that it had, and rebuild it."""
    world = start("in-doubt")
    world.call(world.batch(), ENOUGH_S)
    world.redis.client().flushall()
    sent, world = world.sent, start("in-doubt")
    world.sent = sent
    batch = world.batch()
    first_failed, took_s = world.call(batch, ENOUGH_S)
    said = "all done" if first_failed is None else f"not done from record {first_failed}"
    _told(show, "start with the index in doubt", f"no error, first batch answered after {took_s:.2f} s: {said}",
          "no error: not done from record 0", holds=first_failed == 0)  # fmt: skip
    rebuild = [sys.executable, "-m", "mdm_stream.cli.main", "rebuild", "--environment", "--grace", "0"]
    done = subprocess.run(rebuild, capture_output=True, text=True, timeout=300, check=False)
    again = world.call(batch, ENOUGH_S)[0]
    lost = ""
    try:
        world.require_all()
    except AssertionError:
        lost = ", and the state is not F's"
    after = f"rebuild ended with {done.returncode}, "
    after += "all done" if again is None else f"not done from record {again}"
    _told(show, "the same after mdm-stream rebuild: delivered again", after + lost,
          "rebuild ended with 0, all done, state equal to F",
          holds=done.returncode == 0 and again is None and not lost)  # fmt: skip


@contextmanager
def _quietly() -> Iterator[None]:
    """What the function logs is no part of what is shown."""
    with redirect_stdout(io.StringIO()):
        yield


def _told(show: Show, name: str, value: str, floor: str, holds: bool) -> None:
    with redirect_stdout(sys.__stdout__):
        show.figure(name, value, floor=floor, holds=holds)
