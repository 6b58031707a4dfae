"""Rows on their way into DuckDB: a process that is killed leaves none of their values where no erasure looks."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.duckdb.append import DuckDbEventSession
from mdm_stream.warehouse.duckdb.file import SPILL_SUFFIX, find_in_file
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.duckdb.staged_file import STAGED_SUFFIX, leftovers, staged_file

KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[3].split(os.pathsep)
if sys.argv[2] == "named":
    del os.memfd_create
from feed_messages import upsert
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.duckdb.session import DuckDbSession

real = DuckDbSession.execute
def execute(self, sql, parameters=(), *, step):
    rows = real(self, sql, parameters, step=step)
    if step == "stage":
        os.kill(os.getpid(), signal.SIGKILL)
    return rows

DuckDbSession.execute = execute
DuckDbWarehouse(sys.argv[1]).apply([upsert(1, "g1", ["crm/1"], values={"name": "Wilhelmina"})])
"""
AT = datetime(2026, 3, 1, tzinfo=UTC)


def kill_while_it_stages(warehouse: Path, how: str) -> None:
    """Run a writer that is killed when its rows are staged, with its temporary files in a folder of their own."""
    temporary = warehouse.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    command = [sys.executable, "-c", KILLED, str(warehouse), how, os.pathsep.join(path for path in sys.path if path)]
    done = subprocess.run(
        command, env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == -9, done.stderr.decode()


def holding(folder: Path, text: bytes) -> list[str]:
    """Return the files in a folder, and below it, that hold a text."""
    return [each.name for each in folder.rglob("*") if each.is_file() and text in each.read_bytes()]


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has files without a name")
def test_a_killed_writer_leaves_no_staged_rows(tmp_path: Path) -> None:
    """Neither beside the file nor among temporary files."""
    kill_while_it_stages(tmp_path / "w.duckdb", "unnamed")
    assert holding(tmp_path, b"Wilhelmina") == []


def test_where_files_have_names_they_are_found_and_removed(tmp_path: Path) -> None:
    """A search names what is left, and whoever opens the file for writing next removes it; a reader does not."""
    path = tmp_path / "w.duckdb"
    kill_while_it_stages(path, "named")
    [left] = holding(tmp_path, b"Wilhelmina")
    assert left.startswith(f"w.duckdb{STAGED_SUFFIX}")
    assert (tmp_path / left).stat().st_mode & 0o777 == 0o600
    assert find_in_file(str(path), ["Wilhelmina"]) == [left]
    reader = DuckDbWarehouse(path, read_only=True)
    assert reader.search(["Wilhelmina"]) == [left]
    reader.close()
    DuckDbSession(str(path), read_only=False, lock_wait_ms=0).close()
    assert holding(tmp_path, b"Wilhelmina") == []


def test_a_process_leaves_its_own_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another session of the same process may be loading one; it goes when that is done, or has failed."""
    monkeypatch.delattr(os, "memfd_create", raising=False)
    path = str(tmp_path / "w.duckdb")
    with staged_file(b"{}", path) as file:
        DuckDbSession(path, read_only=False, lock_wait_ms=0).close()
        assert Path(file).exists()
        assert leftovers(path) == []
    assert not Path(file).exists()
    with pytest.raises(ZeroDivisionError), staged_file(b"{}", path) as file:
        raise ZeroDivisionError
    assert not Path(file).exists()


@pytest.mark.parametrize("named", [False, True])
def test_both_kinds_of_file_hold_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool) -> None:
    """Large ones too, whichever kind the system has."""
    if named:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    session = DuckDbEventSession(str(tmp_path / "w.duckdb"), read_only=False, lock_wait_ms=0)
    rows = b"".join(b'{"kind":"change","domain":"person","sequence":%d}\n' % number for number in range(50_000))
    session.stage(rows, AT)
    assert session.execute("SELECT COUNT(*), MAX(sequence) FROM staged_row", step="test") == [(50_000, 49_999)]
    session.close()
    assert [each.name for each in tmp_path.iterdir()] == ["w.duckdb"]


def test_what_duckdb_has_spilled_is_searched(tmp_path: Path) -> None:
    """Its own folder beside the file holds rows that did not fit into memory, and stays when the process is killed."""
    path = tmp_path / "w.duckdb"
    DuckDbSession(str(path), read_only=False, lock_wait_ms=0).close()
    folder = Path(f"{path}{SPILL_SUFFIX}")
    folder.mkdir()
    (folder / "duckdb_temp_storage-0.tmp").write_bytes(b"..Wilhelmina..")
    assert find_in_file(str(path), ["Wilhelmina"]) == ["duckdb_temp_storage-0.tmp"]
