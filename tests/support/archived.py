"""Archived records for tests, stores that fail or are interrupted on purpose, and what erasure leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from mdm_stream.archive import ArchivedRecord
from mdm_stream.archive.record import VALUE_KINDS

DAY_US = 86_400 * 1_000_000
STORE_CALLS = ("put", "create", "get", "delete", "list", "folders", "sweep")


def record(number: int, *refs: str, kind: Any = "record", raw: bytes | None = None) -> ArchivedRecord:
    """A record whose bytes name each of its references, so that what is left of them can be looked for."""
    refs = refs or (f"crm/{number}",)
    raw = orjson.dumps({"n": number, "of": [f"value of {ref}" for ref in refs]}) if raw is None else raw
    return ArchivedRecord("person", refs, str(number).zfill(8), number, f"changes/{number}", raw, kind)


def without(ref: str) -> Callable[[ArchivedRecord], Sequence[ArchivedRecord]]:
    """What takes the place of a divided row: one row for each other reference."""

    def rest(row: ArchivedRecord) -> Sequence[ArchivedRecord]:
        return [
            replace(row, refs=(other,), raw=orjson.dumps({"of": [f"value of {other}"], "rest": True}))
            for other in row.refs
            if other != ref
        ]

    return rest


def erased(rows: set[ArchivedRecord], ref: str) -> set[ArchivedRecord]:
    """What erasing ``ref`` must leave of some rows."""
    left = set()
    for row in rows:
        if row.kind in VALUE_KINDS and ref in row.refs:
            left.update(without(ref)(row))
        else:
            left.add(row)
    return left


class KilledError(BaseException):
    """The process ends here: no ``except Exception`` may run on."""


class InterruptedStore:
    """A store that lets something happen before, or after, its ``at``-th call (1 is the first), once.

    If that raises, every later call raises too: the process is dead.
    """

    def __init__(self, store: Any, at: int, happen: Callable[[], object], *, after: bool = False) -> None:
        """Take the store to pass calls on to."""
        self.calls = 0
        self.happened = False
        self._store, self._at, self._happen, self._after = store, at, happen, after
        self._dead = False
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        """Return the store's method, watched if it does anything to objects."""
        method = getattr(self._store, name)
        return self._watched(method) if name in STORE_CALLS else method

    def _watched(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            with self._lock:
                self.calls += 1
                mine = self.calls == self._at
                if self._dead:
                    raise KilledError
            if mine and not self._after:
                self._interrupt()
            answer = method(*args)
            if method.__name__ in {"list", "folders"}:
                answer = iter(list(answer))
            if mine and self._after:
                self._interrupt()
            return answer

        return call

    def _interrupt(self) -> None:
        self.happened = True
        try:
            self._happen()
        except BaseException:
            self._dead = True
            raise


def kill() -> None:
    """End the process that makes the call."""
    raise KilledError
