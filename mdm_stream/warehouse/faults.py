"""What each vendor error means for the caller: reconnect and run again, try again later, or stop trying.

A code or class that is not declared here counts as transient: the event source bounds its attempts, and the batch
then goes to the on-failure destination, so an unknown fault can delay a message and never lose it.

Vendor messages may quote values of the data, so a translated error carries the code and the step alone. The vendor
error stays attached as the cause, for a debugger; log ``str(error)`` and not the chain.
"""

from __future__ import annotations

import re
from enum import StrEnum

from mdm_stream.errors import ConfigurationError, MdmError, TerminalError, TransientError


class SessionLostError(TransientError):
    """The connection or its session is gone. A new connection may run the same work again at once."""


class LockNotReleasedError(TransientError):
    """Another statement holds a lock, or too many wait for it. Nothing was done, so the statement may run again."""


class LoginRefusedError(ConfigurationError):
    """The user or its key is not accepted. A key that was rotated meanwhile may be: read it anew, once."""


class MissingTableError(TerminalError):
    """A table or view is not there, or the role may not see it: which of the two, a database does not say."""


class WarehouseBusyError(TransientError):
    """Another process holds the DuckDB file."""


class FaultKind(StrEnum):
    """What a vendor error means for the caller."""

    SESSION_LOST = "session lost"
    """Log in again, and run the same work again at once."""
    TRANSIENT = "transient"
    """The event source delivers the batch again."""
    LOCKED = "locked"
    """The statement runs again, for as long as one may wait for a lock; after that it is transient."""
    TERMINAL = "terminal"
    """No retry can mend it."""
    MISSING = "missing object"
    """Terminal, unless it is the schema that a migration is about to make."""
    REFUSED = "login refused"
    """Terminal, after a key that is kept elsewhere was read anew once."""


_LOST, _PASSES, _STAYS = FaultKind.SESSION_LOST, FaultKind.TRANSIENT, FaultKind.TERMINAL
_LOCKED, _MISSING, _REFUSED = FaultKind.LOCKED, FaultKind.MISSING, FaultKind.REFUSED

# Codes of the server (below 100000 with six digits in its messages, 39xxxx for sessions and logins), of the Python
# connector (25xxxx; snowflake/connector/errorcode.py and network.py) and of HTTP (290000 + status).
SNOWFLAKE: dict[int, tuple[FaultKind, str]] = {
    250002: (_LOST, "the connection is closed"),
    250003: (_LOST, "the request could not be sent"),
    252007: (_LOST, "the session could not be renewed"),
    290401: (_LOST, "the session is not known to the server"),
    390103: (_LOST, "the session token was not found"),
    390104: (_LOST, "the session token is invalid"),
    390110: (_LOST, "the identity token has expired"),
    390111: (_LOST, "the session no longer exists"),
    390112: (_LOST, "the session has expired"),
    390113: (_LOST, "the master token was not found"),
    390114: (_LOST, "the master token has expired"),
    390115: (_LOST, "the master token is invalid"),
    390195: (_LOST, "the identity token is invalid"),
    390303: (_LOST, "the access token is invalid"),
    390318: (_LOST, "the access token has expired"),
    603: (_PASSES, "an internal error of Snowflake"),
    604: (_PASSES, "the statement was cancelled, by a person or by the limit of this side"),
    625: (
        _LOCKED,
        "a lock was not released in time, or 20 statements wait for it already: use fewer shards",
    ),
    630: (_PASSES, "the limit of a statement or of the virtual warehouse has passed"),
    90073: (_PASSES, "the virtual warehouse may not resume: a resource monitor has reached its quota"),
    250001: (_PASSES, "the server could not be reached"),
    250005: (_PASSES, "the server could not be reached"),
    251010: (_PASSES, "the login's token has expired before it was answered"),
    251011: (_PASSES, "no answer within the limit of a login"),
    251012: (_PASSES, "the server asked to try again"),
    252010: (_PASSES, "a part of the answer could not be read"),
    252013: (_PASSES, "a part of the answer is missing"),
    253003: (_PASSES, "the staged file could not be uploaded"),
    290403: (_PASSES, "the server or a proxy refuses the request: look at the network policy if it stays"),
    290429: (_PASSES, "too many requests"),
    290500: (_PASSES, "an internal error of Snowflake"),
    290502: (_PASSES, "the server could not be reached"),
    290503: (_PASSES, "the service is not available"),
    290504: (_PASSES, "the server did not answer in time"),
    606: (_STAYS, "no active warehouse: set MDM_WAREHOUSE_SNOWFLAKE_WAREHOUSE and grant USAGE on it"),
    904: (_STAYS, "an identifier is not known: the schema was changed outside the migrations"),
    1003: (_STAYS, "a statement does not parse"),
    2003: (_MISSING, "an object does not exist or the role may not use it: check database, schema, role and grants"),
    2043: (_MISSING, "an object does not exist or the role may not use it: check database, schema, role and grants"),
    3001: (
        _STAYS,
        "the role lacks a privilege: see the grants, or run warehouse migrate as the migration role",
    ),
    100035: (_STAYS, "a value does not fit its column type"),
    100038: (_STAYS, "a value does not fit its column type"),
    100040: (_STAYS, "a value does not fit its column type"),
    100069: (_STAYS, "a document is not JSON"),
    100078: (_STAYS, "a text is longer than its column allows"),
    100082: (_STAYS, "a document is larger than a column may be"),
    100090: (_STAYS, "a MERGE met two rows for one key"),
    100132: (_STAYS, "a value does not fit its column type"),
    251001: (_STAYS, "no account is set"),
    251005: (_STAYS, "no user is set"),
    251006: (_STAYS, "no password or private key is set"),
    251008: (_STAYS, "the private key cannot be read"),
    390189: (_STAYS, "the role does not exist or is not granted to the user"),
    390201: (_STAYS, "the database, schema or warehouse does not exist or the role may not use it"),
    390100: (_REFUSED, "the user or its credentials are not accepted"),
    390144: (_REFUSED, "the key pair is not accepted"),
    394300: (_REFUSED, "the key pair is not accepted"),
    394304: (_REFUSED, "the public key of the user is another one"),
}

_KINDS: dict[FaultKind, type[MdmError]] = {
    FaultKind.SESSION_LOST: SessionLostError,
    FaultKind.TRANSIENT: TransientError,
    FaultKind.LOCKED: LockNotReleasedError,
    FaultKind.TERMINAL: TerminalError,
    FaultKind.MISSING: MissingTableError,
    FaultKind.REFUSED: LoginRefusedError,
}

_CODE_OF_A_FAILED_LOGIN = 250001
_SQLSTATE_BAD_CREDENTIALS = "28000"

# By class name, so that this module does not load the driver. The first base class that is listed decides.
DUCKDB_SESSION_LOST = frozenset({"FatalException", "InternalException"})
DUCKDB_TERMINAL: dict[str, str] = {
    "BinderException": "a statement does not fit the schema: it was changed outside the migrations",
    "CatalogException": "a table or view is missing: open the file once for writing, which migrates it",
    "ConstraintException": "a row breaks a constraint",
    "ConversionException": "a value does not fit its column type",
    "InvalidInputException": "an operation is not allowed on this file, such as writing to one opened read-only",
    "OutOfRangeException": "a value does not fit its column type",
    "ParserException": "a statement does not parse",
    "SerializationException": "the file cannot be read by this version of DuckDB",
}

_DISK_FULL = ("no space left", "disk full", "out of disk")
"""What the message of an error holds that means a full disk. The session is replaced after one: it may be unusable."""

_LOCK_HOLDER = re.compile(r"\(PID (\d+)\)")


def translate_snowflake(error: Exception, step: str) -> MdmError:
    """Return the ``MdmError`` for a connector error met in ``step`` (a phrase such as 'merge crosswalk')."""
    code = int(getattr(error, "errno", None) or -1)
    if _is_refusal(error):
        return LoginRefusedError(f"Snowflake, {step}: the user or its credentials are not accepted (code {code:06d})")
    if code in SNOWFLAKE:
        outcome, meaning = SNOWFLAKE[code]
        return _KINDS[outcome](f"Snowflake, {step}: {meaning} (code {code:06d})")
    return TransientError(f"Snowflake, {step}: {type(error).__name__} (code {code:06d})")


def _is_refusal(error: Exception) -> bool:
    """Tell whether a login was refused: the connector gives every failed one the same code, and tells by SQLSTATE."""
    code, sqlstate = getattr(error, "errno", None), getattr(error, "sqlstate", None)
    return code == _CODE_OF_A_FAILED_LOGIN and sqlstate == _SQLSTATE_BAD_CREDENTIALS


def translate_duckdb(error: Exception, step: str) -> MdmError:
    """Return the ``MdmError`` for a DuckDB error met in ``step``."""
    name = type(error).__name__
    if any(text in str(error).lower() for text in _DISK_FULL):
        return SessionLostError(
            f"DuckDB, {step}: the disk is full; nothing is half-written, free some space and it goes on ({name})"
        )
    if name in DUCKDB_SESSION_LOST:
        return SessionLostError(f"DuckDB, {step}: {name}, the database must be opened again")
    if name in DUCKDB_TERMINAL:
        kind = MissingTableError if name == "CatalogException" else TerminalError
        return kind(f"DuckDB, {step}: {DUCKDB_TERMINAL[name]} ({name})")
    return TransientError(f"DuckDB, {step}: {name}")


def is_duckdb_lock(error: Exception) -> bool:
    """Tell whether opening failed because another process has the file open."""
    return type(error).__name__ == "IOException" and "lock" in str(error).lower()


def duckdb_lock_error(error: Exception, path: str, waited_ms: int) -> WarehouseBusyError:
    """Return the error that says which file is held, by which process where that is known, and what to do."""
    holder = _LOCK_HOLDER.search(str(error))
    by = f"process {holder[1]}" if holder else "another process"
    return WarehouseBusyError(
        f"the warehouse file {path} is open in {by} (waited {waited_ms} ms). DuckDB lets one process write, or several "
        "read. Try again when the warehouse consumer is idle (it then closes the file), or stop that process."
    )
