"""What fakesnow 0.12 lacks: FILES and a transformation of JSON in COPY, and parameters of an account.

Its COPY reads a file of JSON as one column and then looks for columns named like the fields. Snowflake reads ``$1`` as
the line: so ``$1['name']`` becomes a column of that name of the lines. This follows Snowflake's documentation, and
shows nothing about Snowflake itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

MISSING_FILE = 91016


def teach_copy() -> None:
    """Let COPY of this process's fakesnow server name its files and read fields of JSON lines. Repeatable."""
    import fakesnow.copy_into as copy_into  # noqa: PLC0415 - not installed everywhere
    import snowflake.connector.errors  # noqa: PLC0415
    from sqlglot import exp, parse_one  # noqa: PLC0415

    if hasattr(copy_into, "mdm_taught"):
        return
    copy_into.mdm_taught = True
    source_urls, inserts = copy_into._source_urls, copy_into._inserts

    def named_files(source: str, files: list[str]) -> list[str]:
        if not copy_into.stage.is_internal(source):
            return list(source_urls(source, files))
        found = [f"{source.rstrip('/')}/{file}" for file in files]
        for path in found:
            if not Path(path).exists():
                raise snowflake.connector.errors.ProgrammingError(
                    msg="Remote file was not found.", errno=MISSING_FILE, sqlstate="22000"
                )
        return found

    def with_fields(expr: Any, params: Any, urls: list[str], parquet_info: Any = None) -> list[Any]:
        source = expr.args["files"][0]
        if not (isinstance(source, exp.Subquery) and isinstance(params.file_format, copy_into.ReadJSON)):
            return list(inserts(expr, params, urls, parquet_info))
        columns, projections = {}, []
        for projection in source.this.expressions:
            line = projection.find(exp.Parameter)
            if line is not None:
                field = line.parent
                key = field.expression.find(exp.JSONPathKey)
                name = key.this if key is not None else field.expression.name.removeprefix("$.")
                kept = field is projection and isinstance(field, exp.JSONExtract)
                as_json = kept or (isinstance(projection, exp.Cast) and projection.to.is_type("json", "variant"))
                columns[name] = "JSON" if as_json else "VARCHAR"
                if field is projection:
                    projections.append(f'"{name}"')
                    continue
                field.replace(exp.column(name, quoted=True))
            projections.append(projection.sql("duckdb"))
        shape = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
        sql = "INSERT INTO {} SELECT {} FROM read_json('{}', format = 'newline_delimited', columns = {{{}}})"
        into = expr.this.sql("duckdb")
        return [parse_one(sql.format(into, ", ".join(projections), url, shape), read="duckdb") for url in urls]

    copy_into._source_urls = named_files
    copy_into._inserts = with_fields


def teach_account_parameters() -> None:
    """Let SHOW PARAMETERS of this process's fakesnow server be asked of the account, which has none. Repeatable."""
    import fakesnow.transforms as transforms  # noqa: PLC0415 - as above
    from sqlglot import exp  # noqa: PLC0415

    if hasattr(transforms, "mdm_taught"):
        return
    transforms.mdm_taught = True
    show_parameters = transforms.show_parameters

    def of_the_account(expression: Any) -> Any:
        if isinstance(expression, exp.Command) and str(expression.expression).upper().endswith(" IN ACCOUNT"):
            expression.set("expression", str(expression.expression)[: -len(" IN ACCOUNT")])
        return show_parameters(expression)

    transforms.show_parameters = of_the_account


def remember_statements() -> None:
    """Let this process's fakesnow server translate a statement once, which takes it seventy walks. Repeatable.

    Left out is what depends on more than its text: on the session, its schema, its variables, or values that are bound.
    """
    import fakesnow.cursor as cursor  # noqa: PLC0415 - as above
    from sqlglot import exp  # noqa: PLC0415

    fake = cursor.FakeSnowflakeCursor
    if hasattr(fake, "mdm_taught"):
        return
    fake.mdm_taught = True
    transform = fake._transform
    kept: dict[str, Any] = {}

    def remembered(self: Any, expression: Any, params: Any) -> Any:
        is_plain = isinstance(expression, exp.Select | exp.Insert | exp.Update | exp.Delete) or (
            isinstance(expression, exp.Create) and (expression.kind == "VIEW" or expression.expression is None)
        )
        text = expression.sql(dialect="snowflake") if is_plain else ""
        if not is_plain or _OF_A_SESSION.search(text):
            return transform(self, expression, params)
        if text not in kept:
            kept[text] = transform(self, expression, params)
        return kept[text].copy()

    fake._transform = remembered


_OF_A_SESSION = re.compile(
    r"IDENTIFIER\(|INFORMATION_SCHEMA|RESULT_SCAN|[$]\w|@|CREATE (?!TABLE|VIEW|OR REPLACE)", re.IGNORECASE
)
