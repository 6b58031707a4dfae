"""Vendor errors become ours, by a declared table."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from mdm_stream.errors import MdmError, TerminalError, TransientError
from mdm_stream.warehouse import SessionLostError, faults
from mdm_stream.warehouse.faults import (
    DUCKDB_SESSION_LOST,
    DUCKDB_TERMINAL,
    SNOWFLAKE,
    FaultKind,
    LockNotReleasedError,
    LoginRefusedError,
    MissingTableError,
    translate_duckdb,
    translate_snowflake,
)


def snowflake_error(errno: int | None, sqlstate: str | None = None) -> Exception:
    """An error as the connector raises it."""
    error = Exception("Numeric value 'Jane' is not recognized")
    error.errno, error.sqlstate = errno, sqlstate  # type: ignore[attr-defined]
    return error


KINDS: dict[FaultKind, type[MdmError]] = {
    FaultKind.SESSION_LOST: SessionLostError,
    FaultKind.TRANSIENT: TransientError,
    FaultKind.LOCKED: LockNotReleasedError,
    FaultKind.TERMINAL: TerminalError,
    FaultKind.MISSING: MissingTableError,
    FaultKind.REFUSED: LoginRefusedError,
}


@pytest.mark.parametrize(
    ("errno", "sqlstate", "kind"),
    [
        *[(code, None, KINDS[outcome]) for code, (outcome, _) in SNOWFLAKE.items()],
        (250001, "28000", LoginRefusedError),
        (250001, "08001", TransientError),
        (999999, None, TransientError),
        (None, None, TransientError),
    ],
)
def test_snowflake_codes(errno: int | None, sqlstate: str | None, kind: type[MdmError]) -> None:
    """Declared codes are what the table says, anything else is transient; no message of the vendor passes."""
    error = translate_snowflake(snowflake_error(errno, sqlstate), "merge crosswalk")
    assert type(error) is kind
    assert "merge crosswalk" in str(error)
    assert "Jane" not in str(error)


def test_no_code_is_declared_twice() -> None:
    """A code means one thing."""
    codes = re.findall(r"^    (\d+): \(", Path(faults.__file__).read_text("utf-8"), re.MULTILINE)
    assert sorted(map(int, codes)) == sorted(SNOWFLAKE)
    assert not DUCKDB_SESSION_LOST & DUCKDB_TERMINAL.keys()


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (625, FaultKind.LOCKED),  # lock waiters
        (630, FaultKind.TRANSIENT),  # statement timeout
        (390112, FaultKind.SESSION_LOST),
        (390114, FaultKind.SESSION_LOST),
        (2003, FaultKind.MISSING),
        (394304, FaultKind.REFUSED),
    ],
)
def test_what_is_met_most_is_declared(code: int, outcome: FaultKind) -> None:
    """What an operator meets has an outcome on purpose, and none by default."""
    assert SNOWFLAKE[code][0] is outcome


def test_the_page_has_the_table() -> None:
    """Operators look a code up where they read."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "snowflake-errors.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\d+)` \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)
    assert rows == [(f"{code:06d}", str(outcome), meaning) for code, (outcome, meaning) in sorted(SNOWFLAKE.items())]


def test_declared_duckdb_classes_exist() -> None:
    """Every class named in the table is one that the driver has."""
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed (extra: local)")
    for name in DUCKDB_SESSION_LOST | DUCKDB_TERMINAL.keys():
        assert issubclass(getattr(duckdb, name), duckdb.Error)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ConversionException", TerminalError),
        ("CatalogException", MissingTableError),
        ("FatalException", SessionLostError),
        ("IOException", TransientError),
    ],
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
