"""The worker processes of a replay: each has a bounded queue of batches, and reports what it finished."""

from __future__ import annotations

import multiprocessing
import queue
import signal
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from mdm_stream.core.fold import Foldable
from mdm_stream.engine.worker import READY, WorkerReport, work
from mdm_stream.errors import TerminalError

QUEUED_BATCHES_MAX = 4
"""Batches that wait for a worker: enough to keep it busy, few enough to bound memory."""

WAIT_S = 1.0
"""How long to wait for a worker before looking whether it still lives."""


class WorkerPool:
    """A fixed number of worker processes, one lane each.

    Entering the context returns once all are ready to work; leaving it kills what still runs.
    """

    def __init__(self, size: int, arguments: tuple[Any, ...], on_progress: Callable[[int], None]) -> None:
        """Describe the pool; ``arguments`` go to every worker after its two queues."""
        context = multiprocessing.get_context("spawn")
        self.size = size
        self._done: Any = context.Queue()
        self._lanes: list[Any] = [context.Queue(maxsize=QUEUED_BATCHES_MAX) for _ in range(size)]
        self._processes = [
            context.Process(target=work, args=(lane, self._done, *arguments), daemon=True) for lane in self._lanes
        ]
        self._on_progress = on_progress
        self._ready = 0
        self._finished = 0
        self._reports: list[WorkerReport] = []

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        while self._ready < self.size:
            self._wait_for_one()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
        for lane in self._lanes:
            lane.cancel_join_thread()  # what a killed worker was still to be given would be waited for, for ever

    def put(self, lane: int, batch: Sequence[Foldable] | None) -> None:
        """Give a worker a batch; waits while its queue is full. ``TerminalError`` if a worker has failed."""
        while True:
            try:
                self._lanes[lane].put(batch, timeout=WAIT_S)
            except queue.Full:
                self._require_alive()
            else:
                self._collect()
                return

    def finish(self) -> list[WorkerReport]:
        """Tell every worker that there is no more, wait for all, and return their reports."""
        for lane in range(self.size):
            self.put(lane, None)
        while len(self._reports) < self.size:
            self._wait_for_one()
        for process in self._processes:
            process.join()
        return self._reports

    def _wait_for_one(self) -> None:
        try:
            self._note(self._done.get(timeout=WAIT_S))
        except queue.Empty:
            self._require_alive()

    def _collect(self) -> None:
        while True:
            try:
                self._note(self._done.get_nowait())
            except queue.Empty:
                return

    def _note(self, item: WorkerReport | int | None) -> None:
        if item is READY:
            self._ready += 1
            return
        if isinstance(item, int):
            self._finished += item
            self._on_progress(self._finished)
            return
        if item.failure:
            raise TerminalError(f"a worker failed: {item.failure}")
        self._reports.append(item)

    def _require_alive(self) -> None:
        """Fail if a worker died without a report: nothing would ever take its batches."""
        self._collect()
        dead = [process for process in self._processes if process.exitcode not in {None, 0}]
        if dead:
            raise TerminalError(
                f"a worker process {_how_it_ended(dead[0].exitcode)} after {self._finished:,} events; "
                "run the command again (it starts afresh)"
            )


def _how_it_ended(exit_code: int | None) -> str:
    """Return how a worker ended that made no report. The kernel takes memory back by SIGKILL, and by nothing else."""
    if exit_code == -signal.SIGKILL:
        return "was killed (by someone, or because memory was short: then use fewer workers)"
    return f"was ended by signal {-exit_code}" if exit_code and exit_code < 0 else f"ended with exit code {exit_code}"
