"""``mdm-stream sql`` and ``mdm-stream export``: the local warehouse for people and programs, at any time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet
import pytest
from feed_messages import origins, retire, upsert

from mdm_stream.cli.main import run
from mdm_stream.files import cell_text
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.duckdb.export import CONTENTS_FILE

COUNT = "SELECT COUNT(*) AS n FROM golden_record"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory whose warehouse a writer keeps open, with a read copy one message behind."""
    with closing(DuckDbWarehouse(tmp_path / "warehouse.duckdb", copy_age_s=3600)) as writer:
        hostile = upsert(2, "g2", ["erp/=1+1"], values={"name": "\x1b[2J"}, provenance={"name": origins("erp/=1+1")})
        writer.apply([upsert(1, "g1", ["crm/1"]), hostile])
        writer.close()
        writer.apply([retire(3, "g1", removed=["crm/1"])])
        yield tmp_path


def _sql(state: Path, *arguments: str) -> int:
    return run(["sql", "--state", str(state), *arguments])


def test_a_question_is_answered_while_the_writer_has_the_file(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rows come from the copy, and stderr says how old it is and how far each domain has come."""
    assert _sql(state, "--format", "ndjson", COUNT) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == {"n": 2}
    assert "warehouse.read.duckdb: read copy, " in told.err
    assert "person 1/2" in told.err


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nothing FROM golden_record", "nothing"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("", "one statement"),
        ("DELETE FROM golden_record", "this is DELETE"),
        ("COPY golden_record TO 'x.csv'", "this is COPY"),
        ("SET memory_limit = '9GB'", "this is SET"),
        ("ATTACH 'x.duckdb'", "this is ATTACH"),
        ("SELECT * FROM read_text('/etc/hostname')", "no other file"),
        ("SELECT * FROM '/etc/hostname.csv'", "no other file"),
        ("SELECT CAST(golden_id AS INTEGER) FROM golden_record", "ConversionException"),
    ],
)
def test_what_cannot_be_run_says_why(
    state: Path, capsys: pytest.CaptureFixture[str], statement: str, said: str
) -> None:
    """A wrong statement is a usage error in one sentence, and never repeats a value of a row."""
    assert _sql(state, statement) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert "g1" not in told.err
    assert not told.out


def test_a_query_without_end_is_stopped(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Time and memory have limits, and the error says which was reached."""
    endless = "SELECT COUNT(*) FROM range(10000000) a, range(10000000) b WHERE hash(a.range + b.range) = 1"
    assert _sql(state, "--timeout", "0.2", endless) == 1
    assert "more than 0.2 s" in capsys.readouterr().err
    large = "SELECT string_agg(repeat('x', 1000)) FROM range(1000000)"
    assert _sql(state, "--memory", "64", large) == 1
    assert "memory" in capsys.readouterr().err


def test_csv_is_no_formula_and_can_be_read_back(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cells that begin as formulas do are marked, and the mark comes off."""
    assert _sql(state, "--format", "csv", "SELECT record_id, 7 AS n, NULL AS none FROM crosswalk ORDER BY 1") == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [["record_id", "n", "none"], ["1", "7", ""], ["'=1+1", "7", ""]]
    assert cell_text(rows[2][0]) == "=1+1"


def test_json_has_the_types_of_json(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers stay numbers, lists lists; times, and numbers that JSON cannot hold, are text."""
    statement = "SELECT 1 AS i, 1.5::DOUBLE AS f, [1, NULL] AS l, {'a': 'b'} AS s, 'nan'::DOUBLE AS x, "
    statement += "TIMESTAMP '2026-01-02 03:04:05' AS t, true AS b, "
    statement += "170141183460469231::HUGEINT * 1000 AS h"
    assert _sql(state, "--format", "json", statement) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row["i"] == 1
    assert (row["f"], row["l"], row["s"], row["x"]) == (1.5, [1, None], {"a": "b"}, "nan")
    assert (row["t"], row["b"], row["h"]) == ("2026-01-02T03:04:05", True, "170141183460469231000")


def test_a_table_is_cut_at_the_limit_and_says_so(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal gets plain text, whatever a record holds."""
    assert _sql(state, "--limit", "1", "SELECT golden_values FROM golden_record ORDER BY golden_id DESC") == 0
    told = capsys.readouterr()
    assert "only the first 1 rows" in told.err
    assert "\x1b" not in told.out


def test_live_reads_the_file_itself(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once no process writes it; `--file` names another warehouse."""
    file = state / "other.duckdb"
    with closing(DuckDbWarehouse(file)) as writer:
        writer.apply([upsert(1, "g1", ["crm/1"])])
    for more in ([], ["--live"]):
        assert run(["sql", "--file", str(file), "--format", "ndjson", *more, COUNT]) == 0
        told = capsys.readouterr()
        assert json.loads(told.out) == {"n": 1}
        assert "the file itself" in told.err
    assert run(["sql", "--file", str(state / "none.duckdb"), COUNT]) == 2
    assert "there is no warehouse file" in capsys.readouterr().err


def test_an_export_is_one_state_with_documented_types(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All tables, as Parquet that Spark and BI tools read: text, 64-bit integers, instants of UTC."""
    folder = state / "out"
    assert run(["export", str(folder), "--state", str(state), "--json"]) == 0
    told = capsys.readouterr()
    rows = json.loads(told.out)["rows"]
    assert (rows["golden_record"], rows["golden_history"], rows["crosswalk"]) == (2, 2, 2)
    assert "read copy" in told.err
    contents = json.loads((folder / CONTENTS_FILE).read_text())
    assert contents["positions"] == {"person": [1, 2]}
    assert sorted(path.name for path in folder.iterdir()) == sorted([CONTENTS_FILE, *(f"{t}.parquet" for t in rows)])
    kinds = {"string": "string", "int64": "int64", "timestamp": "timestamp[us, tz=UTC]"}
    for name, table in contents["tables"].items():
        found = pyarrow.parquet.read_table(folder / f"{name}.parquet")
        assert found.num_rows == table["rows"]
        assert {f.name: str(f.type) for f in found.schema} == {c: kinds[k] for c, k in table["columns"].items()}
    assert (folder.stat().st_mode & 0o777, (folder / "crosswalk.parquet").stat().st_mode & 0o777) == (0o700, 0o600)


def test_an_export_replaces_an_export_and_nothing_else(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is swapped as a whole; one with other files in it is left alone, and no litter stays."""
    folder = state / "out"
    for form in ("parquet", "csv"):
        options = ["--format", form, "--table", "crosswalk", "--table", "current_crosswalk"]
        assert run(["export", str(folder), "--state", str(state), *options]) == 0
        assert sorted(path.name for path in folder.iterdir()) == [
            CONTENTS_FILE,
            f"crosswalk.{form}",
            f"current_crosswalk.{form}",
        ]
    with (folder / "crosswalk.csv").open(newline="") as handle:
        assert sorted(cell_text(row["record_id"]) for row in csv.DictReader(handle)) == ["1", "=1+1"]
    (state / "mine").mkdir()
    (state / "mine" / "thesis.txt").write_text("mine")
    assert run(["export", str(state / "mine"), "--state", str(state)]) == 2
    assert (state / "mine" / "thesis.txt").read_text() == "mine"
    assert run(["export", str(folder), "--state", str(state), "--table", "golden_recrod"]) == 2
    assert "golden_recrod" in capsys.readouterr().err
    assert sorted(path.name for path in state.iterdir() if path.name.startswith(".")) == []
