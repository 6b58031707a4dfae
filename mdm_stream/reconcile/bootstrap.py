"""The first epoch of a domain, from everything that its archive holds: for millions of records before the first event.

1. *Begin.* The epoch is one that is being built, so consumers that start meanwhile wait, and the stream keeps what they
have to do. 2. *Fill.* F of the archive is recomputed on Spark, and Spark's tasks write the epoch. 3. *Tell.* What a
feed would have been told of all of it goes into the feed's snapshot and the warehouse, under the first numbers of the
epoch: readers of the feed take a snapshot first, and go on with the stream from its marks. 4. *Switch.* The epoch is
live; consumers go on at the place of the stream where they were. 5. *Rest.* What was archived since the archive was
listed is applied as consumers apply it, and told through the stream.

Each step is a function of the archive's objects that were listed, of the epoch and of the time at which the job was
begun, and may be repeated. A job that is run again in its workspace goes on in its epoch, if the same sources are taken
out, and does the rest of one that it has put live. Otherwise it is another job, which tells nothing twice: as something
was told of the domain, it refuses, and a rebuild puts it right.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from mdm_stream.archive import Archive
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.faults import FaultCircuit
from mdm_stream.engine.worker import apply_isolated
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.feed.published import PublishedState
from mdm_stream.feed.publisher import FeedPublisher, publish_outbox
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.epochs import Epochs
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.objects.store import MissingObjectError
from mdm_stream.rebuild.fill import Progress
from mdm_stream.rebuild.kept import digest_of_exclusions
from mdm_stream.rebuild.load import LoadCounters, states_of
from mdm_stream.rebuild.read_published import Published
from mdm_stream.reconcile.spark_fill import SparkFill
from mdm_stream.reconcile.told_messages import told_messages
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.settings import EngineSettings

STATES_MAX = 20_000
BATCH_SIZE = 500
_TELLING = "telling"
"""In the workspace: the job that has begun to tell."""
_FILLED = "filled.json"
"""In the workspace: the epoch that the job puts live, and the objects of the archive that are in it."""

Done = TypeVar("Done")

Tell = Callable[[Iterable[bytes]], None]
"""Takes messages of the feed, each once or more, in no order. What it has taken it keeps."""


@dataclass(slots=True)
class BootstrapReport:
    """What a bootstrap did.

    ``told``: messages of the feed's snapshot. ``calls`` to Redis, of ``bytes_written`` bytes. ``later``: records whose
    events were archived meanwhile. ``steps``: seconds of each.
    """

    domain: str
    epoch: int
    rules_digest: str
    records: int = 0
    golden: int = 0
    told: int = 0
    calls: int = 0
    bytes_written: int = 0
    later: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)


class Bootstrap:
    """One bootstrap of one domain. ``tell`` takes what is told to the snapshot and the warehouse, ``golden`` publishes
    what comes after it. ``has_told``: whether a snapshot of the feed has anything of the domain.
    """

    def __init__(
        self,
        fill: SparkFill,
        archive: Archive,
        *,
        published: Published,
        tell: Tell,
        golden: FeedPublisher,
        has_told: Callable[[], bool] = lambda: False,
        on_progress: Progress = lambda _what, _done, _expected: None,
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self._fill = fill
        self._rules: Ruleset = fill.rules
        self._namespace = fill.namespace
        self._client = open_client(fill.redis_url)
        self._archive = archive
        self._published = published
        self._tell = tell
        self._golden = golden
        self._has_told = has_told
        self._on_progress = on_progress
        self._clock_us = clock_us
        self._epochs = Epochs(self._client, self._rules, fill.namespace)

    def run(self) -> BootstrapReport:
        """Make the first epoch.

        ``TerminalError`` if the domain has an index, or anything was told of it: that is for a rebuild.
        ``TransientError`` if another one was begun meanwhile.
        """
        domain = self._rules.domain
        exclusions = self._archive.sources(domain).read().exclusions
        own = [domain, self._rules.digest, self._fill.workspace.url, digest_of_exclusions(exclusions)]
        job = digest_of(["bootstrap", *own])
        if (left := self._left_by(job)) is not None:
            return self._finished(*left)
        witnessed = self._archive.witness(domain)
        self._require_nothing_there(job)
        above = 0 if witnessed is None else witnessed.epoch
        epoch, began_us = self._epochs.begin_job(job, above, self._clock_us())
        if self._archive.sources(domain).read().exclusions != exclusions:
            raise TransientError(f"sources of domain {domain!r} were taken out, or put back, meanwhile; run it again")
        report = BootstrapReport(domain, epoch, self._rules.digest)
        filled = self._timed(report, "fill", lambda: self._fill(epoch, exclusions, self._on_progress))
        if not self._epochs.is_of_job(job):
            raise TransientError(self._overtaken(epoch))
        self._claim_telling(job)
        self._timed(report, "tell", lambda: self._tell_all(report, began_us))
        index = RedisIndex(self._client, self._rules, self._namespace, building=epoch)
        index.told_elsewhere(report.told)
        self._archive.append(domain, [], index.position())
        filled_with = {"job": job, "epoch": epoch, "objects": filled.objects}
        self._fill.workspace.store().put(_FILLED, orjson.dumps(filled_with))
        if not self._epochs.go_live(epoch, began_us):
            raise TransientError(self._overtaken(epoch))
        self._archive.sources(domain).note_applied(exclusions, epoch)
        self._timed(report, "rest", lambda: self._rest(report, set(filled.objects), filled.counters))
        report.rejected, report.faults = dict(filled.counters.rejected), dict(filled.counters.faults)
        return report

    def _left_by(self, job: str) -> tuple[int, Collection[str]] | None:
        """Return the epoch that the job has put live, and what it was filled with, unless the rest has been done."""
        try:
            left = orjson.loads(self._fill.workspace.store().get(_FILLED))
        except MissingObjectError:
            return None
        is_own = left["job"] == job and left["epoch"] == self._epochs.live()
        return (int(left["epoch"]), left["objects"]) if is_own else None

    def _finished(self, epoch: int, objects: Collection[str]) -> BootstrapReport:
        """Do the rest of a job that was ended after the switch. The report has what was done now."""
        report, counters = BootstrapReport(self._rules.domain, epoch, self._rules.digest), LoadCounters()
        exclusions = self._archive.sources(self._rules.domain).read().exclusions
        self._archive.sources(self._rules.domain).note_applied(exclusions, epoch)
        self._timed(report, "rest", lambda: self._rest(report, set(objects), counters))
        report.rejected, report.faults = dict(counters.rejected), dict(counters.faults)
        return report

    def _require_nothing_there(self, job: str) -> None:
        if self._epochs.live():
            raise TerminalError(
                f"domain {self._rules.domain!r} has an index already; make it anew, and tell what differs: "
                "mdm-stream rebuild --spark"
            )
        if not self._epochs.is_of_job(job):  # else what was told is its own
            self._require_nothing_told()

    def _claim_telling(self, job: str) -> None:
        """Note that what is told from now on is this job's; refuse if another one has told something meanwhile."""
        store = self._fill.workspace.store()
        try:
            claimed = store.get(_TELLING)
        except MissingObjectError:
            claimed = b""
        if claimed != job.encode():
            self._require_nothing_told()
            store.put(_TELLING, job.encode())

    def _require_nothing_told(self) -> None:
        domain, said = self._rules.domain, PublishedState(self._rules.domain)
        self._published.finish(said)
        witnessed = self._archive.witness(domain)
        if len(said) or said.erased or self._has_told() or (witnessed is not None and witnessed.epoch):
            raise TerminalError(
                f"the feed, its snapshot, the warehouse or the archive knows an index of domain {domain!r} already, so "
                "that differences have to be told: "
                "mdm-stream rebuild --spark"
            )

    def _overtaken(self, epoch: int) -> str:
        return (
            f"another epoch of domain {self._rules.domain!r} was begun while epoch {epoch} was filled, or Redis failed "
            "over; look which job is running, and rebuild once it has ended: mdm-stream rebuild --spark"
        )

    def _tell_all(self, report: BootstrapReport, began_us: int) -> None:
        computed, written = self._fill.computed, self._fill.written
        assert computed is not None, "the epoch was not filled"
        assert written is not None, "the epoch was not filled"
        state = computed.state
        report.records, report.golden = computed.counters.states, state.golden.count()
        report.calls, report.bytes_written = written.calls, written.bytes_written
        place = self._fill.workspace.within(f"told-{report.epoch}")
        messages = told_messages(place, WorkerRules.of(self._rules), state, report.epoch, began_us)
        report.told = messages.count
        self._on_progress("telling", 0, messages.count)
        self._tell(messages)

    def _rest(self, report: BootstrapReport, seen: set[str], counters: LoadCounters) -> None:
        """Apply what was archived meanwhile, as consumers do."""
        domain = self._rules.domain
        index = RedisIndex(self._client, self._rules, self._namespace, create=False)
        engine, circuit = Engine(self._rules, index), FaultCircuit(EngineSettings().faults_in_a_row_max)
        decoder = Decoder({domain: self._rules}, archived=True)
        exclusions = self._archive.sources(domain).read().exclusions
        later = LoadCounters()
        rows = self._archive.read_new(domain, seen)
        for states in states_of(rows, domain, decoder, later, STATES_MAX, exclusions):
            for start in range(0, len(states), BATCH_SIZE):
                applied = apply_isolated(engine, states[start : start + BATCH_SIZE], circuit)
                for _, fault in applied.faulty:
                    later.refuse(fault.rejection)
                self._archive.append(domain, [], index.position())
                publish_outbox(index, self._golden)
        engine.drain()
        self._archive.append(domain, [], index.position())
        publish_outbox(index, self._golden)
        self._fill.workspace.store().delete([_FILLED])
        report.later = later.states
        counters.rejected.update(later.rejected)
        counters.faults.update(later.faults)

    def _timed(self, report: BootstrapReport, step: str, do: Callable[[], Done]) -> Done:
        began_s = time.monotonic()
        found = do()
        report.steps[step] = round(time.monotonic() - began_s, 3)
        return found
