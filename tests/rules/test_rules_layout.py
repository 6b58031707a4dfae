"""``rules fmt``: one form, the same meaning, every comment, and a form of a form that is itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from source_tree import ROOT

from mdm_stream.cli.main import run
from mdm_stream.errors import RulesError
from mdm_stream.rules import load_ruleset, pack_names
from mdm_stream.rules.commented import comments_in
from mdm_stream.rules.extend import locate
from mdm_stream.rules.layout import WIDTH, formatted
from mdm_stream.rules.tree import parse_tree, plain

COMPANY = (ROOT / "examples" / "rules" / "company.yaml").read_text("utf-8")
FILES = [*sorted((ROOT / "examples" / "rules").glob("*.yaml")), *map(locate, pack_names())]

LOOSE = """# About the file.

version:   1
extends: person   # a pack


match:
    # Of two records drawn at random.
    prior: 0.001
    comparisons:
        phone:
            levels:
            - {bits: 0, when: null}
            - bits:   9      # a household
              when: exact
            # Close, but for a digit.
            - {when: {damerau_levenshtein: 1},   # one slip
               bits: 4}
            - {when: else, bits: -1}
            # Nothing comes after else.
sources: {crm: {attributes: {given_name: first, family_name: last}, trust: 0.9}}
"""

CANONICAL = """# About the file.

extends: person  # a pack
version: 1
sources: {crm: {trust: 0.9, attributes: {given_name: first, family_name: last}}}

match:
  # Of two records drawn at random.
  prior: 0.001
  comparisons:
    phone:
      levels:
        - {when: null, bits: 0}
        - when: exact
          bits: 9  # a household
        # Close, but for a digit.
        - when: {damerau_levenshtein: 1}  # one slip
          bits: 4
        - {when: else, bits: -1}
        # Nothing comes after else.
"""


def digest_of(text: str, folder: Path) -> str:
    """Return the digest of a rule set with this text."""
    path = folder / "digest.yaml"
    path.write_text(text, encoding="utf-8")
    return load_ruleset(path).digest


def test_the_form_is_the_one_that_the_guide_describes(tmp_path):
    """Order, indentation, brackets and comments come out as shown, and mean the same."""
    made = formatted(LOOSE, "rules.yaml")
    assert made == CANONICAL
    assert digest_of(made, tmp_path) == digest_of(LOOSE, tmp_path)


def test_brackets_are_broken_under_their_bracket():
    """What does not fit a line goes on under the bracket; where there is no room beside it, it is written in lines."""
    names = ", ".join(f"attribute_{number}" for number in range(12))
    made = formatted(f"placeholders: {{unknown: {{attributes: [{names}], values: none}}}}\n", "x")
    lines = made.splitlines()
    assert all(len(line) <= WIDTH for line in lines)
    assert lines[0].startswith("placeholders: {unknown:") or lines[0] == "placeholders:"
    assert formatted(made, "x") == made
    deep = formatted(f"match: {{comparisons: {{name: {{attributes: [{names}]}}}}}}\n", "x")
    assert plain(parse_tree(deep, "x"))["match"]["comparisons"]["name"]["attributes"][11] == "attribute_11"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_rules_mean_the_same_after_it(path, tmp_path):
    """The digest of packs and examples stays, every comment stays, and a second time changes nothing."""
    text = path.read_text("utf-8")
    made = formatted(text, path.name)
    assert formatted(made, path.name) == made
    assert sorted(comments_in(made)) == sorted(comments_in(text))
    assert digest_of(made, tmp_path) == load_ruleset(path).digest


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_comments_and_blank_lines_may_stand_anywhere(data):
    """Wherever an author puts a note or a blank line, the form keeps the note, the meaning and itself."""
    lines = COMPANY.splitlines()
    for number in range(data.draw(st.integers(0, 12))):
        place = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.sampled_from(["above", "behind", "blank", "deep", "spaces"]))
        if kind == "behind" and lines[place].strip() and "#" not in lines[place]:
            lines[place] += f" # note {number}"
        elif kind in ("above", "deep"):
            lines.insert(place, f"{' ' * data.draw(st.integers(0, 12))}# note {number}")
        elif kind == "blank":
            lines.insert(place, "")
        else:
            lines[place] += "   "
    text = "\n".join(lines) + "\n"
    made = formatted(text, "rules.yaml")
    assert formatted(made, "rules.yaml") == made
    assert sorted(comments_in(made)) == sorted(comments_in(text))
    assert plain(parse_tree(made, "a")) == plain(parse_tree(text, "b"))


NAMES = st.text("abcdefg_", min_size=1, max_size=6)
SCALARS = st.one_of(NAMES, st.integers(-99, 99), st.booleans(), st.none(), st.text("ab :#'\"{}[],\n", max_size=30))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
)


@settings(max_examples=40, deadline=None)
@given(
    value=st.dictionaries(NAMES, VALUES, min_size=1, max_size=5),
    flow=st.sampled_from([True, False, None]),
    width=st.sampled_from([20, 80, 400]),
)
def test_any_yaml_that_is_read_keeps_its_meaning(value, flow, width):
    """Whatever the layout that another program wrote, what is read afterwards is the same, and the form is stable."""
    text = yaml.safe_dump(value, default_flow_style=flow, width=width, sort_keys=False, allow_unicode=True)
    try:
        read = plain(parse_tree(text, "rules.yaml"))
    except RulesError:
        return
    made = formatted(text, "rules.yaml")
    assert plain(parse_tree(made, "rules.yaml")) == read
    assert formatted(made, "rules.yaml") == made


def test_the_command_writes_or_checks(tmp_path, capsys):
    """`--check` names the files and ends with 1; without it they are written, and then there is nothing to do."""
    loose, good = tmp_path / "loose.yaml", tmp_path / "good.yaml"
    loose.write_text(LOOSE)
    good.write_text(formatted(LOOSE, "x"))
    assert run(["rules", "fmt", "--check", str(loose), str(good)]) == 1
    assert capsys.readouterr().out.splitlines()[0] == f"{loose}: is not in canonical form"
    assert loose.read_text() == LOOSE
    assert run(["rules", "fmt", str(loose), str(good)]) == 0
    assert capsys.readouterr().out == f"{loose}: formatted\n"
    assert loose.read_text() == good.read_text()
    assert run(["rules", "fmt", "--check", str(loose), str(good), "--json"]) == 0


def test_a_file_that_cannot_be_read_is_told_and_none_is_written(tmp_path, capsys):
    """An error has its line, and the other files stay as they are."""
    loose, bad = tmp_path / "loose.yaml", tmp_path / "bad.yaml"
    loose.write_text(LOOSE)
    bad.write_text("extends: person\nextends: person\n")
    assert run(["rules", "fmt", str(loose), str(bad)]) == 2
    assert "bad.yaml:2: 'extends' is given twice" in capsys.readouterr().err
    assert loose.read_text() == LOOSE


def test_a_note_above_the_first_entry_stays_above_it():
    """However deep it is indented: there is no collection before it that it could be the end of."""
    text = "domain: a\nversion: 1\nlimits:\n      # of one golden record\n  max_cluster_size: 100\n  max_links: 5\n"
    assert formatted(text, "rules.yaml").splitlines()[2:4] == ["limits:", "  # of one golden record"]
