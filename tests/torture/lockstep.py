"""Threads that take turns: which one goes on is drawn when all of them wait, so a seed decides every interleaving."""

from __future__ import annotations

import random
import threading


class Killed(BaseException):
    """The worker is gone: nothing that it had in memory is left, and nothing of it catches this."""


class Baton:
    """Lets one of several threads go on at a time, from one call to the next.

    All of them must ``take`` it before they do anything, and ``leave`` at their end.
    """

    def __init__(self, seed: int, threads: int) -> None:
        self._randomness = random.Random(seed)
        self._lock = threading.Lock()
        self._running = set(range(threads))
        self._waiting: set[int] = set()
        # A gate for each, and not one condition for all: nobody is woken who cannot go on.
        self._gates = [threading.Semaphore(0) for _ in range(threads)]

    def take(self, thread: int) -> None:
        """Wait until it is this thread's turn."""
        with self._lock:
            self._waiting.add(thread)
            self._draw()
        self._gates[thread].acquire()

    def leave(self, thread: int) -> None:
        """Take no further part."""
        with self._lock:
            self._running.discard(thread)
            self._draw()

    def _draw(self) -> None:
        if self._running and self._waiting == self._running:
            turn = self._randomness.choice(sorted(self._running))
            self._waiting.discard(turn)
            self._gates[turn].release()


class FreeRun:
    """A baton for workers that run as they like: processes of their own."""

    def take(self, thread: int) -> None:
        """Go on at once."""
