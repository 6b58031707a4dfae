"""What became of a batch of the change stream, for the response to Lambda, log lines and metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from mdm_stream.aws.put_records import KeyedMessage
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.feed.publisher import FeedPublisher, LargeGolden

_TOTALS = ("absorbed", "collisions", "pairs", "conflicts", "reevaluated", "changes", "merges")


@dataclass(slots=True)
class StreamReport:
    """What became of a batch.

    ``first_failed`` is the position of the first record that must be delivered again (``None``: all are done);
    ``cause`` says why, and ``fault`` is the type of the error behind it, if there is one.
    ``archived`` counts the rows that were not in the archive already, as far as this process knows. ``dropped`` counts
    rejected events that claim to be of an erased record: nothing is kept of these. ``held`` counts those of the
    ``quarantined`` that are kept aside because their source is held, ``ignored`` rows of tables that the rules ignore,
    of which nothing is kept, ``excluded`` events that were archived and not
    applied because an operator has taken them out. ``storms`` names the domains whose
    merges went past the limit. ``refused`` names messages that a stream refuses for themselves, whatever is sent with
    them, and ``large`` golden records that have grown large; neither holds anything back. ``faults`` are the unexpected
    faults, by type and place, for which events of the batch were quarantined; a release must mend them. ``falls`` tells
    of sources whose positions fall while their time goes on, with the line of the rules that would declare why.
    ``reasons`` counts the quarantined by the code of their first reason. ``commands`` and ``bytes_written`` are what
    was asked of the indexes.
    ``unreplicated`` names the domains of which what was committed is on no replica, because none follows their server,
    and ``replicas_gone`` those of them where a replica had it the last time, or this is the process's first time.
    """

    records: int = 0
    quarantined: int = 0
    archived: int = 0
    published: int = 0
    expired: int = 0
    held: int = 0
    excluded: int = 0
    ignored: int = 0
    first_failed: int | None = None
    cause: str = ""
    fault: str = ""
    dropped: int = 0
    storms: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    large: list[LargeGolden] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    falls: list[str] = field(default_factory=list)
    unreplicated: set[str] = field(default_factory=set)
    replicas_gone: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    bytes_written: int = 0
    totals: BatchReport = field(default_factory=BatchReport)

    def summary(self) -> dict[str, object]:
        """Return the counts for a log line; no value of a record is in it."""
        counts: dict[str, object] = {}
        names = ["records", "quarantined", "dropped", "archived", "published", "expired", "held", "excluded", "ignored"]
        names += ["first_failed", "cause", "fault", "storms", "refused", "faults"]
        if self.falls:
            counts["positions_fall"] = self.falls
        counts |= {name: getattr(self, name) for name in names}
        for name in _TOTALS:
            counts[name] = getattr(self.totals, name)
        counts["unreplicated"] = sorted(self.unreplicated)
        counts["stuck"] = self.totals.stuck
        counts["absorbed_later"] = self.totals.absorbed_later
        counts["set_aside"] = self.totals.set_aside
        counts["suspended"] = self.totals.suspended_by_expression
        counts["golden_large"] = [asdict(golden) for golden in self.large]
        return counts

    def counts(self) -> dict[str, int]:
        """Return what is counted of the batch, for its span; ``first_failed`` where a record failed."""
        names = ("quarantined", "dropped", "archived", "published", "expired", "held", "excluded", "ignored")
        counts = {name: getattr(self, name) for name in names} | {"records": self.records}
        counts |= {name: getattr(self.totals, name) for name in _TOTALS}
        return counts if self.first_failed is None else counts | {"first_failed": self.first_failed}

    def send(self, publisher: FeedPublisher, messages: Sequence[KeyedMessage]) -> set[int]:
        """Publish messages that are not from an outbox; note those refused for themselves, and return their places."""
        refused = publisher.publish(messages) or []
        self.refused += [f"{messages[each.position][0]}: {each.code}" for each in refused]
        return {each.position for each in refused}
