"""A table's row to the parts of a change event: its record id, the columns that the rules use, its version and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from mdm_stream.contracts.change import (
    RECORD_ID_CHARS_MAX,
    ValueProblemError,
    are_plain,
    check_value,
    has_control_character,
)
from mdm_stream.core.model import NO_PLACE, ChangeEvent, LogPlace, RecordOp, Value
from mdm_stream.core.times import TIME_US_MAX, TIME_US_MIN, parse_time_us
from mdm_stream.core.written_numbers import EXACT_DOUBLE_MAX, WrittenNumber, is_lost_number, plain_digits
from mdm_stream.decode.cdc.positions import column_position
from mdm_stream.decode.clock import dated_record
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import REASONS_MAX, rejection
from mdm_stream.decode.sources import Route
from mdm_stream.decode.versions import checked_version
from mdm_stream.errors import Reason, RejectedEventError

_MILLISECONDS_FROM, _MICROSECONDS_FROM = 10**11, 10**14
"""From 1973 on the three units of epoch time that columns come in do not overlap."""


def write_events(  # noqa: PLR0913
    route: Route,
    row: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    *,
    position: str,
    event_time_us: int,
    delivery: Delivery,
    unavailable: frozenset[str] = frozenset(),
    path: str,
    place: LogPlace = NO_PLACE,
) -> tuple[ChangeEvent, ...]:
    """Return the events of an inserted or updated row. ``event_time_us`` is the log's time, ``place`` what names it.

    Usually one upsert; a patch if the database did not log the columns named in ``unavailable``. If ``before`` shows
    that the key was another one, the delete of the old record comes first, at the same version.
    """
    row = as_declared(route, row)
    record_id = record_id_of(route, row, path)
    attributes = attributes_of(route, row, path, unavailable)
    version = _version_of(route, row, position, delivery, path, deleted=False)
    time_us = _time_of(route, row, event_time_us, path)
    if time_us != event_time_us:
        place = replace(place, time_us=event_time_us)
    op: RecordOp = "patch" if unavailable and unavailable & route.columns else "upsert"
    source = route.source
    written = dated_record(route.domain, source, record_id, op, version, time_us, attributes, place, delivery)
    if before is None:
        return (written,)
    old_key = _old_key(route, row, as_declared(route, before), unavailable)
    old_id = record_id if old_key is None else record_id_of(route, old_key, "before")
    if old_id == record_id:
        return (written,)
    return dated_record(route.domain, source, old_id, "delete", version, time_us, {}, place, delivery), written


def _old_key(
    route: Route, row: Mapping[str, Any], before: Mapping[str, Any], unavailable: frozenset[str]
) -> dict[str, Any] | None:
    """Return the columns of the key as they were, ``None`` if ``before`` shows no other value in any of them."""
    key, differs = {}, False
    for column in route.source.key:
        value, old = row.get(column), before.get(column)
        if old is None or column in unavailable:
            old = value
        key[column] = old
        differs = differs or old != value or type(old) is not type(value)
    return key if differs else None


def delete_events(
    route: Route,
    row: Mapping[str, Any],
    *,
    position: str,
    event_time_us: int,
    delivery: Delivery,
    path: str,
    place: LogPlace = NO_PLACE,
) -> tuple[ChangeEvent, ...]:
    """Return the event of a deleted row, of which only the key (and a version column, if the rules name one) is needed.

    Its time is the log's: the row's own time column still says when it was last written.
    """
    row = as_declared(route, row)
    record_id = record_id_of(route, row, path)
    version = _version_of(route, row, position, delivery, path, deleted=True)
    return (dated_record(route.domain, route.source, record_id, "delete", version, event_time_us, {}, place, delivery),)


def as_declared(route: Route, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row with the columns of which the rules say what they hold as what they mean.

    A value that is not of the declared form stays as it was delivered.
    """
    if not route.readers:
        return row
    read: dict[str, Any] = {}
    for column, reader in route.readers.items():
        value = row.get(column)
        meaning = None if value is None else reader(value)
        if meaning is not None:
            read[column] = meaning
    return {**row, **read} if read else row


def record_id_of(route: Route, row: Mapping[str, Any], path: str) -> str:
    r"""Return the record id of a row: its key column as text, or several joined by ``|``.

    When joined, a ``|`` or ``\`` inside a part is preceded by ``\``, so different keys never give one id.
    """
    key = route.source.key
    if not key:
        raise rejection("missing", path, "has no key: name the table's key columns for this source in the rules")
    if len(key) == 1:
        record_id = _key_text(row.get(key[0]), path, key[0])
    else:
        parts = [_key_text(row.get(column), path, column) for column in key]
        record_id = "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)
    return checked_record_id(record_id, f"{path}.{key[0]}")


def checked_record_id(record_id: str, path: str) -> str:
    """Return the record id if it can be one."""
    if not record_id:
        raise rejection("too_short", path, "is empty, and it identifies the record")
    check_key(record_id, path)
    if len(record_id) > RECORD_ID_CHARS_MAX:
        raise rejection("too_long", path, f"makes a record id longer than {RECORD_ID_CHARS_MAX} characters")
    if has_control_character(record_id):
        raise rejection("control_character", path, "holds a control character, and it identifies the record")
    return record_id


def check_key(text: str, path: str) -> None:
    """Refuse a key, or a part of one, that is a number in scientific notation: its last digits are lost."""
    if is_lost_number(text):
        raise rejection(
            "imprecise_key", path, "is a number in scientific notation, which has lost digits; send the key as text"
        )


def attributes_of(
    route: Route,
    row: Mapping[str, Any],
    path: str,
    unavailable: frozenset[str] = frozenset(),
) -> dict[str, Value]:
    """Return the columns that the rules use, those in ``unavailable`` left out; all that is wrong is told at once."""
    columns = route.columns - unavailable if unavailable else route.columns
    attributes: dict[str, Value] = {column: value for column, value in row.items() if column in columns}
    if are_plain(attributes.values()):
        return attributes
    reasons: list[Reason] = []
    for column, value in attributes.items():
        try:
            attributes[column] = check_value(value)
        except ValueProblemError as problem:
            reasons.append(Reason(problem.code, f"{path}.{column}", str(problem)))
    if reasons:
        raise RejectedEventError(tuple(sorted(reasons, key=lambda reason: reason.path)[:REASONS_MAX]))
    return attributes


def column_time_us(value: object, path: str) -> int:
    """Return the time in a column: RFC 3339 (UTC if it has no offset), a date, or an epoch number.

    The unit of a number follows from its size: seconds below 10^11, milliseconds below 10^14, else microseconds.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < _MILLISECONDS_FROM:
            return value * 1_000_000
        return value * 1_000 if abs(value) < _MICROSECONDS_FROM else value
    if isinstance(value, str):
        try:
            return _text_time_us(value.strip())
        except ValueError:
            raise rejection("wrong_format", path, "is not a time such as 2026-01-31T09:30:00Z") from None
    raise rejection("wrong_type", path, "must be a time as RFC 3339 text or as a number since 1970")


def checked_time_us(time_us: int, path: str) -> int:
    """Return the time if RFC 3339 can write it."""
    if not TIME_US_MIN <= time_us <= TIME_US_MAX:
        raise rejection("out_of_range", path, "is a time outside the years 1 to 9999")
    return time_us


def _text_time_us(text: str) -> int:
    try:
        return parse_time_us(text)
    except ValueError:
        if len(text) == len("2026-01-31"):
            return parse_time_us(f"{date.fromisoformat(text).isoformat()}T00:00:00Z")
        if datetime.fromisoformat(text).tzinfo is None:
            return parse_time_us(f"{text}Z")
        raise


def _version_of(
    route: Route, row: Mapping[str, Any], position: str, delivery: Delivery, path: str, *, deleted: bool
) -> str:
    column = route.source.version
    if column is None:
        return position
    path = f"{path}.{column}"
    value = row.get(column)
    if value is not None:
        value = checked_version(value, route.source, delivery, path)
    return column_position(value, path, deleted=deleted)


def _time_of(route: Route, row: Mapping[str, Any], default_us: int, path: str) -> int:
    column = route.source.event_time
    value = row.get(column) if column is not None else None
    if value is None:
        return default_us
    path = f"{path}.{column}"
    return checked_time_us(column_time_us(value, path), path)


def _key_text(value: object, row: str, column: str) -> str:
    """Return a part of the key as text; ``row`` is the path of the row in which it is.

    A text stays as it is; a number becomes its digits, without zeros that say nothing after its point.
    """
    if type(value) is int:
        return str(value)
    path = f"{row}.{column}"
    if isinstance(value, WrittenNumber):
        check_key(value.text, path)
        whole, point, places = value.text.partition(".")
        places = places.rstrip("0")
        return f"{whole}.{places}" if point and places else whole
    if isinstance(value, str):
        check_key(value, path)
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if abs(value) > EXACT_DOUBLE_MAX:
            raise rejection("imprecise_key", path, "is too large a number to be exact in JSON; send the key as text")
        return str(int(value)) if value.is_integer() else plain_digits(Decimal(repr(value)))
    if value is None:
        raise rejection("missing", path, "is part of the key, and is absent or null")
    raise rejection("wrong_type", path, "is part of the key, and must be a text, number or boolean")
