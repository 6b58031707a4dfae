"""The drafted YAML says what it should, whatever files call their columns."""

from __future__ import annotations

import csv
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm_stream.core.name_patterns import ATTRIBUTE_PATTERN, SOURCE_PATTERN
from mdm_stream.draft.drafting import draft_rules, profile_files
from mdm_stream.draft.planned import attribute_name, source_name
from mdm_stream.draft.rule_text import comment, quoted
from mdm_stream.rules.check import check_file

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).filter(
    lambda text: text.strip()
)


@given(NAMES)
def test_a_quoted_text_is_read_as_itself(text):
    """Any name of a column stands in YAML as that text, and as nothing else."""
    assert yaml.safe_load(f"key: [{quoted(text)}]") == {"key": [text]}


@given(st.text(max_size=300))
def test_a_comment_stays_on_its_line(text):
    """Nothing in a comment ends it."""
    assert len(comment(text).splitlines()) <= 1


@given(st.text(max_size=80))
def test_every_column_and_file_has_a_name(text):
    """Attributes and sources have names that rules allow, whatever columns and files are called."""
    assert re.fullmatch(ATTRIBUTE_PATTERN, attribute_name(text))
    assert re.fullmatch(SOURCE_PATTERN, source_name(text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(st.lists(NAMES.map(str.strip), min_size=2, max_size=5, unique=True), st.integers(0, 3))
def test_rules_for_any_header_are_valid(tmp_path_factory, header, seed):
    """Rules drafted for columns of any names pass the project's own check."""
    folder = tmp_path_factory.mktemp("any")
    path = folder / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file, lineterminator="\n")
        written.writerow(["id", *header])
        for row in range(12):
            written.writerow([row, *(f"{'abc'[(row + place + seed) % 3]}{row % 5}" for place in range(len(header)))])
    profiled = profile_files([path], folder, lambda *_: None)
    drafted = draft_rules(profiled, folder, folder, lambda *_: None)
    (folder / "rules.yaml").write_text(drafted.text, "utf-8")
    assert [each for each in check_file(folder / "rules.yaml") if each.severity == "error"] == []


@pytest.mark.parametrize(
    "text", ["null", "true", "no", "2024-01-01", "1.5", "a: b", "#x", "- x", "[x]", "'", '"', "ß", "{a}"]
)
def test_words_of_yaml_are_quoted(text):
    """What YAML takes for something else stays a text."""
    assert yaml.safe_load(f"a: {quoted(text)}") == {"a": text}
