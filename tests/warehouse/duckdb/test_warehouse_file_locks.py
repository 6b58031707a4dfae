"""The lock of a DuckDB file holds whatever else its process does: two that fight for a file lose nothing."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import warehouse_fighter
from feed_messages import upsert

from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.warehouse import DuckDbWarehouse, Warehouse
from mdm_stream.warehouse.duckdb import file as duckdb_file
from mdm_stream.warehouse.duckdb import scan

TIMEOUT_S = 120
WRITE = """
import duckdb, sys
try:
    duckdb.connect(sys.argv[1]).execute("CREATE TABLE stolen (n INTEGER)")
except duckdb.IOException:
    sys.exit(3)
"""
CALLS = {
    "apply": "w.apply([upsert(2, 'g2', ['crm/2']), erase(3, 'crm/1')])",
    "query": "w.query('SELECT COUNT(*) FROM golden_history')",
    "published": "list(w.published('person'))",
    "published_evidence": "list(w.published_evidence('person'))",
    "erased": "w.erased('person')",
    "position": "w.position('person')",
    "mentions": "w.mentions('person', 'crm', '2')",
    "search": "w.search(['name'])",
    "history_with": "list(w.history_with(['name'], 10))",
    "old_versions": "w.old_versions('person', ['crm/1'])",
    "purge": "w.purge()",
    "close": "w.close()",
}
WATCHED = """
import json, os, sys
from feed_messages import erase, upsert
from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse import DuckDbWarehouse

path, opened = sys.argv[1], []

def watch(event, arguments):
    if event == 'open' and isinstance(arguments[0], (str, bytes, os.PathLike)):
        name = os.fsdecode(arguments[0])
        if os.path.realpath(name).startswith(path):
            opened.append(name)

sys.addaudithook(watch)
w = DuckDbWarehouse(path)
w.apply([upsert(1, 'g1', ['crm/1'])])
for call in sys.argv[2:]:
    eval(call)
    DuckDbWarehouse(path, read_only=True)
print(json.dumps(opened))
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[DuckDbWarehouse]:
    """A warehouse whose file this process holds for writing."""
    warehouse = DuckDbWarehouse(tmp_path / "warehouse.duckdb")
    warehouse.apply([upsert(1, "g1", ["crm/1"])])
    yield warehouse
    warehouse.close()


def may_write(path: str | Path) -> bool:
    """Whether another process may write to a file now."""
    done = subprocess.run([sys.executable, "-c", WRITE, str(path)], check=False, timeout=TIMEOUT_S)
    assert done.returncode in (0, 3)
    return done.returncode == 0


def test_no_call_opens_the_file_beside_duckdb() -> None:
    """Every call of the port is watched; a new one must be added here."""
    named = {name for name, _ in inspect.getmembers(Warehouse, inspect.isfunction) if not name.startswith("_")}
    assert named == set(CALLS)


@pytest.mark.parametrize("first", sorted(CALLS))
def test_python_opens_neither_file_nor_log(tmp_path: Path, first: str) -> None:
    """Under an audit hook: whichever call comes first, no call makes Python open the file, its log or its copy."""
    calls = [CALLS[first], *(call for name, call in CALLS.items() if name != first)]
    path = tmp_path / "warehouse.duckdb"
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(path), *calls],
        check=True,
        capture_output=True,
        timeout=TIMEOUT_S,
        env={"PYTHONPATH": str(Path(warehouse_fighter.__file__).parent)},
    )
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("call", ["mentions", "search", "purge"])
def test_a_held_file_stays_held(held: DuckDbWarehouse, call: str) -> None:
    """After a call that looks at the whole file, and a commit, no other process can write to it."""
    path = held._path
    eval(CALLS[call], {"w": held})
    held.apply([upsert(2, "g2", ["crm/2"])])
    assert not may_write(path)
    held.close()
    assert may_write(path)


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("name", ["warehouse.duckdb", "there/../warehouse.duckdb", "link.duckdb"])
def test_a_second_handle_gives_up_no_lock(held: DuckDbWarehouse, tmp_path: Path, name: str, read_only: bool) -> None:
    """By whatever name the same process opens the file again, and in whatever mode, closing that changes nothing."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link.duckdb").symlink_to(held._path)
    other = DuckDbWarehouse(tmp_path / name, read_only=read_only, lock_wait_ms=0)
    with pytest.raises(ConfigurationError, match="another mode") if read_only else nullcontext():
        other.query("SELECT 1")
    other.close()
    assert not may_write(held._path)


def test_a_purge_by_a_link_rewrites_what_it_leads_to(held: DuckDbWarehouse, tmp_path: Path) -> None:
    """The link stays a link, and both names lead to one file."""
    held.close()
    link = tmp_path / "link.duckdb"
    link.symlink_to(held._path)
    warehouse = DuckDbWarehouse(link)
    assert warehouse.purge()
    assert link.is_symlink()
    assert held.query("SELECT golden_id FROM current_golden_record") == [("g1",)]


def test_two_processes_that_fight_for_a_file_lose_nothing(tmp_path: Path) -> None:
    """Each writes and calls all that there is, in an order of its own; what was committed is there at the end."""
    path, steps = tmp_path / "warehouse.duckdb", 25
    Path(f"{path}-link").symlink_to(path)
    DuckDbWarehouse(path).query("SELECT 1")
    fighters = [
        subprocess.Popen(
            [sys.executable, warehouse_fighter.__file__, str(path), domain, str(seed), str(steps)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed, domain in enumerate(("person", "org"))
    ]
    said = [fighter.communicate(timeout=TIMEOUT_S)[0] for fighter in fighters]
    assert [fighter.returncode for fighter in fighters] == [0, 0]
    committed = [[int(line) for line in each.splitlines()] for each in said]
    assert committed == [list(range(1, steps + 1))] * 2
    warehouse = DuckDbWarehouse(path)
    for table in ("golden_history", "golden_record", "crosswalk"):
        rows = warehouse.query(f"SELECT domain, sequence FROM {table} ORDER BY domain DESC, sequence")
        assert rows == [(domain, n) for domain in ("person", "org") for n in range(1, steps + 1)]
    warehouse.close()


def test_what_the_scan_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts across the pieces that a file is read in are found, and texts that are not there are not."""
    monkeypatch.setattr(scan, "PIECE_BYTES", 7)
    file = tmp_path / "file"
    file.write_bytes(b"0123456789abcdef" * 3)
    for start in range(48):
        for size in range(1, 20):
            assert scan.holds(str(file), [(b"0123456789abcdef" * 3)[start : start + size]])
    assert not scan.holds(str(file), [b"0123456789abcdeg", b"f0123456789abcdefe"])
    assert not scan.holds(str(tmp_path / "absent"), [b"a"])
    assert not scan.holds(str(file), [])


def test_a_scan_that_fails_is_transient_and_says_no_value(
    held: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing found is never the answer of a scan that did not happen."""
    monkeypatch.setattr(duckdb_file.scan, "__file__", "/nowhere/scan.py")
    with pytest.raises(TransientError, match="could not be looked into") as raised:
        held.search(["A Value Of Theirs"])
    assert "Value Of Theirs" not in repr(raised.value)
    assert raised.value.__cause__ is None
