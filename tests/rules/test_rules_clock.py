"""Kinds of versions and limits of times of a source: compiled, and refused with their line."""

import pytest

from mdm_stream.errors import RulesError
from mdm_stream.rules import load_ruleset

CLOCKED = """\
extends: person
version: 1
sources:
  crm: {SOURCE}
"""


def clocked(tmp_path, source):
    """The compiled source of rules that say this of it."""
    path = tmp_path / "rules.yaml"
    path.write_text(CLOCKED.replace("{SOURCE}", "{" + source + "}"))
    return load_ruleset(path).sources["crm"]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("format: canonical", "integer"),
        ("format: csv, version: rev", "integer"),
        ("format: debezium, table: t, key: id", "position"),
        ("format: dms, table: t, key: id, version: rev", "integer"),
        ("format: dms, table: t, key: id, version: rev, version_kind: time", "time"),
        ("version_kind: milliseconds", "milliseconds"),
    ],
)
def test_versions_are_of_one_kind_even_if_nothing_is_said(tmp_path, source, kind):
    """Logs have positions, rows with a version column and everything else integers, unless the rules say more."""
    assert clocked(tmp_path, source).version_kind == kind


def test_limits_of_time_are_compiled_to_microseconds(tmp_path):
    """Durations have units, days are midnights in UTC, and what is left out has its default."""
    day_us = 86_400_000_000
    source = clocked(
        tmp_path, "clock_ahead: 90m, backdating: 20y, event_time_floor: 1970-01-01, history_until: 2026-07-01"
    )
    assert (source.clock_ahead_us, source.backdating_us) == (5_400_000_000, 7_300 * day_us)
    assert (source.event_time_floor_us, source.history_until_us) == (0, 1_782_864_000_000_000)
    plain = clocked(tmp_path, "trust: 0.5")
    assert (plain.clock_ahead_us, plain.backdating_us, plain.history_until_us) == (day_us, day_us, None)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("format: debezium, table: t, key: id, version_kind: integer", "positions of its log"),
        ("format: csv, version: rev, version_kind: position", "is a column"),
        ("clock_ahead: 2y", "more than 400d"),
        ("clock_ahead: soon", "clock_ahead"),
        ("event_time_floor: 2026-02-30", "no day of the calendar"),
        ("version_kind: float", "version_kind"),
    ],
)
def test_a_clock_that_makes_no_sense_is_an_error_with_its_line(tmp_path, source, said):
    """The error names the file, the line and the setting."""
    with pytest.raises(RulesError, match=said) as caught:
        clocked(tmp_path, source)
    assert "rules.yaml:4" in str(caught.value)
