"""Rebuild a domain: fill a new epoch from the archive while events keep coming, and put it in the old one's place.

1. *Fill.* A new epoch is begun. The archived records are folded, one state a record key, and given to engines that
write the new epoch, which says nothing to the feed. 2. *Compare.* What was published is read from feed and warehouse,
what is archived meanwhile is filled in, and the differences between the two are put into the new epoch's outbox. This
goes on until little is left. 3. *Fence.* From here on nobody writes to the old epoch; Lambda redelivers consumers'
batches. What the old epoch had still to publish is published. 4. *Finish.* The last archived records are filled in, the
rest of the feed is read, and what differs still is put into the outbox. A consumer that had committed to the old epoch
and not archived yet finds that the epoch has changed, and its batch is delivered again: to the new one. 5. *Switch.*
One step makes the new epoch the live one. The old one's keys are deleted.

So writers are held (3 to 5) for what came in while the last pass of 2 ran, however large the domain is, and however
much of it new rules change.

**Why nothing is published behind its back.** After the fence two kinds of consumers may still publish changes of the
old epoch. One has read them from the index that is there. They are in its outbox until they are acknowledged, which
follows their publication; so once the rebuild has published that outbox, all of them are on the feed, and what a slow
consumer adds are repetitions. The other has read them from an index that is gone, or from a server whose last writes
are: those changes are in no outbox, and the feed may get them late. Only these are waited for. It began before the
rebuild did: the new epoch lives on one server from its first key to the switch, which is refused on any other, and no
commit or confirmation passes on a server that lost something. A consumer publishes only what a witness covers that was
archived before; so if the live epoch has come as far as the archive's witness, read after the new epoch was begun,
everything that may be published is in it, and nobody is waited for: new rules, another F, a restarted Redis that lost
nothing. Otherwise the time of one invocation, ``publish_grace_s``, is let pass since the new epoch was begun. The fill
runs meanwhile, and what is left of that time is waited for before the fence.

**Why the early comparison is exact.** What it puts into the outbox counts as published from then on, as it will for
readers: under a greater epoch than all that the old epoch may still say, which therefore changes nothing about those
golden ids. The comparison after the fence is between all of that and the finished epoch.

Killed anywhere, it leaves an epoch that nobody reads; the next rebuild begins another one and deletes what was left.
Killed between fence and switch, it leaves the fence too, which the next rebuild lifts as it begins, and so does
``mdm-stream release DOMAIN --abandon-rebuild``. One that a newer rebuild has overtaken holds nobody: it cannot go live
any more, and ends at the fence. Redis holds both epochs meanwhile, so it needs room for twice the domain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain

from mdm_stream.archive import Archive, is_written_in_bulk
from mdm_stream.contracts.golden import parse_envelope
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.plan import changes
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import DeclinedError, MdmError, TransientError
from mdm_stream.feed.envelope import change_message
from mdm_stream.feed.published import PublishedState
from mdm_stream.feed.publisher import FeedPublisher, publish_outbox
from mdm_stream.index.port import OutboxEntry
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.epochs import Epochs
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.kept import keep, note_taken_out
from mdm_stream.rebuild.difference import differences, evidence_differences
from mdm_stream.rebuild.fill import Fill, Filling, FirstFill, Progress
from mdm_stream.rebuild.kept import digest_of_exclusions
from mdm_stream.rebuild.load import LoadCounters
from mdm_stream.rebuild.new_epoch import NewEpoch
from mdm_stream.rebuild.read_published import Published


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """How a rebuild goes about it.

    ``workers`` processes fill the new epoch, ``batch_size`` records at a time. ``states_max`` folded records are in
    memory at once (some 2 KB each; fewer if they are large). Catching up goes on until a pass finds no more than
    ``rows_behind_max`` new rows, at most ``passes_max`` times: what is left then is filled in while writers are held.
    ``publish_grace_s``: how long, counted from the begin of the rebuild, a consumer may still be publishing what it
    read from an index that was lost; that of Lambda's function time-out.

    ``first`` fills in what is archived already, in place of this process's workers. ``approve`` is asked with the new
    epoch once that has caught up, before anybody is held: if it says no, the epoch is dropped (``DeclinedError``).
    ``keep_before``: the epoch that is replaced is kept for going back to (``index.redis.kept``).
    """

    workers: int = 2
    batch_size: int = 1_000
    states_max: int = 100_000
    rows_behind_max: int = 100
    passes_max: int = 10
    publish_grace_s: float = 60.0
    first: FirstFill | None = None
    approve: Callable[[int], bool] = lambda _epoch: True
    keep_before: bool = False

    def filling(self, on_progress: Progress) -> Filling:
        """Return what of it concerns the filling of an epoch."""
        return Filling(
            self.workers,
            self.batch_size,
            self.states_max,
            self.rows_behind_max,
            self.passes_max,
            on_progress,
            self.first,
        )


@dataclass(slots=True)
class RebuildReport:
    """What a rebuild did. ``replaced``: the epoch before (0: it was gone). ``told``: changes for the feed. Times in
    seconds. ``rules_digest``: the rules, and the F, that the new epoch is of.

    ``held_s`` is how long writers were held, ``waited_s`` how long the rebuild waited before that for consumers that
    might still publish what they had read from a lost index. ``rejected`` counts archived records that the rules do not
    accept (any more), by reason: they stay in the archive and have no part in the new state. So does one that meets an
    unexpected fault (``engine_fault``); ``faults`` counts these by type and place. ``excluded`` counts events that were
    taken out of it (``archive.source_marks``); these stay there too.
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
    waited_s: float = 0.0
    held_s: float = 0.0
    excluded: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)


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
        published: Published,
        options: RebuildOptions | None = None,
        on_progress: Progress = lambda _what, _done, _expected: None,
    ) -> None:
        self._rules = rules
        self._redis_url = redis_url
        self._namespace = namespace
        self._archive = archive
        self._golden = golden
        self._published = published
        self._sleep = time.sleep
        self._options = options or RebuildOptions()
        self._filling = self._options.filling(on_progress)
        self._on_progress = on_progress
        self._client = open_client(redis_url)
        self._epochs = Epochs(self._client, rules, namespace)
        self._fill: Fill | None = None
        self._said = PublishedState(rules.domain)
        self._has_lost = self._was_asked = False

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
                if isinstance(error, DeclinedError) or self._was_asked:
                    self._epochs.drop(epoch)
                overtaken = self._epochs.live() > epoch
            if overtaken and isinstance(error, TransientError):
                raise TransientError(
                    f"a newer rebuild than that of epoch {epoch} has overtaken it, and is live"
                ) from error
            raise
        try:
            publish_outbox(RedisIndex(self._client, self._rules, self._namespace, create=False), self._golden)
        finally:  # what could not be published waits for the consumers; the old epoch has nothing for anybody
            self._epochs.drop_before(epoch, but=report.replaced if self._options.keep_before else 0)
        self._note_excluded(epoch)
        counters = self._counters
        report.rows, report.events, report.states = counters.rows, counters.events, counters.states
        report.excluded = counters.excluded
        report.rejected, report.faults = dict(counters.rejected), dict(counters.faults)
        return report

    def _build(self, report: RebuildReport) -> None:
        """Fill the new epoch, and switch to it."""
        began_s = time.monotonic()
        self._has_lost = self._epochs.has_lost(self._archive.witness(self._rules.domain))
        grace_s = self._options.publish_grace_s if self._has_lost else 0.0
        fill = Fill(
            self._rules,
            self._redis_url,
            self._client,
            self._namespace,
            self._archive,
            report.epoch,
            self._filling,
        )
        self._fill, index = fill, fill.index
        note_taken_out(
            self._client, self._namespace, self._rules.domain, report.epoch, digest_of_exclusions(fill.exclusions)
        )
        fill.everything()
        self._require_approval(report.epoch)
        index.look()
        self._on_progress("reading feed and warehouse", 0, 0)
        self._published.read(self._said)
        # Whatever was published by now is archived: this pass fills it in, and what it touches is still under way.
        fill.rest()
        report.told = self._announce(index, but=index.look())
        report.fill_s = time.monotonic() - began_s
        report.waited_s = self._wait(began_s + grace_s - time.monotonic())
        fill.catch_up()
        self._published.read(self._said)
        self._on_progress("holding writers", 0, 0)
        held_since_s = time.monotonic()
        fenced = self._epochs.fence(report.epoch)
        if fenced is None:
            raise TransientError(_cannot_go_live(report.epoch))
        report.replaced = fenced
        self._let_the_old_one_publish(report.replaced)
        fill.rest()
        self._published.finish(self._said)
        index.look()
        report.told += self._announce_erasures(index) + self._announce(index)
        report.golden = len(index.digests)
        self._keep_witness(index.position())
        if self._options.keep_before and report.replaced and not self._has_lost:
            # Its consumers and its own fill have put these into it; what was archived in bulk since may not be in it.
            objects = [name for name in fill.objects if not is_written_in_bulk(name)]
            keep(self._client, self._namespace, self._rules.domain, report.replaced, objects, digest_of_exclusions(()))
        self._switch(report.epoch)
        report.held_s = time.monotonic() - held_since_s
        self._on_progress(f"switched to epoch {report.epoch}; writers were held for {report.held_s:.1f} s", 0, 0)

    def _require_approval(self, epoch: int) -> None:
        try:
            approved = self._options.approve(epoch)
        except BaseException:
            self._was_asked = True
            raise
        if not approved:
            raise DeclinedError(
                f"epoch {epoch} of domain {self._rules.domain!r} was not approved, and is dropped; nothing has changed"
            )

    def _wait(self, seconds: float) -> float:
        """Wait for consumers that may be publishing what they read from an index that is gone; return how long."""
        if seconds <= 0:
            return 0.0
        self._on_progress("waiting for consumers that may publish what they read from the lost index", 0, 0)
        self._sleep(seconds)
        return seconds

    def _switch(self, epoch: int) -> None:
        if not self._epochs.go_live(epoch, self._said.told_us):
            raise TransientError(_cannot_go_live(epoch))

    @property
    def _counters(self) -> LoadCounters:
        return LoadCounters() if self._fill is None else self._fill.counters

    def _note_excluded(self, epoch: int) -> None:
        if self._fill is not None:
            self._archive.sources(self._rules.domain).note_applied(self._fill.exclusions, epoch)

    def _keep_witness(self, reached: EpochPosition) -> None:
        self._archive.append(self._rules.domain, [], reached)

    def _let_the_old_one_publish(self, epoch: int) -> None:
        """Publish what waits in the old epoch's outbox.

        What is published is witnessed first, here too: should this rebuild fail, the old epoch goes on.
        """
        if epoch:
            self._keep_witness(self._epochs.reached(epoch))
            publish_outbox(RedisIndex(self._client, self._rules, self._namespace, building=epoch), self._golden)

    def _announce_erasures(self, index: NewEpoch) -> int:
        """Put the erasures that were not told into the outbox; return how many."""
        refs = sorted(self._counters.erased - self._said.erased)
        return index.announce(changes.erased(self._rules, ref) for ref in refs)

    def _announce(self, index: NewEpoch, but: Collection[str] = ()) -> int:
        """Put the differences to what was published into the outbox, where they count as published; return how many."""
        told = 0

        def note(entry: OutboxEntry) -> None:
            nonlocal told
            self._said.apply(parse_envelope(change_message(entry)[1]))
            told += 1
            if told % self._options.batch_size == 0:
                self._on_progress("telling differences", told, 0)

        found = differences(self._rules, self._said, index.digests, index.crosswalk, index.contents, but)
        present, is_all = index.evidence(self._said.take_fresh_evidence())
        evidence = evidence_differences(self._rules, self._said, present, is_all=is_all)
        count = index.announce(chain(found, evidence), note)
        self._said.take_fresh_evidence()  # what this has said itself
        return count


def _cannot_go_live(epoch: int) -> str:
    return (
        f"a newer rebuild was begun while epoch {epoch} was built, Redis failed over, or "
        "`mdm-stream release --abandon-rebuild` was run; let the newer one finish, or rebuild again"
    )
