"""What the rules may say of a wire format: its name, and what a source of it needs.

This is a declaration, for those who may not import decoders: rules check a source by it, commands offer its names.
``mdm_stream.decode.formats`` binds each of them to its decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True, slots=True)
class WireFormat:
    """One wire format. ``name`` is what rules and commands call it, ``title`` how people write it.

    ``on_stream`` formats say an event in one JSON object; the others are files, read as a whole. With ``needs_table``
    events name a table, and a source is found by it, so it must have a key. With ``text_positions`` the versions are
    positions of a database log, which are texts. ``tombstones``: a record without bytes is sent, and says nothing.
    ``names_log``: what events say of the log that they were written to (``mdm_stream.core.model.LogPlace``).
    """

    name: str
    title: str
    on_stream: bool = True
    needs_table: bool = False
    text_positions: bool = False
    tombstones: bool = False
    names_log: tuple[str, ...] = ()


WIRE_FORMATS = {
    each.name: each
    for each in (
        WireFormat("canonical", "canonical"),
        WireFormat(
            "debezium",
            "Debezium",
            needs_table=True,
            text_positions=True,
            tombstones=True,
            names_log=("server_id", "gtid_source", "timeline"),
        ),
        WireFormat("dms", "DMS", needs_table=True, text_positions=True),
        WireFormat("dynamodb", "DynamoDB", needs_table=True, text_positions=True),
        WireFormat("maxwell", "Maxwell", needs_table=True, text_positions=True, names_log=("server_id", "gtid_source")),
        WireFormat("dsql", "Aurora DSQL", needs_table=True, text_positions=True),
        WireFormat("postgres", "PostgreSQL", needs_table=True, text_positions=True, names_log=("timeline",)),
        WireFormat("csv_row", "CSV row"),
        WireFormat("csv", "CSV", on_stream=False),
    )
}
"""All formats by name, in the order in which people are shown them."""

if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[tuple(WIRE_FORMATS)]
"""The name of a format. Pydantic takes no other; a type checker cannot follow a ``Literal`` that is made of a table."""


def enumerated(words: Sequence[str], conjunction: str) -> str:
    """Return words as a sentence lists them: ``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} {conjunction} {last}" if first else last
