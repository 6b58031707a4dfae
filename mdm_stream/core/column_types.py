"""What the rules may say that a column holds, where its format does not: each name is one way to read its values.

This is a declaration, for those who may not import decoders. ``mdm_stream.decode.column_values`` reads the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True, slots=True)
class ColumnKind:
    """One way to read a column. ``scaled`` ones take a number of digits after the point.

    Only a row of a database log can be of a kind ``in_rows``, for what is read of it could be read so again.
    """

    name: str
    description: str
    scaled: bool = False
    in_rows: bool = False


COLUMN_KINDS: Mapping[str, ColumnKind] = {
    each.name: each
    for each in (
        ColumnKind("epoch_days", "days since 1970-01-01: a date"),
        ColumnKind("epoch_seconds", "seconds since 1970: a date and time"),
        ColumnKind("epoch_millis", "milliseconds since 1970: a date and time"),
        ColumnKind("epoch_micros", "microseconds since 1970: a date and time"),
        ColumnKind("epoch_nanos", "nanoseconds since 1970: a date and time"),
        ColumnKind("excel_days", "the serial day of a spreadsheet (1900 date system): a date"),
        ColumnKind("time_millis", "milliseconds since midnight: a time of day"),
        ColumnKind("time_micros", "microseconds since midnight: a time of day"),
        ColumnKind("time_nanos", "nanoseconds since midnight: a time of day"),
        ColumnKind("duration_micros", "microseconds: an ISO 8601 duration"),
        ColumnKind("duration_nanos", "nanoseconds: an ISO 8601 duration"),
        ColumnKind("double", "a double, whose digits are read also in scientific notation, up to 2^53"),
        ColumnKind("decimal", "the bytes of a decimal in base64, with its scale", scaled=True, in_rows=True),
        ColumnKind("uuid_bytes", "the sixteen bytes of a UUID in base64", in_rows=True),
        ColumnKind("hex_bytes", "bytes in base64, wanted in hex digits", in_rows=True),
    )
}
"""All kinds by name, in the order in which people are shown them."""

SCALE_MAX = 200
"""The greatest scale of a decimal; databases allow a tenth of it to a half."""

if TYPE_CHECKING:
    ColumnKindName = str
else:
    ColumnKindName = Literal[tuple(COLUMN_KINDS)]
"""The name of a kind. Pydantic takes no other; a type checker cannot follow a ``Literal`` that is made of a table."""


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """What the rules say of one column: its kind, and the digits after the point of a scaled one."""

    kind: ColumnKindName
    scale: int = 0
