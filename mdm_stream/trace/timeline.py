"""A trace as it is shown: journeys of steps, with the time between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mdm_stream.core.times import TIME_US_MAX, TIME_US_MIN, format_time_us
from mdm_stream.trace.findings import LookedInto

Stage = Literal["received", "archived", "refused", "waiting", "state", "golden", "feed", "warehouse", "log", "cause"]
Outcome = Literal["applied", "absorbed", "refused", "waiting", "excluded", "erased", "unreadable", "told"]


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One thing that happened. ``time_us`` is when, in microseconds since 1970, if anything says it.

    ``said`` is a sentence for people and ``place`` where to find it; ``facts`` are the same for programs. None of the
    three has a value of a record. ``values`` does, and is filled only where values were asked for.
    """

    stage: Stage
    said: str
    time_us: int | None = None
    place: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class TimedStep:
    """A step, and how long after the last one that has a time it was: negative where two clocks disagree."""

    step: TraceStep
    after_us: int | None

    def document(self) -> dict[str, object]:
        """Return it for JSON."""
        step = self.step
        document: dict[str, object] = {
            "stage": step.stage,
            "said": step.said,
            "time": shown_time(step.time_us),
            "after_ms": None if self.after_us is None else self.after_us / 1_000,
            "place": step.place or None,
            **step.facts,
        }
        return {**document, "values": dict(step.values)} if step.values else document


@dataclass(frozen=True, slots=True)
class Journey:
    """What became of one delivery, or of one golden change: its steps in the order of cause and effect."""

    about: str
    outcome: Outcome
    steps: tuple[TraceStep, ...]

    def timed(self) -> list[TimedStep]:
        """Return the steps, each with the time since the last one before it that has one."""
        timed: list[TimedStep] = []
        last_us: int | None = None
        for step in self.steps:
            after_us = None if step.time_us is None or last_us is None else step.time_us - last_us
            timed.append(TimedStep(step, after_us))
            last_us = last_us if step.time_us is None else step.time_us
        return timed

    def elapsed_us(self) -> int | None:
        """Return the time from the first step that has one to the last; ``None`` of fewer than two."""
        times_us = [step.time_us for step in self.steps if step.time_us is not None and step.stage != "log"]
        return times_us[-1] - times_us[0] if len(times_us) > 1 else None

    def document(self) -> dict[str, object]:
        """Return it for JSON."""
        elapsed_us = self.elapsed_us()
        return {
            "about": self.about,
            "outcome": self.outcome,
            "elapsed_ms": None if elapsed_us is None else elapsed_us / 1_000,
            "steps": [timed.document() for timed in self.timed()],
        }


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that a trace has found. ``notes`` are sentences on what it could not know."""

    asked: str
    kind: Literal["event", "golden"]
    domain: str
    ref: str = ""
    golden_id: str = ""
    summary: tuple[str, ...] = ()
    journeys: tuple[Journey, ...] = ()
    left_out: int = 0
    looked_into: Sequence[LookedInto] = ()
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "asked": self.asked,
            "kind": self.kind,
            "domain": self.domain,
            "record": self.ref or None,
            "golden_id": self.golden_id or None,
            "summary": list(self.summary),
            "journeys": [journey.document() for journey in self.journeys],
            "left_out": self.left_out,
            "looked_into": [each.document() for each in self.looked_into],
            "notes": list(self.notes),
        }


def shown_time(time_us: int | None) -> str | None:
    """Return a time as RFC 3339 text; ``None`` for none, and for what is no time that can be written."""
    return None if time_us is None or not TIME_US_MIN <= time_us <= TIME_US_MAX else format_time_us(time_us)
