"""Every metric that is written: its unit, what kind it is, and what it counts. One list, for EMF and for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

MetricKind = Literal["counter", "gauge", "histogram"]
MetricUnitName = Literal["Count", "Milliseconds", "Seconds", "Bytes"]


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric. ``labels`` are the dimensions under which its samples are told apart; ``by`` is a further one, under
    which it is written once more: its values are names of the code or of the rules, and so are few.

    A ``counter`` says how many there were since the last sample, a ``gauge`` how it is now: several processes say the
    same of it.
    """

    name: str
    kind: MetricKind
    meaning: str
    unit: MetricUnitName = "Count"
    labels: tuple[str, ...] = ("service",)
    by: str = ""


def _counters(*named: tuple[str, str], by: str = "") -> Iterator[MetricDefinition]:
    for name, meaning in named:
        yield MetricDefinition(name, "counter", meaning, by=by)


_DOMAIN = ("service", "domain")
_SLOT = ("service", "slot")

_RESOLVE = (
    *_counters(
        ("Events", "records of the stream"),
        ("BatchesFailed", "batches of which a record has to be delivered again"),
        ("IndexInDoubt", "batches and ticks stopped because an index is in doubt"),
        ("DomainHeld", "batches and ticks stopped because writing to a domain is held"),
    ),
    *_counters(("Quarantined", "events kept in quarantine, those held included"), by="reason"),
    *_counters(
        ("EngineFaults", "events, and records that wait for re-evaluation, that met an unexpected fault"),
        ("Held", "events kept aside because their source is held"),
        ("Ignored", "rows of tables that the rules ignore"),
        ("Absorbed", "events that changed nothing: duplicates, stale ones"),
        ("AbsorbedLater", "writes that lost to ones made earlier: positions fall"),
        ("SuspectedHistories", "sources whose positions fall while their time goes on, with no history that says why"),
        ("VersionCollisions", "different events of one record and version"),
        ("CandidatePairs", "pairs scored"),
        ("Conflicts", "commits planned again, because another writer came first"),
        ("Reevaluated", "queued records evaluated again"),
        ("GoldenChanges", "changes of golden records committed"),
        ("Merges", "golden records that ended in another one"),
        ("MergeStorms", "domains whose merges went past their limit"),
        ("GoldenLarge", "golden records that have grown large"),
        ("FeedRefused", "messages that the feed's stream refuses for themselves"),
    ),
    *_counters(("ValuesSetAside", "values kept as delivered that count for nothing"), by="attribute"),
    *_counters(("KeysSuspended", "blocking keys that grew past max_block_size with the batch"), by="blocking_key"),
    *_counters(
        ("Unreplicated", "domains whose part of the batch was done with no replica of the index's server"),
        ("IndexCommands", "commands that the batch sent to the cache, a script counting as one"),
    ),
    MetricDefinition("IndexBytesWritten", "counter", "bytes of commits that the batch sent to the cache", "Bytes"),
    MetricDefinition(
        "EventToGolden", "histogram", "time from arrival on the stream to golden change, for every record done",
        "Milliseconds",
    ),
    MetricDefinition("OutboxDepth", "gauge", "golden changes that wait to be published", labels=_DOMAIN),
    MetricDefinition("OutboxAge", "gauge", "time that the oldest of these has waited", "Seconds", _DOMAIN),
    MetricDefinition("ReevaluationDepth", "gauge", "records that wait to be evaluated again", labels=_DOMAIN),
    MetricDefinition("ReviewDepth", "gauge", "open cases of the review queue", labels=_DOMAIN),
    MetricDefinition("ReviewAge", "gauge", "time since the oldest open case was opened", "Seconds", _DOMAIN),
)  # fmt: skip

_WAREHOUSE = (
    *_counters(
        ("RecordsApplied", "messages of the feed that the warehouse has"),
        ("RecordsSkipped", "messages of a type that a later release has added"),
        ("WarehouseStatements", "statements that the batch ran in the database"),
        ("LineageEventsSent", "events of lineage that were sent"),
        ("LineageEventsFailed", "events of lineage that were not"),
    ),
    MetricDefinition(
        "GoldenToWarehouse",
        "histogram",
        "time from a golden change's commit until the warehouse has it",
        "Milliseconds",
    ),
)

_FILES = (
    *_counters(
        *((f"Files{state}", f"loads that have become {state.lower()}") for state in (
            "Received", "Validating", "Held", "Running", "Done", "Failed",
        )),
        ("FileRowsAccepted", "rows that became events"),
        ("FileRowsRejected", "rows that were rejected"),
        ("FileRowsSkipped", "rows that were passed over"),
        ("FileRowsDeleted", "records that a full file has no more"),
        ("FileMessagesFailed", "messages about files that failed"),
    ),
    MetricDefinition("FilesWaiting", "gauge", "loads that have not ended"),
    MetricDefinition("FilesHeldWaiting", "gauge", "loads that are held"),
    MetricDefinition("FileHeldAge", "gauge", "time that the oldest held load has waited", "Seconds"),
    MetricDefinition("FileOpenAge", "gauge", "time that the oldest load has been under way", "Seconds"),
)  # fmt: skip

_CAPTURE = (
    MetricDefinition("LagBytes", "gauge", "bytes of the log that the reader is behind", "Bytes", _SLOT),
    MetricDefinition("LagSeconds", "gauge", "time that the reader is behind", "Seconds", _SLOT),
    MetricDefinition("Restarts", "gauge", "times that the reader connected again since it began", labels=_SLOT),
    MetricDefinition("CutRows", "gauge", "rows sent without their largest columns since it began", labels=_SLOT),
    MetricDefinition("Truncations", "gauge", "captured tables emptied by TRUNCATE since it began", labels=_SLOT),
)

_RECONCILE = (
    MetricDefinition("Drift", "gauge", "differences that the last comparison found", labels=_DOMAIN),
    MetricDefinition("DriftKinds", "gauge", "kinds of these", labels=_DOMAIN),
    MetricDefinition("TouchedDifferences", "gauge", "differences not compared: changed meanwhile", labels=_DOMAIN),
    MetricDefinition("SettledDifferences", "gauge", "differences that were gone at the second look", labels=_DOMAIN),
    MetricDefinition("ReconciledRecords", "gauge", "records that were compared", labels=_DOMAIN),
    MetricDefinition("ReconcileSeconds", "gauge", "time that it took", "Seconds", _DOMAIN),
)

RESOLVE_METRICS: Final = tuple(each.name for each in _RESOLVE)
"""Those of the resolve consumer, in the order in which they are written."""

METRICS: Final[Mapping[str, MetricDefinition]] = {
    each.name: each for each in (*_RESOLVE, *_WAREHOUSE, *_FILES, *_CAPTURE, *_RECONCILE)
}
"""All, by name."""
