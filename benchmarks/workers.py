"""Eight workers on four shards, killed at random, while a reader watches: is the end, and every moment, right?

    python benchmarks/workers.py [FILE... --rules RULES] [--kills 32] [--seed 1] [--records 5000] [--people 700]
                                 [--as-it-is] [--keep FOLDER]

Without files it invents a population. The events, a tenth of them twice, go to a Kinesis API on this machine. Each
shard has two worker processes, which run the resolve consumer's Lambda handler under the local event source; they
share a Redis server, an archive and a golden feed. One to three workers at a time are killed with SIGKILL while they
work, and started again; some with their position put back to the beginning of the shard. To a file's records
corrections, deletions and verdicts are added, unless it is to be taken as it is.

A reader looks all the time, at one moment of the index after another (see ``watcher.py``). At the end the state must
equal that of a single worker, and the reference's, byte for byte. Exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from half_shard import LANES, lane_of
from histories import RULES_DEFAULT, digest_of, eventful, history
from watcher import Watched, watch

from mdm_stream.archive import open_archive
from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.deployment import ARCHIVE_FOLDER
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.epochs import epoch_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.event_source.checkpoints import read_positions
from mdm_stream.local.event_source.shard_feed import KinesisFeed
from mdm_stream.local.pipeline import resolve_settings
from mdm_stream.local.servers.children import log_tail, spawn, stop_process
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, LocalStack, StackOptions
from mdm_stream.rules import load_ruleset
from producers.publisher import Publisher

SHARDS = 4
GOLDEN_SHARDS = 2
DUPLICATE_FRACTION = 0.1
VICTIMS_MAX = 3
REWIND_CHANCE = 0.3
DELAY_S_MAX = 0.3
"""What a kill waits after a commit was seen, at random, so that it falls before, in and after what follows."""
WAIT_S_MAX = 300.0
POLL_S = 0.01
STOP_S = 30.0
SINGLE_BATCH_SIZE = 500
WORKER = Path(__file__).with_name("half_shard.py")


@dataclass(slots=True)
class Worker:
    """One worker: its half of a shard, its process, and what was done to it."""

    shard_id: str
    lane: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0
    rewinds: int = 0

    @property
    def name(self) -> str:
        """Its name, also of its files."""
        return f"{self.shard_id}-{self.lane}"

    @property
    def checkpoints(self) -> Path:
        """Where it keeps its position."""
        return self.folder / f"{self.name}.checkpoints.json"

    @property
    def _ready(self) -> Path:
        return self.folder / f"{self.name}.ready"

    @property
    def is_ready(self) -> bool:
        """Whether it has started, and takes records."""
        return self._ready.exists()

    def start(self, endpoint_url: str, environment: dict[str, str]) -> None:
        """Start its process."""
        self._ready.unlink(missing_ok=True)
        options = {
            "--endpoint": endpoint_url,
            "--stream": CHANGES_STREAM,
            "--shard": self.shard_id,
            "--lane": str(self.lane),
            "--checkpoints": str(self.checkpoints),
            "--ready": str(self._ready),
        }
        command = [sys.executable, str(WORKER), *(word for option in options.items() for word in option)]
        self.process = spawn(command, log=self.folder / f"{self.name}.log", environment=environment)

    def kill(self, *, rewind: bool) -> None:
        """Kill its process (SIGKILL), and perhaps put its position back to the beginning of the shard."""
        assert self.process is not None, "a worker is killed after it was started"
        self.process.kill()
        self.process.wait()
        self.kills += 1
        if rewind:
            self.checkpoints.unlink(missing_ok=True)
            self.rewinds += 1

    def check(self) -> None:
        """Fail if the process has ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            tail = log_tail(self.folder / f"{self.name}.log")
            raise SystemExit(f"worker {self.name} ended with exit code {self.process.returncode}:\n{tail}")

    def has_done(self, sequence: str) -> bool:
        """Return whether it has come as far as a record of its lane."""
        position = read_positions(self.checkpoints, CHANGES_STREAM).get(self.shard_id)
        return position is not None and int(position) >= int(sequence)

    def stop(self) -> None:
        """Let it finish what is under way, and end."""
        if self.process is not None:
            stop_process(self.process, STOP_S)
            self.process = None


@dataclass(slots=True)
class Delivered:
    """What is on the change stream: its events as a consumer decodes them, and the last record of each lane."""

    events: list[ChangeEvent] = field(default_factory=list)
    last: dict[tuple[str, int], str] = field(default_factory=dict)


def main() -> int:
    """Run it all; return the exit code."""
    options = _options()
    rules = load_ruleset(options.rules)
    said = history(rules, options.files, options.records, options.people)
    events = said if options.as_it_is or not options.files else eventful(said, options.seed)
    with ExitStack() as parts:
        folder = options.keep or Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="mdm-workers-")))
        streams = {CHANGES_STREAM: SHARDS, GOLDEN_STREAM: GOLDEN_SHARDS}
        stack = parts.enter_context(LocalStack(folder, StackOptions(streams=streams)))
        context = get_context("spawn")
        started, stopping, outcome = context.Event(), context.Event(), context.Queue()
        endpoint = (stack.kinesis.endpoint_url, stack.kinesis.keys)
        surroundings = (stack.redis.url, endpoint, GOLDEN_STREAM, rules.domain)
        reader = context.Process(target=watch, args=(*surroundings, started, stopping, outcome), daemon=True)
        reader.start()
        parts.callback(reader.kill)
        workers = _start_workers(stack, options.rules)
        parts.callback(lambda: [worker.stop() for worker in workers])
        assert started.wait(WAIT_S_MAX), "the reader looks before anything happens"
        began_s = time.monotonic()
        _stream_while_killing(stack, rules, workers, events, options)
        delivered = _delivered(stack, rules)
        _settle(stack, rules, workers, delivered)
        for worker in workers:
            worker.stop()
        seconds = time.monotonic() - began_s
        stopping.set()
        watched: Watched = outcome.get(timeout=WAIT_S_MAX)
        archived = sum(1 for _ in open_archive((folder / ARCHIVE_FOLDER).as_uri()).read_new(rules.domain, set()))
        digests = _digests(stack, rules, delivered.events)
    _report(workers, delivered, archived, watched, seconds)
    for name, digest in digests.items():
        print(f"  {digest}  {name}")
    right = len(set(digests.values())) == 1 and not watched.violations
    print(
        "all is right" if right else f"SOMETHING IS WRONG: repeat it with --seed {options.seed}, and look with --keep"
    )
    return int(not right)


def _start_workers(stack: LocalStack, rules: Path) -> list[Worker]:
    folder = stack.state_dir / "workers"
    feed = KinesisFeed(stack.kinesis.client("kinesis"), CHANGES_STREAM)
    workers = [Worker(shard.shard_id, lane, folder) for shard in feed.shards() for lane in range(LANES)]
    folder.mkdir()
    for worker in workers:
        _start(worker, stack, rules)
    _wait_for(lambda: all(worker.is_ready for worker in workers), workers)
    return workers


def _start(worker: Worker, stack: LocalStack, rules: Path) -> None:
    settings = resolve_settings(stack.state_dir, stack.redis.url, stack.kinesis.endpoint_url, [str(rules)])
    environment = loopback_environment(stack.kinesis.endpoint_url, stack.kinesis.keys, os.environ)
    worker.start(stack.kinesis.endpoint_url, environment | settings.to_environment())


def _stream_while_killing(
    stack: LocalStack, rules: Ruleset, workers: Sequence[Worker], events: Sequence[ChangeEvent], options: Any
) -> None:
    """Put the events on the stream in slices; after each, kill some workers while they work on it."""
    randomness = random.Random(options.seed)
    delivery = [*events, *randomness.sample(list(events), round(len(events) * DUPLICATE_FRACTION))]
    randomness.shuffle(delivery)
    rounds: list[int] = []
    while (left := options.kills - sum(rounds)) > 0:
        rounds.append(min(left, randomness.randint(1, VICTIMS_MAX)))
    clock = _clock_of(stack, rules)
    if not delivery:
        raise SystemExit("there are no events: do the rules name the sources of these files?")
    print(f"{len(delivery):,} events for {len(workers)} workers, {sum(rounds)} kills to come, seed {options.seed}")
    with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
        for number, victims in enumerate(rounds):
            before = clock()
            for event in delivery[number * len(delivery) // len(rounds) : (number + 1) * len(delivery) // len(rounds)]:
                publisher.put(encode_event(event), f"{event.domain}/{event.refs[0]}")
            publisher.flush()
            _wait_for(
                lambda before=before, victims=victims: (  # type: ignore[misc]
                    clock() > before and sum(worker.is_ready for worker in workers) >= victims
                ),
                workers,
            )
            time.sleep(randomness.uniform(0, DELAY_S_MAX))
            for worker in randomness.sample([worker for worker in workers if worker.is_ready], victims):
                worker.check()
                worker.kill(rewind=randomness.random() < REWIND_CHANCE)
                _start(worker, stack, options.rules)


def _settle(stack: LocalStack, rules: Ruleset, workers: Sequence[Worker], delivered: Delivered) -> None:
    """Wait until every lane is done to its last record, and nothing waits in the index."""
    index = RedisIndex(stack.redis.client(), rules)
    ends = {(worker.shard_id, worker.lane): worker for worker in workers}
    _wait_for(lambda: all(ends[lane].has_done(last) for lane, last in delivered.last.items()), workers)
    _wait_for(lambda: not index.pending(1) and not index.read(1), workers)


def _delivered(stack: LocalStack, rules: Ruleset) -> Delivered:
    """Read the change stream from its beginning."""
    decoder = Decoder({rules.domain: rules})
    delivered = Delivered()
    feed = KinesisFeed(stack.kinesis.client("kinesis"), CHANGES_STREAM)
    for shard in feed.shards():
        position = None
        while (fetched := feed.fetch(shard.shard_id, position, "TRIM_HORIZON")).records:
            for record in fetched.records:
                delivery = Delivery.from_kinesis(record.data, record.sequence, record.arrived_s)
                delivered.events += decoder.decode(delivery)
                delivered.last[shard.shard_id, lane_of(record)] = position = record.sequence
    return delivered


def _digests(stack: LocalStack, rules: Ruleset, events: Sequence[ChangeEvent]) -> dict[str, str]:
    """Return the digests of what the workers made, of what one worker makes, and of what the reference says."""
    client = stack.redis.client()
    single = RedisIndex(client, rules, "single")
    engine = Engine(rules, single)
    for start in range(0, len(events), SINGLE_BATCH_SIZE):
        assert not engine.process(events[start : start + SINGLE_BATCH_SIZE]).failed, (
            "nothing disturbs the single worker"
        )
    engine.drain()
    return {
        "the killed workers": digest_of(RedisIndex(client, rules).snapshot()),
        "a single worker": digest_of(single.snapshot()),
        "the reference": digest_of(resolve(rules, events)),
    }


def _report(workers: Sequence[Worker], delivered: Delivered, archived: int, watched: Watched, seconds: float) -> None:
    kills, rewinds = sum(worker.kills for worker in workers), sum(worker.rewinds for worker in workers)
    count = len(delivered.events)
    print(f"{count:,} events by {len(workers)} processes over {SHARDS} shards in {seconds:,.0f} s")
    print(f"  {kills} kills, {rewinds} of them with the position put back; {archived - count:,} redeliveries finished")
    print(
        f"  reader: {watched.checks:,} checks of {watched.moments:,} different moments; {watched.changes:,} changes, "
        f"{watched.repeated:,} published more than once; at the end {watched.golden:,} golden records of "
        f"{watched.crosswalk:,} records, {watched.redirects:,} redirects"
    )
    print(f"  violations {watched.violations.total()}")
    for kind, number in watched.violations.most_common():
        print(f"    {number:,} times: {kind}")
    for example in watched.examples:
        print(f"      {example}")


def _clock_of(stack: LocalStack, rules: Ruleset) -> Callable[[], int]:
    client = stack.redis.client()
    meta = epoch_prefix("main", rules.domain, 1) + "meta"
    return lambda: int(client.hget(meta, "clock") or 0)  # type: ignore[arg-type]


def _wait_for(condition: Callable[[], bool], workers: Sequence[Worker]) -> None:
    """Wait until a condition holds; fail if it does not in time, or if a worker has ended meanwhile."""
    deadline_s = time.monotonic() + WAIT_S_MAX
    while not condition():
        for worker in workers:
            worker.check()
        if time.monotonic() > deadline_s:
            raise SystemExit(f"it has not come to an end within {WAIT_S_MAX:g} s: see the workers' logs, with --keep")
        time.sleep(POLL_S)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rules", type=Path, default=RULES_DEFAULT, help="a rules file; by default the population's")
    parser.add_argument("--kills", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=5_000, help="of the files, in the order of their keys")
    parser.add_argument("--people", type=int, default=700, help="of the population, if there are no files")
    parser.add_argument("--as-it-is", action="store_true", help="add nothing to what the files say")
    parser.add_argument("--keep", type=Path, help="a new folder that keeps everything, the workers' logs too")
    options = parser.parse_args()
    options.rules = options.rules.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
