"""What `rules check` says about files that load but are probably not meant so."""

from pathlib import Path

import pytest

from mdm_stream.rules import check_file, load_ruleset, pack_names

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "rules").glob("*.yaml"))

GOOD = """\
domain: person
version: 1
attributes:
  given_name: {type: name}
  family_name: {type: name}
  email: {type: email}
  region: {type: region}
blocking:
  keys:
    names: given_name + family_name
match:
  prior: 0.01
  comparisons:
    given_name:
      levels:
        - {when: null, bits: 0}
        - {when: exact, bits: 6}
        - {when: {jaro_winkler: 0.9}, bits: 4}
        - {when: else, bits: -5}
    email:
      levels:
        - {when: null, bits: 0}
        - {when: exact, bits: 12}
        - {when: else, bits: -1}
"""


def _said(tmp_path, text):
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return [str(finding).replace(f"{tmp_path}/", "") for finding in check_file(path)]


@pytest.mark.parametrize("name", pack_names())
def test_the_packs_have_nothing_to_warn_of(name):
    """The packs pass the checks that authors are held to."""
    assert check_file(name) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_have_nothing_to_warn_of(path):
    """Every example loads and is free of warnings."""
    assert [str(finding) for finding in check_file(path)] == []


def test_a_good_file_has_nothing_to_warn_of(tmp_path):
    """The file that the next test breaks is itself clean."""
    assert _said(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("        - {when: null, bits: 0}\n", "", "rules.yaml:14: warning: 'given_name' has no level 'when: null'"),
        ("null, bits: 0", "null, bits: -2", "rules.yaml:16: warning: a missing value has a weight"),
        ("jaro_winkler: 0.9}, bits: 4", "jaro_winkler: 1}, bits: 7", ""),
        ("when: exact, bits: 6", "when: {jaro_winkler: 0.8}, bits: 6", "rules.yaml:18: warning: this level can never"),
        ("when: exact, bits: 6", "when: {jaro_winkler: 0.95}, bits: 3", "rules.yaml:18: warning: this level asks less"),
        ("given_name + family_name", "first(given_name, 1) + region", "rules.yaml:10: warning: this key takes few"),
        ("prior: 0.01", "prior: 0.000000001", "full agreement is worth"),
        ("    email:\n      levels", "    e:\n      attributes: [given_name]\n      levels", "counts twice"),
        ("blocking:", "sources: {a: {attributes: {email: e}}}\nblocking:", "no source gives 'given_name'"),
    ],
)
def test_each_doubtful_thing_is_told_with_its_line(tmp_path, old, new, expected):
    """A warning names the line and what to do."""
    assert old in GOOD
    said = _said(tmp_path, GOOD.replace(old, new, 1))
    if expected:
        assert any(expected in line for line in said), said
    else:
        assert said == []


def test_a_required_attribute_without_a_column_is_told(tmp_path):
    """A source that cannot give a required attribute is named, with its line."""
    text = GOOD.replace("email: {type: email}", "email: {type: email, required: true}")
    every = "{email: e, given_name: g, family_name: f, region: r}"
    said = _said(tmp_path, f"{text}sources:\n  a: {{attributes: {every}}}\n  b: {{attributes: {{region: r}}}}\n")
    assert len(said) == 1
    assert "required attribute 'email' has no column here" in said[0]


def test_errors_are_findings_and_come_alone(tmp_path):
    """A file with errors is not judged further, and checking never raises."""
    findings = check_file(tmp_path / "none.yaml")
    assert [finding.severity for finding in findings] == ["error"]
    (tmp_path / "bad.yaml").write_text("extends: person\ndomain: A B\n")
    (finding,) = check_file(tmp_path / "bad.yaml")
    assert (finding.severity, finding.line) == ("error", 2)


def test_what_a_pack_offers_and_a_company_does_not_use_is_no_warning(tmp_path):
    """Mapping a few columns of a pack is the normal case."""
    text = "extends: person\nsources: {a: {attributes: {full_name: n, email: e}}}\n"
    assert _said(tmp_path, text) == []
    assert load_ruleset(tmp_path / "rules.yaml").sources["a"].columns == {"full_name": ("n",), "email": ("e",)}
