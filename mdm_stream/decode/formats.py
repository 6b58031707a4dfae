"""The registry of wire formats: which decoder reads what. A new format is a module, its declaration and a line here.

The declaration (``mdm_stream.core.wire_formats``) is what rules and commands need to know of a format; a test compares
the two, and one contract suite runs over all formats of the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mdm_stream.core.model import ChangeEvent, RecordEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.wire_formats import WIRE_FORMATS, WireFormat
from mdm_stream.decode import canonical
from mdm_stream.decode.cdc import debezium, dms, dsql, dynamodb, maxwell, postgres
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.files import csv_row_event, csv_rows
from mdm_stream.decode.sources import SourceCatalogue
from mdm_stream.errors import RejectedEventError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Format:
    """A format of the stream: each event is one JSON object.

    ``matches`` tells whether an object is of the format by its marks, which says nothing of the rest; one that has no
    member of ``marks`` is not. ``decode`` returns the changes that the object says, and raises ``RejectedEventError``
    alone. ``own_time`` tells whether it brings all that a decoder would otherwise take from its place on the stream: a
    version, if its format lets senders leave it out, and a time. ``matches`` and ``own_time`` never fail.
    """

    declared: WireFormat
    marks: frozenset[str]
    matches: Callable[[Mapping[str, Any]], bool]
    decode: Callable[[Mapping[str, Any], Delivery, SourceCatalogue], tuple[ChangeEvent, ...]]
    own_time: Callable[[Mapping[str, Any]], bool]

    @property
    def name(self) -> str:
        """What rules and commands call it."""
        return self.declared.name


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A format of whole files, known by a ``suffix``.

    ``read`` takes the bytes of a file, cut anywhere, the rule sets, the source of rows that name none, and the time of
    the load or ``None``; it yields the bytes of each row with its event, or with why it has none.
    """

    declared: WireFormat
    suffix: str
    read: Callable[
        [Iterable[bytes], Mapping[str, Ruleset], str | None, int | None],
        Iterator[tuple[bytes, RecordEvent | RejectedEventError]],
    ]

    @property
    def name(self) -> str:
        """What rules and commands call it."""
        return self.declared.name


FORMATS = (
    Format(
        WIRE_FORMATS["canonical"],
        canonical.MARKS,
        canonical.is_canonical,
        canonical.decode_canonical,
        canonical.has_own_time,
    ),
    Format(WIRE_FORMATS["dms"], dms.MARKS, dms.is_dms, dms.decode_dms, dms.has_own_time),
    Format(
        WIRE_FORMATS["debezium"], debezium.MARKS, debezium.is_debezium, debezium.decode_debezium, debezium.has_own_time
    ),
    Format(
        WIRE_FORMATS["dynamodb"], dynamodb.MARKS, dynamodb.is_dynamodb, dynamodb.decode_dynamodb, dynamodb.has_own_time
    ),
    Format(WIRE_FORMATS["maxwell"], maxwell.MARKS, maxwell.is_maxwell, maxwell.decode_maxwell, maxwell.has_own_time),
    Format(WIRE_FORMATS["dsql"], dsql.MARKS, dsql.is_dsql, dsql.decode_dsql, dsql.has_own_time),
    Format(
        WIRE_FORMATS["postgres"], postgres.MARKS, postgres.is_postgres, postgres.decode_postgres, postgres.has_own_time
    ),
    Format(
        WIRE_FORMATS["csv_row"],
        csv_row_event.MARKS,
        csv_row_event.is_csv_row,
        csv_row_event.decode_csv_row,
        csv_row_event.has_own_time,
    ),
)
"""An object with the marks of several is rejected, whatever the order. The first of them says whether it has a time of
its own, on which its name in the quarantine rests: a new format goes to the end."""

_FORMATS_OF_MARK = {
    mark: tuple(place for place, each in enumerate(FORMATS) if mark in each.marks)
    for mark in frozenset().union(*(each.marks for each in FORMATS))
}
_MARKS = set(_FORMATS_OF_MARK)  # a set and no frozenset, which Python would go through name by name

FILE_FORMATS = (FileFormat(WIRE_FORMATS["csv"], ".csv", csv_rows.iter_csv_events),)


def formats_of(event: Mapping[str, Any]) -> list[Format]:
    """Return the formats that an object has the marks of, in their order. Only those that it may have are asked."""
    places = {place for mark in event.keys() & _MARKS for place in _FORMATS_OF_MARK[mark]}
    return [each for each in map(FORMATS.__getitem__, sorted(places)) if each.matches(event)]


def depends_on_receipt(raw: bytes) -> bool:
    """Tell whether the place or the time of arrival is a part of what these bytes say.

    It is if they look like an event that lacks a version or a time of its own: delivered twice they are two events.
    What no decoder reads at all says the same wherever it came from. Never fails.
    """
    try:
        event = orjson.loads(raw.removeprefix(_BYTE_ORDER_MARK))
    except orjson.JSONDecodeError:
        return False
    if not isinstance(event, dict):
        return False
    return next((not each.own_time(event) for each in formats_of(event)), False)
