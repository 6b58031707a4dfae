"""Canonical JSON events: what applications and the publisher send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mdm_stream.contracts.change import (
    ErasureChange,
    OverrideChange,
    OverrideExpiry,
    RecordDelete,
    RecordWrite,
    VerdictChange,
    check_value,
    validate_change,
)
from mdm_stream.contracts.members import shown_name
from mdm_stream.core.model import (
    NO_PLACE,
    ChangeEvent,
    EraseEvent,
    LogPlace,
    OverrideEvent,
    Value,
    VerdictEvent,
    Version,
    make_ref,
)
from mdm_stream.core.ruleset import Source
from mdm_stream.core.times import parse_time_us
from mdm_stream.decode.cdc.table_row import as_declared, check_key
from mdm_stream.decode.clock import dated, dated_record
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.json_object import parse_object
from mdm_stream.decode.reasons import rejection, rejection_of
from mdm_stream.decode.sources import SourceCatalogue
from mdm_stream.decode.versions import (
    checked_log_version,
    checked_version,
    is_row_of_log,
    position_version,
    steward_version,
)

MARKS = frozenset({"domain", "record_id", "attributes", "verdict"})
_VARIANTS = frozenset({"upsert", "patch", "delete", "verdict", "override", "override_expired", "erase"})


def is_canonical(event: Mapping[str, Any]) -> bool:
    """Tell whether an object has a mark of a canonical event (it may still lack everything else)."""
    return not event.keys().isdisjoint(MARKS)


def signable(data: bytes) -> dict[str, Any] | bytes:
    """Return a canonical event as a publisher signs it; the bytes of another format, which carry no signature.

    A number that no machine number keeps is signed, and sent, as the text that the consumer makes of it.
    """
    event = parse_object(data)
    if not is_canonical(event):
        return data
    values = event.get("attributes")
    if isinstance(values, dict):
        event["attributes"] = {name: check_value(value) for name, value in values.items()}
    return event


def has_own_time(event: Mapping[str, Any]) -> bool:
    """Tell whether an event brings both its version and its time."""
    return event.get("version") is not None and event.get("event_time") is not None


def decode_canonical(
    event: Mapping[str, Any],
    delivery: Delivery,
    catalogue: SourceCatalogue,
) -> tuple[ChangeEvent, ...]:
    """Return the one change that a canonical event says. What it carries beyond the rules' columns is left behind."""
    try:
        change = validate_change(event)
    except ValidationError as error:
        raise rejection_of(error, _VARIANTS, catalogue.columns) from None
    time_us = parse_time_us(change.event_time) if change.event_time is not None else delivery.arrival_time_us
    if isinstance(change, VerdictChange):
        return (dated(_verdict(change, time_us, delivery, catalogue), None, delivery),)
    if isinstance(change, ErasureChange):
        if not catalogue.archived:  # once accepted it holds for good, also for a source that the rules have no more
            catalogue.by_name(change.domain, change.source)
        return (EraseEvent(change.domain, make_ref(change.source, change.record_id), time_us),)
    if isinstance(change, OverrideChange | OverrideExpiry):
        return (dated(_override(change, time_us, delivery, catalogue), None, delivery),)
    return (_record(change, time_us, delivery, catalogue),)


def _record(
    change: RecordWrite | RecordDelete,
    time_us: int,
    delivery: Delivery,
    catalogue: SourceCatalogue,
) -> ChangeEvent:
    route = catalogue.by_name(change.domain, change.source)
    check_key(change.record_id, "record_id")
    version = _version_of(change.version, route.source, delivery)
    attributes: dict[str, Value] = {}
    if isinstance(change, RecordWrite):
        attributes = {name: value for name, value in change.attributes.items() if name in route.columns}
        if not is_row_of_log(route.source):  # what is in this form of such a row was read when the row came
            attributes = dict(as_declared(route, attributes))
    place = _place_of(change, route.source)
    return dated_record(
        change.domain, route.source, change.record_id, change.op, version, time_us, attributes, place, delivery
    )


def _place_of(change: RecordWrite | RecordDelete, source: Source) -> LogPlace:
    log = change.log
    if log is None:
        return NO_PLACE
    if not is_row_of_log(source):
        raise rejection("unexpected", "log", "is of rows of a database log, and this source sends none")
    return LogPlace(log.server_id, log.gtid_source, log.timeline, None if log.time is None else parse_time_us(log.time))


def _version_of(version: Version | None, source: Source, delivery: Delivery) -> Version:
    if is_row_of_log(source):
        # Its decoder makes them; what an erasure has left of a row is written in this form.
        return checked_log_version(version, source, delivery, "version")
    if version is None:
        return position_version(source, delivery, "version")
    return checked_version(version, source, delivery, "version")


def _verdict(change: VerdictChange, time_us: int, delivery: Delivery, catalogue: SourceCatalogue) -> VerdictEvent:
    for side in (change.a, change.b):
        catalogue.by_name(change.domain, side.source)
    a, b = sorted(make_ref(side.source, side.record_id) for side in (change.a, change.b))
    if a == b:
        raise rejection("same_record", "b", "names the same record as a; a verdict is on two different records")
    version = steward_version(change.version, delivery)
    return VerdictEvent(change.domain, a, b, change.verdict, version, time_us, change.steward)


def _override(
    change: OverrideChange | OverrideExpiry, time_us: int, delivery: Delivery, catalogue: SourceCatalogue
) -> OverrideEvent:
    """Return an override or the end of one. One of an attribute that the rules lack is refused, not left behind.

    From the archive it is left behind, as long as others are with it: what changed rules keep stays overridden.
    """
    catalogue.by_name(change.domain, change.source)
    ref = make_ref(change.source, change.record_id)
    known = [name for name in change.attributes if catalogue.has_attribute(change.domain, name)]
    unknown = [name for name in change.attributes if name not in known]
    if unknown and not (catalogue.archived and known):
        raise rejection(
            "unknown_attribute",
            f"attributes.{shown_name(unknown[0], catalogue.columns)}",
            "is no attribute of the domain's rules",
        )
    if isinstance(change, OverrideExpiry):
        ended: dict[str, Value] = dict.fromkeys(known)
        version = steward_version(change.version, delivery)
        return OverrideEvent(change.domain, ref, version, time_us, "", ended, expired=True)
    version = steward_version(change.version, delivery)
    expires_at_us = None if change.expires_at is None else parse_time_us(change.expires_at)
    values = {name: change.attributes[name] for name in known}
    return OverrideEvent(change.domain, ref, version, time_us, change.steward, values, expires_at_us)
