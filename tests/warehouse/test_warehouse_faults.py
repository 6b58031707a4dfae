"""Vendor errors become ours, by a declared table."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mdm_stream.errors import ConfigurationError, MdmError, TerminalError, TransientError
from mdm_stream.warehouse import SessionLostError
from mdm_stream.warehouse.faults import (
    DUCKDB_SESSION_LOST,
    DUCKDB_TERMINAL,
    SNOWFLAKE_SESSION_LOST,
    SNOWFLAKE_TERMINAL,
    translate_duckdb,
    translate_snowflake,
)


def snowflake_error(errno: int | None, sqlstate: str | None = None) -> Exception:
    """An error as the connector raises it."""
    error = Exception("Numeric value 'Jane' is not recognized")
    error.errno, error.sqlstate = errno, sqlstate  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("errno", "sqlstate", "kind"),
    [
        *[(code, None, SessionLostError) for code in SNOWFLAKE_SESSION_LOST],
        *[(code, None, TerminalError) for code in SNOWFLAKE_TERMINAL],
        (250001, "28000", ConfigurationError),
        (250001, "08001", TransientError),
        (999999, None, TransientError),
        (None, None, TransientError),
    ],
)
def test_snowflake_codes(errno: int | None, sqlstate: str | None, kind: type[MdmError]) -> None:
    """Declared codes are what the table says, anything else is transient; no message of the vendor passes."""
    error = translate_snowflake(snowflake_error(errno, sqlstate), "merge crosswalk")
    assert isinstance(error, kind)
    assert "merge crosswalk" in str(error)
    assert "Jane" not in str(error)


def test_no_code_is_declared_twice() -> None:
    """A code means one thing."""
    assert not SNOWFLAKE_SESSION_LOST.keys() & SNOWFLAKE_TERMINAL.keys()
    assert not DUCKDB_SESSION_LOST & DUCKDB_TERMINAL.keys()


def test_declared_duckdb_classes_exist() -> None:
    """Every class named in the table is one that the driver has."""
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed (extra: local)")
    for name in DUCKDB_SESSION_LOST | DUCKDB_TERMINAL.keys():
        assert issubclass(getattr(duckdb, name), duckdb.Error)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ConversionException", TerminalError), ("FatalException", SessionLostError), ("IOException", TransientError)],
)
def test_duckdb_classes(name: str, kind: type[MdmError]) -> None:
    """The class decides; an unknown one is transient."""
    error = type(name, (Exception,), {})("Could not convert 'Jane'")
    translated = translate_duckdb(error, "stage")
    assert isinstance(translated, kind)
    assert "Jane" not in str(translated)


def test_errno_may_be_missing() -> None:
    """An error without a code is translated too."""
    assert isinstance(translate_snowflake(SimpleNamespace(), "x"), TransientError)  # type: ignore[arg-type]
