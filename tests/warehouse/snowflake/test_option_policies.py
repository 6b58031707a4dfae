"""The text of the options: every statement parses in Snowflake's dialect, and policies are evaluated on DuckDB."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from option_settings import ANALYST, OWNER, SETTINGS, STEWARD, WRITER

from mdm_stream.contracts.golden import GoldenChange
from mdm_stream.warehouse.dialect import SNOWFLAKE
from mdm_stream.warehouse.snowflake.options import apply as applying
from mdm_stream.warehouse.snowflake.options import catalog, load_options, record
from mdm_stream.warehouse.snowflake.options.policies import DOCUMENT_MEMBERS

sqlglot = pytest.importorskip("sqlglot", reason="sqlglot comes with fakesnow (extra: dev)")


def bodies() -> dict[str, str]:
    """Return the bodies of all policies as they are set, by the policy's name."""
    found = {}
    odd = catalog.Catalog("merge", {}, '"MDM"."GOLDEN"', OWNER)
    for name in ("masking", "row-access"):
        for sql in applying._plan(odd, load_options()[name], SETTINGS[name]).prepare:
            if match := re.fullmatch(r"ALTER .* POLICY (\w+) SET BODY ->(.*)", sql, re.DOTALL):
                found[match[1]] = match[2]
    return found


COMMANDS = ("ALTER DYNAMIC TABLE", "ADD SEARCH", "MASKING POLICY", "ROW ACCESS POLICY", "DESCRIBE SEARCH OPTIMIZATION")


def test_every_statement_is_of_snowflakes_dialect() -> None:
    """As a statement of the grammar, or as one that sqlglot has no grammar for: then the expressions in it parse."""
    seen = 0
    for option in load_options().values():
        for section, statements in option.sections.items():
            for sql in statements:
                text = re.sub(r"\$(\w+)", r"x_\1", sql.replace("$alter", "TABLE"))
                seen += 1
                if any(words in text for words in COMMANDS):
                    continue
                kind = {"CREATE": "create", "ALTER": "alter", "SELECT": "select"}[text.split()[0]]
                assert sqlglot.parse_one(text, read="snowflake").key == kind, (option.name, section)
    assert seen > 35
    assert len(bodies()) == 5
    for body in bodies().values():
        assert sqlglot.parse_one(f"SELECT {body} AS seen", read="snowflake").key == "select"
    for sql in (record.CREATE_APPLIED_OPTION, record.INSERT_APPLIED_OPTION, record.SELECT_APPLIED_OPTIONS):
        assert sqlglot.parse_one(SNOWFLAKE.render(sql), read="snowflake").key != "command"
    for sql in (catalog.SELECT_TABLES, catalog.SELECT_COLUMNS, catalog.SELECT_PLACE, applying._INSERT_READER):
        assert sqlglot.parse_one(SNOWFLAKE.render(sql), read="snowflake").key in {"select", "insert"}


def seen(body: str, roles: set[str], document: Any) -> Any:
    """Return what a masking policy lets a session see of a document, evaluated on DuckDB with Snowflake's functions."""
    duckdb = pytest.importorskip("duckdb")
    names = "IS_ROLE_IN_SESSION|IS_OBJECT|OBJECT_DELETE|OBJECT_PICK|OBJECT_INSERT"
    body = re.sub(rf"\b({names})\(", r"own_\1(", re.sub(r"::\w+", "", body))  # sqlglot knows some of them

    def plain(node: Any) -> Any:
        if isinstance(node, sqlglot.expressions.Anonymous) and node.name.endswith(("DELETE", "PICK")):
            first, *keys = node.expressions
            node.set("expressions", [first, sqlglot.expressions.Array(expressions=keys)])
        return node

    tree = sqlglot.parse_one(f"SELECT {body} AS seen FROM t", read="snowflake").transform(plain)
    with duckdb.connect() as connection:
        text, texts, yes = "VARCHAR", "VARCHAR[]", "BOOLEAN"

        def keep(value: str, names: list[str], *, kept: bool) -> str:
            return json.dumps({k: v for k, v in json.loads(value).items() if (k in names) == kept})

        def insert(value: str, key: str, more: str) -> str:
            return json.dumps({**json.loads(value), key: json.loads(more)})

        for name, function, takes, gives in (
            ("own_is_role_in_session", lambda role: role in roles, [text], yes),
            ("own_is_object", lambda value: value.startswith("{"), [text], yes),
            ("own_object_delete", lambda value, names: keep(value, names, kept=False), [text, texts], text),
            ("own_object_pick", lambda value, names: keep(value, names, kept=True), [text, texts], text),
            ("own_object_insert", insert, [text, text, text], text),
        ):
            connection.create_function(name, function, takes, gives)
        connection.execute("CREATE TABLE t (val JSON)")
        connection.execute("INSERT INTO t VALUES (?)", [json.dumps(document)])
        [[found]] = connection.execute(tree.sql(dialect="duckdb")).fetchall()
    return None if found is None else json.loads(found)


CHANGE = {
    "domain": "person", "epoch": 1, "sequence": 7, "op": "upsert", "golden_id": "g1", "rules_version": 1,
    "members": [{"source": "crm", "record_id": "1"}], "committed_at": "2026-03-01T12:00:00.000000Z",
    "values": {"given_name": "Jane", "national_id": "555-11"},
    "provenance": {name: [{"source": "crm", "record_id": "1", "version": 1, "strategy": "newest",
                           "event_time": "2026-03-01T12:00:00.000000Z"}] for name in ("given_name", "national_id")},
}  # fmt: skip


def test_a_mask_takes_sensitive_values_out_and_leaves_the_rest() -> None:
    """Of values and their provenance, for roles that are not named; members that are not known yet are hidden too."""
    sensitive = SETTINGS["masking"].attributes
    assert sensitive
    change = json.loads(json.dumps(CHANGE).replace("national_id", sensitive[0]))
    GoldenChange.model_validate(change)
    policies = bodies()
    for role in (OWNER, WRITER, STEWARD):
        assert seen(policies["mdm_document"], {role}, change) == change
        assert seen(policies["mdm_values"], {role, ANALYST}, change["values"]) == change["values"]
        assert seen(policies["mdm_hidden"], {role}, change) == change
    assert seen(policies["mdm_values"], {ANALYST}, change["values"]) == {"given_name": "Jane"}
    masked = seen(policies["mdm_document"], {ANALYST}, {**change, "notes": {"phone": "555-11"}})
    assert "555-11" not in json.dumps(masked)
    assert {key: masked[key] for key in ("values", "members", "sequence")} == {
        "values": {"given_name": "Jane"}, "members": change["members"], "sequence": 7
    }  # fmt: skip
    assert set(masked["provenance"]) == {"given_name"}
    assert seen(policies["mdm_document"], set(), {"reasons": [{"code": "x"}], "load_id": "1", "said": "555-11"}) == {
        "reasons": [{"code": "x"}], "load_id": "1"
    }  # fmt: skip
    said = {"value": "555-11", "valid": True}
    record = {"op": "record", "source": "crm", "attributes": {sensitive[0]: said, "city": said}, "overrides": {}}
    shown = {**record, "attributes": {"city": said}}
    assert seen(policies["mdm_document"], {ANALYST}, {**record, "overrides": {sensitive[0]: said}}) == shown
    link = {"op": "match", "a": {"source": "crm", "record_id": "1"}, "evidence": {"phone": "exact"}}
    assert seen(policies["mdm_document"], {ANALYST}, link) == link
    for name in ("mdm_document", "mdm_values"):
        assert seen(policies[name], {ANALYST}, ["555-11"]) is None
    assert seen(policies["mdm_hidden"], {ANALYST}, change) is None
    assert not {"values", "provenance"} & set(DOCUMENT_MEMBERS)


def test_rows_are_seen_by_the_readers_of_their_domain() -> None:
    """Those that write see all; '*' is all domains and rows without one; a role without a row sees none."""
    duckdb = pytest.importorskip("duckdb")
    body = bodies()["mdm_domain_rows"].replace('"MDM"."GOLDEN".', "")
    with duckdb.connect() as connection:
        roles: set[str] = set()
        connection.create_function(
            "is_role_in_session", lambda role: role in roles, ["VARCHAR"], "BOOLEAN", side_effects=True
        )
        connection.execute("CREATE TABLE domain_reader (role VARCHAR, domain VARCHAR)")
        connection.execute("INSERT INTO domain_reader VALUES ('MDM_READER', 'person'), ('MDM_STEWARD', '*')")
        for role, expected in (
            (WRITER, {"person", "company", None}),
            (OWNER, {"person", "company", None}),
            (STEWARD, {"person", "company", None}),
            (ANALYST, {"person"}),
            ("PUBLIC", set()),
        ):
            roles = {role}
            sql = f"SELECT row_domain FROM (VALUES ('person'), ('company'), (NULL)) AS t(row_domain) WHERE {body}"
            assert {domain for (domain,) in connection.execute(sql).fetchall()} == expected
