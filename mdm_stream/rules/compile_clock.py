"""What a source's rules say about versions and times: the kind of its versions, and how far both may lie off."""

from __future__ import annotations

import re
from typing import TypedDict

from mdm_stream.core.ruleset import DAY_US, VersionKind
from mdm_stream.core.times import parse_time_us
from mdm_stream.core.wire_formats import WIRE_FORMATS
from mdm_stream.rules.findings import Findings
from mdm_stream.rules.model import SourceModel
from mdm_stream.rules.setting_types import DURATION_PATTERN
from mdm_stream.rules.tree import Node

CLOCK_AHEAD_US_MAX = 400 * DAY_US
"""A clock that is a year ahead is wrong; a limit beyond that would be none."""
_UNITS_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": DAY_US, "y": 365 * DAY_US}


class Clock(TypedDict):
    """The fields of a compiled source that say how its versions and times are judged."""

    version_kind: VersionKind
    clock_ahead_us: int
    event_time_floor_us: int
    backdating_us: int
    history_until_us: int | None


def compile_clock(source: SourceModel, node: Node, findings: Findings) -> Clock:
    """Return how the versions and times of a source are judged; what is wrong goes to ``findings``."""
    clock_ahead_us = duration_us(source.clock_ahead)
    if clock_ahead_us > CLOCK_AHEAD_US_MAX:
        findings.error(node.at(("clock_ahead",)).place, "'clock_ahead' is more than 400d; expected less; correct it")
    return {
        "version_kind": _version_kind(source, node, findings),
        "clock_ahead_us": clock_ahead_us,
        "event_time_floor_us": _day_us(source.event_time_floor, "event_time_floor", node, findings) or 0,
        "backdating_us": duration_us(source.backdating),
        "history_until_us": _day_us(source.history_until, "history_until", node, findings),
    }


def _version_kind(source: SourceModel, node: Node, findings: Findings) -> VersionKind:
    """Return the declared kind. Rows of a log have its positions, unless a column orders them; all else is integers."""
    from_log = WIRE_FORMATS[source.format].text_positions and source.version is None
    undeclared: VersionKind = "position" if from_log else "integer" if source.version_format is None else "time"
    kind: VersionKind = source.version_kind or undeclared
    place = node.at(("version_kind",)).place
    if from_log and kind != "position":
        advice = "name the column that orders its rows as 'version', or remove 'version_kind'"
        findings.error(
            place, f"a {source.format} source has positions of its log as versions, and not {kind}; {advice}"
        )
    elif kind == "position" and source.version is not None:
        advice = "remove one of the two"
        findings.error(place, f"positions are the log's or the stream's, and {source.version!r} is a column; {advice}")
    return kind


def duration_us(text: str) -> int:
    """Return a duration of the rules, such as 36h, in microseconds."""
    number, unit = re.fullmatch(DURATION_PATTERN, text).groups()  # type: ignore[union-attr]  # the model has checked it
    return int(number) * _UNITS_US[unit]


def _day_us(day: str | None, name: str, node: Node, findings: Findings) -> int | None:
    if day is None:
        return None
    try:
        return parse_time_us(f"{day}T00:00:00Z")
    except ValueError:
        findings.error(node.at((name,)).place, f"'{name}' is no day of the calendar; expected YYYY-MM-DD; correct it")
        return None
