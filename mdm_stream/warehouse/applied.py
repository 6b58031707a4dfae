"""What a micro-batch gave the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mdm_stream.contracts.evidence import EVIDENCE
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.golden import GoldenChange, QuarantinedEvent, RecordErased, parse_moment
from mdm_stream.warehouse.quick_rows import QuickChange
from mdm_stream.warehouse.staging import FeedMessage


@dataclass(frozen=True, slots=True)
class Applied:
    """What one ``apply`` was given, messages that changed nothing included, and when each was committed."""

    changes: int
    erasures: int
    reports: int
    oldest_committed_at: datetime | None
    files: int = 0
    evidence: int = 0
    committed_at: tuple[datetime, ...] = field(default=(), compare=False)


def applied_by(messages: Sequence[FeedMessage]) -> Applied:
    """Count messages by what they are."""
    changes = erasures = reports = files = evidence = 0
    committed_at: list[datetime] = []
    for message in messages:
        if isinstance(message, QuickChange):
            changes += 1
            committed_at.append(message.committed_at)
            continue
        data = message.data
        if isinstance(data, QuarantinedEvent):
            reports += 1
            continue
        if isinstance(data, FileManifest):
            files += 1
            continue
        committed_at.append(parse_moment(data.committed_at, "data.committed_at"))
        erasures += isinstance(data, RecordErased)
        evidence += isinstance(data, EVIDENCE)
        changes += isinstance(data, GoldenChange)
    oldest = min(committed_at, default=None)
    return Applied(changes, erasures, reports, oldest, files, evidence, tuple(committed_at))
