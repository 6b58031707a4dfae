"""What the change stream carries in canonical form: one JSON object an event.

A *record change* says what happened to one source record. Stewards send the rest: a *verdict* decides on a pair of
records, an *override* sets values of one (and is ended by its *expiry*), an *erasure* forgets one for good. The models
are strict (a number is never taken for a text) and closed (a member that they do not know is an error: it is mostly a
misspelt one). ``encode_event`` writes what the models read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from mdm_stream.contracts.members import members_of
from mdm_stream.core.histories import split_version
from mdm_stream.core.model import (
    NO_PLACE,
    ChangeEvent,
    EraseEvent,
    LogPlace,
    OverrideEvent,
    Value,
    VerdictEvent,
    split_ref,
)
from mdm_stream.core.name_patterns import DOMAIN_PATTERN, KEY_ID_PATTERN, SOURCE_PATTERN
from mdm_stream.core.times import format_time_us, parse_time_us
from mdm_stream.core.written_numbers import WRITTEN_NUMBER_CHARS_MAX, WrittenNumber

EVENT_BYTES_MAX = 1_048_576
"""The record size that every Kinesis stream takes unasked; larger payloads belong in a store of their own."""
RECORD_ID_CHARS_MAX = 256
"""Longer than any natural key, short enough to be part of every index key and of a Kinesis partition key."""
VERSION_CHARS_MAX = 256
"""Room for a log position of six fixed-width tokens."""
PLACE_CHARS_MAX = 64
"""A server's number, a GTID source (a UUID, or domain and server) or a timeline."""
STEWARD_CHARS_MAX = 256
ATTRIBUTES_MAX = 500
"""Wider than any table that describes a person, company or product; it bounds the work that one event can cause."""
ATTRIBUTE_NAME_CHARS_MAX = 128
"""The longest column name of the databases in use (Oracle and SQL Server: 128)."""
TEXT_CHARS_MAX = 65_536
"""A text longer than this is a document, not an attribute."""
LIST_ITEMS_MAX = 1_000
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1


_CONTROL_IN_ID = re.compile("[\x00-\x1f\x7f-\x9f]")
# Tabs and line breaks are ordinary in multi-line addresses. The other control characters mean that the field holds
# binary data or was damaged on its way.
_CONTROL_IN_VALUE = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_PLAIN_KINDS = frozenset({type(None), bool, int, float})
"""Values that are taken as they are, beside texts."""


OWN_ERROR = "mdm."
"""Begins the type of an error of the models' own checks, whose sentence repeats no value; pydantic's have no dot."""


class ValueProblemError(ValueError):
    """Why an attribute's value cannot be taken: ``code`` is machine-readable, the text repeats no value."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the code beside the sentence."""
        self.code = code
        super().__init__(message)


def check_value(value: object) -> Value:
    """Return an attribute's value in the core's form (a list becomes a tuple); ``ValueProblemError`` if it is none."""
    if isinstance(value, str):
        return _check_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, WrittenNumber):
        return _written(value)
    if not isinstance(value, list | tuple):
        raise ValueProblemError("wrong_type", "must be a text, number, boolean, null or a flat list of these")
    if len(value) > LIST_ITEMS_MAX:
        raise ValueProblemError("too_many", f"has more than {LIST_ITEMS_MAX:,} items")
    items: list[str | int | float | bool | None] = []
    for item in value:
        if isinstance(item, str):
            items.append(_check_text(item))
        elif item is None or isinstance(item, bool | int | float):
            items.append(item)
        elif isinstance(item, WrittenNumber):
            items.append(_written(item))
        else:
            raise ValueProblemError(
                "wrong_type", "is a list that holds something other than texts, numbers and booleans"
            )
    return tuple(items)


def are_plain(values: Iterable[Any]) -> bool:
    """Tell whether ``check_value`` would return each of these values as it is; of most rows it would.

    One look at a row in place of a call a value. ``isprintable`` knows no control character, so what it refuses (a line
    break, a space of another script) is looked at again, and what it does not is none.
    """
    for value in values:
        kind = type(value)
        if kind is str:
            if not value.isprintable() or len(value) > TEXT_CHARS_MAX:
                return False
        elif kind not in _PLAIN_KINDS:
            return False
    return True


def _written(number: WrittenNumber) -> str:
    if len(number.text) > WRITTEN_NUMBER_CHARS_MAX:
        raise ValueProblemError("out_of_range", f"is a number of more than {WRITTEN_NUMBER_CHARS_MAX} characters")
    return number.text


def has_control_character(text: str) -> bool:
    """Tell whether a text holds a character that no identifier may hold (Unicode category Cc)."""
    return not text.isprintable() and _CONTROL_IN_ID.search(text) is not None


def _check_text(text: str) -> str:
    if len(text) > TEXT_CHARS_MAX:
        raise ValueProblemError("too_long", f"is longer than {TEXT_CHARS_MAX:,} characters")
    if not text.isprintable() and _CONTROL_IN_VALUE.search(text) is not None:
        raise ValueProblemError("control_character", "holds a control character other than a tab or line break")
    return text


def _model_error(code: str, message: str) -> PydanticCustomError:
    return PydanticCustomError(OWN_ERROR + code, "{problem}", {"problem": message})


def _wire_value(value: object) -> Value:
    try:
        return check_value(value)
    except ValueProblemError as problem:
        raise _model_error(problem.code, str(problem)) from None


def _row_of_plain_values(row: object, read: ValidatorFunctionWrapHandler) -> Any:
    """Take a row in which nothing is wrong at one look; every other one is read value by value, and told what is."""
    if type(row) is dict and len(row) <= ATTRIBUTES_MAX and are_plain(row.values()) and _are_names(row):
        return row
    return read(row)


def _are_names(row: Mapping[Any, object]) -> bool:
    try:
        names = "".join(row)
    except TypeError:
        return False
    return names.isprintable() and "" not in row and max(map(len, row), default=0) <= ATTRIBUTE_NAME_CHARS_MAX


def _without_control_characters(text: str) -> str:
    if has_control_character(text):
        raise _model_error("control_character", "holds a control character")
    return text


def _time_text(text: str) -> str:
    try:
        parse_time_us(text)
    except ValueError as error:
        raise _model_error("wrong_format", f"is {error}") from None
    return text


_SCALAR_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "maxLength": TEXT_CHARS_MAX},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "null"},
    ],
}
_VALUE_SCHEMA: dict[str, Any] = {
    "anyOf": [*_SCALAR_SCHEMA["anyOf"], {"type": "array", "items": _SCALAR_SCHEMA, "maxItems": LIST_ITEMS_MAX}],
}
_PRINTABLE: dict[str, Any] = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"}

Domain = Annotated[str, Field(pattern=f"^{DOMAIN_PATTERN}$")]
SourceName = Annotated[str, Field(pattern=f"^{SOURCE_PATTERN}$")]
RecordId = Annotated[
    str,
    Field(min_length=1, max_length=RECORD_ID_CHARS_MAX, json_schema_extra=_PRINTABLE),
    AfterValidator(_without_control_characters),
]
VersionText = Annotated[
    str,
    Field(min_length=1, max_length=VERSION_CHARS_MAX, json_schema_extra=_PRINTABLE),
    AfterValidator(_without_control_characters),
]
VersionToken = Annotated[int, Field(ge=INTEGER_MIN, le=INTEGER_MAX)] | VersionText
PlaceName = Annotated[str, Field(max_length=PLACE_CHARS_MAX, pattern="^[0-9A-Za-z-]*$")]
EventTime = Annotated[str, Field(json_schema_extra={"format": "date-time"}), AfterValidator(_time_text)]
AttributeName = Annotated[
    str,
    Field(min_length=1, max_length=ATTRIBUTE_NAME_CHARS_MAX),
    AfterValidator(_without_control_characters),
]
StewardName = Annotated[
    str,
    Field(min_length=1, max_length=STEWARD_CHARS_MAX),
    AfterValidator(_without_control_characters),
]
AttributeValue = Annotated[Any, PlainValidator(_wire_value), WithJsonSchema(_VALUE_SCHEMA)]
Attributes = Annotated[
    dict[AttributeName, AttributeValue], Field(max_length=ATTRIBUTES_MAX), WrapValidator(_row_of_plain_values)
]


class _ChangeModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Signature(_ChangeModel):
    """Who signed an event: the key's name, and the HMAC-SHA256 of the event (``mdm_stream.contracts.signature``)."""

    key_id: Annotated[str, Field(pattern=f"^{KEY_ID_PATTERN}$")]
    value: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _SignedModel(_ChangeModel):
    signature: Signature | None = None


class RecordChangeBase(_SignedModel):
    """What every change of a source record says.

    Without ``version`` the position at which the event is archived orders it, if the source declares that; without
    ``event_time`` its arrival there dates it: both are the same on a redelivery and on a replay.
    """

    domain: Domain
    source: SourceName
    record_id: RecordId
    version: VersionToken | None = None
    event_time: EventTime | None = None


class LogOfRow(_ChangeModel):
    """Which log a database wrote a row to: what an erasure keeps of a row, so that its history can be told still."""

    server_id: PlaceName = ""
    gtid_source: PlaceName = ""
    timeline: PlaceName = ""
    time: EventTime | None = None


class RecordWrite(RecordChangeBase):
    """``upsert`` sets the whole record (what it does not carry becomes null), ``patch`` only what it carries.

    An attribute that the domain's rules do not use is allowed, and ignored: sources send more than is used.
    """

    op: Literal["upsert", "patch"]
    attributes: Attributes
    log: LogOfRow | None = None


class RecordDelete(RecordChangeBase):
    """``delete`` leaves a tombstone at its version. Attributes may come along (the last image) and are ignored."""

    op: Literal["delete"]
    attributes: Annotated[dict[AttributeName, AttributeValue] | None, Field(max_length=ATTRIBUTES_MAX)] = None
    log: LogOfRow | None = None


class VerdictRecord(_ChangeModel):
    """One side of a verdict."""

    source: SourceName
    record_id: RecordId


class VerdictChange(_SignedModel):
    """A steward's decision on an unordered pair of two different records. ``none`` takes an earlier one back."""

    domain: Domain
    op: Literal["verdict"]
    a: VerdictRecord
    b: VerdictRecord
    verdict: Literal["link", "separate", "none"]
    version: VersionToken | None = None
    event_time: EventTime | None = None
    steward: StewardName


class OverrideChange(RecordChangeBase):
    """A steward's values for attributes of one record, by the names of the rules; null takes an earlier one back.

    They stand in the golden record in place of what would survive, while the record lives and until ``expires_at``.
    """

    op: Literal["override"]
    attributes: Annotated[dict[AttributeName, AttributeValue], Field(min_length=1, max_length=ATTRIBUTES_MAX)]
    expires_at: EventTime | None = None
    steward: StewardName


class OverrideExpiry(_SignedModel):
    """The end of an override. ``version`` is that of what it ends; a newer override of an attribute stands."""

    domain: Domain
    source: SourceName
    record_id: RecordId
    op: Literal["override_expired"]
    version: VersionToken
    event_time: EventTime
    attributes: Annotated[list[AttributeName], Field(min_length=1, max_length=ATTRIBUTES_MAX)]


class ErasureChange(_SignedModel):
    """Forget everything that was or will be sent about one record. It cannot be taken back."""

    domain: Domain
    source: SourceName
    record_id: RecordId
    op: Literal["erase"]
    event_time: EventTime | None = None


RecordChange = Annotated[RecordWrite | RecordDelete, Field(discriminator="op")]
StewardChange = Annotated[VerdictChange | OverrideChange | OverrideExpiry | ErasureChange, Field(discriminator="op")]
AnyChange = RecordWrite | RecordDelete | VerdictChange | OverrideChange | OverrideExpiry | ErasureChange
CanonicalChange = Annotated[AnyChange, Field(discriminator="op")]

CHANGE_MEMBERS = members_of(
    LogOfRow, RecordWrite, RecordDelete, VerdictRecord, VerdictChange, OverrideChange, OverrideExpiry, ErasureChange
)
"""Every member that a canonical event may have."""

_CHANGE: TypeAdapter[AnyChange] = TypeAdapter(CanonicalChange)


def validate_change(event: Mapping[str, object]) -> AnyChange:
    """Return the event as a model; pydantic's ``ValidationError`` lists everything that is wrong with it."""
    return _CHANGE.validate_python(event)


def encode_event(event: ChangeEvent) -> bytes:
    """Return an event as canonical JSON bytes; decoding them gives an equal event.

    What it writes carries its version and time, so where the bytes are archived no longer matters.
    """
    time = format_time_us(event.event_time_us)
    if isinstance(event, VerdictEvent):
        a, b = (dict(zip(("source", "record_id"), split_ref(ref), strict=True)) for ref in (event.a, event.b))
        pair = {"op": "verdict", "a": a, "b": b, "verdict": event.verdict, "steward": event.steward}
        return orjson.dumps({"domain": event.domain, "version": event.version, "event_time": time, **pair})
    source, record_id = split_ref(event.refs[0])
    common: dict[str, object] = {"domain": event.domain, "source": source, "record_id": record_id, "event_time": time}
    if isinstance(event, EraseEvent):
        return orjson.dumps({**common, "op": "erase"})
    if isinstance(event, OverrideEvent):
        return orjson.dumps({**common, "version": event.version, **_override_members(event)})
    common["version"] = split_version(event.version)[1]  # its history is told anew by whoever decodes it
    if event.place != NO_PLACE:
        common["log"] = _log_members(event.place)
    if event.op == "delete":
        return orjson.dumps({**common, "op": "delete"})
    return orjson.dumps({**common, "op": event.op, "attributes": dict(event.attributes)})


def _log_members(place: LogPlace) -> dict[str, str]:
    time = {} if place.time_us is None else {"time": format_time_us(place.time_us)}
    return {**place.named(), **time}


def _override_members(event: OverrideEvent) -> dict[str, object]:
    if event.expired:
        return {"op": "override_expired", "attributes": list(event.attributes)}
    members: dict[str, object] = {"op": "override", "attributes": dict(event.attributes), "steward": event.steward}
    if event.expires_at_us is not None:
        members["expires_at"] = format_time_us(event.expires_at_us)
    return members
