"""The dbt package: green on the warehouse of the demo, red on one that is damaged, and its SQL is Snowflake's, too."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pytest
from dbt_project import DAMAGES, DBT, PACKAGE, damage, dbt, make_demo

needs_dbt = pytest.mark.skipif(not DBT.exists(), reason="dbt is not installed: make dbt")


@pytest.fixture(scope="module")
def demo_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse of a small demo."""
    return make_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def built(demo_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, dict[str, str]]:
    """The folder of a `dbt build` on the demo's warehouse, with its exit code and the status of each model and test."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copy(demo_warehouse, folder / "warehouse.duckdb")
    return (folder, *dbt(folder, "build", "run_results.json"))


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
