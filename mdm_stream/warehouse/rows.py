"""From golden feed messages to staged rows: pure, no I/O.

A golden change gives one ``change`` row, one ``claim`` row for each record that it claims or releases, and one
``contribution`` row for each record that its provenance names beside its members. A record, link or review item gives
one ``record``, ``match`` or ``review`` row. An erasure gives one ``erasure`` row, a report of a rejected event one
``report`` row, a manifest of a load one ``file`` row. ``redaction`` rows rewrite what is in the tables. Rows are
written as NDJSON in the order given, with absent values left out, so the same batch gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import orjson

from mdm_stream.contracts.evidence import EVIDENCE, EvidenceChanged, RecordChanged
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.golden import FeedEnvelope, GoldenChange, QuarantinedEvent, RecordErased, parse_moment
from mdm_stream.core.canonical import digest_of
from mdm_stream.warehouse.redaction import ErasedRecords, GoldenValues, Origins, contributors, redact_change

ColumnType = Literal["text", "integer", "timestamp", "json"]

STAGED_COLUMNS: tuple[tuple[str, ColumnType], ...] = (
    ("kind", "text"),
    ("domain", "text"),
    ("epoch", "integer"),
    ("sequence", "integer"),
    ("golden_id", "text"),
    ("source", "text"),
    ("record_id", "text"),
    ("status", "text"),
    ("merged_into", "text"),
    ("anchor_source", "text"),
    ("anchor_record_id", "text"),
    ("member_count", "integer"),
    ("rules_version", "integer"),
    ("committed_at", "timestamp"),
    ("quarantine_id", "text"),
    ("raw_bytes", "integer"),
    ("location", "text"),
    ("received_from", "text"),
    ("quarantined_at", "timestamp"),
    ("report_digest", "text"),
    ("held_digest", "text"),
    ("load_id", "text"),
    ("revision", "integer"),
    ("load_kind", "text"),
    ("route", "text"),
    ("bucket", "text"),
    ("object_key", "text"),
    ("as_of", "timestamp"),
    ("row_count", "integer"),
    ("accepted", "integer"),
    ("rejected", "integer"),
    ("skipped", "integer"),
    ("sent", "integer"),
    ("deleted", "integer"),
    ("received_at", "timestamp"),
    ("ended_at", "timestamp"),
    ("document", "json"),
)
"""The fields of a staged row, in order. ``document`` is the data of the message; claims and contributions have none."""

EXTRACTED_COLUMNS: tuple[tuple[str, str], ...] = (
    ("golden_values", "values"),
    ("provenance", "provenance"),
    ("reasons", "reasons"),
)
"""Columns that staging takes out of ``document``: (column, top-level key). They are not sent a second time."""


@dataclass(frozen=True, slots=True)
class StagedBatch:
    """A batch that is ready to be loaded, and how many messages and claims are in it."""

    ndjson: bytes
    changes: int
    claims: int
    erasures: int
    reports: int
    files: int = 0
    evidence: int = 0


def stage_batch(envelopes: Iterable[FeedEnvelope], erased: ErasedRecords | None = None) -> StagedBatch:
    """Return the staged rows of ``envelopes``, in the order given, without the values of ``erased`` records."""
    erased = erased or {}
    lines: list[bytes] = []
    changes = claims = erasures = reports = files = evidence = 0
    for envelope in envelopes:
        data = envelope.data
        if isinstance(data, QuarantinedEvent):
            reports += 1
            lines.append(_report_row(data))
            continue
        if isinstance(data, FileManifest):
            files += 1
            lines.append(_file_row(data))
            continue
        committed_at = parse_moment(data.committed_at, "data.committed_at")
        if isinstance(data, RecordErased):
            erasures += 1
            lines.append(_erasure_row(data, committed_at))
            continue
        if isinstance(data, EVIDENCE):
            evidence += 1
            lines.append(_evidence_row(data, erased, committed_at))
            continue
        changes += 1
        redacted = redact_change(data, erased[data.domain]) if data.domain in erased else None
        lines.append(_change_row(redacted or data, committed_at))
        before = len(lines)
        lines.extend(_claim_rows(data))
        claims += len(lines) - before
        lines.extend(_contribution_rows(data))
    return StagedBatch(b"\n".join(lines) + b"\n", changes, claims, erasures, reports, files, evidence)


def redacted_change_row(change: GoldenChange, held_digest: str) -> bytes:
    """Return the staged row that rewrites what ``golden_history`` holds of a change, if that has ``held_digest``."""
    return _redaction_row(
        change.domain, change.golden_id, change.epoch, change.sequence, change.model_dump_json().encode(), held_digest
    )


def redacted_record_row(
    domain: str, golden_id: str, epoch: int, sequence: int, values: GoldenValues, origins: Origins, held_digest: str
) -> bytes:
    """Return the staged row that rewrites what ``golden_record`` holds at (epoch, sequence), if it has that digest."""
    provenance = {name: [origin.model_dump() for origin in kept] for name, kept in origins.items()}
    document = orjson.dumps({"values": values, "provenance": provenance})
    return _redaction_row(domain, golden_id, epoch, sequence, document, held_digest)


def timestamp_text(moment: datetime) -> str:
    """Return an aware time as ``YYYY-MM-DD HH:MM:SS.ffffff`` in UTC, which both databases read as a timestamp."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _change_row(change: GoldenChange, committed_at: datetime) -> bytes:
    row: dict[str, object] = {
        "kind": "change",
        "domain": change.domain,
        "epoch": change.epoch,
        "sequence": change.sequence,
        "golden_id": change.golden_id,
        "status": "live" if change.op == "upsert" else "retired",
        "member_count": len(change.members) if change.op == "upsert" else 0,
        "rules_version": change.rules_version,
        "committed_at": timestamp_text(committed_at),
        "document": orjson.Fragment(change.model_dump_json().encode()),
    }
    if change.merged_into is not None:
        row["merged_into"] = change.merged_into
    if change.anchor is not None:
        row |= {"anchor_source": change.anchor.source, "anchor_record_id": change.anchor.record_id}
    return orjson.dumps(row)


def _claim_rows(change: GoldenChange) -> Iterator[bytes]:
    """An upsert claims its members; every change releases what it removed. A record in both lists is claimed."""
    # Keyed by tuples: hashing a pydantic model costs more than writing its row.
    claimed: dict[tuple[str, str], str | None] = {(key.source, key.record_id): None for key in change.removed}
    if change.op == "upsert":
        claimed.update(((key.source, key.record_id), change.golden_id) for key in change.members)
    for (source, record_id), golden_id in claimed.items():
        row: dict[str, object] = {
            "kind": "claim",
            "domain": change.domain,
            "epoch": change.epoch,
            "sequence": change.sequence,
            "source": source,
            "record_id": record_id,
        }
        if golden_id is not None:
            row["golden_id"] = golden_id
        yield orjson.dumps(row)


def _contribution_rows(change: GoldenChange) -> Iterator[bytes]:
    """The engine takes values from members alone; should a message say otherwise, an erasure must still find them."""
    for source, record_id in sorted(contributors(change)):
        row = {"kind": "contribution", "domain": change.domain, "golden_id": change.golden_id}
        yield orjson.dumps(row | {"source": source, "record_id": record_id})


def _erasure_row(erasure: RecordErased, committed_at: datetime) -> bytes:
    row = {
        "kind": "erasure",
        "domain": erasure.domain,
        "epoch": erasure.epoch,
        "sequence": erasure.sequence,
        "golden_id": erasure.golden_id,
        "source": erasure.source,
        "record_id": erasure.record_id,
        "status": "erased",
        "committed_at": timestamp_text(committed_at),
        "document": orjson.Fragment(erasure.model_dump_json().encode()),
    }
    return orjson.dumps(row)


def _evidence_row(change: EvidenceChanged, erased: ErasedRecords, committed_at: datetime) -> bytes:
    """Return the row of a record, link or review item: nothing but the key of a record that is erased."""
    first = change if isinstance(change, RecordChanged) else change.a
    is_erased = isinstance(change, RecordChanged) and (change.source, change.record_id) in erased.get(change.domain, ())
    row = {
        "kind": change.op,
        "domain": change.domain,
        "epoch": change.epoch,
        "sequence": change.sequence,
        "source": first.source,
        "record_id": first.record_id,
        "status": change.status,
        "rules_version": change.rules_version,
        "committed_at": timestamp_text(committed_at),
        "document": orjson.Fragment(b"{}" if is_erased else change.model_dump_json().encode()),
    }
    return orjson.dumps(row)


def _redaction_row(domain: str, golden_id: str, epoch: int, sequence: int, document: bytes, held_digest: str) -> bytes:
    row = {
        "kind": "redaction",
        "domain": domain,
        "epoch": epoch,
        "sequence": sequence,
        "golden_id": golden_id,
        "held_digest": held_digest,
        "document": orjson.Fragment(document),
    }
    return orjson.dumps(row)


def _report_row(report: QuarantinedEvent) -> bytes:
    row: dict[str, object] = {
        "kind": "report",
        "quarantine_id": report.quarantine_id,
        "raw_bytes": report.raw_bytes,
        "location": report.location,
        "received_from": report.received_from,
        "quarantined_at": timestamp_text(parse_moment(report.quarantined_at, "data.quarantined_at")),
        "report_digest": digest_of(report.model_dump()),
        "document": orjson.Fragment(report.model_dump_json().encode()),
    }
    optional = {"domain": report.domain, "source": report.source, "record_id": report.record_id}
    row.update({name: value for name, value in optional.items() if value is not None})
    return orjson.dumps(row)


def _file_row(manifest: FileManifest) -> bytes:
    row: dict[str, object] = {
        "kind": "file",
        "load_id": manifest.load_id,
        "revision": manifest.revision,
        "status": manifest.state,
        "load_kind": manifest.load,
        "bucket": manifest.object.bucket,
        "object_key": manifest.object.key,
        "as_of": timestamp_text(parse_moment(manifest.as_of, "data.as_of")),
        "row_count": manifest.rows,
        "accepted": manifest.accepted,
        "rejected": manifest.rejected,
        "skipped": manifest.skipped,
        "sent": manifest.sent,
        "deleted": manifest.deleted,
        "received_at": timestamp_text(parse_moment(manifest.received_at, "data.received_at")),
        "report_digest": digest_of(manifest.model_dump()),
        "document": orjson.Fragment(manifest.model_dump_json().encode()),
    }
    if manifest.ended_at is not None:
        row["ended_at"] = timestamp_text(parse_moment(manifest.ended_at, "data.ended_at"))
    optional = {"domain": manifest.domain, "source": manifest.source, "route": manifest.route}
    row.update({name: value for name, value in optional.items() if value is not None})
    return orjson.dumps(row)


def message_row(data: object, erased: ErasedRecords) -> bytes:
    """Return the one row that says all of a message, without the values of ``erased`` records; no claims beside it."""
    if isinstance(data, QuarantinedEvent):
        return _report_row(data)
    if isinstance(data, FileManifest):
        return _file_row(data)
    if isinstance(data, RecordErased):
        return _erasure_row(data, parse_moment(data.committed_at, "data.committed_at"))
    if isinstance(data, EVIDENCE):
        return _evidence_row(data, erased, parse_moment(data.committed_at, "data.committed_at"))
    if not isinstance(data, GoldenChange):
        raise TypeError(f"{type(data).__name__} is no data of a feed message")
    redacted = redact_change(data, erased[data.domain]) if data.domain in erased else None
    return _change_row(redacted or data, parse_moment(data.committed_at, "data.committed_at"))
