"""What the PostgreSQL reader is told, and what it reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

_SLOT = re.compile("[a-z0-9_]{1,54}")
SNAPSHOT_SUFFIX = "_snapshot"
"""The slot of this name holds the log while the first snapshot is read; PostgreSQL's names have 63 characters."""


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """What to capture, and how. ``ValueError`` for a slot name or a limit that cannot be.

    ``tables`` (``schema.table``) are those of the publication that are captured, all of them if it is empty. ``keys``
    names the columns that identify a row where that is not the primary key, ``sources`` the domain and source whose
    records a table's rows are, for the partition key. ``required`` are columns without which a table is not captured.
    ``snapshot_again`` are tables whose rows are all read once more before the stream goes on. With ``allow_truncate``
    a truncation is sent on as a message that says so; else the reader stops at it.

    What Kinesis accepted is confirmed to PostgreSQL every ``confirm_interval_s``. A fault that may pass is tried again
    after a random time up to ``backoff_base_s`` * 2^n, at most ``backoff_max_s``. A snapshot is read in portions of
    about ``fetch_bytes`` and at most ``fetch_rows_max`` rows.
    """

    slot: str = "mdm_stream"
    publication: str = "mdm_stream"
    tables: tuple[str, ...] = ()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    required: Mapping[str, frozenset[str]] = field(default_factory=dict)
    snapshot_again: tuple[str, ...] = ()
    allow_truncate: bool = False
    confirm_interval_s: float = 1.0
    status_interval_s: float = 10.0
    backoff_base_s: float = 0.5
    backoff_max_s: float = 30.0
    connect_timeout_s: int = 10
    fetch_bytes: int = 4 * 1024 * 1024
    fetch_rows_max: int = 5_000

    def __post_init__(self) -> None:
        """Check the slot's name and the limits."""
        if _SLOT.fullmatch(self.slot) is None:
            raise ValueError("a slot's name has 1 to 54 lower-case letters, digits and underscores")
        positive = (
            self.confirm_interval_s,
            self.status_interval_s,
            self.backoff_base_s,
            self.connect_timeout_s,
            self.fetch_bytes,
            self.fetch_rows_max,
        )
        if not all(limit > 0 for limit in positive) or self.backoff_max_s < self.backoff_base_s:
            raise ValueError("the reader's limits must be positive, and the longest backoff at least the first")


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """What a reader has done since it started, and how far it is behind.

    ``lag_bytes`` is the log that PostgreSQL has written and the reader has not confirmed, ``lag_s`` the age of the
    oldest commit whose changes Kinesis has not all accepted. ``cut_rows`` had values that no record of the stream
    could hold.
    """

    phase: str
    confirmed_lsn: str
    lag_bytes: int
    lag_s: float
    snapshot_rows: int
    transactions: int
    changes: int
    messages: int
    cut_rows: int
    truncations: int
    schema_changes: int
    restarts: int


@dataclass(slots=True)
class ReaderProgress:
    """What a reader counts as it goes; outlives its connections."""

    phase: str = "starting"
    confirmed_lsn: int = 0
    lag_bytes: int = 0
    lag_s: float = 0.0
    snapshot_rows: int = 0
    transactions: int = 0
    changes: int = 0
    messages: int = 0
    cut_rows: int = 0
    truncations: int = 0
    schema_changes: int = 0
    restarts: int = 0

    def status(self) -> ReaderStatus:
        """Return the figures as they are now."""
        figures = {each.name: getattr(self, each.name) for each in fields(self)}
        return ReaderStatus(**figures | {"confirmed_lsn": lsn_text(self.confirmed_lsn)})


def lsn_text(lsn: int) -> str:
    """Return a log position as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_of(text: str) -> int:
    """Return the log position that PostgreSQL wrote."""
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)
