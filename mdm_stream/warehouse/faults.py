"""What each vendor error means for the caller: reconnect and run again, try again later, or stop trying.

A code or class that is not declared here counts as transient: the event source bounds its attempts, and the batch
then goes to the on-failure destination, so an unknown fault can delay a message and never lose it.

Vendor messages may quote values of the data, so a translated error carries the code and the step alone. The vendor
error stays attached as the cause, for a debugger; log ``str(error)`` and not the chain.
"""

from __future__ import annotations

import re

from mdm_stream.errors import ConfigurationError, MdmError, TerminalError, TransientError


class SessionLostError(TransientError):
    """The connection or its session is gone. A new connection may run the same work again at once."""


class WarehouseBusyError(TransientError):
    """Another process holds the DuckDB file."""


# Codes of the server (39xxxx), of the Python connector (25xxxx) and of HTTP (290000 + status).
SNOWFLAKE_SESSION_LOST: dict[int, str] = {
    250002: "the connection is closed",
    250003: "the request could not be sent",
    252007: "the session could not be renewed",
    290401: "the session is not known to the server",
    390103: "the session token was not found",
    390104: "the session token is invalid",
    390110: "the identity token has expired",
    390111: "the session no longer exists",
    390112: "the session has expired",
    390113: "the master token was not found",
    390114: "the master token has expired",
    390115: "the master token is invalid",
    390195: "the identity token is invalid",
    390318: "the access token has expired",
}

SNOWFLAKE_TERMINAL: dict[int, str] = {
    606: "no active warehouse: set MDM_WAREHOUSE_SNOWFLAKE_WAREHOUSE and grant USAGE on it",
    904: "an identifier is not known: the schema was changed outside the migrations",
    1003: "a statement does not parse",
    2003: "an object does not exist or the role may not use it: check database, schema, role and grants",
    2043: "an object does not exist or the role may not use it: check database, schema, role and grants",
    3001: "the role lacks a privilege",
    100035: "a value does not fit its column type",
    100038: "a value does not fit its column type",
    100040: "a value does not fit its column type",
    100069: "a document is not JSON",
    100078: "a text is longer than its column allows",
    100082: "a document is larger than a column may be",
    100132: "a value does not fit its column type",
    251001: "no account is set",
    251005: "no user is set",
    251006: "no password or private key is set",
    251008: "the private key cannot be read",
    390100: "the user or its credentials are not accepted",
    390144: "the key pair is not accepted",
    390189: "the role does not exist or is not granted to the user",
    390201: "the database, schema or warehouse does not exist or the role may not use it",
    394300: "the key pair is not accepted",
    394304: "the public key of the user is another one",
}

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
    if code in SNOWFLAKE_SESSION_LOST:
        return SessionLostError(f"Snowflake, {step}: {SNOWFLAKE_SESSION_LOST[code]} (code {code:06d})")
    if code in SNOWFLAKE_TERMINAL:
        return TerminalError(f"Snowflake, {step}: {SNOWFLAKE_TERMINAL[code]} (code {code:06d})")
    if getattr(error, "sqlstate", None) == _SQLSTATE_BAD_CREDENTIALS:
        return ConfigurationError(f"Snowflake, {step}: the user or its credentials are not accepted (code {code:06d})")
    return TransientError(f"Snowflake, {step}: {type(error).__name__} (code {code:06d})")


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
        return TerminalError(f"DuckDB, {step}: {DUCKDB_TERMINAL[name]} ({name})")
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
