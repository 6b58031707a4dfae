"""What a schema is like: of the merge kind, whose tables are written, or of the append kind, whose tables are folded.

Both have the same tables under the same names for readers. Which kind a schema is says its ``schema_version``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.warehouse.quick_rows import QuickChange


class Layout(Protocol):
    """How messages get into a schema, and how it is asked. Sessions are those of the kind (see ``append.layout``)."""

    appends: bool
    """Whether batches are only inserted."""
    select_published: str
    """Parameters: domain, the golden id after which the page begins, rows. Gives the newest change of each."""
    select_published_evidence: str
    """Parameters: domain, (epoch, epoch, sequence) after which the page begins, rows. The newest of each key."""
    select_erased: str
    """Parameter: domain. Gives source and record id of each erased record."""
    select_position: str
    """Parameter: domain. Gives the greatest (epoch, sequence), or no row."""

    def migrate(self, session: Any) -> None:
        """Bring the schema up to this code; ``ConfigurationError`` where it is newer, or of the other kind."""
        ...

    def check(self, session: Any) -> None:
        """Check without writing that this code can read the schema."""
        ...

    def apply(self, session: Any, messages: Sequence[FeedEnvelope | QuickChange], applied_at: datetime) -> None:
        """Apply a micro-batch. Idempotent."""
        ...

    def settle(self, session: Any, now: datetime) -> None:
        """Do what batches have put off, before the session ends."""
        ...

    def mentions(self, session: Any, domain: str, record: tuple[str, str]) -> list[str]:
        """Return the tables with rows whose provenance names the record."""
        ...
