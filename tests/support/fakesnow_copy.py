"""What fakesnow 0.12 lacks of COPY: FILES on an internal stage, and a transformation of JSON.

It reads a file of JSON as one column and then looks for columns named like the fields. Snowflake reads ``$1`` as the
line: so ``$1['name']`` becomes the field of that one column, and its text where it is cast. This follows Snowflake's
documentation, and shows nothing about Snowflake itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

MISSING_FILE = 91016


def teach_copy() -> None:
    """Let COPY of this process's fakesnow server name its files and read fields of JSON lines. Repeatable."""
    import fakesnow.copy_into as copy_into  # noqa: PLC0415 - not installed everywhere
    import snowflake.connector.errors  # noqa: PLC0415
    from sqlglot import exp  # noqa: PLC0415

    if hasattr(copy_into, "mdm_taught"):
        return
    copy_into.mdm_taught = True
    source_urls = copy_into._source_urls

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

    def fields_of_line(select: Any) -> Any:
        for line in list(select.find_all(exp.Parameter)):
            field = line.parent
            line.replace(exp.column("json"))
            if isinstance(field.parent, exp.Cast) and not field.parent.to.is_type("json", "variant"):
                field.replace(exp.JSONExtractScalar(this=field.this.copy(), expression=field.expression.copy()))
        return select

    copy_into._source_urls = named_files
    copy_into._strip_json_extract = fields_of_line
