"""Blocking keys that others refine: how they are written, what they compile to, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.errors import RulesError
from mdm_stream.rules import check_file, load_ruleset
from mdm_stream.rules.model import REFINE_ABOVE

HEAD = """\
domain: person
version: 1
attributes:
  given_name: {type: name}
  family_name: {type: name}
  born: {type: date}
  city: {type: name}
blocking:
  max_block_size: 50
  keys:
"""
TAIL = """\
match:
  comparisons:
    given_name:
      levels:
        - {when: null, bits: 0}
        - {when: exact, bits: 6}
        - {when: else, bits: -5}
"""
PLAIN = "    names: given_name + family_name\n"
REFINED = """\
    names:
      key: given_name + family_name
      refine_above: 10
      refine:
        - year(born)
        - {key: city, refine_above: 5, refine: "month_day(born)"}
    born: born
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a rule set with some keys and returns its path."""

    def write_file(keys: str) -> Path:
        path = tmp_path / "rules.yaml"
        path.write_text(HEAD + keys + TAIL)
        return path

    return write_file


def errors(path: Path) -> list[str]:
    """Return the errors of a file that cannot be used, without its folder."""
    with pytest.raises(RulesError) as caught:
        load_ruleset(path)
    return [line.removeprefix(f"{path.parent}/") for line in str(caught.value).split("\n")]


def test_a_refined_key_is_one_expression_and_one_for_each_that_refines_it(write):
    """Each begins with the parts of what it refines, and has the limit that was written for it."""
    rules = load_ruleset(write(REFINED))
    assert [(key.text, key.refined_above) for key in rules.blocking] == [
        ("given_name + family_name", 10),
        ("given_name + family_name + year(born)", None),
        ("given_name + family_name + city", 5),
        ("given_name + family_name + city + month_day(born)", None),
        ("born", None),
    ]
    assert [block_limit(rules, f"{key.tag}:x") for key in rules.blocking] == [10, 50, 5, 50, 50]
    assert len({key.tag for key in rules.blocking}) == len(rules.blocking)


def test_what_is_left_out_has_its_default(write):
    """A key that names what refines it, and no number, is refined above the documented one.

    One expression may stand for a list of one.
    """
    rules = load_ruleset(write("    names: {key: given_name, refine: born}\n"))
    assert [(key.text, key.refined_above) for key in rules.blocking] == [
        ("given_name", REFINE_ABOVE),
        ("given_name + born", None),
    ]


def test_a_key_that_nothing_refines_means_the_same_in_either_form(write):
    """An index that was filled under the short form is of the long one too."""
    short = load_ruleset(write(PLAIN)).digest
    assert load_ruleset(write("    names: {key: given_name + family_name}\n")).digest == short
    assert load_ruleset(write(REFINED)).digest != load_ruleset(write(REFINED.replace("10", "11"))).digest


def test_a_rule_set_may_lay_another_number_over_a_refined_key(write, tmp_path):
    """The rest of the key stays as it is below."""
    write(REFINED)
    upper = tmp_path / "upper.yaml"
    upper.write_text("extends: rules.yaml\nversion: 2\nblocking: {keys: {names: {refine_above: 30}}}\n")
    assert [key.refined_above for key in load_ruleset(upper).blocking] == [30, None, 5, None, None]


def test_a_key_may_be_suspended_above_a_number_of_its_own(write):
    """Where other keys find its pairs, it needs nothing that refines it, and so costs no further key of a record."""
    rules = load_ruleset(write("    names: {key: given_name + city, suspend_above: 5}\n    born: born\n"))
    assert [(key.text, key.refined_above) for key in rules.blocking] == [("given_name + city", 5), ("born", None)]
    assert [block_limit(rules, f"{key.tag}:x") for key in rules.blocking] == [5, 50]
    assert load_ruleset(write("    names: given_name + city\n    born: born\n")).digest != rules.digest


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("    names: {key: given_name, refine_above: 5}\n", "rules.yaml:11: 'refine_above' has no meaning without"),
        ("    names: {key: given_name, refine_above: 1, refine: [born]}\n", "rules.yaml:11: "),
        ("    names: {key: given_name, suspend_above: 5, refine: [born]}\n",
         "rules.yaml:11: 'suspend_above' has no meaning beside 'refine'; write 'refine_above'"),
        ("    names:\n      key: given_name\n      refine:\n        - brn\n",
         "rules.yaml:14: blocking key 'names', refined by 'brn': unknown attribute 'brn' at character 1"),
        ("    names: {key: given_name, refine: [born, born]}\n",
         "rules.yaml:11: blocking key 'names', refined by 'born' is the same as 'names', refined by 'born'"),
        ("    names: {key: given_name, refine: [born]}\n    other: given_name + born\n",
         "rules.yaml:12: blocking key 'other' is the same as 'names', refined by 'born'"),
        ("    names: {kee: given_name}\n", "rules.yaml:11: unknown setting 'kee' in blocking.keys.names"),
        ("    names: {key: given_name, refine: [{key: born, refin: [city]}]}\n",
         "rules.yaml:11: unknown setting 'refin' in blocking.keys.names.refine[1]"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_with_its_line(write, keys, expected):
    """The message names the key, the expression that refines it, and what is wrong."""
    assert any(line.startswith(expected) for line in errors(write(keys))), errors(write(keys))


def test_a_key_is_refined_only_so_often(write):
    """Five levels below a key are refused: each is one more key of every record."""
    text = "city"
    for part in ("born", "year(born)", "first(city, 1)", "last(city, 2)"):
        text = f"{{key: '{part}', refine: [{text}]}}"
    found = errors(write(f"    n: {{key: given_name, refine: [{text}]}}\n"))
    assert any("is refined more than 4 times" in line for line in found)


def test_a_check_looks_at_what_refines_a_key_and_lets_a_refined_one_be_common(write):
    """A refined key may take few values; what refines it is judged by all of its parts."""
    common = check_file(write("    n: {key: 'first(city, 1)', refine: [born]}\n"))
    assert not [each for each in common if "takes few values" in each.message]
    coarse = check_file(write("    n: {key: 'first(city, 1)', refine: ['first(city, 1)']}\n"))
    assert [each.line for each in coarse if "takes few values" in each.message] == [11]
