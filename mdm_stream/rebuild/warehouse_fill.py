"""Filling a warehouse that was dropped: from a snapshot of the golden feed and the stream's tail.

Applying is idempotent and minds no order, so this may be killed anywhere and run again, beside the ordinary consumer
too: which goes on from where it was, as what it has applied since is applied to the new tables as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from mdm_stream.aws.read_shards import Marks, RecordsGoneError, StreamReader
from mdm_stream.contracts.golden import Follow
from mdm_stream.decode import Delivery
from mdm_stream.errors import TerminalError
from mdm_stream.feed.claims import MissingClaimError
from mdm_stream.feed.snapshot_store import FeedSnapshots, Kind, OvertakenError, SnapshotManifest
from mdm_stream.warehouse import Warehouse, WarehouseConsumer

MESSAGES_PER_BATCH = 5_000
BATCH_BYTES_MAX = 16 * 1024**2
"""A batch is applied at either; some ten times its bytes are in memory meanwhile."""

OVERTAKEN_MAX = 20
"""Newer snapshots that may be published while one is read: each time the parts that are new are read."""

TABLES = (
    "golden_record",
    "golden_history",
    "evidence_history",
    "crosswalk",
    "erased_record",
    "quarantined_event",
    "file_loads",
)

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Filled:
    """What was applied. ``skipped`` are of a type that this release does not know.

    Of those ``without_data`` (by id) the claim objects are gone.
    """

    messages: int = 0
    skipped: int = 0
    without_data: list[str] = field(default_factory=list)


def require_empty(warehouse: Warehouse) -> None:
    """Raise ``TerminalError`` if a table of the warehouse has a row."""
    full = [table for table in TABLES if warehouse.query(f"SELECT 1 FROM {table} LIMIT 1")]  # noqa: S608 - our own names
    if full:
        raise TerminalError(
            f"the warehouse is not empty: {', '.join(full)} have rows. Drop them; or name --into-existing, to apply "
            "what the feed says to what is there, and to go on with a rebuild that was cut short"
        )


class WarehouseFill:
    """Applies messages of the feed to one warehouse, which stays the caller's."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        follow: Follow,
        on_progress: Progress = lambda _what, _done, _expected: None,
    ) -> None:
        """Take the warehouse; ``follow`` gets at the data of claim checks."""
        self._consumer = WarehouseConsumer(warehouse, idle_close_s=float("inf"), follow=follow)
        self._on_progress = on_progress
        self.filled = Filled()

    def apply_snapshot(self, snapshots: FeedSnapshots, kind: Kind) -> SnapshotManifest:
        """Apply the latest snapshot of a kind, and return its manifest: the tail begins at its marks.

        ``TerminalError`` if there is none.
        """
        done = set[str]()
        for _ in range(OVERTAKEN_MAX):
            manifest = snapshots.latest(kind)
            if manifest is None or manifest.is_empty:
                raise TerminalError(
                    f"there is no snapshot of the feed ({kind}): take one with `mdm-stream feed snapshot`, which holds "
                    "what the stream still has, or rebuild from the archive"
                )
            try:
                for part, lines in snapshots.lines([part for part in manifest.parts if part.sha256 not in done]):
                    self.apply(lines)
                    done.add(part.sha256)
                    self._on_progress("applying the snapshot", self.filled.messages, manifest.messages)
            except OvertakenError:
                continue
            return manifest
        raise OvertakenError("snapshots of the feed are published all the time; run it again")

    def apply_tail(self, reader: StreamReader, marks: Marks) -> None:
        """Apply what the stream has had since, up to its end; ``marks`` move along.

        ``RecordsGoneError`` where the stream does not hold any more what followed: take a snapshot, which looks whether
        anything is missing, and apply that.
        """
        try:
            self.apply(self._counted(record.data for record in reader.records(marks)))
        except RecordsGoneError as error:
            raise RecordsGoneError(
                f"{error}: take a snapshot (mdm-stream feed snapshot), which looks whether anything is missing, and "
                "rebuild again with --into-existing"
            ) from error

    def _counted(self, messages: Iterable[bytes]) -> Iterator[bytes]:
        for raw in messages:
            yield raw
            self._on_progress("applying the tail of the stream", self.filled.messages, 0)

    def apply(self, messages: Iterable[bytes]) -> None:
        """Apply messages, in batches. What the warehouse refuses is raised with the error that it met."""
        batch, size_bytes = list[bytes](), 0
        for raw in messages:
            if b'"dataref"' in raw:
                self._apply_claim(raw)
                continue
            batch.append(raw)
            size_bytes += len(raw)
            if len(batch) >= MESSAGES_PER_BATCH or size_bytes >= BATCH_BYTES_MAX:
                self._apply(batch)
                batch, size_bytes = [], 0
        self._apply(batch)

    def _apply(self, batch: list[bytes]) -> None:
        outcome = self._consumer.apply_records([Delivery.unplaced(raw) for raw in batch]) if batch else None
        if outcome is None:
            return
        self.filled.messages += outcome.records_applied
        self.filled.skipped += outcome.records_skipped
        if outcome.error is not None:
            raise outcome.error

    def _apply_claim(self, raw: bytes) -> None:
        """Apply one message that may be a claim check: its data may be gone, and that of the others is not."""
        try:
            self._apply([raw])
        except MissingClaimError as error:
            self.filled.without_data.append(error.claim.id)
