"""The port between the shared SQL and a database: one open connection."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from mdm_stream.warehouse.dialect import Dialect


class Session(Protocol):
    """An open connection. Every method raises ``TransientError`` or ``TerminalError`` and no vendor error.

    ``SessionLostError`` says that this session is of no more use and that a new one may run the same work.
    """

    dialect: Dialect
    statements: int
    """Statements that were run, those that failed included."""

    def execute(self, sql: str, parameters: Sequence[object] = (), *, step: str) -> list[tuple[Any, ...]]:
        """Run one statement with ``?`` parameters and return its rows. ``step`` names it in errors."""
        ...

    def stage(self, ndjson: bytes, applied_at: datetime) -> None:
        """Make ``staged_row`` hold exactly the rows of ``ndjson`` (see ``rows``)."""
        ...

    def clear_staging(self) -> None:
        """Leave no staged row behind: an erasure that another session applies does not reach this one's tables."""
        ...

    def stage_needles(self, parts: Sequence[str]) -> None:
        """Make ``staged_needle`` hold exactly these texts in ``part``, with their places in ``number``.

        They are values of records: no statement has them as a parameter where the database keeps those.
        """
        ...

    def clear_needles(self) -> None:
        """Empty ``staged_needle``."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Group statements into one atomic change where the database is used so; else do nothing."""
        ...

    def close(self) -> None:
        """End the connection. The session is not used again."""
        ...
