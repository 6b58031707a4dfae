"""Options of a Snowflake schema: applied, removed and applied again, cut off anywhere, on both kinds of schema.

The local server takes clustering keys, ``domain_reader`` and the record of what is applied, and nothing else of this:
policies, keys with RELY, search paths and dynamic tables are kept by a session in front of it, which knows the spelling
that Snowflake documents.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from option_settings import ANALYST, OWNER, SETTINGS, STEWARD, WRITER
from support.policy_catalog import PolicyCatalog

from mdm_stream.cli.commands.warehouse import warehouse as command
from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse import SnowflakeWarehouse
from mdm_stream.warehouse.append import FoldSettings
from mdm_stream.warehouse.append.fold import FOLDS
from mdm_stream.warehouse.append.schema import _check_kind_may_change, _Made, fold_columns, fold_statements
from mdm_stream.warehouse.dialect import SNOWFLAKE
from mdm_stream.warehouse.migrations import migrate
from mdm_stream.warehouse.snowflake.options import (
    OptionSettings,
    apply_option,
    catalog,
    load_options,
    option_states,
    plan_option,
    reapply_options,
    removal_of,
    remove_option,
)
from mdm_stream.warehouse.snowflake.options.policies import (
    MASKED_BY,
    WITHOUT_VALUES,
    PolicyClauses,
    check_role_sees_all,
    policy_clauses,
)
from mdm_stream.warehouse.snowflake.warehouse import open_session

pytestmark = pytest.mark.long

sqlglot = pytest.importorskip("sqlglot", reason="sqlglot comes with fakesnow (extra: dev)")

Maker = Callable[[str], PolicyCatalog]


@pytest.fixture(params=["merge", "append"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kinds of schema that the local server can hold."""
    return str(request.param)


@pytest.fixture
def make(
    request: pytest.FixtureRequest, snowflake_warehouse: Callable[..., SnowflakeWarehouse], snowflake_server: Any
) -> Iterator[Maker]:
    """Make a migrated schema of a kind, and a session of the role that migrated it."""
    opened = []

    def make(kind: str) -> PolicyCatalog:
        schema = f"options_{abs(hash((request.node.name, kind))) % 10**9}"
        snowflake_warehouse(schema, kind).query("SELECT 1")
        opened.append(open_session({**snowflake_server, "database": "mdm", "schema": schema}))
        return PolicyCatalog(opened[-1], {OWNER})

    yield make
    for session in opened:
        session.close()


def kept(session: PolicyCatalog) -> list[Any]:
    """Return everything that options may change."""
    return [session.keys, session.clustered, session.searched, session.bodies, session.set]


def names(session: PolicyCatalog) -> list[str]:
    """Return the options that a schema of this kind can have."""
    kind = catalog.read_catalog(session).kind
    return [name for name, option in load_options().items() if kind not in option.refused]


def test_an_option_is_applied_once_however_often(make: Maker, kind: str) -> None:
    """A second time changes no table, and removing it leaves nothing of it, twice as well."""
    session = make(kind)
    assert [state.is_applied for state in option_states(session)] == [False] * 5
    for name in names(session):
        apply_option(session, name, SETTINGS[name])
    first = [each.copy() for each in kept(session)]
    assert all(each for each in first[1:])
    places = len(session.set)
    for name in names(session):
        apply_option(session, name, SETTINGS[name])
    assert kept(session) == first
    assert len(session.set) == places
    assert {state.option.name for state in option_states(session) if state.is_applied} == set(names(session))
    assert not any(state.lacking for state in option_states(session))
    for _ in range(2):
        for name in names(session):
            remove_option(session, name)
        assert not any(kept(session))
    assert not any(state.is_applied for state in option_states(session))


def test_what_is_cut_off_is_finished(make: Maker, kind: str) -> None:
    """Between any two statements, of applying and of removing: the same again ends as if it had not been cut off."""
    session = make(kind)
    for name in ("keys", "masking") if kind == "merge" else ("row-access", "search"):
        apply_option(session, name, SETTINGS[name])
        whole = [each.copy() for each in kept(session)]
        remove_option(session, name)
        works = {
            "apply": partial(apply_option, session, name, SETTINGS[name]),
            "remove": partial(remove_option, session, name),
        }
        for what, work in works.items():
            for place in range(60):
                session.fail_after = place
                try:
                    work()
                except ConnectionError:
                    session.fail_after = None
                    known = {state.option.name for state in option_states(session) if state.is_applied}
                    assert name in known or not any(kept(session))
                    continue
                break
            else:
                pytest.fail("it never came to its end")
            session.fail_after = None
            assert kept(session) == whole if what == "apply" else not any(kept(session))


def test_keys_are_not_declared_where_they_do_not_hold(make: Maker) -> None:
    """RELY on a key that is there twice would make queries wrong, so nothing is declared; on append there is no key."""
    session = make("merge")
    for _ in range(2):
        session.execute(
            "INSERT INTO erased_record VALUES ('person', 'crm', '1', 'g1', 1, 1, '2026-01-01', '2026-01-01')",
            step="test",
        )
    with pytest.raises(ConfigurationError, match="erased_record has 1 rows whose key"):
        apply_option(session, "keys", OptionSettings())
    assert session.keys == {}
    with pytest.raises(ConfigurationError, match="append kind cannot have the option keys: golden_event has a row for"):
        apply_option(make("append"), "keys", OptionSettings())


def test_policies_stand_on_every_table_with_rows_and_on_no_view(make: Maker, kind: str) -> None:
    """Each JSON column with values has a mask, each table of a domain a row policy; what is new is hidden whole."""
    session = make(kind)
    session.execute("CREATE TABLE own_note (domain VARCHAR, said VARIANT)", step="test")
    for name in ("masking", "row-access"):
        apply_option(session, name, SETTINGS[name])
    masked = {(table, column): policy for (table, column), policy in session.set.items() if column}
    assert masked.pop(("own_note", "said")) == "mdm_hidden"
    tables = catalog.read_catalog(session).tables
    with_json = {(t, c) for t, columns in tables.items() for c in columns if c in {*MASKED_BY, *WITHOUT_VALUES}}
    assert masked == {(t, c): MASKED_BY[c] for t, c in with_json if c in MASKED_BY}
    assert {table for (table, column) in session.set if not column} == {t for t in tables if "domain" in tables[t]}
    views = {name for name, kind in session.execute(catalog.SELECT_TABLES, step="test") if kind == "VIEW"}
    assert not views & {table for table, _ in session.set}
    assert len(masked) == (1 if kind == "append" else 4)


def test_a_table_that_a_migration_adds_gets_what_is_applied(make: Maker) -> None:
    """It is named as lacking, and the next migration sets it; other roles take the place of those before."""
    session = make("merge")
    apply_option(session, "row-access", SETTINGS["row-access"])
    session.execute("CREATE TABLE later (domain VARCHAR)", step="test")
    assert [state.lacking for state in option_states(session) if state.is_applied] == [("later",)]
    assert reapply_options(session) != []
    assert session.set["later", ""] == "mdm_domain_rows"
    assert reapply_options(session) == []
    apply_option(session, "row-access", OptionSettings.of(["other_writer"], [], []))
    assert "IS_ROLE_IN_SESSION('OTHER_WRITER')" in session.bodies["mdm_domain_rows"]
    assert WRITER not in session.bodies["mdm_domain_rows"]


def test_a_role_that_does_not_see_all_does_not_write(make: Maker) -> None:
    """An erasure writes back what it reads, and a search trusts what it sees: so it is refused at its start."""
    session = make("merge")
    check_role_sees_all(session)
    for name in ("masking", "row-access"):
        apply_option(session, name, SETTINGS[name])
        for role in (OWNER, WRITER):
            session.roles = {role}
            check_role_sees_all(session)
        session.roles = {STEWARD}
        with pytest.raises(ConfigurationError, match="with this role as a --writer"):
            check_role_sees_all(session)
        session.roles = {OWNER}
        remove_option(session, name)
    session.roles = {STEWARD}
    check_role_sees_all(session)


@pytest.mark.parametrize("name", ["masking", "row-access"])
def test_a_policy_without_its_writer_is_refused(make: Maker, name: str) -> None:
    """Before anything is changed; so is a mask of nothing, a role that would need quotes, and an unknown option."""
    session = make("merge")
    with pytest.raises(ConfigurationError, match="as a --writer"):
        apply_option(session, name, OptionSettings(attributes=("email",)))
    with pytest.raises(ConfigurationError, match="nothing to mask"):
        apply_option(session, "masking", OptionSettings(roles=(WRITER,)))
    with pytest.raises(ConfigurationError, match="there are clustering, keys, masking, row-access, search"):
        apply_option(session, "maskin", OptionSettings())
    for wrong in ("a b", "x'y", "", "r;"):
        with pytest.raises(ConfigurationError, match="name of a role"):
            OptionSettings.of([wrong], [], [])
    assert not any(kept(session))


def test_dynamic_tables_are_made_with_the_policies_of_their_schema(make: Maker) -> None:
    """So at no moment do they hold rows without them: in the statement that makes them, not in one after it."""
    session = make("append")
    hourly = FoldSettings(3_600, "FOLD_WH")
    assert policy_clauses(session) == PolicyClauses()
    for name in ("masking", "row-access"):
        apply_option(session, name, SETTINGS[name])
    clauses = policy_clauses(session)
    made = dict(fold_statements(SNOWFLAKE, hourly, clauses))
    assert "golden_values VARIANT WITH MASKING POLICY mdm_values" in made["golden_record"]
    assert "payload VARIANT WITH MASKING POLICY mdm_document" in made["golden_history"]
    with_rows = {name for name in FOLDS if "WITH ROW ACCESS POLICY mdm_domain_rows ON (domain)" in made[name]}
    assert with_rows == set(FOLDS) - {"applied_batch"}
    for name in FOLDS:
        assert sqlglot.parse_one(made[name], read="snowflake").key == "create"
        assert [column for column, _ in fold_columns(SNOWFLAKE, FOLDS[name])] == [
            column
            for table, column, _ in session.execute(catalog.SELECT_COLUMNS, step="test")
            if table == f"fresh_{name}"
        ]
    with pytest.raises(ConfigurationError, match="remove row-access, change the lag"):
        _check_kind_may_change(_Made(7, "", FoldSettings(0)), hourly, clauses)
    _check_kind_may_change(_Made(7, "", FoldSettings(60, "W")), hourly, clauses)


def test_a_fold_of_dynamic_tables_has_a_policy_without_a_look_up_beneath_it(
    make: Maker,
) -> None:
    """Snowflake refreshes incrementally only without a subquery outside FROM, and a policy beneath counts as one."""
    session = make("append")
    for name in ("golden_record", "golden_history", "evidence_history", "crosswalk"):
        session.execute(f"DROP VIEW IF EXISTS {name}", step="test")
        session.inner.execute(f"CREATE TABLE {name} AS SELECT * FROM fresh_{name}", step="test")
    assert catalog.read_catalog(session).kind == "dynamic"
    for name in ("row-access", "search", "clustering", "masking"):
        apply_option(session, name, SETTINGS[name])
    assert session.set["golden_event", ""] == "mdm_all_rows"
    assert "SELECT" not in session.bodies["mdm_all_rows"]
    assert session.set["golden_record", ""] == "mdm_domain_rows"
    assert session.set["golden_history", "payload"] == "mdm_document"
    assert set(session.searched) == {"golden_record", "golden_history", "evidence_history", "crosswalk"}
    assert {words.split()[1] for words in session.altered if "golden_record" in words} == {"DYNAMIC"}
    assert all(" TABLE golden_event" in words for words in session.altered if "golden_event" in words)


def test_a_dry_run_changes_nothing(make: Maker) -> None:
    """It gives the statements, and neither a table nor the record of what is applied."""
    session = make("merge")
    assert any("SET MASKING POLICY" in sql for sql in plan_option(session, "masking", SETTINGS["masking"]).statements)
    assert removal_of(session, "masking") == ()
    assert session.altered == []
    assert "applied_option" not in dict(session.execute(catalog.SELECT_TABLES, step="test"))


def test_migrations_still_run_where_options_are_applied(make: Maker) -> None:
    """Views are replaced, and nothing that is set is lost, since nothing is set on views."""
    session = make("merge")
    for name in names(session):
        apply_option(session, name, SETTINGS[name])
    before = [each.copy() for each in kept(session)]
    session.inner.execute("DELETE FROM schema_version WHERE version > 1", step="test")
    migrate(session)
    assert kept(session) == before


def test_the_commands_list_apply_and_remove(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option with its reason and cost; whether it is applied only where that is asked."""
    session = make("merge")
    monkeypatch.setattr("mdm_stream.cli.commands.warehouse_options._session", lambda: session)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    listed = run("options")
    for option in load_options().values():
        assert f"reason: {option.reason}" in listed
        assert f"cost: {option.cost}" in listed
    assert "(not applied)" in run("options", "--applied")
    printed = run("option", "apply", "row-access", "--writer", "mdm_writer", "--dry-run")
    assert "ALTER TABLE golden_record ADD ROW ACCESS POLICY mdm_domain_rows ON (domain);" in printed
    assert run("option", "apply", "row-access", "--writer", "mdm_writer", "--reader", "mdm_reader=person").startswith(
        "applied row-access: "
    )
    assert session.execute("SELECT role, domain FROM domain_reader", step="test") == [("MDM_READER", "person")]
    told = {each["name"]: each["applied"] for each in json.loads(run("options", "--applied", "--json"))}
    assert [name for name, applied in told.items() if applied] == ["row-access"]
    assert "DROP ROW ACCESS POLICY IF EXISTS mdm_domain_rows;" in run("option", "remove", "row-access", "--dry-run")
    assert run("option", "remove", "row-access").startswith("removed row-access: ")
    assert run("option", "remove", "row-access") == "the schema does not have row-access\n"


def test_the_commands_of_the_page_run(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, on one schema, and the page names each option."""
    session = make("merge")
    monkeypatch.setattr("mdm_stream.cli.commands.warehouse_options._session", lambda: session)
    page = (Path(__file__).parents[3] / "docs" / "operate" / "snowflake-options.md").read_text("utf-8")
    calls = [shlex.split(line, comments=True) for line in re.findall(r"^mdm-stream warehouse .*$", page, re.MULTILINE)]
    assert len(calls) == 7
    for call in calls:
        result = CliRunner().invoke(command, call[2:], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert session.execute("SELECT role, domain FROM domain_reader ORDER BY role", step="test") == [
        (ANALYST, "person"), (STEWARD, "*")
    ]  # fmt: skip
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == set(load_options())


def test_options_are_snowflakes_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DuckDB file is refused with what to set; the list needs no database."""
    monkeypatch.setenv("MDM_WAREHOUSE_DUCKDB_PATH", str(tmp_path / "w.duckdb"))
    for arguments in (["options", "--applied"], ["option", "apply", "keys"], ["option", "remove", "keys"]):
        with pytest.raises(ConfigurationError, match="MDM_WAREHOUSE_KIND=snowflake"):
            CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert len(json.loads(CliRunner().invoke(command, ["options", "--json"]).output)) == 5
