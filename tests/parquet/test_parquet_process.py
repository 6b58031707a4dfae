"""Parquet is read in a process of its own: whatever that one does or says, the one that asked for it goes on."""

from __future__ import annotations

import ast
import io
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from file_damage import damaged_files
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.parquet import child, process
from mdm_stream.parquet.frames import BAD_CELLS, FRAME_BYTES, BadCell, ParquetFault
from mdm_stream.parquet.process import ParquetLimits, ParquetProcess

pytestmark = pytest.mark.long

MEGABYTE = 1024 * 1024
LIMITS = ParquetLimits(MEGABYTE, 100_000, 64 * MEGABYTE, 60.0)
HASTY = ParquetLimits(MEGABYTE, 100_000, 64 * MEGABYTE, 0.5)


def reading(content: bytes, limits: ParquetLimits = LIMITS) -> ParquetProcess:
    """Begin to read a file."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return ParquetProcess(file, limits)


def as_file(table: pa.Table, **how) -> bytes:
    """Return a table as Parquet."""
    out = io.BytesIO()
    parquet.write_table(table, out, **how)
    return out.getvalue()


def is_there(pid: int) -> bool:
    """Tell whether a process runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def hostile(monkeypatch):
    """A reader that does what the file says."""
    monkeypatch.setattr(process, "CHILD", "hostile_reader")


def test_a_few_damaged_files_are_rows_or_a_fault():
    """Each in a process of its own, as in a function."""
    found = set()
    for content in damaged_files(random.Random(5), 5):
        try:
            found.update("rows" for _ in reading(content).batches())
        except ParquetFault as fault:
            found.add(fault.code)
    assert found <= {"rows", "broken_file", "giant_part", "giant_line", "too_many_columns"}
    assert "broken_file" in found


@pytest.mark.parametrize("seed", range(2))
def test_hundreds_of_damaged_files_are_rows_or_a_fault(seed):
    """Bits and bytes turned, parts cut out, footers damaged, giant sizes declared: the one that asks lives on."""
    script = Path(__file__).parents[1] / "support" / "forked_readers.py"
    ran = subprocess.run([sys.executable, script, "150", str(seed)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2_000:]
    found = ast.literal_eval(ran.stdout)
    assert sum(found.values()) == 150
    assert found["rows"] > 10
    assert found["broken_file"] > 30


@pytest.mark.parametrize("when", ["schema", "rows"])
@pytest.mark.parametrize("how", ["abort", "crash", "killed", "short"])
@pytest.mark.usefixtures("hostile")
def test_a_reader_that_dies_is_a_broken_file(when, how):
    """By an abort of the library, a signal, the kernel's hand, or in the middle of a frame; rows before it are rows."""
    read = []
    with pytest.raises(ParquetFault) as error:
        read.extend(reading(f"{when} {how}".encode()).batches())
    assert read == ([] if when == "schema" else [[["1"], ["2"]]])
    assert error.value.code == "broken_file"
    assert "ended the process" in error.value.message


@pytest.mark.parametrize(
    "what",
    [
        "giant", "unknown", "pickle", "text", "narrow", "ragged", "number", "empty", "kind", "early", "columns", "code",
        "speech", "deep", "many", "nested",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("hostile")
def test_nothing_that_a_reader_says_is_believed(what):
    """Lengths, kinds, JSON and shapes are looked at; a wrong one ends the reader, and nothing is loaded or run."""
    found = reading(f"rows {what}".encode())
    batches = found.batches()
    assert next(batches) == [["1"], ["2"]]
    with pytest.raises(ParquetFault, match="cannot be read as Parquet"):
        next(batches)
    assert not is_there(found.pid)


@pytest.mark.parametrize("how", ["hang", "drip"])
@pytest.mark.usefixtures("hostile")
def test_a_reader_that_never_ends_is_ended(how):
    """Whether it is silent or says something now and then: what is bounded is how long it is waited for in all."""
    found = reading(f"rows {how}".encode(), HASTY)
    with pytest.raises(ParquetFault, match=r"more than 0\.5 s"):
        list(found.batches())
    assert not is_there(found.pid)


@pytest.mark.usefixtures("hostile")
def test_a_reader_ends_with_what_reads_of_it():
    """An object that is dropped, or rows that are left, leave no process."""
    found = reading(b"rows hang")
    pid = found.pid
    batches = found.batches()
    next(batches)
    del found, batches
    assert not is_there(pid)


@pytest.mark.parametrize(("code", "error"), [(3, ConfigurationError), (1, TransientError)])
@pytest.mark.usefixtures("hostile")
def test_a_reader_that_never_began_is_no_fault_of_the_file(code, error):
    """Without the library, the installation is wrong; what ended before it read anything may do better next time."""
    with pytest.raises(error):
        reading(f"first {code}".encode())


@pytest.mark.usefixtures("hostile")
def test_a_reader_knows_no_secret_of_the_environment(monkeypatch):
    """Neither keys of AWS nor anything else that is set."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("MDM_REDIS_URL", "x")
    names = {name for name, _ in reading(b"schema environment").columns}
    assert "PYTHONPATH" in names
    assert not {name for name in names if name.startswith(("AWS", "MDM"))}


def test_a_reader_ends_with_the_process_that_started_it(tmp_path):
    """Also when that one is killed, and the reader waits for nothing and says nothing."""
    script = tmp_path / "asks.py"
    script.write_text(
        "import tempfile, time\n"
        "from mdm_stream.parquet import process\n"
        "process.CHILD = 'hostile_reader'\n"
        "file = tempfile.TemporaryFile()\n"
        "file.write(b'rows hang')\n"
        "file.seek(0)\n"
        "found = process.ParquetProcess(file, process.ParquetLimits(1, 1, 1, 60))\n"
        "print(found.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    asks = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment)
    pid = int(asks.stdout.readline())
    assert is_there(pid)
    asks.send_signal(signal.SIGKILL)
    asks.communicate()
    deadline_s = time.monotonic() + 20
    while is_there(pid) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not is_there(pid)


def test_who_asks_does_not_load_the_library(tmp_path):
    """The gatekeeper's function has no Arrow in it, whatever it reads."""
    (tmp_path / "people.parquet").write_bytes(as_file(pa.table({"id": ["1", "2"]})))
    script = (
        "import sys\n"
        "from producers.files import build, survey\n"
        "from mdm_stream.parquet.process import *\n"
        "found = ParquetProcess(open(sys.argv[1], 'rb'), ParquetLimits(10**6, 10**6, 10**8, 60))\n"
        "assert list(found.batches()) == [[['1', '2']]], 1\n"
        "assert 'pyarrow' not in sys.modules, 2\n"
    )
    asked = [sys.executable, "-c", script, str(tmp_path / "people.parquet")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(asked, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr[-2_000:]


def test_rows_are_those_that_a_direct_reading_gives():
    """All cells of many batches, row groups and frames, as the library itself has them."""
    chance = random.Random(3)
    texts = [
        None if number % 7 == 0 else "".join(chance.choices('aé漢"\n,\x00', k=number % 90)) for number in range(9_000)
    ]
    table = pa.table({"id": [str(number) for number in range(9_000)], "first": texts, "n": list(range(9_000))})
    read: list[list[str]] = [[], [], []]
    for columns in reading(as_file(table, row_group_size=2_500)).batches():
        for column, cells in zip(read, columns, strict=True):
            column.extend(cells)
    assert read == [["" if cell is None else str(cell) for cell in column.to_pylist()] for column in table.columns]


def test_a_file_that_takes_too_much_memory_is_a_fault():
    """Where pages are larger than the memory that a reader may have: no more than that is ever taken."""
    content = as_file(pa.table({"id": [f"{number:08d}" * 100 for number in range(40_000)]}), use_dictionary=False,
                      data_page_size=30 * MEGABYTE, write_batch_size=40_000)  # fmt: skip
    with pytest.raises(ParquetFault) as error:
        list(reading(content, ParquetLimits(32 * MEGABYTE, 100_000, 8 * MEGABYTE, 60.0)).batches())
    assert error.value.code in {"giant_part", "broken_file"}


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    st.builds(BadCell, st.sampled_from(sorted(BAD_CELLS)), st.text("ab", max_size=5)),
    st.integers(0, 40_000).map(lambda size: "x" * size),
)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12).flatmap(
        lambda rows: st.lists(st.lists(CELLS, min_size=rows, max_size=rows), min_size=1, max_size=4)
    )
)
def test_frames_are_bounded_and_hold_every_cell(columns):
    """However large cells are: a frame is no longer than it may be, and together they are the columns again."""
    again: list[list[object]] = [[] for _ in columns]
    try:
        for content in child.row_frames(columns, 100_000):
            assert len(content) <= max(100_000, FRAME_BYTES)
            for column, cells in zip(again, process._cells_of(content, len(columns)), strict=True):
                column.extend(cells)
    except ParquetFault as fault:
        assert fault.code == "giant_line"  # noqa: PT017 - either way is right
        assert any(len(orjson.dumps(row, default=list)) > 99_000 for row in zip(*columns, strict=True))
    else:
        assert again == columns
