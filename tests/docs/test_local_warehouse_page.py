"""What docs/guide/local-warehouse.md shows works: its commands run, its defaults and types are the code's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet
import pytest
from feed_messages import upsert
from source_tree import ROOT

from mdm_stream.cli.commands.sql import TABLE_ROWS
from mdm_stream.cli.main import run
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.duckdb.read_copy import READ_COPY_AGE_S, READ_COPY_PAUSE_TIMES
from mdm_stream.warehouse.duckdb.tables import SQL_MEMORY_MB, SQL_TIMEOUT_S

PAGE = (ROOT / "docs" / "guide" / "local-warehouse.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the default state directory, of which a writer has the warehouse open."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mdm-stream").mkdir()
    with closing(DuckDbWarehouse(tmp_path / ".mdm-stream" / "warehouse.duckdb", copy_age_s=READ_COPY_AGE_S)) as writer:
        writer.apply([upsert(1, "g1", ["crm/1"], values={"email": "a@example.org"})])
        writer.close()
        writer.apply([upsert(2, "g2", ["crm/2"])])
        yield tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_runs(stack: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands on the page, while the writer has the file, and with the line about the state on stderr."""
    program, *arguments = shlex.split(command)
    assert program == "mdm-stream"
    assert run(arguments) == 0
    told = capsys.readouterr()
    assert told.out
    assert re.search(r"^warehouse\.read\.duckdb: read copy, [0-9.]+ s old; person 1/[12]$", told.err, re.MULTILINE)


def test_numbers_are_those_of_the_code() -> None:
    """A default that changes has to change on the page."""
    assert f"`MDM_WAREHOUSE_COPY_AGE_S` ({READ_COPY_AGE_S:g} s;" in PAGE
    assert f"none for {READ_COPY_PAUSE_TIMES} *t*" in PAGE
    assert f"| {SQL_TIMEOUT_S:g} s | how long the query may run (`SQL_TIMEOUT_S`)" in PAGE
    assert f"| {SQL_MEMORY_MB:,} MB | what it may take (`SQL_MEMORY_MB`)" in PAGE
    assert f"| {TABLE_ROWS:,} for a table |" in PAGE


def test_types_are_those_of_the_files(stack: Path) -> None:
    """The page's table of types names what is in a Parquet file."""
    assert run(["export", "golden-export"]) == 0
    schema = pyarrow.parquet.read_schema(stack / "golden-export" / "golden_record.parquet")
    for column, kind in (("golden_id", "string"), ("sequence", "int64"), ("golden_values", "string")):
        assert str(schema.field(column).type) == kind
    assert f"| times | `{schema.field('committed_at').type}` |" in PAGE
