"""The read copy: whole, current within its age, readable at any time, and known to erasure and search."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import feed_messages
import pytest
from feed_messages import contents, erase, origins, upsert

from mdm_stream.core.model import make_ref
from mdm_stream.warehouse import DuckDbWarehouse, WarehouseSettings, open_warehouse
from mdm_stream.warehouse.duckdb import copy_file
from mdm_stream.warehouse.duckdb.read_copy import READ_COPY_AGE_S, read_copy_path

DRAFT = "warehouse.read.duckdb.rewritten"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The warehouse file of a test, which is not there yet."""
    return tmp_path / "warehouse.duckdb"


@pytest.fixture
def writer(file: Path) -> Iterator[DuckDbWarehouse]:
    """A writer of which each batch is followed by a copy as soon as the one before it is ready."""
    with closing(DuckDbWarehouse(file, copy_age_s=1e-9)) as warehouse:
        yield warehouse


def _copy_of(file: Path) -> DuckDbWarehouse:
    return DuckDbWarehouse(read_copy_path(file), read_only=True)


def test_after_a_close_the_copy_holds_what_the_file_holds(file: Path, writer: DuckDbWarehouse) -> None:
    """Every table is the same in both, and the copy says how far it goes."""
    for sequence in range(1, 9):
        writer.apply([upsert(sequence, f"g{sequence % 3}", [f"crm/{sequence % 3}"])])
    writer.close()
    with closing(_copy_of(file)) as copy, closing(DuckDbWarehouse(file, read_only=True)) as live:
        assert contents(copy) == contents(live)
        [(domain, epoch, sequence, taken)] = copy.query(
            "SELECT domain, epoch, sequence, taken_at > committed_at FROM read_copy"
        )
        assert (domain, epoch, sequence, taken) == ("person", 1, 8, True)


def test_another_process_reads_while_the_writer_has_the_file(file: Path, writer: DuckDbWarehouse) -> None:
    """The copy opens at once where the file itself is refused."""
    writer.apply([upsert(1, "g1", ["crm/1"])])
    writer.close()
    writer.apply([upsert(2, "g2", ["crm/2"])])
    program = (
        "import sys; from mdm_stream.warehouse import DuckDbWarehouse\n"
        "for name in sys.argv[1:]:\n"
        "    reader = DuckDbWarehouse(name, read_only=True, lock_wait_ms=0)\n"
        "    try: print(reader.query('SELECT COUNT(*) FROM crosswalk'))\n"
        "    except Exception as error: print(type(error).__name__)\n"
    )
    names = [str(read_copy_path(file)), str(file)]
    told = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, check=True).stdout
    rows, refused = told.split("\n")[:2]
    assert rows in ("[(1,)]", "[(2,)]")
    assert refused == "WarehouseBusyError"


def test_each_copy_under_load_is_the_state_after_a_whole_batch(file: Path, writer: DuckDbWarehouse) -> None:
    """Tables of one copy agree on one sequence, the last of a batch."""
    looks, sequence = 0, 0
    seen: set[int] = set()
    while len(seen) < 6:
        batch = [upsert(sequence + n, f"g{n % 40}", [f"crm/{n % 40}"]) for n in range(1, 121)]
        writer.apply(batch)
        sequence += len(batch)
        looks += 1
        assert looks < 500, "no copy was made"
        if not read_copy_path(file).exists():
            continue
        with closing(_copy_of(file)) as copy:
            [(newest, rows, of_records, of_crosswalk)] = copy.query(
                "SELECT (SELECT MAX(sequence) FROM golden_history), (SELECT COUNT(*) FROM golden_history), "
                "(SELECT MAX(sequence) FROM golden_record), (SELECT MAX(sequence) FROM crosswalk)"
            )
            assert newest % len(batch) == 0
            assert newest == rows == of_records == of_crosswalk
            assert copy.query("SELECT sequence FROM read_copy") == [(newest,)]
            seen.add(newest)


def test_a_young_copy_is_left_alone_until_the_file_is_closed(file: Path) -> None:
    """Within the age no copy is made for a change; the close makes one all the same."""
    with closing(DuckDbWarehouse(file, copy_age_s=3600)) as writer:
        writer.apply([upsert(1, "g1", ["crm/1"])])
        writer.close()
        made = read_copy_path(file).stat().st_ino
        for sequence in (2, 3):
            writer.apply([upsert(sequence, "g1", ["crm/1"])])
            assert read_copy_path(file).stat().st_ino == made
        writer.close()
        with closing(_copy_of(file)) as copy:
            assert copy.position("person") == (1, 3)


def test_nothing_new_makes_no_new_copy(file: Path, writer: DuckDbWarehouse) -> None:
    """Opening and closing without a change leaves the copy as it is."""
    writer.apply([upsert(1, "g1", ["crm/1"])])
    writer.close()
    made = read_copy_path(file).stat().st_ino
    writer.query("SELECT 1")
    writer.close()
    writer.close()
    assert read_copy_path(file).stat().st_ino == made


def test_the_copy_keeps_the_mode_of_the_file(file: Path, writer: DuckDbWarehouse) -> None:
    """What the owner of the file has decided holds for its copy."""
    writer.apply([upsert(1, "g1", ["crm/1"])])
    writer.close()
    assert stat.S_IMODE(read_copy_path(file).stat().st_mode) == stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    writer.apply([upsert(2, "g1", ["crm/1"])])
    writer.close()
    assert stat.S_IMODE(read_copy_path(file).stat().st_mode) == 0o640


_WRITER = """
import sys
from mdm_stream.warehouse import DuckDbWarehouse
from feed_messages import upsert
writer, sequence = DuckDbWarehouse(sys.argv[1], copy_age_s=1e-9), 0
while True:
    writer.apply([upsert(sequence + n, f"g{n}", [f"crm/{n}"]) for n in range(1, 101)])
    sequence += 100
    print(sequence, flush=True)
"""


@pytest.mark.parametrize("batches", [1, 4])
def test_a_killed_writer_leaves_a_whole_copy_and_the_next_one_no_litter(file: Path, batches: int) -> None:
    """Killed at any moment: the older copy is whole, the draft goes, and the next close catches up."""
    command = [sys.executable, "-c", _WRITER, str(file)]
    environment = {**os.environ, "PYTHONPATH": str(Path(feed_messages.__file__).parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as killed:
        assert killed.stdout is not None
        for _ in range(batches):
            killed.stdout.readline()
        os.kill(killed.pid, signal.SIGKILL)
    file.with_name(DRAFT).write_bytes(b"half a copy")
    if read_copy_path(file).exists():
        with closing(_copy_of(file)) as copy:
            [(newest, rows)] = copy.query("SELECT MAX(sequence), COUNT(*) FROM golden_history")
            assert newest == rows
            assert newest % 100 == 0
    with closing(DuckDbWarehouse(file, copy_age_s=5)) as writer:
        writer.query("SELECT 1")
        writer.close()
        assert not file.with_name(DRAFT).exists()
        with closing(_copy_of(file)) as copy:
            assert contents(copy) == contents(writer)


def test_a_copy_that_fails_leaves_the_older_one_and_the_batch_applied(
    file: Path,
    writer: DuckDbWarehouse,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault of the copy is logged and holds back no batch; the next one makes up for it."""
    writer.apply([upsert(1, "g1", ["crm/1"])])
    writer.close()
    failing = tmp_path / "failing.py"
    failing.write_text("raise SystemExit(1)\n")
    with monkeypatch.context() as patch:
        patch.setattr(copy_file, "__file__", str(failing))
        writer.apply([upsert(2, "g1", ["crm/1"])])
        writer.close()
    assert "stays as it was" in caplog.text
    with closing(_copy_of(file)) as copy:
        assert copy.position("person") == (1, 1)
    assert not file.with_name(DRAFT).exists()
    writer.apply([upsert(3, "g1", ["crm/1"])])
    writer.close()
    with closing(_copy_of(file)) as copy:
        assert copy.position("person") == (1, 3)


def test_copies_can_be_turned_off_and_then_none_is_left(file: Path, writer: DuckDbWarehouse) -> None:
    """With an age of 0 no reader meets a copy that is not kept up."""
    writer.apply([upsert(1, "g1", ["crm/1"])])
    writer.close()
    assert read_copy_path(file).exists()
    with closing(DuckDbWarehouse(file, copy_age_s=0)) as without:
        without.apply([upsert(2, "g1", ["crm/1"])])
    assert not read_copy_path(file).exists()


def test_the_consumer_makes_copies_unless_it_is_set_not_to(tmp_path: Path) -> None:
    """The setting's default is an age, and 0 turns copies off."""
    named = {"MDM_WAREHOUSE_DUCKDB_PATH": str(tmp_path / "named.duckdb")}
    assert WarehouseSettings.from_environment(named).copy_age_s == READ_COPY_AGE_S
    for environment, is_made in (({"MDM_WAREHOUSE_COPY_AGE_S": "0"}, False), ({}, True)):
        with closing(open_warehouse(WarehouseSettings.from_environment({**named, **environment}))) as warehouse:
            warehouse.apply([upsert(1, "g1", ["crm/1"])])
        assert (tmp_path / "named.read.duckdb").exists() is is_made


def test_an_erased_value_is_found_in_the_copy_and_leaves_it_with_the_purge(file: Path) -> None:
    """Search and mentions name the copy; after the purge no file of the folder holds the value."""
    secret = "Wilhelmina Unmistakable"
    with closing(DuckDbWarehouse(file, copy_age_s=3600)) as writer:
        writer.apply([upsert(1, "g1", ["crm/1"], values={"name": secret}, provenance={"name": origins("crm/1")})])
        writer.close()
        writer.apply([erase(2, "crm/1")])
        copied = "warehouse.read.duckdb: "
        assert writer.mentions("person", "crm", "1", copies=False) == []
        assert writer.mentions("person", "crm", "1") == [f"{copied}golden_record", f"{copied}golden_history"]
        found = writer.search([secret])
        assert f"{copied}golden_history" in found
        assert "golden_history" not in found
        assert writer.purge()
        assert writer.mentions("person", "crm", "1") == writer.search([secret]) == []
        assert not any(secret.encode() in each.read_bytes() for each in file.parent.iterdir())
        with closing(_copy_of(file)) as copy:
            assert copy.erased("person") == [make_ref("crm", "1")]


def test_a_purge_that_cannot_copy_removes_the_copy(
    file: Path, writer: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Rather none than one that holds what was erased."""
    writer.apply([upsert(1, "g1", ["crm/1"])])
    writer.close()
    failing = tmp_path / "failing.py"
    failing.write_text("raise SystemExit(1)\n")
    monkeypatch.setattr(copy_file, "__file__", str(failing))
    assert writer.purge()
    assert not read_copy_path(file).exists()
