"""Golden feed messages for the tests, and the content of a warehouse to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mdm_stream.contracts.evidence import (
    MatchChanged,
    RecordChanged,
    RecordOverride,
    RecordValue,
    RecordVerdict,
    ReviewChanged,
)
from mdm_stream.contracts.feed_model import RecordKey
from mdm_stream.contracts.file_manifest import FileManifest, FileObject, FileState
from mdm_stream.contracts.golden import (
    TYPE_OF_OP,
    FeedEnvelope,
    GoldenChange,
    Provenance,
    QuarantinedEvent,
    RecordErased,
    Sequenced,
    parse_envelope,
)
from mdm_stream.contracts.reason import QuarantineReason
from mdm_stream.core.model import InvalidReason
from mdm_stream.feed.envelope import file_message
from mdm_stream.warehouse.append import AppendLayout

MINUTE_FORMAT = "2026-03-01T12:{:02d}:00Z"
SET_AT = "2026-03-01T11:00:00.000000Z"


def keys(*refs: str) -> list[RecordKey]:
    """``crm/1`` to record keys."""
    return [RecordKey(source=ref.split("/", 1)[0], record_id=ref.split("/", 1)[1]) for ref in refs]


def upsert(
    sequence: int,
    golden_id: str,
    members: Sequence[str],
    *,
    epoch: int = 1,
    removed: Sequence[str] = (),
    domain: str = "person",
    committed_at: str | None = None,
    values: dict[str, Any] | None = None,
    provenance: dict[str, list[Provenance]] | None = None,
) -> FeedEnvelope:
    """A golden record with these members."""
    return _envelope(
        GoldenChange(
            domain=domain,
            epoch=epoch,
            sequence=sequence,
            op="upsert",
            golden_id=golden_id,
            members=keys(*members),
            removed=keys(*removed),
            values={"name": f"name {epoch}.{sequence}"} if values is None else values,
            provenance=provenance or {},
            rules_version=3,
            committed_at=committed_at or MINUTE_FORMAT.format(min(sequence, 59)),
        )
    )


def retire(
    sequence: int,
    golden_id: str,
    *,
    epoch: int = 1,
    removed: Sequence[str] = (),
    merged_into: str | None = None,
    anchor: str | None = None,
    domain: str = "person",
    committed_at: str | None = None,
) -> FeedEnvelope:
    """The end of a golden record."""
    return _envelope(
        GoldenChange(
            domain=domain,
            epoch=epoch,
            sequence=sequence,
            op="retire",
            golden_id=golden_id,
            members=[],
            removed=keys(*removed),
            merged_into=merged_into,
            anchor=None if anchor is None else keys(anchor)[0],
            rules_version=3,
            committed_at=committed_at or MINUTE_FORMAT.format(min(sequence, 59)),
        )
    )


def rejected(quarantine_id: str, *, minute: int = 0, received_from: str = "kinesis") -> FeedEnvelope:
    """A report of a rejected event."""
    report = QuarantinedEvent(
        quarantine_id=quarantine_id,
        source="crm",
        reasons=[QuarantineReason(code="json.invalid", path="", message="not JSON")],
        raw_bytes=12,
        location="s3://bucket/key",
        received_from=received_from,
        quarantined_at=MINUTE_FORMAT.format(minute),
    )
    return FeedEnvelope(
        id=f"quarantine/{quarantine_id}",
        source="mdm-stream",
        type="mdm.event.quarantined",
        subject=quarantine_id,
        time=report.quarantined_at,
        data=report,
    )


def erase(
    sequence: int, ref: str, *, epoch: int = 1, domain: str = "person", committed_at: str | None = None
) -> FeedEnvelope:
    """The erasure of a source record."""
    [key] = keys(ref)
    return _envelope(
        RecordErased(
            domain=domain,
            epoch=epoch,
            sequence=sequence,
            op="erase",
            golden_id=f"anchored-{ref}",
            source=key.source,
            record_id=key.record_id,
            committed_at=committed_at or MINUTE_FORMAT.format(min(sequence, 59)),
        )
    )


def record(
    sequence: int,
    ref: str,
    values: dict[str, str | list[str]] | None = None,
    *,
    status: Literal["live", "deleted", "unseen", "gone"] = "live",
    epoch: int = 1,
    domain: str = "person",
    committed_at: str | None = None,
    invalid: Mapping[str, InvalidReason] | None = None,
    overrides: dict[str, RecordOverride] | None = None,
    verdicts: list[RecordVerdict] | None = None,
) -> FeedEnvelope:
    """What the feed says of a source record."""
    [key] = keys(ref)
    because = invalid or {}
    return _envelope(
        RecordChanged(
            **_position(domain, epoch, sequence, committed_at),
            op="record",
            **key.model_dump(),
            status=status,
            born_at=SET_AT,
            attributes={
                name: RecordValue(
                    value=value,
                    valid=name not in because,
                    invalid_because=because.get(name),
                    version=7,
                    event_time=SET_AT,
                )
                for name, value in (values or {}).items()
            },
            overrides=overrides or {},
            verdicts=verdicts or [],
        )
    )


def match(
    sequence: int,
    a: str,
    b: str,
    *,
    status: Literal["linked", "refused", "gone"] = "linked",
    rule: str = "score",
    confidence: float = 0.9,
    epoch: int = 1,
    domain: str = "person",
    committed_at: str | None = None,
) -> FeedEnvelope:
    """What the feed says of a link."""
    a_key, b_key = keys(a, b)
    evidence: dict[str, Any] = {
        "rule": rule,
        "confidence": confidence,
        "weight_bits": 3.17,
        "evidence": {"name": "exact"},
    }
    return _envelope(
        MatchChanged(
            **_position(domain, epoch, sequence, committed_at),
            op="match",
            a=a_key,
            b=b_key,
            status=status,
            **({} if status == "gone" else evidence),
        )
    )


def review(
    sequence: int,
    a: str,
    b: str,
    *,
    status: Literal["open", "closed"] = "open",
    reason: Literal["score", "separated"] = "score",
    epoch: int = 1,
    domain: str = "person",
    committed_at: str | None = None,
) -> FeedEnvelope:
    """What the feed says of an item of the review queue."""
    a_key, b_key = keys(a, b)
    evidence: dict[str, Any] = {"rule": "score", "confidence": 0.6, "weight_bits": 0.58, "evidence": {"name": "near"}}
    return _envelope(
        ReviewChanged(
            **_position(domain, epoch, sequence, committed_at),
            op="review",
            a=a_key,
            b=b_key,
            status=status,
            **({} if status == "closed" else {"reason": reason, **evidence}),
        )
    )


def _position(domain: str, epoch: int, sequence: int, committed_at: str | None) -> dict[str, Any]:
    return {
        "domain": domain,
        "epoch": epoch,
        "sequence": sequence,
        "rules_version": 3,
        "committed_at": committed_at or MINUTE_FORMAT.format(min(sequence, 59)),
    }


def origins(*refs: str) -> list[Provenance]:
    """Provenance of a value that comes from these records, one an item."""
    return [Provenance(**key.model_dump(), version=7, event_time=SET_AT, strategy="most_recent") for key in keys(*refs)]


def _envelope(change: Sequenced) -> FeedEnvelope:
    return FeedEnvelope(
        id=f"{change.domain}/{change.epoch}/{change.sequence}",
        source="mdm-stream",
        type=TYPE_OF_OP[change.op],
        subject=change.golden_id if isinstance(change, GoldenChange | RecordErased) else f"of {change.op}",
        time=change.committed_at,
        data=change,
    )


TABLES = {
    "golden_record": "domain, golden_id, epoch, sequence, status, merged_into, anchor_source, anchor_record_id, "
    "golden_values, provenance, member_count, rules_version, committed_at",
    "crosswalk": "domain, source, record_id, golden_id, epoch, sequence",
    "golden_history": "domain, epoch, sequence, golden_id, status, merged_into, payload, rules_version, committed_at",
    "quarantined_event": "quarantine_id, domain, source, record_id, reasons, raw_bytes, location, received_from, "
    "quarantined_at",
    "erased_record": "domain, source, record_id, golden_id, epoch, sequence, committed_at",
    "evidence_history": "domain, epoch, sequence, kind, source, record_id, other_source, other_record_id, status, "
    "payload, rules_version, committed_at",
    "contribution": "domain, source, record_id, golden_id",
    "file_loads": "load_id, revision, domain, source, status, load_kind, route, bucket, object_key, as_of, row_count, "
    "accepted, rejected, skipped, sent, deleted, received_at, ended_at, manifest, report_digest",
}


def contents(warehouse: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every table, sorted, without ``applied_at``."""
    return {
        table: sorted(warehouse.query(f"SELECT {columns} FROM {table}"), key=repr) for table, columns in TABLES.items()
    }


def clear(warehouse: Any) -> None:
    """Empty every table, and what a writer of the append kind remembers."""
    layout = warehouse._layout
    if isinstance(layout, AppendLayout):
        warehouse.query("DELETE FROM golden_event")
        layout._known.clear()
        return
    for table in TABLES:
        warehouse.query(f"DELETE FROM {table}")


def loaded(load_id: str, revision: int, state: FileState, **more: Any) -> FeedEnvelope:
    """The manifest of a load."""
    manifest = FileManifest(
        load_id=load_id,
        revision=revision,
        state=state,
        domain="person",
        source="vendor",
        object=FileObject(bucket="drops", key="person/vendor/a.csv", etag="e1", size_bytes=10),
        deliveries=[],
        as_of=MINUTE_FORMAT.format(0),
        as_of_declared=False,
        received_at=MINUTE_FORMAT.format(1),
        **more,
    )
    return parse_envelope(file_message(manifest)[1])
