"""A view a domain with a column an attribute, made from the rule set: what analysts and reporting tools expect.

``person_golden`` has a row for each live golden record, ``person_golden_as_of`` one for each state that one was in.
They read the JSON that the tables hold, so a rule set may gain, lose or retype attributes and nothing is lost: a view
is replaced, and what an attribute that is gone once said is still in ``golden_values``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mdm_stream.core.ruleset import Attribute, Ruleset
from mdm_stream.warehouse.dialect import Dialect

OWN_COLUMNS = frozenset({
    "domain", "golden_id", "member_count", "rules_version", "epoch", "sequence", "committed_at", "valid_from",
    "valid_to",
})  # fmt: skip
"""Columns that the views have beside the attributes."""

RESERVED = frozenset({
    "account", "all", "alter", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "between",
    "both", "by", "case", "cast", "check", "collate", "column", "connect", "connection", "constraint", "create",
    "cross", "current", "current_date", "current_time", "current_timestamp", "current_user", "database", "default",
    "deferrable", "delete", "desc", "describe", "distinct", "do", "drop", "else", "end", "except", "exists",
    "false", "fetch", "following", "for", "foreign", "from", "full", "grant", "group", "gscluster", "having",
    "ilike", "in", "increment", "initially", "inner", "insert", "intersect", "into", "is", "issue", "join",
    "lambda", "lateral", "leading", "left", "like", "limit", "localtime", "localtimestamp", "minus", "natural",
    "not", "null", "of", "offset", "on", "only", "or", "order", "organization", "pivot", "pivot_longer",
    "pivot_wider", "placing", "primary", "qualify", "references", "regexp", "returning", "revoke", "right", "rlike",
    "row", "rows", "sample", "schema", "select", "set", "show", "some", "start", "summarize", "symmetric", "table",
    "tablesample", "then", "to", "trailing", "trigger", "true", "try_cast", "union", "unique", "unpivot", "update",
    "user", "using", "values", "variadic", "view", "when", "whenever", "where", "window", "with",
})  # fmt: skip
"""Words that one of the databases takes for its own where a column's name may stand (their lists of reserved words)."""


@dataclass(frozen=True, slots=True)
class DomainView:
    """A view, the statements that make it on one database, and what its columns say: (name, type, description)."""

    name: str
    statements: tuple[str, ...]
    columns: tuple[tuple[str, str, str], ...]


def domain_views(dialect: Dialect, rules: Ruleset) -> tuple[DomainView, DomainView]:
    """Return the views of a domain: the live golden records, and their states at any time."""
    columns = tuple(_columns(rules))
    live = _view(
        dialect,
        rules,
        f"{rules.domain}_golden",
        "live golden record",
        columns,
        ("member_count", "rules_version", "epoch", "sequence", "committed_at"),
        "golden_values",
        f"FROM golden_record WHERE status = 'live' AND domain = '{rules.domain}'",
    )
    states = _view(
        dialect,
        rules,
        f"{rules.domain}_golden_as_of",
        "state of a golden record, known from valid_from until before valid_to",
        columns,
        ("rules_version", "epoch", "sequence", "valid_from", "valid_to"),
        "payload['values']",
        f"FROM golden_record_as_of WHERE status = 'live' AND domain = '{rules.domain}'",
    )
    return live, states


def _columns(rules: Ruleset) -> Iterator[tuple[Attribute, str]]:
    """Yield each attribute with its column: its name, with an underscore where databases or views have that name."""
    others = {attribute.name for attribute in rules.attributes}
    for attribute in rules.attributes:
        name = attribute.name
        while name in RESERVED or name in OWN_COLUMNS or (name != attribute.name and name in others):
            name += "_"
        yield attribute, name


def _view(
    dialect: Dialect,
    rules: Ruleset,
    name: str,
    row: str,
    columns: tuple[tuple[Attribute, str], ...],
    own: tuple[str, ...],
    said: str,
    source: str,
) -> DomainView:
    typed = [f"    {_expression(attribute, said)} AS {column}" for attribute, column in columns]
    body = ",\n".join(["    golden_id", *typed, *(f"    {column}" for column in own)])
    select = f"CREATE OR REPLACE VIEW {name} $view_options AS\nSELECT\n{body}\n{source}"
    comment = (
        f"COMMENT ON VIEW {name} IS 'One row for each {row} of {rules.domain}, by version {rules.version} of its rules'"
    )
    described = (
        ("golden_id", "text", "the id of the golden record"),
        *((column, _type(attribute), _description(attribute)) for attribute, column in columns),
        *((column, "", "as in golden_record") for column in own),
    )
    return DomainView(name, (dialect.render(select), dialect.render(comment)), described)


def _type(attribute: Attribute) -> str:
    if attribute.multi:
        return "json"
    return {"date": "date", "number": "number"}.get(attribute.type, "text")


def _expression(attribute: Attribute, said: str) -> str:
    if attribute.multi:
        return f"{said}['{attribute.name}']"
    text = f"$text_of({said}, {attribute.name})"
    cast = {"date": "DATE", "number": "DECIMAL(38, 9)"}.get(attribute.type)
    return text if cast is None else f"TRY_CAST({text} AS {cast})"


def _description(attribute: Attribute) -> str:
    said = f"attribute {attribute.name}, {attribute.type}"
    return said + (", a JSON list" if attribute.multi else "") + (", sensitive" if attribute.sensitive else "")
