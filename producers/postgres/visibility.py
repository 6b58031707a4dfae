"""What a query can see already: the log may be ahead of it.

PostgreSQL writes a commit to its log, and sends it to readers of the log, before a query of another session sees the
transaction: for a moment in general, and for as long as a synchronous standby does not answer. A query whose answer is
to hold what the log says has to wait for that. A transaction that writes holds a lock on its own number until it is
visible, which every role may look at.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from producers.postgres.connection import rows, translated

_LOGGER = logging.getLogger(__name__)


def wait_until_visible(connection: Any, xid: int, pause: Callable[[], None]) -> None:
    """Return once queries of the connection see a transaction whose commit the log has sent."""
    while xid in _open_transactions(connection):
        pause()


def wait_for_open(connection: Any, pause: Callable[[], None]) -> None:
    """Return once all transactions that write now have ended, so that queries see each commit that the log has now."""
    waited_for = _open_transactions(connection)
    if waited_for:
        _LOGGER.info("waiting for %d transactions that are open now", len(waited_for))
    while waited_for & _open_transactions(connection):
        pause()


def _open_transactions(connection: Any) -> set[int]:
    """Return the numbers (32 bits, as the log has them) of those that write and are not visible yet."""
    with translated("ask for the transactions that are open"):
        found = rows(
            connection, "SELECT transactionid::text FROM pg_locks WHERE locktype = 'transactionid' AND granted"
        )
    return {int(xid) for (xid,) in found}
