"""Filling a new epoch of a domain from its archive, while more is archived."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import redis

from mdm_stream.archive import Archive, Exclusion
from mdm_stream.core.faults import EngineFault
from mdm_stream.core.fold import Delivered, Foldable
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.faults import FaultCircuit
from mdm_stream.engine.worker import apply_isolated
from mdm_stream.engine.worker_pool import WorkerPool
from mdm_stream.rebuild.load import LoadCounters, states_of
from mdm_stream.rebuild.new_epoch import NewEpoch
from mdm_stream.replay.schedule import lane_of
from mdm_stream.settings import EngineSettings

Progress = Callable[[str, int, int], None]
"""Called with the step that a rebuild is at, how much of it is done, and how much there is to do (0: unknown)."""


@dataclass(frozen=True, slots=True)
class FirstFilled:
    """What another way than the engine's has filled in: what it counted, and the names of the archive's objects whose
    rows are all in it.
    """

    counters: LoadCounters
    objects: Collection[str]


class FirstFill(Protocol):
    """Fills an epoch that was begun with F of everything that is archived by then, but for what is excluded."""

    def __call__(self, epoch: int, exclusions: Sequence[Exclusion], on_progress: Progress) -> FirstFilled:
        """Fill it; what is archived meanwhile may be left out."""
        ...


@dataclass(frozen=True, slots=True)
class Filling:
    """How an epoch is filled: ``RebuildOptions`` says what each means."""

    workers: int
    batch_size: int
    states_max: int
    rows_behind_max: int
    passes_max: int
    on_progress: Progress
    first: FirstFill | None = None


class Fill:
    """The filling of one epoch that was begun. What is excluded is left out: as marked now, and ``also``."""

    def __init__(
        self,
        rules: Ruleset,
        redis_url: str,
        client: redis.Redis,
        namespace: str,
        archive: Archive,
        epoch: int,
        how: Filling,
        also: Sequence[Exclusion] = (),
    ) -> None:
        """Read the exclusions, after the epoch was begun: a purge that marks one later begins a newer epoch."""
        self._rules = rules
        self._redis_url = redis_url
        self._namespace = namespace
        self._archive = archive
        self._epoch = epoch
        self._how = how
        self._decoder = Decoder({rules.domain: rules}, archived=True)
        self._seen: set[str] = set()
        marks = archive.sources(rules.domain).read()
        self.exclusions = (*marks.exclusions, *also)
        self.counters = LoadCounters()
        self.index = NewEpoch(client, rules, namespace, epoch)
        self._engine = Engine(rules, self.index)
        self._circuit = FaultCircuit(EngineSettings().faults_in_a_row_max)

    def everything(self) -> None:
        """Fill in all that is archived, by several processes or as was said, and then what came meanwhile."""
        self._how.on_progress("filling", 0, 0)
        if self._how.first is None:
            self._fill_by_workers()
        else:
            filled = self._how.first(self._epoch, self.exclusions, self._how.on_progress)
            self._seen.update(filled.objects)
            self.counters = filled.counters
        self.catch_up()

    @property
    def objects(self) -> Collection[str]:
        """The names of the archive's objects whose rows are all filled in."""
        return self._seen

    def _fill_by_workers(self) -> None:
        size = self._how.workers
        arguments = (self._redis_url, {self._rules.domain: self._rules}, self._namespace, self._epoch)
        with WorkerPool(size, arguments, lambda done: self._how.on_progress("filling", done, 0)) as pool:
            for states in self._states():
                # No batch is of two portions: one of large records is small.
                lanes: list[list[Delivered]] = [[] for _ in range(size)]
                for delivered in states:
                    lanes[lane_of(delivered, size)].append(delivered)
                for lane, lined_up in enumerate(lanes):
                    for start in range(0, len(lined_up), self._how.batch_size):
                        pool.put(lane, lined_up[start : start + self._how.batch_size])
            for report in pool.finish():
                self._note(report.faulty)

    def catch_up(self) -> None:
        """Fill in what is archived meanwhile, until a pass finds little."""
        for _ in range(self._how.passes_max):
            if self.rest() <= self._how.rows_behind_max:
                return
            self._how.on_progress("catching up", self.counters.rows, 0)

    def rest(self) -> int:
        """Fill in what has been archived since the last time, and evaluate; return how many rows that were."""
        before = self.counters.rows
        for states in self._states():
            for start in range(0, len(states), self._how.batch_size):
                batch = states[start : start + self._how.batch_size]
                self._note(apply_isolated(self._engine, batch, self._circuit).faulty)
        self._engine.drain()
        return self.counters.rows - before

    def _note(self, faulty: Sequence[tuple[Foldable, EngineFault]]) -> None:
        """Count records that the new epoch lacks, because folding them in met an unexpected fault."""
        for _, fault in faulty:
            self.counters.refuse(fault.rejection)

    def _states(self) -> Iterator[list[Delivered]]:
        rows = self._archive.read_new(self._rules.domain, self._seen)
        return states_of(
            rows, self._rules.domain, self._decoder, self.counters, self._how.states_max, exclusions=self.exclusions
        )
