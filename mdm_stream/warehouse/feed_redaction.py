"""Taking the values of erased records out of messages of the feed as bytes, of whatever type they are. Pure.

What is left of a golden change is what the warehouse has of it in its history (see ``redaction``), and of what a record
said itself its key. Reports of rejected events, manifests of loads, links and review items keep keys on purpose and
hold no values. A message of a type that this release does not know may hold values in any member: one that names an
erased record is left out whole.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any

import orjson

from mdm_stream.contracts.evidence import MATCH_CHANGED, RECORD_CHANGED, REVIEW_CHANGED
from mdm_stream.contracts.golden import ERASED, FILE_LOADED, QUARANTINED, RETIRED, UPSERTED, Provenance
from mdm_stream.core.model import STEWARD_SOURCE, split_ref
from mdm_stream.warehouse.redaction import ErasedRecords, RecordIdentity, redact

_WITHOUT_VALUES = {ERASED, QUARANTINED, FILE_LOADED, MATCH_CHANGED, REVIEW_CHANGED}


def redact_message(raw: bytes, erased: ErasedRecords) -> bytes | None:
    """Return a message without what came from ``erased``: itself if nothing did, ``None`` if nothing of it may stay.

    Idempotent, and in any order of erasures the same.
    """
    message = orjson.loads(raw)
    kind, data = message["type"], message.get("data")
    records = erased.get(str(data.get("domain"))) if isinstance(data, dict) else None
    if kind in _WITHOUT_VALUES or not records:
        return raw
    if kind == RECORD_CHANGED:
        is_theirs = (str(data.get("source")), str(data.get("record_id"))) in records
        has_values = bool(data.get("attributes") or data.get("overrides"))
        left = {**message, "data": {**data, "attributes": {}, "overrides": {}}}
        return orjson.dumps(left) if is_theirs and has_values else raw
    if kind in {UPSERTED, RETIRED}:
        with suppress(KeyError, TypeError, AttributeError, ValueError):  # what is not of the contract
            redacted = _redacted(data, records)
            return raw if redacted is None else orjson.dumps({**message, "data": redacted})
    return None if _names(data, records) else raw


def _redacted(data: dict[str, Any], records: Collection[RecordIdentity]) -> dict[str, Any] | None:
    """Return the data of a golden change without what came from these records; ``None`` if nothing did."""
    if not _takes_from(data, records):
        return None
    provenance = {
        name: [Provenance.model_validate(origin, extra="ignore") for origin in origins]
        for name, origins in data["provenance"].items()
    }
    redacted = redact(data["values"], provenance, records)
    if redacted is None:
        return None
    origins_of = {name: [origin.model_dump() for origin in kept] for name, kept in redacted[1].items()}
    return {**data, "values": redacted[0], "provenance": origins_of}


def _takes_from(data: dict[str, Any], records: Collection[RecordIdentity]) -> bool:
    """Tell whether a change's provenance names one of these records."""
    for origins in data.get("provenance", {}).values():
        for origin in origins:
            source, record_id = origin["source"], origin["record_id"]
            if (source, record_id) in records:
                return True
            if source == STEWARD_SOURCE and "/" in record_id and split_ref(record_id) in records:
                return True
    return False


def _names(value: object, records: Collection[RecordIdentity]) -> bool:
    """Tell whether JSON names one of these records, as an object with its key or as a reference."""
    if isinstance(value, dict):
        key = (str(value.get("source")), str(value.get("record_id")))
        return key in records or any(_names(name, records) or _names(each, records) for name, each in value.items())
    if isinstance(value, list):
        return any(_names(each, records) for each in value)
    return isinstance(value, str) and "/" in value and split_ref(value) in records
