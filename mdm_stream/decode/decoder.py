"""Raw bytes of the change stream to change events, whatever their format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from mdm_stream.core.faults import as_rejection
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.name_patterns import DOMAIN_PATTERN, SOURCE_PATTERN
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName, enumerated
from mdm_stream.decode.cdc.table_row import checked_record_id
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.files.csv_row_event import MARK as CSV_ROW
from mdm_stream.decode.formats import formats_of
from mdm_stream.decode.json_object import parse_object
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import IgnoredTableError, SourceCatalogue
from mdm_stream.errors import RejectedEventError

_ON_STREAM = [each.title for each in WIRE_FORMATS.values() if each.on_stream]
_NULL = b"null"
_NULL_BYTES_MAX = 8
_WITH_TOMBSTONES = {each.name: each.title for each in WIRE_FORMATS.values() if each.tombstones}


class Ignored(tuple[ChangeEvent, ...]):
    """No changes: the bytes are a row of a table that the rules ignore. Those who count ask for it by its type."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ClaimedIdentity:
    """What a rejected event says that it is about, as far as that can be read and has the right form."""

    domain: str | None = None
    source: str | None = None
    record_id: str | None = None


class Decoder:
    """Decodes events by the rule sets in use. Holds no state between events: safe to share between threads."""

    def __init__(
        self,
        rulesets: Mapping[str, Ruleset],
        *,
        expected: FormatName | None = None,
        only_source: str | None = None,
        archived: bool = False,
    ) -> None:
        """Take the rule sets by domain; ``ConfigurationError`` if their sources contradict each other.

        ``expected`` refuses events of every other format. ``only_source`` names the source of rows whatever their
        table is called. Of ``archived`` overrides, which were accepted once, the attributes that these rules still have
        are taken; archived erasures hold whatever the rules say of their source.
        """
        self._catalogue = SourceCatalogue(rulesets, only_source=only_source, archived=archived)
        self._expected = expected

    def decode(self, delivery: Delivery) -> tuple[ChangeEvent, ...]:
        """Return the changes that an unpacked delivery says, in the order in which they are to be applied.

        Empty means that there is nothing to do: a Debezium tombstone (no bytes, or the JSON value null), a control
        record, a heartbeat; ``Ignored`` is a row of a table that the rules ignore. The same delivery gives the same
        events. ``RejectedEventError`` lists what is wrong; an unexpected fault is one too, with reason
        ``engine_fault``.
        """
        try:
            return self._decode(delivery)
        except Exception as error:
            raise as_rejection(error) from error

    def _decode(self, delivery: Delivery) -> tuple[ChangeEvent, ...]:
        if not delivery.raw or (len(delivery.raw) <= _NULL_BYTES_MAX and delivery.raw.strip() == _NULL):
            if self._expected in _WITH_TOMBSTONES or self._catalogue.reads(_WITH_TOMBSTONES):
                return ()
            if not delivery.raw:
                senders = enumerated(list(_WITH_TOMBSTONES.values()), "or")
                raise rejection("empty", "", f"has no bytes, which only a {senders} source sends (a tombstone)")
        event = parse_object(delivery.raw)
        matching = formats_of(event)
        if self._expected is not None:
            matching = [each for each in matching if each.name == self._expected]
        if not matching:
            wanted = f"of format {self._expected}" if self._expected else f"a {enumerated(_ON_STREAM, 'or')} event"
            raise rejection("unknown_shape", "", f"is an object, but not {wanted}")
        if len(matching) > 1:
            names = sorted(each.name for each in matching)
            raise rejection("ambiguous_shape", "", f"has the marks of several formats: {', '.join(names)}")
        try:
            return matching[0].decode(event, delivery, self._catalogue)
        except IgnoredTableError:
            return Ignored()


def claimed_identity(raw: bytes) -> ClaimedIdentity:
    """Return what a rejected event says that it is about; depends on the bytes alone, and never fails."""
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ClaimedIdentity()
    if not isinstance(event, dict):
        return ClaimedIdentity()
    if isinstance(event.get(CSV_ROW), dict):  # a row of a file: what it is about stands within
        event = event[CSV_ROW].get("record")
        if not isinstance(event, dict):
            return ClaimedIdentity()
    return ClaimedIdentity(
        domain=_matching(event.get("domain"), DOMAIN_PATTERN),
        source=_matching(event.get("source"), SOURCE_PATTERN),
        record_id=_record_id(event.get("record_id")),
    )


def _matching(name: object, pattern: str) -> str | None:
    return name if isinstance(name, str) and re.fullmatch(pattern, name) else None


def _record_id(value: object) -> str | None:
    try:
        return checked_record_id(value, "record_id") if isinstance(value, str) else None
    except RejectedEventError:
        return None
