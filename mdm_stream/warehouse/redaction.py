"""Taking the values of erased records out of golden changes: pure, no I/O.

A value goes if its provenance names an erased record; of a list, only those items do. What is left depends on the
change and on the set of erased records alone, so erasing in any order, or twice, leaves the same. Members and removed
records keep their keys: the key is what the receipt of an erasure names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mdm_stream.contracts.evidence import RecordChanged
from mdm_stream.contracts.feed_model import GoldenValue
from mdm_stream.contracts.golden import GoldenChange, Provenance
from mdm_stream.core.model import STEWARD_SOURCE, split_ref

RecordIdentity = tuple[str, str]
"""A source and a record id."""

ErasedRecords = dict[str, set[RecordIdentity]]
"""Erased records by domain."""

GoldenValues = dict[str, GoldenValue]
Origins = dict[str, list[Provenance]]


def named_records(origin: Provenance) -> tuple[RecordIdentity, ...]:
    """Return the records that a provenance entry may speak of.

    A steward's override names the reference of the record that it is for, and is erased with it.
    """
    key = (origin.source, origin.record_id)
    return (key, split_ref(origin.record_id)) if origin.source == STEWARD_SOURCE else (key,)


def redact(
    values: Mapping[str, GoldenValue],
    provenance: Mapping[str, Sequence[Provenance]],
    erased: Collection[RecordIdentity],
) -> tuple[GoldenValues, Origins] | None:
    """Return values and provenance without what came from ``erased``; None if nothing did."""
    kept_values, kept_origins = dict(values), {name: list(origins) for name, origins in provenance.items()}
    touched = False
    for name, origins in provenance.items():
        stays = [not any(key in erased for key in named_records(origin)) for origin in origins]
        if all(stays):
            continue
        touched = True
        value = values.get(name)
        if any(stays) and isinstance(value, list) and len(value) == len(origins):
            kept_values[name] = [item for item, stay in zip(value, stays, strict=True) if stay]
            kept_origins[name] = [origin for origin, stay in zip(origins, stays, strict=True) if stay]
        else:
            # A single value, or a list without one origin an item: there is no telling a part of it apart.
            kept_values.pop(name, None)
            del kept_origins[name]
    return (kept_values, kept_origins) if touched else None


def redact_change(change: GoldenChange, erased: Collection[RecordIdentity]) -> GoldenChange | None:
    """Return a golden change without what came from ``erased``, records of its domain; None if nothing did."""
    redacted = redact(change.values, change.provenance, erased)
    if redacted is None:
        return None
    values, provenance = redacted
    return change.model_copy(update={"values": values, "provenance": provenance})


def redact_record(change: RecordChanged, erased: Collection[RecordIdentity]) -> RecordChanged | None:
    """Return what was said of a source record without its values, if it is one of ``erased``; else None."""
    if (change.source, change.record_id) not in erased or not (change.attributes or change.overrides):
        return None
    return change.model_copy(update={"attributes": {}, "overrides": {}})


def contributors(change: GoldenChange) -> set[RecordIdentity]:
    """Return the records that a change's provenance names and that are not among its members."""
    members = {(key.source, key.record_id) for key in change.members} if change.op == "upsert" else set()
    return {key for origins in change.provenance.values() for o in origins for key in named_records(o)} - members
