"""Nobody freezes, takes over or spoofs a record by a version or a time: ``benchmarks/freeze_attempts.py``."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from mdm_stream.decode import clock, versions

MODULE: dict[str, Any] = runpy.run_path(
    str(Path(__file__).resolve().parents[2] / "benchmarks" / "freeze_attempts.py"), run_name="freeze_attempts"
)
ATTEMPTS = {each.name: each for each in MODULE["attempts"]()}
RULES = MODULE["attempts_rules"]()


def how(name: str) -> str:
    """How an attempt is held off, empty if it is not."""
    return str(MODULE["attempt"](ATTEMPTS[name], RULES).how)


def test_there_are_at_least_twelve() -> None:
    """By every kind of version, by times at both ends, by decisions and by envelopes."""
    assert len(ATTEMPTS) >= 12


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_is_held_off_in_every_order(name: str) -> None:
    """It is refused, has no effect, or is told and mended; the right value and golden id are there in the end."""
    assert how(name) in {"refused", "no effect", "told"}


@pytest.mark.parametrize(
    ("module", "guard", "without", "name"),
    [
        (versions, "_check_ahead", lambda *_: None, "an integer version of 2^63-1"),
        (versions, "_check_ahead", lambda *_: None, "a verdict of a version that no other beats"),
        (clock, "_born_at_us", lambda time_us, *_: time_us, "a golden id by an event time of 1901"),
    ],
)
def test_an_attempt_gets_through_without_its_guard(
    monkeypatch: pytest.MonkeyPatch, module: Any, guard: str, without: Any, name: str
) -> None:
    """The attempts are real: each takes its record over as soon as what refuses it is gone."""
    monkeypatch.setattr(module, guard, without)
    assert how(name) == ""
