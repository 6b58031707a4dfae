"""One reconciliation of a domain: recompute F from the archive, compare, repair where wanted, and compare again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mdm_stream.archive import Archive, Exclusion
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.scan import open_scanner
from mdm_stream.reconcile.compare import Compare, CompareSettings, Reconciliation
from mdm_stream.reconcile.components import ROUNDS_MAX
from mdm_stream.reconcile.expected import Expected
from mdm_stream.reconcile.folded_states import OpenArchive
from mdm_stream.reconcile.recompute import Recomputed, recompute
from mdm_stream.reconcile.repair import Repair, RepairReport
from mdm_stream.reconcile.report import as_json
from mdm_stream.reconcile.workspace import StageProgress, Workspace
from mdm_stream.warehouse import Warehouse

if TYPE_CHECKING:
    import redis


STAGES = ("folded", "records", "blocks", "scored", "edges", "links", "resolved", "review", "compared")
"""What a reconciliation tells as it goes on, in this order; some have several tables, such as ``links-3``. A repair is
followed by ``compared-again``."""


def stage_number(stage: str) -> int:
    """Return how many of ``STAGES`` are begun or done, where this one is."""
    return STAGES.index(stage.partition("-")[0]) + 1


@dataclass(frozen=True, slots=True)
class LiveSides:
    """What is compared with F: the index, and the warehouse if there is one. ``golden`` publishes what a repair tells;
    without it that waits in the index's outbox for the consumers.
    """

    client: redis.Redis
    namespace: str
    warehouse: Warehouse | None = None
    golden: FeedPublisher | None = None


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How a reconciliation goes about it; ``repair``: mend what differs, and compare again."""

    repair: bool = False
    compare: CompareSettings = field(default_factory=CompareSettings)
    rounds_max: int = ROUNDS_MAX


@dataclass(slots=True)
class Run:
    """What a reconciliation did. ``found`` before a repair, ``after`` it; ``witness`` is how far the archive had come
    when it was listed, ``exclusions`` what its marks left out, ``stages`` the seconds of each stage.
    """

    domain: str
    rules_digest: str
    began_us: int
    witness: EpochPosition | None
    exclusions: tuple[Exclusion, ...]
    computed: Recomputed
    found: Reconciliation
    repaired: RepairReport | None = None
    after: Reconciliation | None = None
    stages: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs, or nothing differs any more."""
        return (self.after or self.found).is_clean


def reconcile(
    rules: Ruleset,
    opened: OpenArchive,
    live: LiveSides,
    tables: Workspace,
    options: JobOptions,
    on_stage: StageProgress = lambda _stage, _seconds: None,
) -> Run:
    """Reconcile one domain while its writers go on; see ``reconcile.compare`` for what that proves.

    ``tables`` is the job's own and gets values of records: the caller removes it. A call in the one of a job that was
    killed goes on with its recomputation. ``EpochChangedError`` if the index is rebuilt meanwhile.
    """
    began_us, began_s = time.time_ns() // 1_000, time.monotonic()
    archive = opened()
    stages: dict[str, float] = {}

    def note(stage: str, seconds: float) -> None:
        stages[stage] = round(seconds, 3)
        on_stage(stage, seconds)

    witness = archive.witness(rules.domain)
    exclusions = archive.sources(rules.domain).read().exclusions
    workspace = tables.within("recomputed", note)
    computed = recompute(tables.spark, workspace, rules, opened, exclusions=exclusions, rounds_max=options.rounds_max)
    state = computed.state
    expected = Expected(state.records, state.links, state.crosswalk, state.golden, state.review)

    def compared(name: str) -> Reconciliation:
        began = time.monotonic()
        own = tables.within(name)
        own.remove()  # of a job that was killed: what is live has changed since
        found = Compare(
            rules,
            expected,
            open_scanner(live.client, rules, live.namespace),
            archive,
            computed.objects,
            own,
            warehouse=live.warehouse,
            exclusions=exclusions,
            settings=options.compare,
        ).run()
        note(name, time.monotonic() - began)
        return found

    run = Run(rules.domain, rules.digest, began_us, witness, exclusions, computed, compared("compared"), stages=stages)
    if options.repair and not run.found.is_clean:
        run.repaired = _repair(rules, expected, archive, live, run)
        run.after = compared("compared-again")
    run.seconds = time.monotonic() - began_s
    return run


def run_report(run: Run) -> dict[str, Any]:
    """Return a run as a JSON object: what was found and what was read. No value of a record is in it."""
    computed, blocks = run.computed, run.computed.state.blocks
    report = as_json(run.found, run.repaired) | {
        "began_us": run.began_us,
        "rules_digest": run.rules_digest,
        "clean": run.is_clean,
        "seconds": round(run.seconds, 3),
        "archive": {
            "objects": len(computed.objects),
            "rows": computed.counters.rows,
            "events": computed.counters.events,
            "excluded": computed.counters.excluded,
            "rejected": dict(computed.counters.rejected),
            "faults": dict(computed.counters.faults),
            "witness": None
            if run.witness is None
            else {"epoch": run.witness.epoch, "clock": run.witness.clock, "sequence": run.witness.sequence},
        },
        "blocking": {
            "keys": blocks.keys,
            "suspended": blocks.suspended,
            "largest": blocks.largest,
            "pairs": blocks.pairs,
        },
        "stages": run.stages,
    }
    if run.after is not None:
        report["after_repair"] = as_json(run.after)
    return report


def _repair(
    rules: Ruleset,
    expected: Expected,
    archive: Archive,
    live: LiveSides,
    run: Run,
) -> RepairReport:
    index = RedisIndex(live.client, rules, live.namespace, create=False)
    listed = run.computed.objects
    return Repair(rules, expected, index, archive, listed, golden=live.golden, exclusions=run.exclusions).run(run.found)
