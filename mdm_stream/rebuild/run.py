"""Rebuild a domain: fill a new epoch from the archive while events keep coming, and put it in the old one's place.

1. *Fill.* A new epoch is begun. The archived records are folded, one state a record key, and given to engines that
write the new epoch, which says nothing to the feed. What is archived meanwhile is filled in, until little is left. 2.
*Fence.* From here on nobody writes to the old epoch; consumers fail their batches, which come again. What the old
epoch had still to publish is published. 3. *Finish.* The last archived records are filled in. Whoever had committed to
the old epoch and not archived yet finds that the epoch has changed, and has its batch delivered again: to the new one.
4. *Tell.* What was published, according to warehouse and feed, is compared with the new golden records, and the
differences are put into the new epoch's outbox. 5. *Switch.* One step makes the new epoch the live one. The old one's
keys are deleted.

Killed anywhere, it leaves an epoch that nobody reads; the next rebuild begins another one and deletes what was left.
Redis holds both epochs meanwhile, so it needs room for twice the domain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import redis

from mdm_stream.archive import Archive, Witness
from mdm_stream.core.fold import Delivered
from mdm_stream.core.plan import changes
from mdm_stream.core.plan.commit import Change
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.worker_pool import WorkerPool
from mdm_stream.errors import MdmError, TransientError
from mdm_stream.feed.published import PublishedState
from mdm_stream.feed.publisher import FeedPublisher, publish_outbox
from mdm_stream.index.port import Position
from mdm_stream.index.redis.epochs import Epochs
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.difference import differences
from mdm_stream.rebuild.load import LoadCounters, states_of
from mdm_stream.replay.delivery import lane_of

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """How a rebuild goes about it.

    ``workers`` processes fill the new epoch, ``batch_size`` records at a time. ``states_max`` folded records are in
    memory at once (some 2 KB each). Catching up goes on until a pass finds no more than ``rows_behind_max`` new rows,
    at most ``passes_max`` times: what is left then is filled in while writing is held back. ``publish_grace_s``: how
    long a consumer may still be publishing what it read from an index that is gone since; that of Lambda's function
    time-out.
    """

    workers: int = 2
    batch_size: int = 1_000
    states_max: int = 100_000
    rows_behind_max: int = 1_000
    passes_max: int = 10
    publish_grace_s: float = 60.0


@dataclass(slots=True)
class RebuildReport:
    """What a rebuild did. ``replaced``: the epoch before (0: it was gone). ``told``: changes for the feed. Times in
    seconds. ``rules_digest``: the rules, and the F, that the new epoch is of.

    ``held_s`` is how long writing was held back. ``rejected`` counts archived records that the rules do not accept (any
    more), by reason: they stay in the archive and have no part in the new state.
    """

    domain: str
    epoch: int
    rules_digest: str
    replaced: int = 0
    rows: int = 0
    events: int = 0
    states: int = 0
    golden: int = 0
    told: int = 0
    fill_s: float = 0.0
    held_s: float = 0.0
    rejected: dict[str, int] = field(default_factory=dict)


class Rebuild:
    """One rebuild of one domain. ``published`` reads what was published until now, from warehouse and feed."""

    def __init__(
        self,
        rules: Ruleset,
        redis_url: str,
        namespace: str,
        *,
        archive: Archive,
        golden: FeedPublisher,
        published: Callable[[], PublishedState],
        options: RebuildOptions | None = None,
        on_progress: Progress = lambda _what, _done, _expected: None,
    ) -> None:
        self._rules = rules
        self._redis_url = redis_url
        self._namespace = namespace
        self._archive = archive
        self._golden = golden
        self._published = published
        self._options = options or RebuildOptions()
        self._on_progress = on_progress
        self._client = redis.Redis.from_url(redis_url)
        self._epochs = Epochs(self._client, rules, namespace)
        self._decoder = Decoder({rules.domain: rules}, archived=True)
        self._seen: set[str] = set()
        self._counters = LoadCounters()

    def run(self) -> RebuildReport:
        """Make the new epoch and switch to it. The old one goes on if this fails before the switch."""
        witnessed = self._archive.witness(self._rules.domain)
        epoch = self._epochs.begin(above=0 if witnessed is None else witnessed.epoch)
        report = RebuildReport(self._rules.domain, epoch, self._rules.digest)
        try:
            self._build(report)
        except BaseException as error:
            overtaken = False
            with suppress(MdmError):  # what went wrong is what is to be told
                self._epochs.abandon(epoch)
                overtaken = self._epochs.live() > epoch
            if overtaken and isinstance(error, TransientError):
                raise TransientError(
                    f"a newer rebuild than that of epoch {epoch} has overtaken it, and is live"
                ) from error
            raise
        try:
            publish_outbox(RedisIndex(self._client, self._rules, self._namespace, create=False), self._golden)
        finally:  # what could not be published waits for the consumers; the old epoch has nothing for anybody
            self._epochs.drop_before(epoch)
        counters = self._counters
        report.rows, report.events, report.states = counters.rows, counters.events, counters.states
        report.rejected = dict(counters.rejected)
        return report

    def _build(self, report: RebuildReport) -> None:
        """Fill the new epoch, and switch to it."""
        epoch = report.epoch
        index = RedisIndex(self._client, self._rules, self._namespace, building=epoch)
        engine = Engine(self._rules, index)
        began_s = time.monotonic()
        self._fill_by_workers(epoch)
        for _ in range(self._options.passes_max):
            if self._fill(engine) <= self._options.rows_behind_max:
                break
        engine.drain()
        held_since_s = time.monotonic()
        report.fill_s = held_since_s - began_s
        intact = self._epochs.is_intact()
        report.replaced = self._epochs.fence()
        self._let_the_old_one_publish(report.replaced, intact=intact)
        self._fill(engine)
        engine.drain()
        report.told = index.announce(self._what_to_tell(index, report))
        self._keep_witness(index.position())
        self._switch(epoch)
        report.held_s = time.monotonic() - held_since_s

    def _switch(self, epoch: int) -> None:
        if not self._epochs.go_live(epoch):
            raise TransientError(
                f"a newer rebuild was begun while epoch {epoch} was built, or Redis failed over; "
                "let the newer one finish, or rebuild again"
            )

    def _keep_witness(self, reached: Position) -> None:
        witness = Witness(reached.epoch, reached.clock, reached.sequence)
        self._archive.append(self._rules.domain, [], witness)

    def _fill_by_workers(self, epoch: int) -> None:
        """Fill in all that is archived, by several processes."""
        size = self._options.workers
        arguments = (self._redis_url, {self._rules.domain: self._rules}, self._namespace, epoch)
        with WorkerPool(size, arguments, lambda done: self._on_progress("filling", done, 0)) as pool:
            lanes: list[list[Delivered]] = [[] for _ in range(size)]
            for states in self._states():
                for delivered in states:
                    lane = lane_of(delivered, size)
                    lanes[lane].append(delivered)
                    if len(lanes[lane]) >= self._options.batch_size:
                        pool.put(lane, lanes[lane])
                        lanes[lane] = []
            for lane, rest in enumerate(lanes):
                if rest:
                    pool.put(lane, rest)
            pool.finish()

    def _fill(self, engine: Engine) -> int:
        """Fill in what has been archived since the last time; return how many rows that were."""
        before = self._counters.rows
        for states in self._states():
            for start in range(0, len(states), self._options.batch_size):
                _require_done(engine, states[start : start + self._options.batch_size])
        return self._counters.rows - before

    def _states(self) -> Iterator[list[Delivered]]:
        rows = self._archive.read_new(self._rules.domain, self._seen)
        return states_of(rows, self._rules.domain, self._decoder, self._counters, self._options.states_max)

    def _let_the_old_one_publish(self, epoch: int, *, intact: bool) -> None:
        """Publish what waits in the old epoch's outbox; wait for those who may be publishing what is not there any
        more.

        What is published is witnessed first, here too: should this rebuild fail, the old epoch goes on.
        """
        if epoch:
            self._keep_witness(self._epochs.reached(epoch))
            publish_outbox(RedisIndex(self._client, self._rules, self._namespace, building=epoch), self._golden)
        if not intact:
            time.sleep(self._options.publish_grace_s)

    def _what_to_tell(self, index: RedisIndex, report: RebuildReport) -> Iterator[Change]:
        """Yield the erasures that were not told, and then what else differs from what was published."""
        published = self._published()
        crosswalk = index.scan_crosswalk()
        report.golden = len(set(crosswalk.values()))
        for ref in sorted(self._counters.erased - published.erased):
            yield changes.erased(self._rules, ref)
        yield from differences(self._rules, published, index.scan_golden(), crosswalk)


def _require_done(engine: Engine, states: Sequence[Delivered]) -> None:
    outcome = engine.process(states)
    if outcome.failed:
        raise TransientError(f"the new epoch could not be filled: {outcome.cause}")
