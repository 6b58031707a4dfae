"""What a draft measures of keys is what the engine makes of the same records."""

from __future__ import annotations

from mdm_stream.draft.measured import RuledFile, measure
from mdm_stream.rules import load_ruleset

RULES = """domain: person
version: 1
attributes:
  family: {type: name, also: [other]}
  other: {type: name, multi: true}
sources:
  s: {format: csv, key: [id], attributes: {family: family, other: other}}
blocking: {keys: {family: family}}
match:
  comparisons:
    family: {levels: [{when: null, bits: 0}, {when: exact, bits: 6}, {when: else, bits: -4}]}
"""


def test_keys_are_those_of_all_names_of_a_record(tmp_path):
    """A maiden name makes a pair with who bears it; how often values agree is told of each attribute by itself."""
    rules_file, file = tmp_path / "rules.yaml", tmp_path / "people.csv"
    rules_file.write_text(RULES, "utf-8")
    file.write_text("id,family,other\n1,Souza,\n2,Lima,Souza\n3,Reis,\n", "utf-8")
    found = measure([RuledFile(file, "s", 0)], load_ruleset(rules_file))
    assert found.records == 3
    assert found.keys["family"].pairs == 1
    assert (found.chances["family"].distinct, found.chances["other"].present) == (3, 1)
