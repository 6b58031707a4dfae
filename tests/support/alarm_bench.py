"""Alarms of the file that Terraform deploys, watched while a test does to real handlers what they are about.

A period of an alarm passes with each step. What a handler writes in a step (lines in the embedded metric format) and
what stands in for AWS measures in it counts as of the middle of that period: nobody waits for a quarter of an hour.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from source_tree import ROOT

from mdm_stream.local.alarms import AlarmState, MetricHistory, MetricSample, load_alarms, samples_of, state_at
from mdm_stream.local.alarms.states import EXTRA_PERIODS
from mdm_stream.metrics import namespace_of

ALARMS = load_alarms(ROOT / "infra" / "terraform" / "modules" / "observability" / "alarms.json")
START_S = 1_767_225_600
"""The first of January 2026: a multiple of every period here."""

FIRED_FILE = "ALARMS_FIRED_FILE"
"""A variable that names a file: a line of JSON is added to it for each alarm that has fired and cleared."""

Step = Callable[[], Iterable[MetricSample] | None]
"""Does something, and perhaps returns what AWS would have measured of it."""


def nothing() -> None:
    """A period in which nothing happens."""


def measured(namespace: str, metric: str, value: float, **dimensions: str) -> MetricSample:
    """Return what AWS measures; its time is that of the step."""
    return MetricSample(namespace, metric, frozenset(dimensions.items()), 0.0, float(value))


@dataclass
class AlarmBench:
    """One alarm on one watched thing (``values``), and the periods that have passed."""

    name: str
    values: dict[str, str]
    capsys: pytest.CaptureFixture[str]
    history: MetricHistory = field(default_factory=MetricHistory)
    states: list[AlarmState] = field(default_factory=list)

    def step(self, do: Step) -> AlarmState:
        """Let a period pass; return the state after it."""
        alarm = ALARMS[self.name].of({"metrics_namespace": namespace_of(os.environ), **self.values})
        begin_s = START_S + len(self.states) * alarm.definition.period_s
        self.capsys.readouterr()
        samples = list(do() or ())
        for line in self.capsys.readouterr().out.splitlines():
            samples += samples_of(line)
        self.history.add(sample.at(begin_s + alarm.definition.period_s / 2) for sample in samples)
        before = self.states[-1] if self.states else AlarmState.INSUFFICIENT_DATA
        self.states.append(state_at(alarm, self.history, begin_s + alarm.definition.period_s, before))
        return self.states[-1]

    def is_silent(self, good: Step) -> None:
        """Let good periods pass, in which it must not fire."""
        for _ in range(2):
            assert self.step(good) == AlarmState.OK, self.name

    def fires(self, bad: Step) -> None:
        """Let bad periods pass: it must fire with the last of those that its definition asks for, and no sooner."""
        needed = ALARMS[self.name].datapoints_to_alarm
        found = [self.step(bad) for _ in range(needed)]
        assert found == [AlarmState.OK] * (needed - 1) + [AlarmState.ALARM], (self.name, found)

    def fires_without_data(self) -> None:
        """Let periods pass in which nothing is written, until all with data are out of sight: it must fire."""
        for _ in range(ALARMS[self.name].evaluation_periods + EXTRA_PERIODS):
            if self.step(nothing) == AlarmState.ALARM:
                return
        raise AssertionError(f"{self.name} has not fired")

    def clears(self, good: Step) -> None:
        """Let good periods pass until it has cleared: as many as it looks back at, at most."""
        assert self.states[-1] == AlarmState.ALARM
        for passed in range(1, ALARMS[self.name].evaluation_periods + EXTRA_PERIODS + 1):
            if self.step(good) == AlarmState.OK:
                self._note(passed)
                return
        raise AssertionError(f"{self.name} has not cleared")

    def _note(self, clear_periods: int) -> None:
        if (file := os.environ.get(FIRED_FILE)) is None:
            return
        rules = ALARMS[self.name]
        told = {
            "alarm": self.name,
            "severity": rules.severity,
            "fires_after_s": rules.datapoints_to_alarm * rules.period_s,
            "cleared_after_s": clear_periods * rules.period_s,
        }
        with Path(file).open("ab") as lines:
            lines.write(orjson.dumps(told) + b"\n")


Watch = Callable[..., AlarmBench]


@pytest.fixture
def watch(capsys: pytest.CaptureFixture[str]) -> Watch:
    """Watch an alarm: ``watch("function-errors", function_name="resolve")``."""
    return lambda name, **values: AlarmBench(name, values, capsys)


def invoked(name: str, handler: Callable[[Any, Any], Any], event: Any, context: Any) -> list[MetricSample]:
    """Invoke a handler, and return what Lambda measures of that: its errors, and how long it took."""
    started_s, errors = time.monotonic(), 0
    try:
        handler(event, context)
    except Exception:  # noqa: BLE001 - whatever leaves a handler is an error of the function
        errors = 1
    duration_ms = (time.monotonic() - started_s) * 1_000
    return [
        measured("AWS/Lambda", "Errors", errors, FunctionName=name),
        measured("AWS/Lambda", "Duration", duration_ms, FunctionName=name),
    ]
