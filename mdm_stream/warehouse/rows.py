"""From golden feed messages to staged rows: pure, no I/O.

One message gives one ``change`` row and one ``claim`` row for each record that it claims or releases, or one
``report`` row for a rejected event. Rows are written as NDJSON in the order given, with absent values left out,
so the same batch gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import orjson
from pydantic import ValidationError

from mdm_stream.contracts.golden import (
    QUARANTINED,
    RETIRED,
    UPSERTED,
    FeedEnvelope,
    GoldenChange,
    QuarantinedEvent,
)
from mdm_stream.core.canonical import digest_of
from mdm_stream.errors import Reason, RejectedEventError

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
    ("member_count", "integer"),
    ("rules_version", "integer"),
    ("committed_at", "timestamp"),
    ("quarantine_id", "text"),
    ("raw_bytes", "integer"),
    ("location", "text"),
    ("received_from", "text"),
    ("quarantined_at", "timestamp"),
    ("report_digest", "text"),
    ("document", "json"),
)
"""The fields of a staged row, in order. ``document`` is the data of the message, on change and report rows."""

EXTRACTED_COLUMNS: tuple[tuple[str, str], ...] = (
    ("golden_values", "values"),
    ("provenance", "provenance"),
    ("reasons", "reasons"),
)
"""Columns that staging takes out of ``document``: (column, top-level key). They are not sent a second time."""

_REASONS_MAX = 20
_TYPE_OF_OP = {"upsert": UPSERTED, "retire": RETIRED}


@dataclass(frozen=True, slots=True)
class StagedBatch:
    """A batch that is ready to be loaded. ``oldest_committed_at`` is None for a batch without golden changes."""

    ndjson: bytes
    changes: int
    claims: int
    reports: int
    oldest_committed_at: datetime | None


def parse_envelope(raw: bytes) -> FeedEnvelope:
    """Return the feed message in ``raw``.

    Raises ``RejectedEventError`` where the bytes break the contract of the golden feed; its reasons name fields and
    rules, never values.
    """
    try:
        # Three times as fast as validating the JSON text, where pydantic has to try both kinds of data.
        envelope = FeedEnvelope.model_validate(orjson.loads(raw))
    except orjson.JSONDecodeError:
        raise RejectedEventError((Reason("feed.json", "", "the message is not JSON"),)) from None
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        reasons = tuple(
            Reason(
                f"feed.{detail['type']}",
                ".".join(str(part) for part in detail["loc"]),
                "the message does not follow the golden feed contract",
            )
            for detail in details[:_REASONS_MAX]
        )
        raise RejectedEventError(reasons) from None
    _check_agreement(envelope)
    return envelope


def stage_batch(envelopes: Iterable[FeedEnvelope]) -> StagedBatch:
    """Return the staged rows of ``envelopes``, in the order given."""
    lines: list[bytes] = []
    changes = claims = reports = 0
    oldest: datetime | None = None
    for envelope in envelopes:
        data = envelope.data
        if isinstance(data, QuarantinedEvent):
            reports += 1
            lines.append(_report_row(data))
            continue
        changes += 1
        committed_at = _utc(data.committed_at, "data.committed_at")
        oldest = committed_at if oldest is None or committed_at < oldest else oldest
        lines.append(_change_row(data, committed_at))
        before = len(lines)
        lines.extend(_claim_rows(data))
        claims += len(lines) - before
    return StagedBatch(b"\n".join(lines) + b"\n", changes, claims, reports, oldest)


def timestamp_text(moment: datetime) -> str:
    """Return an aware time as ``YYYY-MM-DD HH:MM:SS.ffffff`` in UTC, which both databases read as a timestamp."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _check_agreement(envelope: FeedEnvelope) -> None:
    data = envelope.data
    if isinstance(data, GoldenChange):
        expected = _TYPE_OF_OP[data.op]
        _utc(data.committed_at, "data.committed_at")
    else:
        expected = QUARANTINED
        _utc(data.quarantined_at, "data.quarantined_at")
    if envelope.type != expected:
        raise RejectedEventError((Reason("feed.type_mismatch", "type", "the type does not fit the data"),))


def _utc(text: str, path: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RejectedEventError((Reason("feed.time", path, "not an RFC 3339 time"),)) from None
    if moment.tzinfo is None:
        raise RejectedEventError((Reason("feed.time", path, "a time needs an offset, such as Z"),))
    return moment.astimezone(UTC)


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


def _report_row(report: QuarantinedEvent) -> bytes:
    row: dict[str, object] = {
        "kind": "report",
        "quarantine_id": report.quarantine_id,
        "raw_bytes": report.raw_bytes,
        "location": report.location,
        "received_from": report.received_from,
        "quarantined_at": timestamp_text(_utc(report.quarantined_at, "data.quarantined_at")),
        "report_digest": digest_of(report.model_dump()),
        "document": orjson.Fragment(report.model_dump_json().encode()),
    }
    optional = {"domain": report.domain, "source": report.source, "record_id": report.record_id}
    row.update({name: value for name, value in optional.items() if value is not None})
    return orjson.dumps(row)
