"""Views with a column an attribute, made from rules: right types and values, and nothing lost when the rules change."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal

import pytest
from feed_messages import upsert

from mdm_stream.core.ruleset import Attribute, Ruleset
from mdm_stream.errors import TerminalError
from mdm_stream.rules.load import load_ruleset
from mdm_stream.warehouse.dialect import DUCKDB, SNOWFLAKE
from mdm_stream.warehouse.domain_views import domain_views
from mdm_stream.warehouse.warehouse import SqlWarehouse


def rules_with(*attributes: Attribute) -> Ruleset:
    """Rules of a domain `thing` with these attributes."""
    return dataclasses.replace(load_ruleset("person"), domain="thing", attributes=attributes)


BORN, HEIGHT = Attribute("born", "date"), Attribute("height", "number")


def make(warehouse: SqlWarehouse, rules: Ruleset) -> None:
    """Make both views in a warehouse."""
    for view in domain_views(warehouse.dialect(), rules):
        for statement in view.statements:
            warehouse.query(statement)


VALUES = {"born": "1985-07-14", "height": "1.75", "order": "A-1", "phone": ["+1", "+2"], "note": "née"}


def test_each_attribute_is_a_typed_column(warehouse: SqlWarehouse) -> None:
    """Dates and numbers as such, lists as JSON, a reserved word with an underscore; what has no value is NULL."""
    texts = [Attribute(name, "text") for name in ("order", "order_", "empty")]
    rules = rules_with(BORN, HEIGHT, Attribute("phone", "phone", multi=True), *texts)
    warehouse.apply([upsert(1, "g1", ["crm/1"], domain="thing", values=VALUES)])
    make(warehouse, rules)
    [row] = warehouse.query("SELECT golden_id, born, height, order__, order_, empty, sequence FROM thing_golden")
    assert row == ("g1", date(1985, 7, 14), Decimal("1.75"), "A-1", None, None, 1)
    [(phones,)] = warehouse.query("SELECT phone FROM thing_golden")
    assert "".join(phones.split()) == '["+1","+2"]'


def test_a_state_is_found_by_time(warehouse: SqlWarehouse) -> None:
    """The view of states has the values of each, with the interval in which it was known."""
    rules = rules_with(Attribute("note", "text"))
    warehouse.apply([upsert(n, "g1", ["crm/1"], domain="thing", values={"note": f"note {n}"}) for n in (1, 2, 3)])
    make(warehouse, rules)
    asked = "TIMESTAMP '2026-03-01 12:02:30'"
    found = warehouse.query(f"SELECT note FROM thing_golden_as_of WHERE valid_from <= {asked} AND valid_to > {asked}")
    assert found == [("note 2",)]


def test_rules_that_change_lose_no_value(warehouse: SqlWarehouse) -> None:
    """An attribute that goes, comes back or changes its type: the view follows, and the value is there all the time."""
    warehouse.apply([upsert(1, "g1", ["crm/1"], domain="thing", values=VALUES)])
    make(warehouse, rules_with(BORN, HEIGHT))
    make(warehouse, rules_with(Attribute("born", "text")))
    assert warehouse.query("SELECT born FROM thing_golden") == [("1985-07-14",)]
    with pytest.raises(TerminalError):
        warehouse.query("SELECT height FROM thing_golden")
    make(warehouse, rules_with(BORN, HEIGHT))
    assert warehouse.query("SELECT born, height FROM thing_golden") == [(date(1985, 7, 14), Decimal("1.75"))]


@pytest.mark.parametrize("pack", ["person", "organisation"])
def test_the_packs_give_views_of_both_databases(pack: str) -> None:
    """Each column is described, and each statement is one that sqlglot reads in the database's dialect."""
    sqlglot = pytest.importorskip("sqlglot", reason="sqlglot comes with fakesnow (extra: dev)")
    rules = load_ruleset(pack)
    for dialect, name in ((DUCKDB, "duckdb"), (SNOWFLAKE, "snowflake")):
        for view in domain_views(dialect, rules):
            names = [column for column, _, _ in view.columns]
            assert len(names) == len(set(names)) == len(rules.attributes) + 6
            for statement in view.statements:
                assert len(sqlglot.parse(statement, read=name)) == 1
