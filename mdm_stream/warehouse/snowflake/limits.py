"""How long each thing that is waited for at Snowflake may take, by its own setting, and no longer by another's.

The Python connector knows three times, and one of them means two things: ``network_timeout`` bounds the repeated
sending of a request, and it is also the timer after which ``cursor.execute`` cancels a statement that was given no
``timeout`` of its own (``SnowflakeCursor._execute_helper``). So every statement is given one here, which ends later
than the server's own limit and only acts where the server does not answer.
"""

from __future__ import annotations

from dataclasses import dataclass

LOGIN_TIMEOUT_S = 30
SOCKET_TIMEOUT_S = 60
SOCKET_TIMEOUT_S_MIN = 45
"""The server holds the request of a running statement for that long before it answers that it still runs."""
STATEMENT_TIMEOUT_S = 300
LOCK_TIMEOUT_S = 120
"""Snowflake's own is 12 hours: a batch that waits so long has long been delivered again."""

LOCK_PAUSE_S, LOCK_PAUSE_S_MAX = 1.0, 10.0
"""Ceilings of the pause before a statement runs again that found 20 others waiting: Snowflake refuses it at once."""

STATEMENT_TIMEOUT_S_MAX = 604_800
"""The longest that Snowflake lets a statement run: seven days. It stands for no limit."""

RENEWAL_TIMEOUT_S = 60
"""How long a request that is no statement (renewing the session's token) is sent again."""

ANSWER_MARGIN_S = 30
"""How much later than the server this side stops waiting for a statement."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one session, in seconds.

    ``login_timeout_s``: how long a login is tried again. ``socket_timeout_s``: how long a connection may be silent.
    ``statement_timeout_s``: how long the server lets one statement run, in a queue and behind a lock included; a
    smaller one of the virtual warehouse wins. ``lock_timeout_s``: how long one waits for another's lock.
    """

    login_timeout_s: int = LOGIN_TIMEOUT_S
    socket_timeout_s: int = SOCKET_TIMEOUT_S
    statement_timeout_s: int = STATEMENT_TIMEOUT_S
    lock_timeout_s: int = LOCK_TIMEOUT_S

    def connect_args(self) -> dict[str, object]:
        """Return what the connector is told of them."""
        return {
            "login_timeout": self.login_timeout_s,
            "socket_timeout": self.socket_timeout_s,
            "network_timeout": RENEWAL_TIMEOUT_S,
        }

    def session_parameters(self) -> dict[str, object]:
        """Return what the server is told of them at login."""
        return {"STATEMENT_TIMEOUT_IN_SECONDS": self.statement_timeout_s, "LOCK_TIMEOUT": self.lock_timeout_s}
