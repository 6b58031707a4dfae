"""From a file to a compiled rule set, and the errors on the way."""

import math
from pathlib import Path

import pytest

from mdm_stream.core.ruleset import Predicate
from mdm_stream.errors import RulesError
from mdm_stream.rules import load_ruleset, load_rulesets, pack_names

BASE = """\
domain: person
version: 1
attributes:
  given_name: {type: name}
  family_name: {type: name}
  email: {type: email, multi: true}
blocking:
  keys:
    names: given_name + family_name
match:
  comparisons:
    given_name:
      levels:
        - {when: null, bits: 0}
        - {when: exact, bits: 6}
        - {when: else, bits: -5}
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a rule set and returns its path."""

    def write_file(text, name="rules.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write_file


def _errors(path):
    with pytest.raises(RulesError) as caught:
        load_ruleset(path)
    return [line.replace(str(path.parent) + "/", "") for line in str(caught.value).split("\n")]


def test_a_small_rule_set_compiles_with_the_documented_defaults(write):
    """What is left out has the value that the documentation names."""
    rules = load_ruleset(write(BASE))
    assert (rules.domain, rules.version, rules.max_block_size, rules.max_cluster_size) == ("person", 1, 200, 200)
    assert (rules.match.method, rules.match.prior, rules.match.link, rules.match.review) == (
        "fellegi_sunter",
        0.01,
        0.85,
        0.5,
    )
    assert [level.bits for level in rules.match.comparisons[0].levels] == [0, 6, -5]
    assert [tuple(s.name for s in rule.strategies) for rule in rules.survivorship] == [("most_recent",)] * 3
    assert rules.sources == {}


def test_m_and_u_become_bits(write):
    """A weight given as m and u is log2(m / u)."""
    rules = load_ruleset(write(BASE.replace("exact, bits: 6", "exact, m: 0.9, u: 0.005")))
    assert rules.match.comparisons[0].levels[1].bits == pytest.approx(math.log2(0.9 / 0.005), abs=1e-6)


@pytest.mark.parametrize(
    ("when", "predicates"),
    [
        ("exact", [Predicate("exact", (0,))]),
        ("null", [Predicate("null", (0,))]),
        ("{jaro_winkler: 0.9}", [Predicate("jaro_winkler", (0,), 0.9)]),
        ("{damerau_levenshtein: 1}", [Predicate("damerau_levenshtein", (0,), 1.0)]),
        ("{swap: 0.9}, attributes: [given_name, family_name]", [Predicate("swap", (0, 1), 0.9)]),
        ("exact, attributes: [given_name, family_name]", [Predicate("exact", (0,)), Predicate("exact", (1,))]),
        (
            "{family_name: exact, given_name: {prefix: 3}}",
            [Predicate("exact", (1,)), Predicate("prefix", (0,), 3.0)],
        ),
        ("{family_name: null, jaro_winkler: 0.8}", [Predicate("null", (1,)), Predicate("jaro_winkler", (0,), 0.8)]),
    ],
)
def test_conditions_mean_what_their_grammar_says(write, when, predicates):
    """Each form of ``when`` gives its predicates, in the order written."""
    text = BASE.replace("{when: exact, bits: 6}", f"{{when: {when}, bits: 6}}")
    assert list(load_ruleset(write(text)).match.comparisons[0].levels[1].when) == predicates


def test_an_attribute_named_like_a_kind_is_told_from_it_by_what_follows(write):
    """A number makes it the kind; a word or mapping makes it the attribute."""
    text = BASE.replace("  email:", "  prefix: {type: name}\n  email:").replace(
        "{when: exact, bits: 6}", "{when: {prefix: 3}, bits: 6}\n        - {when: {prefix: exact}, bits: 5}"
    )
    levels = load_ruleset(write(text)).match.comparisons[0].levels
    assert levels[1].when == (Predicate("prefix", (0,), 3.0),)
    assert levels[2].when == (Predicate("exact", (2,)),)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("version: 1", "version: '1'", "rules.yaml:2: version has the wrong type; expected a whole number"),
        ("version: 1", "versoin: 1", "did you mean 'version'?"),
        ("version: 1\n", "", "rules.yaml:1: the rule set has no 'version'"),
        ("domain: person", "domain: Person X", "rules.yaml:1: domain is not a valid name"),
        ("type: name}\n  fam", "typ: name}\n  fam", "rules.yaml:4: attributes.given_name has no 'type'"),
        (
            "multi: true",
            "mutli: true",
            "rules.yaml:6: unknown setting 'mutli' in attributes.email; did you mean 'multi'?",
        ),
        (
            "multi: true",
            "multi: yes",
            "rules.yaml:6: attributes.email.multi has the wrong type; expected true or false",
        ),
        ("type: email", "type: emial", "rules.yaml:6: unknown type 'emial'; did you mean 'email'?"),
        ("multi: true", "options: {fancy: 1}", "rules.yaml:6: unknown option 'fancy' of type 'email'"),
        ("multi: true", "fills: {x: given_name}", "rules.yaml:6: type 'email' yields no part 'x'"),
        ("multi: true", "pattern: '['", "rules.yaml:6: 'pattern' cannot be read"),
        ("multi: true", "pattern: '(?=a)'", "rules.yaml:6: 'pattern' has look-around (?=...)"),
        (
            "given_name: {type: name}",
            "GivenName: {type: name}",
            "rules.yaml:4: 'GivenName' is not a valid attribute name",
        ),
        ("+ family_name", "+ famly_name", "rules.yaml:9: blocking key 'names': unknown attribute 'famly_name'"),
        ("+ family_name", "+ soundx(family_name)", "did you mean 'soundex'?"),
        (
            "    given_name:\n",
            "    givn_name:\n",
            "rules.yaml:12: there is no attribute 'givn_name'; did you mean 'given_name'?",
        ),
        ("when: exact", "when: exakt", "rules.yaml:15: unknown kind of agreement 'exakt'; did you mean 'exact'?"),
        ("when: exact", "when: {jaro_winkle: 0.9}", "rules.yaml:15: unknown kind of agreement 'jaro_winkle'"),
        ("when: exact", "when: {jaro_winkler: 90}", "rules.yaml:15: the threshold of 'jaro_winkler' is out of range"),
        ("when: exact", "when: jaro_winkler", "rules.yaml:15: 'jaro_winkler' has no threshold"),
        ("when: exact", "when: {exact: 1}", "rules.yaml:15: 'exact' takes no threshold"),
        ("when: exact", "when: {swap: 0.9}", "rules.yaml:15: 'swap' reads 2 attributes but has 1"),
        ("when: exact", "when: []", "rules.yaml:15: 'when' is neither a kind nor a mapping"),
        ("bits: 6", "bits: 600", "rules.yaml:15: match.comparisons.given_name.levels[2].bits is out of range"),
        (", bits: 6", ", m: 0.5", "rules.yaml:15: a level needs either 'bits' or both 'm' and 'u'; it has m"),
        ("bits: 6", "bits: .inf", "rules.yaml:15: match.comparisons.given_name.levels[2].bits has the wrong type"),
        (
            "        - {when: else, bits: -5}\n",
            "",
            "rules.yaml:12: comparison 'given_name' does not end in 'when: else'",
        ),
        ("match:\n", "match:\n  thresholds: {link: 0.5, review: 0.9}\n", "rules.yaml:11: review is greater than link"),
        ("match:\n", "match:\n  method: magic\n", "rules.yaml:11: match.method is not a known choice"),
        (
            "match:\n",
            "match:\n  exclusive: [emai]\n",
            "rules.yaml:11: there is no attribute 'emai'; did you mean 'email'?",
        ),
        ("match:\n", "survivorship: {default: [most_resent]}\nmatch:\n", "did you mean 'most_recent'?"),
        ("match:\n", "survivorship: {default: [union]}\nmatch:\n", "'union' cannot be a default"),
        ("match:\n", "survivorship: {rules: {given_name: [union]}}\nmatch:\n", "holds one; add 'multi: true'"),
        (
            "match:\n",
            "survivorship: {rules: {email: [union, longest]}}\nmatch:\n",
            "strategies after 'union' never apply",
        ),
        (
            "match:\n",
            "survivorship: {rules: {email: [{trust: {half_life: 3}}]}}\nmatch:\n",
            "did you mean 'half_life_days'?",
        ),
        ("match:\n", "sources: {crm: {format: debezium}}\nmatch:\n", "rules.yaml:10: source 'crm' has no 'table'"),
        ("match:\n", "sources: {a/b: {}}\nmatch:\n", "rules.yaml:10: 'a/b' is not a valid source name"),
        ("match:\n", "sources: {steward: {}}\nmatch:\n", "rules.yaml:10: 'steward' is no source's name"),
        ("match:\n", "sources: {crm: {attributes: {emial: e}}}\nmatch:\n", "did you mean 'email'?"),
        ("match:\n", "sources: {crm: {trust: 2}}\nmatch:\n", "rules.yaml:10: sources.crm.trust is out of range"),
    ],
)
def test_each_mistake_is_told_with_its_line_and_what_to_do(write, old, new, expected):
    """One mistake in a good file gives a message that names the line, what was wrong and what was meant."""
    assert old in BASE
    errors = _errors(write(BASE.replace(old, new, 1)))
    assert any(expected in error for error in errors), errors
    assert all(error.startswith("rules.yaml:") and ";" in error for error in errors)


def test_all_problems_of_a_stage_are_listed(write):
    """An author sees every wrong setting at once, not one a run."""
    errors = _errors(write(BASE.replace("type: email", "type: emial").replace("exact", "exakt").replace("+", "*")))
    assert len(errors) == 3


@pytest.mark.parametrize("format_name", ["debezium", "dms"])
def test_two_sources_cannot_read_one_table(write, format_name):
    """A row must belong to one source."""
    sources = "".join(f"  {name}: {{format: {format_name}, table: public.t, key: id}}\n" for name in ("a", "b"))
    (error,) = _errors(write(BASE + "sources:\n" + sources))
    assert "already feeds source 'a'" in error


def test_a_weighted_mean_takes_similarities_instead_of_levels(write):
    """The plain method needs a kind and a weight, and says so where levels are given."""
    text = BASE.replace("match:\n", "match:\n  method: weighted_mean\n")
    assert "'levels' has no meaning with weighted_mean" in _errors(write(text))[0]
    levels = text.index("      levels:")
    rules = load_ruleset(write(text[:levels] + "      similarity: jaro_winkler\n      weight: 2\n"))
    assert (rules.match.comparisons[0].similarity, rules.match.comparisons[0].weight) == ("jaro_winkler", 2.0)
    errors = _errors(write(text[:levels] + "      similarity: date_within\n      weight: 2\n"))
    assert "has no similarity" in errors[0]


def test_an_extending_file_overrides_adds_and_removes_by_name(write):
    """Everything in the extended rule set can be changed by naming it, and the rest stays."""
    write(BASE, "base.yaml")
    path = write(
        """\
extends: base.yaml
version: 4
attributes:
  email: {remove: true}
  phone: {type: phone}
sources:
  crm: {trust: 0.9, attributes: {given_name: first, family_name: [prefix, last]}}
blocking:
  keys:
    phone: phone
match:
  comparisons:
    given_name:
      levels: [{when: exact, bits: 9}, {when: else, bits: -1}]
survivorship:
  rules:
    phone: [{source_priority: {sources: crm}}]
""",
        "company.yaml",
    )
    rules = load_ruleset(path)
    assert [attribute.name for attribute in rules.attributes] == ["given_name", "family_name", "phone"]
    assert rules.sources["crm"].columns == {"given_name": ("first",), "family_name": ("prefix", "last")}
    assert [key.text for key in rules.blocking] == ["given_name + family_name", "phone"]
    assert [level.bits for level in rules.match.comparisons[0].levels] == [9, -1]
    assert rules.version == 4
    assert rules.survivorship[2].strategies[0].options == {"sources": ("crm",)}


def test_the_rules_of_an_extending_file_are_tried_first(write):
    """The first deterministic rule that applies wins, so a company's own come before the pack's."""
    rule = "    {name}: {{when: {{given_name: exact}}, decision: link}}\n"
    write(BASE + "  deterministic:\n" + rule.format(name="general"), "base.yaml")
    path = write("extends: base.yaml\nmatch:\n  deterministic:\n" + rule.format(name="own"), "company.yaml")
    assert [rule.name for rule in load_ruleset(path).match.deterministic] == ["own", "general"]


def test_a_when_is_replaced_as_a_whole(write):
    """An overridden condition does not keep half of the old one."""
    rule = "  deterministic:\n    same: {when: {given_name: exact, family_name: exact}, decision: link}\n"
    write(BASE + rule, "base.yaml")
    path = write("extends: base.yaml\nmatch: {deterministic: {same: {when: {email: exact}}}}\n", "company.yaml")
    assert load_ruleset(path).match.deterministic[0].when == (Predicate("exact", (2,)),)


def test_an_error_in_an_extended_file_names_that_file(write):
    """A mistake is told where it was written, whatever file was loaded."""
    write(BASE.replace("exact", "exakt"), "deep/base.yaml")
    (error,) = _errors(write("extends: deep/base.yaml\n", "company.yaml"))
    assert error.startswith("deep/base.yaml:15: ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("extends: persn\n", "did you mean 'person'?"),
        ("extends: none.yaml\n", "there is no file 'none.yaml' to extend"),
        ("extends: 3\n", "'extends' is not text"),
        ("extends: rules.yaml\n", "goes in a circle"),
        ("extends: person\nattributes: {xyz: {remove: true}}\n", "there is no 'xyz' to remove"),
        ("extends: person\nattributes: {gender: {remove: true, type: x}}\n", "expected {remove: true} alone"),
    ],
)
def test_a_wrong_extends_is_one_clear_error(write, text, says):
    """What cannot be extended or removed is said in one line."""
    (error,) = _errors(write(text))
    assert says in error
    assert error.startswith("rules.yaml:")


def test_a_circle_of_files_is_shown(write):
    """Two files that extend each other are both named."""
    write("extends: b.yaml\n", "a.yaml")
    (error,) = _errors(write("extends: a.yaml\n", "b.yaml"))
    assert "a.yaml" in error
    assert "b.yaml" in error


def test_how_records_are_clustered(write):
    """By links alone if nothing is said, which leaves the digest of older rules as it was; or by all the evidence."""
    plain = load_ruleset(write(BASE))
    said, asked = (
        load_ruleset(write(BASE.replace("match:\n", f"match:\n  clustering: {way}\n")))
        for way in ("components", "evidence")
    )
    assert (plain.match.clustering, asked.match.clustering) == ("components", "evidence")
    assert plain.digest == said.digest != asked.digest
    (error,) = _errors(write(BASE.replace("match:\n", "match:\n  clustering: stars\n")))
    assert error.startswith("rules.yaml:11:")
    assert "'components'" in error
    assert "'evidence'" in error


def test_the_digest_is_of_the_meaning(write):
    """Comments, layout, version, labels and names of keys change nothing; a weight does."""
    digest = load_ruleset(write(BASE)).digest
    same = BASE.replace("version: 1", "version: 2  # newer").replace("    names:", "    both_names:")
    same = same.replace("when: exact,", "when: exact, label: the same,")
    assert load_ruleset(write(same)).digest == digest
    assert load_ruleset(write(BASE.replace("bits: 6", "bits: 6.5"))).digest != digest
    assert load_ruleset(write(BASE + "sources: {crm: {version: seq}}\n")).digest != digest


def test_tags_of_keys_do_not_depend_on_their_neighbours(write):
    """Adding or renaming a key leaves the tags of the others, and so their index entries, as they are."""
    before = load_ruleset(write(BASE)).blocking[0].tag
    after = load_ruleset(write(BASE.replace("    names:", "    email: email\n    n:"))).blocking
    assert after[1].tag == before
    assert after[0].tag != before


def test_several_rule_sets_are_loaded_by_domain(write):
    """Each domain has one rule set; two of one domain are an error that names both files."""
    other = write(BASE.replace("domain: person", "domain: patient"), "patient.yaml")
    loaded = load_rulesets([write(BASE), other, "organisation"])
    assert sorted(loaded) == ["organisation", "patient", "person"]
    with pytest.raises(RulesError, match="already has a rule set"):
        load_rulesets(["person", write(BASE)])


def test_a_pack_is_loaded_by_its_name_and_a_path_by_path():
    """The packs are known by name; a path object is always a file."""
    assert pack_names() == ("organisation", "person")
    assert load_ruleset("person").domain == "person"
    with pytest.raises(RulesError, match="no such file"):
        load_ruleset(Path("person"))


CONVENTIONS = (
    BASE.replace("blocking:", "  phone: {type: phone}\n  born: {type: date}\n  country: {type: country}\nblocking:", 1)
    + """\
sources:
  uk: {options: {phone: {region: GB}, born: {day_first: true}, email: {separators: "; ,"}}}
  de: {options: {phone: {region: DE}}, attributes: {phone: tel, country: land}}
placeholders:
  zero: {type: date, values: ["1970-01-01", "01.01.1970"]}
  desk: {attributes: [email], values: nobody@x.example, patterns: "nobody[0-9]*@.*"}
"""
)


def test_conventions_and_placeholders_of_a_source_compile(write):
    """Options of a source and lists of placeholders are bound to the attributes they name; a phone has a country."""
    rules = load_ruleset(write(CONVENTIONS))
    assert rules.sources["uk"].options == {
        "phone": {"region": "GB"},
        "born": {"day_first": True},
        "email": {"separators": "; ,"},
    }
    assert rules.attributes[rules.index_of("phone")].country == "country"
    assert rules.attributes[rules.index_of("email")].country is None
    assert [(each.attributes, each.values, each.patterns) for each in rules.placeholders] == [
        ((rules.index_of("born"),), ("01.01.1970", "1970-01-01"), ()),
        ((rules.index_of("email"),), ("nobody@x.example",), ("nobody[0-9]*@.*",)),
    ]
    other = load_ruleset(write(CONVENTIONS.replace("region: GB", "region: IE"), "other.yaml"))
    assert other.digest != rules.digest
    none = CONVENTIONS.replace("{type: phone}", "{type: phone, country: none}")
    assert load_ruleset(write(none, "none.yaml")).attributes[rules.index_of("phone")].country is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("region: GB", "region: UK", "option 'region' of type 'phone' is not usable"),
        ("region: GB", "regoin: GB", "unknown option 'regoin' of type 'phone'; did you mean 'region'?"),
        ("{phone: {region: DE}}", "{fon: {region: DE}}", "no attribute 'fon'"),
        ('separators: "; ,"', "separators: and", "expected marks that are no letters or digits"),
        ("{type: phone}", "{type: phone, country: land}", "no attribute 'land'"),
        ("{type: phone}", "{type: phone, country: email}", "'email' is no country"),
        ("born: {type: date}", "born: {type: date, country: country}", "'country' has no meaning for type 'date'"),
        ("{type: date, values", "{values", "neither 'attributes' nor 'type'"),
        ("{type: date, values", "{type: dat, values", "unknown type 'dat'"),
        ("[email], values: nobody@x.example", "[mail], values: nobody@x.example", "no attribute 'mail'"),
        ("values: nobody@x.example", 'values: " "', "expected a text of 1 to 512 characters"),
        (', values: nobody@x.example, patterns: "nobody[0-9]*@.*"', "", "name nothing"),
        ("nobody[0-9]*@.*", "(?!x).*", "has look-around"),
    ],
)
def test_a_convention_that_cannot_be_meant_is_refused_with_its_line(write, old, new, said):
    """What a source or a list names must exist and be usable; the error names the line, and what was expected."""
    text = CONVENTIONS.replace(old, new)
    assert text != CONVENTIONS
    (error,) = _errors(write(text))
    lines = zip(CONVENTIONS.split("\n"), text.split("\n"), strict=True)
    changed = next(number for number, (before, now) in enumerate(lines, 1) if before != now)
    assert error.startswith(f"rules.yaml:{changed}: ")
    assert said in error
