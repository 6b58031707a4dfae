"""The index on a real cache that fails over: a cluster of three primaries with replicas, and a plain primary with one.

Two resolve consumers write one domain all the while, each from a shard of its own whose records meet those of the
other: real decoding, engine, archive and witness; what they publish is kept in lists. What a consumer reports as failed
is delivered again. Afterwards the index, and what was published, are compared with F of all that was delivered.

Killed primaries have a replica that hears everything ``LAG_S`` later; what was under way is lost with them. In every
other try that is a commit at least. The rate is that of the engine with what a consumer asks of the index for each
batch, on one server and on a cluster in turn; CPU seconds of the process stand beside it, which hold on a busy machine.

``MDM_AWS_CLUSTER=FAILOVERS,KILLS,ROUNDS`` takes other numbers than ``FAILOVERS``, ``KILLS`` and ``ROUNDS``; 0 leaves
a part out.
"""

from __future__ import annotations

import os
import random
import socket
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

from show import Show

from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import generate

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]

from cluster_load import TIMEOUT_S, ClusterLoad  # noqa: E402
from valkey_cluster import ValkeyCluster, replicated_pair, until  # noqa: E402

VARIABLE = "MDM_AWS_CLUSTER"
FAILOVERS, KILLS, ROUNDS = 10, 20, 7
LAG_S = 0.01
STEADY = {"cluster-node-timeout": 15_000}
"""Where nothing is killed: a busy machine must not look like a node that is gone."""
KILLED = {"cluster-node-timeout": 2_000}
LOAD_S_MAX = 0.5
BETWEEN = 3
"""Batches that each consumer does before, between and after what happens to the cache."""
RATE_SHARE_MIN = 0.85
RATE_EVENTS, RATE_BATCH, PEOPLE, SEED = 1_500, 500, 20_000, 20260101
ENDPOINT = "cache.example"
LOOK_S = 0.02
SWITCH_S = 0.0005


@dataclass(frozen=True, slots=True)
class Rate:
    """Events a second, and a CPU second of the process that resolves them."""

    per_s: float
    per_cpu_s: float


@dataclass(slots=True)
class Kills:
    """What became of an index whose primary was killed, over all tries."""

    in_doubt: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    away_s: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    events: int = 0


def figures(show: Show, scratch: Path) -> None:
    """Fail over, kill, and measure."""
    wanted = os.environ.get(VARIABLE, f"{FAILOVERS},{KILLS},{ROUNDS}")
    failovers, kills, rounds = (int(part) for part in wanted.split(","))
    with ValkeyCluster(_folder(scratch, "cluster"), **STEADY) as cluster:
        if failovers:
            _planned(show, cluster, scratch, failovers)
        if rounds:
            _rates(show, cluster, scratch, rounds)
    if kills:
        _killed(show, scratch, kills)
    _demoted(show, scratch)


def _folder(scratch: Path, name: str) -> Path:
    folder = scratch / name
    folder.mkdir()
    return folder


def _planned(show: Show, cluster: ValkeyCluster, scratch: Path, failovers: int) -> None:
    took_s: list[float] = []
    began_s = time.monotonic()
    with ClusterLoad(cluster.url, scratch / "planned", "planned") as load:
        for _ in range(failovers):
            load.more(BETWEEN)
            at_s = time.monotonic()
            cluster.fail_over(load.root)
            took_s.append(time.monotonic() - at_s)
        load.more(BETWEEN)
    loaded_s = time.monotonic() - began_s
    failed, faults = load.failed() + load.in_doubt(), load.faults()
    show.figure(f"batches that failed of {load.batches} in {failovers} planned failovers",
                f"{len(failed)}{_first(failed)}", floor="0", holds=not failed)  # fmt: skip
    show.figure("end after planned failovers", "; ".join(faults) or "F", floor="F (index and feed)", holds=not faults)
    show.fact("load in planned failovers", f"{len(load.events):,} events by 2 consumers in {loaded_s:.0f} s; "
              f"a failover took {_span(took_s)} s")  # fmt: skip


def _killed(show: Show, scratch: Path, tries: int) -> None:
    found = Kills()
    randomness = random.Random(SEED)
    with ValkeyCluster(_folder(scratch, "lagging"), lag_s=LAG_S, **KILLED) as cluster, _quick_threads():
        for number in range(tries):
            load = ClusterLoad(cluster.url, scratch / f"killed-{number}", f"killed-{number}")
            _kill(cluster, load, found, None if number % 2 else randomness.random() * LOAD_S_MAX)
    lag = f"replication delayed by {LAG_S * 1_000:.0f} ms"
    show.figure(f"indexes in doubt after {tries} killed primaries, {lag}",
                f"{len(found.in_doubt)}{_first(found.in_doubt)}", floor="0", holds=not found.in_doubt)  # fmt: skip
    show.figure("ends after killed primaries that are not F, once redelivered",
                f"{len(found.faults)}{_first(found.faults)}", floor="0 (index and feed)",
                holds=not found.faults)  # fmt: skip
    show.figure("errors that consumers raised instead of reporting a failed batch",
                f"{len(found.raised)}{_first(found.raised)}", floor="0", holds=not found.raised)  # fmt: skip
    losses = sum(1 for lost in found.lost if lost > 0)
    show.fact("tries in which commits were lost with the primary, and how many at least",
              f"{losses} of {tries}, {sum(found.lost)}")  # fmt: skip
    show.fact("load in killed primaries", f"{found.events:,} events by 2 consumers; a replica took over in "
              f"{_span(found.away_s)} s; {_span(found.failed)} batches failed a try")  # fmt: skip


@contextmanager
def _quick_threads() -> Iterator[None]:
    """Let threads wait for each other less than replication lags: the consumers and what kills are in one process."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)


def _kill(cluster: ValkeyCluster, load: ClusterLoad, found: Kills, wait_s: float | None) -> None:
    """Kill the primary of a domain under load, and let its node come back: after a time, or (``None``) at a moment at
    which it has a commit that its replica does not have yet.
    """
    with load:
        load.more(BETWEEN)
        primary, replica = cluster.pair_of(load.root)
        if wait_s is None:
            clock = load.ahead(primary, replica)
        else:
            time.sleep(wait_s)
            clock = load.clock(primary)
        at_s = time.monotonic()
        cluster.kill(primary)
        time.sleep(LOOK_S)
        found.lost.append(max(0, clock - load.clock(replica)))
        cluster.until_taken_over(replica, load.root)
        found.away_s.append(time.monotonic() - at_s)
        cluster.bring_back(primary)
        load.more(BETWEEN)
    found.failed.append(len(load.failed()))
    found.raised += [cause for consumer in load.consumers for cause in consumer.raised]
    found.in_doubt += load.in_doubt()
    found.faults += load.faults()
    found.events += len(load.events)


def _rates(show: Show, cluster: ValkeyCluster, scratch: Path, rounds: int) -> None:
    """Resolve the same events on one server and on the cluster, in turn, the first one first in every other round."""
    rules = load_ruleset(ROOT / "examples" / "rules" / "demo.yaml")
    decoder = Decoder({rules.domain: rules})
    raw = (each.raw for each in islice(generate(PEOPLE, SEED).events(), RATE_EVENTS))
    events = [event for n, each in enumerate(raw, 1) for event in decoder.decode(Delivery.from_row(each, n))]
    with replicated_pair(_folder(scratch, "pair")) as (primary, _):
        urls = {"cluster": cluster.url, "pair": f"redis://{primary.host}:{primary.port}"}
        rates: dict[str, list[Rate]] = {name: [] for name in urls}
        for number in range(rounds):
            for name in list(urls) if number % 2 else reversed(list(urls)):
                rates[name].append(_rate(urls[name], rules, events, f"rate-{number}"))
    shares = [a.per_s / b.per_s for a, b in zip(rates["cluster"], rates["pair"], strict=True)]
    cpu = [a.per_cpu_s / b.per_cpu_s for a, b in zip(rates["cluster"], rates["pair"], strict=True)]
    share = statistics.median(shares)
    show.figure(f"a cluster's rate over one node's, each with a replica that acknowledges (median of {rounds} rounds)",
                f"{share:.2f}", floor=f"at least {RATE_SHARE_MIN}", holds=share >= RATE_SHARE_MIN)  # fmt: skip
    show.fact("the ratios by round", ", ".join(f"{each:.2f}" for each in shares))
    show.fact("the same by events a CPU second of the client", f"{statistics.median(cpu):.2f}")
    show.fact("events a second: cluster, one node", ", ".join(
              f"{statistics.median(each.per_s for each in rates[name]):,.0f}" for name in urls))  # fmt: skip


def _rate(url: str, rules: Ruleset, events: Sequence[ChangeEvent], namespace: str) -> Rate:
    """Return how fast events are resolved: in batches, each with its position and its outbox emptied."""
    index = RedisIndex(open_client(url, TIMEOUT_S), rules, namespace)
    engine = Engine(rules, index)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    for start in range(0, len(events), RATE_BATCH):
        outcome = engine.process(events[start : start + RATE_BATCH])
        if outcome.failed:
            raise RuntimeError(outcome.cause)
        index.position()
        while entries := index.read(RATE_BATCH):
            index.acknowledge(entries)
    engine.drain()
    return Rate(len(events) / (time.perf_counter() - began_s), len(events) / (time.process_time() - began_cpu_s))


def _demoted(show: Show, scratch: Path) -> None:
    """Fail over a plain primary whose endpoint has the replica's address afterwards."""
    look_up = socket.getaddrinfo
    addresses: list[str] = []

    def found(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host != ENDPOINT:
            return look_up(host, port, *rest, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    with replicated_pair(_folder(scratch, "plain")) as (primary, replica), patch.object(socket, "getaddrinfo", found):
        addresses[:] = [primary.host]
        url = f"redis://{ENDPOINT}:{primary.port}"
        with ClusterLoad(url, scratch / "demoted", "demoted", replicas_min=0) as load:
            load.more(BETWEEN)
            at_s = time.monotonic()
            primary.ask("FAILOVER")
            until(lambda: replica.ask("INFO", "replication")["role"] == "master", "the replica has taken over")
            addresses[:] = [replica.host]
            load.more(BETWEEN)
            took_s = time.monotonic() - at_s
        failed, faults = load.failed(), load.faults() + load.in_doubt()
    show.fact("cluster mode off, planned failover: consumers reconnect to the endpoint's new address",
              f"each did {BETWEEN} more batches within {took_s:.1f} s; {len(failed)} batches failed{_first(failed)}; "
              f"the end is {'; '.join(faults) or 'F'}")  # fmt: skip


def _first(found: Sequence[str]) -> str:
    """Return the first of some causes, for the end of a line."""
    return f" ({found[0].strip().splitlines()[-1]})" if found else ""


def _span(values: Sequence[float]) -> str:
    """Return the median of some values and their greatest."""
    return f"{statistics.median(values):.1f} (at most {max(values):.1f})" if values else "none"
