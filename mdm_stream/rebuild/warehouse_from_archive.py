"""What an archive says of a domain, as messages of the golden feed: for a warehouse whose snapshot is gone too.

The archived events are folded and resolved by the engine into an index in this process's memory, by the rules of today.
Its state is F of all that was delivered, as that of the live index is: golden records, their values and provenance, the
crosswalk of live records, and the evidence that the rules publish are equal to what the feed says. The archive knows
nothing of the feed, so what only that said is not there: how golden records came to be (history, retired ids and where
they lead, records that were deleted), rejected events and loads of files. Rules version and digest are those of the
rules that are given.

**Positions.** Each message stands below everything that the live feed will say: in the epoch before the archive's
witness, or, of a domain in its first epoch, among numbers that its feed has used already. So whatever comes from the
feed is newer, in any order. The time of commit is that of the replay.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain

from mdm_stream.archive import Archive
from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.plan import changes
from mdm_stream.core.plan.commit import OutboxChange
from mdm_stream.core.reference import Resolution
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.faults import FaultCircuit
from mdm_stream.engine.worker import apply_isolated
from mdm_stream.errors import TerminalError
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.port import OutboxEntry
from mdm_stream.rebuild.load import LoadCounters, states_of
from mdm_stream.rebuild.present_evidence import all_said
from mdm_stream.settings import EngineSettings

STATES_MAX = 100_000
BATCH_SIZE = 1_000
OUTBOX_READ_MAX = 1_000

Progress = Callable[[str, int, int], None]


class ArchiveReplay:
    """The replay of one domain. It takes memory for the domain's whole index, some ten kilobytes a record."""

    def __init__(
        self,
        rules: Ruleset,
        archive: Archive,
        *,
        on_progress: Progress = lambda _what, _done, _expected: None,
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        """Take the rules to resolve by, and the archive."""
        self._rules = rules
        self._archive = archive
        self._on_progress = on_progress
        self._clock_us = clock_us
        self.counters = LoadCounters()

    def messages(self) -> Iterator[bytes]:
        """Yield the messages, erasures first. ``TerminalError`` if the archive's witness leaves no room for them."""
        witness = self._archive.witness(self._rules.domain)
        if witness is None:
            return
        began_us = self._clock_us()
        index = self._resolved()
        resolution = index.snapshot()
        evidence = {key: change for key, change in all_said(index, self._rules) if change is not None}
        erased = sorted(self.counters.erased)
        count = len(erased) + len(resolution.golden) + len(evidence)
        if witness.epoch == 1 and count > witness.sequence:
            raise TerminalError(
                f"the archive of domain {self._rules.domain!r} holds {count:,} golden records, erasures and pieces of "
                f"evidence, its feed has had {witness.sequence:,} messages only: rebuild the domain's index, which "
                "tells the feed all"
            )
        epoch = max(1, witness.epoch - 1)
        for sequence, change in enumerate(chain(self._changes(erased, resolution), evidence.values()), start=1):
            yield change_message(OutboxEntry(epoch, sequence, change.content, began_us))[1]

    def _resolved(self) -> MemoryIndex:
        rules = self._rules
        index = MemoryIndex(rules)
        engine, circuit = Engine(rules, index), FaultCircuit(EngineSettings().faults_in_a_row_max)
        rows = self._archive.read_new(rules.domain, set())
        exclusions = self._archive.sources(rules.domain).read().exclusions
        decoder = Decoder({rules.domain: rules}, archived=True)
        for states in states_of(rows, rules.domain, decoder, self.counters, STATES_MAX, exclusions=exclusions):
            for start in range(0, len(states), BATCH_SIZE):
                applied = apply_isolated(engine, states[start : start + BATCH_SIZE], circuit)
                for _, fault in applied.faulty:
                    self.counters.refuse(fault.rejection)
                _forget_outbox(index)
                self._on_progress("resolving the archive", self.counters.states, 0)
        engine.drain()
        return index

    def _changes(self, erased: list[str], resolution: Resolution) -> Iterator[OutboxChange]:
        for ref in erased:
            yield changes.erased(self._rules, ref)
        for golden_id, content in resolution.golden.items():
            yield changes.upserted(self._rules, golden_id, canonical_json(content), ())


def _forget_outbox(index: MemoryIndex) -> None:
    while entries := index.read(OUTBOX_READ_MAX):
        index.acknowledge(entries)
