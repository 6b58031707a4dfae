"""The engine's rate under several rule sets, in one run: the same events under each in turn, on an empty Redis."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from engine import NAMESPACE, SEED, Spent, server_figures
from show import Show

from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.index.redis.epochs import epoch_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.simulate import generate

BATCH_SIZE = 500
ROUNDS = 3
RATE_MIN = 0.9


@dataclass(frozen=True, slots=True)
class EngineRun:
    """One run over the events: what was done, seconds of the engine, and CPU seconds of it and of its server."""

    totals: BatchReport
    spent: Spent
    server_cpu_s: float

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the engine and of its server."""
        return self.spent.cpu_s + self.server_cpu_s


def population_events(people: int, events: int, rules: Ruleset) -> list[ChangeEvent]:
    """Return the first ``events`` deliveries of a generated population, decoded."""
    decoder = Decoder({rules.domain: rules})
    deliveries = enumerate(islice(generate(people, SEED).events(), events), start=1)
    return [event for number, each in deliveries for event in decoder.decode(Delivery.from_row(each.raw, number))]


def in_turn(
    rulesets: Mapping[str, Ruleset], events: Sequence[ChangeEvent], rounds: int = ROUNDS
) -> dict[str, list[EngineRun]]:
    """Resolve the events under each rule set in turn, ``rounds`` times; a first round warms caches and is not kept."""
    runs: dict[str, list[EngineRun]] = {name: [] for name in rulesets}
    with RedisServer() as server:
        for number in range(rounds + 1):
            for name in list(rulesets)[:: 1 if number % 2 else -1]:
                run = _resolved(rulesets[name], events, server)
                if number:
                    runs[name].append(run)
    return runs


def _resolved(rules: Ruleset, events: Sequence[ChangeEvent], server: RedisServer) -> EngineRun:
    totals, spent = BatchReport(), Spent()
    with server.client() as client:
        client.flushall()
        engine = Engine(rules, RedisIndex(client, rules, NAMESPACE))
        outbox = epoch_prefix(NAMESPACE, rules.domain, 1) + "out"
        before, *_ = server_figures(client)
        for start in range(0, len(events), BATCH_SIZE):
            with spent.timed():
                outcome = engine.process(events[start : start + BATCH_SIZE])
            if outcome.failed:
                raise RuntimeError(f"the engine could not commit a batch: {outcome.cause}")
            totals.add(outcome)
            client.xtrim(outbox, maxlen=0, approximate=False)
        with spent.timed():
            totals.add(engine.drain())
        after, *_ = server_figures(client)
    return EngineRun(totals, spent, after - before)


def show_rate(show: Show, what: str, runs: Mapping[str, Sequence[EngineRun]], one: str, other: str) -> None:
    """Print the rate of one rule set over that of another: by CPU seconds, which hold on a busy machine."""
    ratio = statistics.median(b.cpu_s / a.cpu_s for a, b in zip(runs[one], runs[other], strict=True))
    said = []
    for name in (one, other):
        events = runs[name][0].totals.events
        cpu = statistics.median(run.cpu_s for run in runs[name])
        wall = statistics.median(run.spent.wall_s for run in runs[name])
        pairs = runs[name][0].totals.pairs / events
        said.append(
            f"{name} {events / cpu:,.0f} events/CPU s, {events / wall:,.0f} events/s, {pairs:.2f} pairs an event"
        )
    show.figure(
        f"{what}: engine rate, {one} over {other}",
        f"{ratio:.3f} by CPU seconds of engine and Redis, median of {len(runs[one])} ({'; '.join(said)}; "
        f"load {os.getloadavg()[0]:.1f})",
        floor=f"{RATE_MIN}",
        holds=ratio >= RATE_MIN,
    )
