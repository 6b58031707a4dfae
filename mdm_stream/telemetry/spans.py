"""Spans: how long the stages of a batch take, for whichever tracing backends a process has.

The parts that do the work take a ``Spans`` and name their stages; they know no backend. Without one, ``NO_SPANS`` costs
a call. A batch may go through a stage any number of times, so the first ``STAGES_MAX`` become spans of their own, and
the batch's span has for each stage how often it was and how many milliseconds it took, all of them counted.

A span holds no value of a record: its name is one of the code's, of an error it has the type, and of facts those named
in ``FACTS`` alone, which are counts and places on a stream.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Protocol

Stage = Literal[
    "decode", "read", "score", "plan", "commit", "archive", "publish", "duckdb", "snowflake", "lineage", "message"
]
"""Every stage there is; docs/operate/traces.md says what each is."""

Fact = int | str
Note = Callable[[Mapping[str, Fact]], None]
"""Takes what is known of a batch while it is worked; what no span may hold is left out."""

STAGES_MAX = 60
"""Stages of a batch that are spans of their own: X-Ray takes a hundred subsegments, and calls of AWS are among them."""

PLACE_FACTS = {
    "shard": re.compile(r"shardId-[0-9]{1,20}", re.ASCII),
    "first": re.compile(r"[0-9]{1,128}", re.ASCII),
    "last": re.compile(r"[0-9]{1,128}", re.ASCII),
    "correlation_id": re.compile(r"shardId-[0-9]{1,20}:[0-9]{1,128}", re.ASCII),
}
COUNT_FACTS = frozenset({
    "records", "quarantined", "dropped", "archived", "published", "expired", "held", "excluded", "ignored",
    "first_failed", "absorbed", "collisions", "pairs", "conflicts", "reevaluated", "changes", "merges", "applied",
    "skipped", "messages", "failed",
})  # fmt: skip
FACTS = COUNT_FACTS | PLACE_FACTS.keys()
"""What may be said of a batch: names and ids of places, and counts."""


class Spans(Protocol):
    """What times the stages of a batch. Nothing that it meets is raised: no batch depends on it."""

    def batch(self, name: str, facts: Mapping[str, Fact]) -> AbstractContextManager[Note]:
        """Open the span of a batch or of a tick."""
        ...

    def stage(self, name: Stage) -> AbstractContextManager[object]:
        """Open a stage of the batch that is open; nothing where none is."""
        ...


class Untraced:
    """Spans of a process that has no backend."""

    def batch(self, name: str, facts: Mapping[str, Fact]) -> AbstractContextManager[Note]:  # noqa: ARG002
        """Open nothing."""
        return _NO_BATCH

    def stage(self, name: Stage) -> AbstractContextManager[object]:  # noqa: ARG002
        """Open nothing."""
        return _NO_STAGE


def _no_note(_: Mapping[str, Fact]) -> None:
    """Keep nothing."""


_NO_BATCH: AbstractContextManager[Note] = nullcontext(_no_note)
_NO_STAGE: AbstractContextManager[object] = nullcontext()
NO_SPANS: Spans = Untraced()


class OpenSpan(Protocol):
    """A span of one backend, while it is open."""

    def note(self, facts: Mapping[str, Fact]) -> None:
        """Take facts, by which spans can be searched for."""
        ...

    def measured(self, figures: Mapping[str, int]) -> None:
        """Take figures, which are there to be read."""
        ...


class SpanBackend(Protocol):
    """Where spans go. Whatever it raises is passed over."""

    def open(self, name: str) -> AbstractContextManager[OpenSpan | None]:
        """Open a span within the one that is open, if there is one; None where it is not sampled."""
        ...

    def within(self, left_s: Callable[[], float]) -> None:
        """Take how many seconds an invocation has left, whenever that is asked for."""
        ...


@dataclass(slots=True)
class _BatchSpans:
    """The batch that is open: its spans, and what its stages took so far."""

    spans: Sequence[OpenSpan]
    stages: int = 0
    taken: dict[str, list[float]] = field(default_factory=dict)

    def figures(self) -> dict[str, int]:
        """Return how often each stage was, and its milliseconds; those of a stage include the stages within it."""
        figures: dict[str, int] = {}
        for name, seconds in self.taken.items():
            figures |= {f"{name}_times": len(seconds), f"{name}_ms": round(1_000 * sum(seconds))}
        return figures


class BackendSpans:
    """Spans on some backends. One instance is for one batch at a time."""

    def __init__(self, *backends: SpanBackend) -> None:
        """Take the backends; without any, nothing is timed."""
        self._backends = backends
        self._batch: _BatchSpans | None = None

    @contextmanager
    def batch(self, name: str, facts: Mapping[str, Fact]) -> Iterator[Note]:
        """Open the span of a batch on each backend; all its figures are there when it ends."""
        with ExitStack() as opened:
            spans = [each for each in (_entered(opened, backend, name) for backend in self._backends) if each]
            if not spans:
                yield _no_note
                return
            batch = self._batch = _BatchSpans(spans)
            _note(spans, facts)
            try:
                yield lambda more: _note(spans, more)
            finally:
                self._batch = None
                for span in spans:
                    _unfailing(span.measured, batch.figures())

    def within(self, left_s: Callable[[], float]) -> None:
        """Take how many seconds an invocation has left: backends that send at its end keep to that."""
        for backend in self._backends:
            backend.within(left_s)

    def stage(self, name: Stage) -> AbstractContextManager[object]:
        """Open a stage."""
        return _NO_STAGE if self._batch is None else _TimedStage(name, self._batch, self._backends)


class _TimedStage:
    """One stage of a batch: timed, and a span unless the batch has had too many."""

    __slots__ = ("_backends", "_batch", "_began_s", "_name", "_opened")

    def __init__(self, name: str, batch: _BatchSpans, backends: Sequence[SpanBackend]) -> None:
        self._name = name
        self._batch = batch
        self._backends = backends
        self._opened: ExitStack | None = None
        self._began_s = 0.0

    def __enter__(self) -> None:
        self._batch.stages += 1
        if self._batch.stages <= STAGES_MAX:
            self._opened = ExitStack()
            for backend in self._backends:
                _entered(self._opened, backend, self._name)
        self._began_s = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._batch.taken.setdefault(self._name, []).append(time.perf_counter() - self._began_s)
        if self._opened is not None:
            self._opened.__exit__(kind, error, trace)


def kept(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return what a span may hold of facts: counts, and places in the form of places."""
    return {
        name: fact
        for name, fact in facts.items()
        if (name in COUNT_FACTS and isinstance(fact, int))
        or (name in PLACE_FACTS and isinstance(fact, str) and PLACE_FACTS[name].fullmatch(fact) is not None)
    }


class _Unfailing(AbstractContextManager["OpenSpan | None"]):
    """A backend's span whose own faults reach nobody; what is raised within it goes on."""

    def __init__(self, span: AbstractContextManager[OpenSpan | None]) -> None:
        self._span = span
        self._is_open = False

    def __enter__(self) -> OpenSpan | None:
        try:
            span = self._span.__enter__()
        except Exception:  # noqa: BLE001 - no batch depends on its traces
            return None
        self._is_open = True
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_open:
            _unfailing(self._span.__exit__, kind, error, trace)


def _entered(opened: ExitStack, backend: SpanBackend, name: str) -> OpenSpan | None:
    try:
        span = backend.open(name)
    except Exception:  # noqa: BLE001 - no batch depends on its traces
        return None
    return opened.enter_context(_Unfailing(span))


def _note(spans: Sequence[OpenSpan], facts: Mapping[str, Fact]) -> None:
    allowed = kept(facts)
    for span in spans:
        _unfailing(span.note, allowed)


def _unfailing(call: Callable[..., object], *arguments: object) -> None:
    with suppress(Exception):  # no batch depends on its traces, and there is nothing to do about it
        call(*arguments)
