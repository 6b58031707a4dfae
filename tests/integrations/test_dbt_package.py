"""The dbt package: green on the warehouse of the demo, red on one that is damaged, and its SQL is Snowflake's, too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pytest

from mdm_stream.deployment import WAREHOUSE_FILE
from mdm_stream.rules.load import load_ruleset
from mdm_stream.simulate import DEMO_RULES
from mdm_stream.simulate.demo import run_demo

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "integrations" / "dbt"
DBT = ROOT / "build" / "dbt" / "bin" / "dbt"
EVENTS = 600
TIMEOUT_S = 120

needs_dbt = pytest.mark.skipif(not DBT.exists(), reason="dbt is not installed: make dbt")

DAMAGES = {
    "golden_records_are_unique": "INSERT INTO golden_record SELECT * FROM golden_record WHERE status = 'live' LIMIT 1",
    "crosswalk_is_unique": "INSERT INTO crosswalk SELECT * FROM crosswalk LIMIT 1",
    "members_agree_with_crosswalk": "UPDATE crosswalk SET golden_id = NULL WHERE rowid = 0",
    "records_are_in_one_golden_record": """
        UPDATE golden_history AS t SET payload = json_merge_patch(t.payload, json_object('members', other.members))
        FROM (SELECT payload -> '$.members' AS members, golden_id FROM golden_history AS h
              JOIN golden_record AS g USING (domain, golden_id, epoch, sequence)
              WHERE g.status = 'live' ORDER BY golden_id LIMIT 1) AS other
        WHERE (t.domain, t.epoch, t.sequence) IN (
            SELECT domain, epoch, sequence FROM golden_record WHERE status = 'live' ORDER BY golden_id DESC LIMIT 1)
    """,
    "golden_records_are_the_newest": "UPDATE golden_record SET sequence = sequence - 1 WHERE rowid = 6",
    "changes_are_in_golden_records": "DELETE FROM golden_record WHERE rowid = 5",
    "sequences_have_no_gap": "DELETE FROM golden_history WHERE sequence = 7",
    "redirects_resolve": "UPDATE golden_record SET anchor_record_id = NULL WHERE status = 'retired'",
    "erased_values_are_gone": """
        INSERT INTO erased_record SELECT g.domain, o.source, o.record_id, g.golden_id, g.epoch, g.sequence,
            g.committed_at, g.applied_at
        FROM golden_record AS g, (SELECT source, record_id, golden_id FROM crosswalk) AS o
        WHERE o.golden_id = g.golden_id AND g.member_count = 1 LIMIT 1
    """,
    "file_rows_are_accounted_for": """
        INSERT INTO file_loads SELECT 'load', 1, 'person', 'crm', 'done', 'full', 'direct', 'b', 'k', now(),
            3, 1, 1, 0, 1, 0, now(), now(), '{}', 'd', now()
    """,
}
"""For each test of the package, a statement that breaks what it holds."""


@pytest.fixture(scope="module")
def demo_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse of a small demo."""
    folder = tmp_path_factory.mktemp("demo")
    rules_file = folder / "rules.yaml"
    rules_file.write_text(DEMO_RULES, encoding="utf-8")
    run_demo(folder / "state", rules_file, load_ruleset(rules_file), EVENTS, lambda *_: None)
    kept = folder / "demo.duckdb"
    shutil.copy(folder / "state" / WAREHOUSE_FILE, kept)
    return kept


@pytest.fixture(scope="module")
def built(demo_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, dict[str, str]]:
    """The folder of a `dbt build` on the demo's warehouse, with its exit code and the status of each model and test."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copy(demo_warehouse, folder / "warehouse.duckdb")
    return (folder, *dbt(folder, "build", "run_results.json"))


def damage(folder: Path, *statements: str) -> None:
    """Run statements on the warehouse in a folder."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


def dbt(folder: Path, command: str, results_file: str) -> tuple[int, dict[str, str]]:
    """Run dbt on the warehouse in a folder; return exit code, and status by name."""
    target = {"type": "duckdb", "path": str(folder / "warehouse.duckdb"), "threads": 1}
    profile = {"mdm_stream": {"target": "local", "outputs": {"local": target}}}
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    options = ["--profiles-dir", str(folder), "--target-path", str(folder / "target"), "--log-path", str(folder)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    done = subprocess.run([str(DBT), *command.split(), *options], cwd=PACKAGE, env=environment, capture_output=True,
                          timeout=TIMEOUT_S, check=False)  # fmt: skip
    results = folder / "target" / results_file
    assert results.exists(), done.stdout.decode()[-3000:]
    found = json.loads(results.read_text())["results"]
    return done.returncode, {name_of(result["unique_id"]): result["status"] for result in found}


def name_of(unique_id: str) -> str:
    """The name of a model, of a source's table, or of a singular test, which has no suffix."""
    kind, _, *rest = unique_id.split(".")
    return rest[0] if kind == "test" else rest[-1]


@needs_dbt
def test_the_demo_is_green(built: tuple[Path, int, dict[str, str]]) -> None:
    """All models are made and all tests hold on the warehouse of the demo, and each singular test is one of DAMAGES."""
    _, code, statuses = built
    assert (code, set(statuses.values())) == (0, {"success", "pass"})
    assert {path.stem for path in (PACKAGE / "tests").glob("*.sql")} == set(DAMAGES) <= set(statuses)
    assert {path.stem for path in (PACKAGE / "models" / "staging").glob("*.sql")} <= set(statuses)


@needs_dbt
def test_a_damaged_warehouse_is_red(built: tuple[Path, int, dict[str, str]], tmp_path: Path) -> None:
    """All the damages at once: dbt ends with 1, and every test of an invariant fails."""
    shutil.copy(built[0] / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
    damage(tmp_path, *DAMAGES.values())
    code, statuses = dbt(tmp_path, "test", "run_results.json")
    assert (code, {name: statuses[name] for name in DAMAGES}) == (1, dict.fromkeys(DAMAGES, "fail"))


@needs_dbt
@pytest.mark.parametrize("name", sorted(DAMAGES))
def test_each_damage_is_found(built: tuple[Path, int, dict[str, str]], tmp_path: Path, name: str) -> None:
    """What breaks an invariant is found by the test that is named after it: its compiled SQL gives rows."""
    folder, _, _ = built
    compiled = (folder / "target" / "compiled" / "mdm_stream" / "tests" / f"{name}.sql").read_text()
    shutil.copy(folder / "warehouse.duckdb", tmp_path / "warehouse.duckdb")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        assert connection.execute(compiled).fetchall() == []
        connection.execute(DAMAGES[name])
        assert connection.execute(compiled).fetchall() != []


@needs_dbt
def test_a_late_source_is_said(demo_warehouse: Path, tmp_path: Path) -> None:
    """A table whose newest row is a day old is an error; those that were written just now are fresh."""
    shutil.copy(demo_warehouse, tmp_path / "warehouse.duckdb")
    damage(tmp_path, "UPDATE crosswalk SET applied_at = applied_at - INTERVAL 1 DAY")
    code, statuses = dbt(tmp_path, "source freshness", "sources.json")
    assert (code, statuses) == (1, {"golden_record": "pass", "golden_history": "pass", "crosswalk": "error"})


def snowflake_sql(path: Path) -> str:
    """A model or test as dbt would render it for Snowflake, each relation under its own name."""

    class Adapter:
        def dispatch(self, name: str, _package: str) -> Any:
            return macros[f"snowflake__{name}"]

    def give(value: str) -> str:
        return value

    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    names = {"adapter": Adapter(), "return": give, "source": lambda _, table: table, "ref": lambda model: model,
             "dbt": SimpleNamespace(type_string=lambda: "varchar")}  # fmt: skip
    macros = vars(environment.from_string((PACKAGE / "macros" / "json.sql").read_text()).make_module(names))
    shown = {name: macro for name, macro in macros.items() if not name.startswith("_")}
    return environment.from_string(path.read_text()).render({**names, **shown})


@pytest.mark.parametrize(
    "path",
    sorted([*(PACKAGE / "tests").glob("*.sql"), *(PACKAGE / "models").rglob("*.sql")]),
    ids=lambda path: path.stem,
)
def test_models_and_tests_are_sql_of_snowflake(path: Path) -> None:
    """Rendered with the macros of Snowflake, each is one statement that sqlglot reads as Snowflake's dialect."""
    sqlglot = pytest.importorskip("sqlglot", reason="sqlglot comes with fakesnow (extra: dev)")
    statements = sqlglot.parse(snowflake_sql(path), read="snowflake")
    assert [type(statement).__name__ for statement in statements] in (["Select"], ["Union"])
    assert "json_each" not in snowflake_sql(path)
