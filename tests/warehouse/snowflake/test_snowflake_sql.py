"""Every statement for Snowflake parses in sqlglot's dialect of it: ours, those of the docs, and the check script.

That is a grammar's word and not Snowflake's. What the grammar does not know it takes for a bare command, which counts
as parsed only where the statement is listed here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mdm_stream.warehouse import remains, statements
from mdm_stream.warehouse.dialect import SNOWFLAKE
from mdm_stream.warehouse.migrations import _CREATE_SCHEMA_VERSION, _INSERT_VERSION, load_migrations, split_statements
from mdm_stream.warehouse.snowflake import old_versions, session

sqlglot = pytest.importorskip("sqlglot", reason="sqlglot comes with fakesnow (extra: dev)")

DOCS = Path(__file__).parents[3] / "docs"
SCRIPT = DOCS / "operate" / "snowflake-check.sql"
PAGE = DOCS / "reference" / "warehouse.md"

COMMANDS_TAKEN_AS_THEY_ARE = (
    "CALL SYSTEM$WAIT",
    "ALTER DYNAMIC TABLE",
    "ALTER TABLE mdm_check_event ADD SEARCH OPTIMIZATION",
    "ALTER TABLE mdm_check_event MODIFY COLUMN payload",
    "CREATE MASKING POLICY",
    "CREATE ROLE",
    "DROP MASKING POLICY",
    "DROP DYNAMIC TABLE",
    "GRANT ",
    "SHOW DYNAMIC TABLES",
    "SHOW GRANTS",
    "SHOW LOCKS",
    "SHOW PARAMETERS",
)
"""Statements that sqlglot has no grammar for: it reads them to their end, and says nothing of what is in them."""


def rendered() -> dict[str, str]:
    """Return every statement of the warehouse, by a name."""
    found = {
        name: value
        for module in (statements, session, old_versions, remains)
        for name, value in vars(module).items()
        if isinstance(value, str) and re.match(r"\s*(SELECT|MERGE|CREATE|INSERT|UPDATE|DELETE|WITH)\b", value)
    }
    for name, several in vars(statements).items():
        if isinstance(several, dict) and not name.startswith("__"):
            found |= {f"{name}.{key}": sql for key, sql in several.items()}
    found |= {
        "select_history_of": statements.select_history_of(2),
        "select_golden_of": statements.select_golden_of(2),
        "schema_version": _CREATE_SCHEMA_VERSION,
        "insert_version": _INSERT_VERSION,
    }
    for migration in load_migrations():
        found |= {f"{migration.version:04d}.{at}": sql for at, sql in enumerate(migration.statements)}
    return {name: SNOWFLAKE.render(sql) for name, sql in found.items()}


RENDERED = rendered()
CHECKS = split_statements(SCRIPT.read_text("utf-8"))
GRANTS = split_statements("\n".join(re.findall(r"```sql\n(CREATE ROLE.*?)```", PAGE.read_text("utf-8"), re.DOTALL)))


def kind_of(sql: str) -> str:
    """Return the kind of statement that sqlglot reads; raise what it does not understand."""
    return str(sqlglot.parse_one(sql, read="snowflake").key)


@pytest.mark.parametrize("name", RENDERED)
def test_a_statement_of_ours_parses(name: str) -> None:
    """It is a statement of the grammar, and no mere command."""
    assert kind_of(RENDERED[name]) in {"select", "merge", "create", "insert", "update", "delete", "with"}


@pytest.mark.parametrize("sql", [*CHECKS, *GRANTS], ids=lambda sql: sql.split("\n")[0][:60])
def test_a_statement_of_the_docs_parses(sql: str) -> None:
    """The script of one page and the grants can at least be read."""
    assert kind_of(sql) != "command" or sql.startswith(COMMANDS_TAKEN_AS_THEY_ARE)


def test_the_grammar_refuses_what_is_wrong() -> None:
    """A check that cannot fail would show nothing."""
    for wrong in ("SELECT FROM WHERE", "MERGE INTO t USING s", "CREATE TRANSIENT TABLE (x)"):
        with pytest.raises(sqlglot.errors.SqlglotError):
            kind_of(wrong)
    assert len(RENDERED) > 30
    assert len(CHECKS) > 20
    assert len(GRANTS) > 15
