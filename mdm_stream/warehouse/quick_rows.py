"""The lines in which golden changes that were checked without models reach the staging table.

A line is a row: its fields in the columns of ``QUICK_COLUMNS``. JSON has no control characters in it, and a text that
has one of those below is left to the models, so no field needs quotes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mdm_stream.contracts.golden import FeedEnvelope, parse_envelope
from mdm_stream.warehouse.redaction import RecordIdentity

DELIMITER: Final = "\x1f"
NULL: Final = "\x1e"
QUICK_COLUMNS: Final = (
    "kind",
    "domain",
    "epoch",
    "sequence",
    "golden_id",
    "source",
    "record_id",
    "status",
    "merged_into",
    "anchor_source",
    "anchor_record_id",
    "member_count",
    "rules_version",
    "committed_at",
    "document",
    "golden_values",
    "provenance",
)
"""The last two are parts of ``document``: writing them twice costs less than letting the database take them out."""


@dataclass(slots=True, eq=False)  # not frozen: that would cost two microseconds a message
class QuickChange:
    """A golden change that was checked without models: its lines, and what must be known of it beside them."""

    raw: bytes
    domain: str
    rows: bytes
    claims: int
    records: frozenset[RecordIdentity]
    committed_at: datetime

    def envelope(self) -> FeedEnvelope:
        """Return the message as the models have it."""
        return parse_envelope(self.raw)
