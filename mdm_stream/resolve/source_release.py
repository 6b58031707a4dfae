"""Releasing a held source: its events are sent again from the quarantine, as what they were when they first arrived.

The mark goes first. A consumer rests on marks that are up to ``MARKS_AGE_S_MAX`` old, and a batch that it has begun may
keep events aside until it ends: so the quarantine is looked through once at once, and again when that time is over.
Cut short anywhere, what is left lies in the quarantine under its reason; released again, the source has all of it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mdm_stream.archive import SourceMarkStore
from mdm_stream.dead_letters import DeadLetters, RedriveRun, Selection
from mdm_stream.resolve.source_watch import MARKS_AGE_S_MAX

HELD = "source_held"
"""The reason under which events of a held source lie in the quarantine."""
RUN_BYTES = 8


@dataclass(slots=True)
class ReleaseReport:
    """What a release did. ``left``: why an event could not be sent, by its id; it is still in the quarantine."""

    source: str
    was_held: bool
    events: int = 0
    left: dict[str, str] = field(default_factory=dict)


def release(
    marks: SourceMarkStore,
    selection: Selection,
    quarantine: DeadLetters,
    redrive: RedriveRun,
    grace_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> ReleaseReport:
    """Hold a source no longer and send what was kept aside; ``selection`` names its domain, source and reason.

    ``grace_s``: how long a batch may still run that a consumer has begun, that of the function's time-out.
    """
    source = selection.source or ""
    report = ReleaseReport(source, marks.release(source))
    _send(quarantine, selection, redrive, report)
    sleep(MARKS_AGE_S_MAX + grace_s)
    _send(quarantine, selection, redrive, report)
    return report


def kept_aside(domain: str, source: str | None) -> Selection:
    """Return which dead letters are those of a held source; of any, without one."""
    return Selection(domain=domain, source=source, cause=HELD)


def _send(quarantine: DeadLetters, selection: Selection, redrive: RedriveRun, report: ReleaseReport) -> None:
    letters = quarantine.find(selection)
    if not letters:
        return
    done = redrive.send(letters, secrets.token_hex(RUN_BYTES))
    report.events += done.events
    report.left = {**done.refused, **done.failed, **dict.fromkeys(done.untried, "not tried, because others failed")}
