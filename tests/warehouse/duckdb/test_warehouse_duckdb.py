"""The DuckDB file: shared politely, reopened when lost, and unharmed by odd values."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from feed_messages import contents, retire, upsert

from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from mdm_stream.warehouse import DuckDbWarehouse, SessionLostError, WarehouseBusyError, WarehouseConsumer
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.warehouse import SqlWarehouse

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A warehouse file that another process holds open for writing."""
    path = tmp_path / "warehouse.duckdb"
    DuckDbWarehouse(path).query("SELECT 1")
    warehouse = DuckDbWarehouse(path)
    warehouse.apply([upsert(1, "g1", ["crm/1"])])
    warehouse.close()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    yield path, holder
    holder.stdin.close()
    holder.wait(10)
    holder.stdout.close()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_held_elsewhere_says_by_whom(held: tuple[Path, subprocess.Popen[str]], read_only: bool) -> None:
    """The error is transient, names the file and the process, and says what to do."""
    path, holder = held
    with pytest.raises(WarehouseBusyError, match=rf"process {holder.pid} .*Try again") as raised:
        DuckDbWarehouse(path, read_only=read_only, lock_wait_ms=0).query("SELECT 1")
    assert isinstance(raised.value, TransientError)


def test_opening_waits_for_the_holder_to_leave(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """Within its waiting time a reader gets in as soon as the writer closes."""
    path, holder = held
    holder.stdin.close()
    reader = DuckDbWarehouse(path, read_only=True, lock_wait_ms=10_000)
    assert reader.query("SELECT golden_id FROM current_golden_record") == [("g1",)]
    reader.close()


def test_an_idle_consumer_lets_readers_in_and_comes_back(tmp_path: Path) -> None:
    """A tick closes the file only after the idle time; the next batch opens it again with everything in it."""
    path, now = tmp_path / "warehouse.duckdb", [0.0]
    consumer = WarehouseConsumer(DuckDbWarehouse(path), idle_close_s=5, monotonic_s=lambda: now[0])
    warehouse = consumer._warehouse
    warehouse.apply([upsert(1, "g1", ["crm/1"])])
    look = [sys.executable, "-c", "import duckdb, sys; duckdb.connect(sys.argv[1], read_only=True)", str(path)]
    now[0] = 4.9
    assert not consumer.close_when_idle()
    assert subprocess.run(look, check=False, capture_output=True).returncode != 0
    now[0] = 5.0
    assert consumer.close_when_idle()
    assert subprocess.run(look, check=False, capture_output=True).returncode == 0
    warehouse.apply([upsert(2, "g2", ["crm/2"])])
    assert warehouse.query("SELECT COUNT(*) FROM current_golden_record") == [(2,)]
    warehouse.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """A read-only warehouse refuses to apply before it touches the file."""
    reader = DuckDbWarehouse(tmp_path / "warehouse.duckdb", read_only=True)
    with pytest.raises(TerminalError, match="read-only"):
        reader.apply([upsert(1, "g1", [])])
    with pytest.raises(TerminalError, match="read-only"):
        reader.purge()


def test_a_path_that_cannot_be_used_is_explained(tmp_path: Path) -> None:
    """A missing folder, a missing file to read, and a file open in the other mode each have their sentence."""
    with pytest.raises(ConfigurationError, match="folder"):
        DuckDbWarehouse(tmp_path / "no" / "warehouse.duckdb").query("SELECT 1")
    path = tmp_path / "warehouse.duckdb"
    with pytest.raises(ConfigurationError, match="no warehouse file"):
        DuckDbWarehouse(path, read_only=True).query("SELECT 1")
    writer = DuckDbWarehouse(path)
    writer.query("SELECT 1")
    with pytest.raises(ConfigurationError, match="another mode"):
        DuckDbWarehouse(path, read_only=True).query("SELECT 1")
    writer.close()


def test_a_file_that_is_no_database_is_an_error_of_ours(tmp_path: Path) -> None:
    """Bytes that DuckDB cannot read do not leak a vendor error."""
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises((TerminalError, TransientError)):
        DuckDbWarehouse(path).query("SELECT 1")


@pytest.mark.parametrize("losses", [1, 2])
def test_a_lost_session_is_replaced_once(tmp_path: Path, losses: int) -> None:
    """After one loss the batch runs again on a new connection; a second loss in a row is the caller's to retry."""
    opened: list[DuckDbSession] = []

    def connect() -> DuckDbSession:
        session = DuckDbSession(str(tmp_path / "warehouse.duckdb"), read_only=False, lock_wait_ms=0)
        opened.append(session)
        if len(opened) <= losses:
            session.stage = _lose  # type: ignore[method-assign]
        return session

    def _lose(ndjson: bytes, applied_at: datetime) -> None:
        raise SessionLostError("lost")

    warehouse = SqlWarehouse(connect)
    if losses == 1:
        warehouse.apply([upsert(1, "g1", ["crm/1"])])
    else:
        with pytest.raises(SessionLostError):
            warehouse.apply([upsert(1, "g1", ["crm/1"])])
        warehouse.apply([upsert(1, "g1", ["crm/1"])])
    assert len(opened) == losses + 1
    assert len(contents(warehouse)["golden_record"]) == 1
    warehouse.close()


def test_odd_values_are_kept_as_they_are(duckdb_warehouse: DuckDbWarehouse) -> None:
    """Quotes, newlines, control characters, other scripts, lists and a megabyte of text survive the staging file."""
    values = {
        "quote": 'O\'Brien "x" \\ ; -- $text ?',
        "lines": "a\nb\r\n\tc\u2028d",
        "nul": "a\u0000b",
        "script": "Zoë 北京 🙂",
        "many": ["b", "a"],
        "none": None,
        "long": "x" * 1_000_000,
    }
    duckdb_warehouse.apply([upsert(1, "g'1", ["crm/a'\n\"b", "crm/a/ü"], values=values)])
    [(golden_id, stored)] = duckdb_warehouse.query("SELECT golden_id, golden_values FROM current_golden_record")
    assert golden_id == "g'1"
    assert json.loads(stored) == values
    assert duckdb_warehouse.query("SELECT record_id FROM crosswalk ORDER BY 1") == [("a'\n\"b",), ("a/ü",)]


def test_a_value_that_fits_no_column_is_terminal_and_not_quoted(duckdb_warehouse: DuckDbWarehouse) -> None:
    """A sequence beyond 64 bits cannot be stored; the error says so without the value, and nothing was applied."""
    too_large = upsert(1, "g1", ["crm/1"])
    too_large = too_large.model_copy(update={"data": too_large.data.model_copy(update={"sequence": 2**63})})
    with pytest.raises(TerminalError) as raised:
        duckdb_warehouse.apply([upsert(1, "g0", []), too_large])
    assert str(2**63) not in str(raised.value)
    assert duckdb_warehouse.query("SELECT COUNT(*) FROM golden_history") == [(0,)]


def test_an_empty_batch_opens_nothing(tmp_path: Path) -> None:
    """Applying nothing neither creates nor locks the file."""
    path = tmp_path / "warehouse.duckdb"
    assert DuckDbWarehouse(path).apply([]).changes == 0
    assert not path.exists()


def test_a_retired_id_leads_to_where_its_anchor_is_now(tmp_path):
    """However often the golden record that it went into has changed its id; nowhere once its anchor is deleted."""
    warehouse = DuckDbWarehouse(tmp_path / "w.duckdb")
    warehouse.apply(
        [
            upsert(1, "g1", ["crm/1"]),
            upsert(2, "g2", ["crm/2"]),
            retire(3, "g2", merged_into="g1", anchor="crm/2"),
            upsert(4, "g1", ["crm/1", "crm/2", "crm/3"]),
            retire(5, "g1", removed=["crm/1"], anchor="crm/1"),
            upsert(6, "g3", ["crm/2", "crm/3"]),
        ]
    )
    assert warehouse.query("SELECT golden_id, leads_to FROM golden_redirect") == [("g2", "g3")]
    warehouse.close()
