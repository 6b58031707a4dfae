"""Connections to PostgreSQL, and what its errors mean: ``TransientError``, or ``TerminalError`` with what to do.

The texts of data never reach an error: of a failed statement only its SQLSTATE and, where the statement holds nothing
of a row, PostgreSQL's own sentence are repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mdm_stream.errors import ConfigurationError, MdmError, TerminalError, TransientError

try:
    import psycopg2
    import psycopg2.extensions
    from psycopg2.extras import LogicalReplicationConnection
except ImportError as missing:  # pragma: no cover - an installation without the extra
    raise ConfigurationError(
        "the PostgreSQL driver is missing: install mdm-stream with its extra 'postgres'"
    ) from missing

_SESSION = (
    # Texts that mean the same whatever the server, the database or the role have set; and no limits of time that are
    # meant for applications. row_security=off makes a query fail which a policy would have shown only a part of.
    "-c datestyle=ISO,MDY -c intervalstyle=postgres -c timezone=UTC -c extra_float_digits=3 -c bytea_output=hex "
    "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c row_security=off"
)
_TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
"""SQLSTATE classes: connection, rollback, resources, operator's intervention, system."""
_TRANSIENT = frozenset({"55006", "55P03"})
"""A slot or an object that another session uses."""
_PERMANENT = frozenset({"53400"})
"""All slots or walsenders are in use: a setting, though of the class of resources."""
_ADVICE = {
    "42501": "the role lacks a right; give it REPLICATION (on Amazon RDS: GRANT rds_replication TO it), and SELECT on "
    "the tables",
    "53400": "raise max_replication_slots and max_wal_senders: the reader needs one walsender, and two slots at first",
}

_NO_REPLICATION = ("start walsender", "start WAL sender")
"""What PostgreSQL says to a role without the right to replicate."""


def connect(dsn: str, timeout_s: int, *, replication: bool = False) -> Any:
    """Return a connection that writes values in one form; ``TransientError`` if there is none to be had.

    It commits each statement by itself. ``ConfigurationError`` if the address cannot be read.
    """
    try:
        parts = psycopg2.extensions.parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        # libpq's sentence repeats the address, which may hold a password.
        raise ConfigurationError(
            "the address is none that PostgreSQL knows, such as postgresql://user@host:5432/database"
        ) from None
    parts = {
        "connect_timeout": str(timeout_s),
        "application_name": "mdm-stream",
        **parts,
        "options": f"{parts.get('options', '')} {_SESSION}".strip(),
        "client_encoding": "UTF8",
    }
    try:
        made = psycopg2.connect(
            **parts, **({"connection_factory": LogicalReplicationConnection} if replication else {})
        )
    except psycopg2.OperationalError as error:
        sentence = _sentence(error)
        # The driver has no SQLSTATE of a connection that was refused.
        if any(word in sentence for word in _NO_REPLICATION):
            raise ConfigurationError(f"cannot read the log: {sentence}; {_ADVICE['42501']}") from error
        raise TransientError(f"cannot connect to PostgreSQL: {sentence}") from error
    if not replication:
        made.autocommit = True
    return made


@contextmanager
def translated(action: str, *, personal: bool = False) -> Iterator[None]:
    """Raise the driver's errors as ours; ``action`` says what was tried. With ``personal`` no sentence is repeated."""
    try:
        yield
    except psycopg2.Error as error:
        raise error_of(error, action, personal=personal) from error


def error_of(error: psycopg2.Error, action: str, *, personal: bool = False) -> MdmError:
    """Return the error to raise for one of the driver's."""
    code = error.pgcode
    said = "" if personal else f": {_sentence(error)}"
    text = f"cannot {action}{said}" + (f" (SQLSTATE {code})" if code else "")
    if code is None:
        # The driver's own: the connection broke, or the server sent what it does not know.
        return TransientError(text)
    if code not in _PERMANENT and (code in _TRANSIENT or code.startswith(_TRANSIENT_CLASSES)):
        return TransientError(text)
    advice = _ADVICE.get(code)
    return TerminalError(f"{text}; {advice}" if advice else text)


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def rows(connection: Any, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows; none for a statement without."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return [] if cursor.description is None else list(cursor.fetchall())


def as_texts(cursor: Any) -> None:
    """Let a cursor return each value as the server wrote it, as a change of the log has it."""
    known = tuple(psycopg2.extensions.string_types)
    as_text = psycopg2.extensions.new_type(known, "MDM_TEXT", lambda value, _cursor: value)
    psycopg2.extensions.register_type(as_text, cursor)


def _sentence(error: psycopg2.Error) -> str:
    sentence = error.diag.message_primary if error.pgcode else str(error)
    return " ".join((sentence or type(error).__name__).split())
