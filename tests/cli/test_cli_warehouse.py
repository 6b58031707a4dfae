"""``mdm-stream warehouse``: migrations as a command, and the estimate of cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mdm_stream.cli.commands.warehouse import warehouse
from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.migrations import load_migrations


def run(*arguments: str) -> str:
    """Run the command and return what it says."""
    result = CliRunner().invoke(warehouse, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_dry_run_prints_every_statement_and_changes_nothing(tmp_path: Path) -> None:
    """Of a file that is not there, of one that lacks the last migration, and of one that is up to date."""
    file = tmp_path / "w.duckdb"
    said = run("migrate", "--dry-run", "--file", str(file))
    assert not file.exists()
    assert said.count("would apply") == len(load_migrations())
    assert {"CREATE TABLE IF NOT EXISTS golden_record (", "WHERE status = 'live';"} <= set(said.splitlines())
    assert "CREATE TABLE IF NOT EXISTS schema_version" in said
    assert run("migrate", "--file", str(file)).count("applied ") == len(load_migrations())
    last = load_migrations()[-1]
    opened = DuckDbWarehouse(file)
    opened.query("DELETE FROM schema_version WHERE version = ?", (last.version,))
    opened.close()
    for _ in range(2):
        assert f"would apply {last.version:04d}_{last.name}" in run("migrate", "--dry-run", "--file", str(file))
    run("migrate", "--file", str(file))
    assert run("migrate", "--file", str(file)) == "the schema is up to date\n"


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
def test_a_newer_schema_is_refused_with_what_would_be_lost(tmp_path: Path, dry_run: list[str]) -> None:
    """A downgrade names the migrations whose tables and columns this version does not know."""
    file = tmp_path / "w.duckdb"
    opened = DuckDbWarehouse(file)
    opened.query("INSERT INTO schema_version VALUES (98, 'bitemporal'), (99, 'verdicts')")
    opened.close()
    with pytest.raises(ConfigurationError, match="would lose what these have added: 0098_bitemporal, 0099_verdicts"):
        run("migrate", *dry_run, "--file", str(file))


def test_cost_is_a_table_and_json() -> None:
    """The same estimate for people and for programs."""
    arguments = ("cost", "--events-per-day", "1000000", "--lag", "300")
    assert "target lag of the dynamic tables: 300 s" in run(*arguments)
    told = json.loads(run(*arguments, "--edition", "enterprise", "--json"))
    assert [way["credits_a_day"] for way in told["ways"]] == [10.52, 6.64, 6.7]
    assert told["recommended"]["writer"] == "COPY and dynamic tables"


def test_views_of_domains_are_made_from_rules(tmp_path: Path) -> None:
    """A dry run prints them and makes no file; else they have a column an attribute, and may be made again."""
    file = tmp_path / "w.duckdb"
    assert "TRY_CAST((golden_values ->> '$.birth_date') AS DATE) AS birth_date" in run(
        "views", "person", "--dry-run", "--file", str(file)
    )
    assert not file.exists()
    run("migrate", "--file", str(file))
    for _ in range(2):
        assert run("views", "person", "--file", str(file)) == "made person_golden\nmade person_golden_as_of\n"
    opened = DuckDbWarehouse(file)
    assert opened.query("SELECT family_name, birth_date FROM person_golden") == []
    opened.close()
