"""Old versions of rows, which a database keeps and lets be read for a time after an erasure has replaced them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OldVersions:
    """The old versions of one table's rows: what keeps them, and the aware time at which the last of them is gone."""

    table: str
    kept_by: str
    until: datetime
