"""A learned model: rules that name one score with it, their digest says so, and one that does not fit is refused."""

from __future__ import annotations

import itertools

import numpy as np
import orjson
import pytest

from mdm_stream.core.match.score import explain_pair, score_pair
from mdm_stream.core.match.score_bulk import score_many
from mdm_stream.errors import ConfigurationError, RulesError
from mdm_stream.rules import check_file, load_ruleset, load_written
from mdm_stream.rules import learned as learned_models
from mdm_stream.rules.learned import LearnedModel
from mdm_stream.rules.use_model import model_path, use_model

RULES = """domain: person
version: 1
attributes:
  name: {type: verbatim}
  city: {type: verbatim}
blocking:
  keys: {name: name}
match:
  prior: 0.01
  thresholds: {link: 0.9, review: 0.1}
  comparisons:
    name:
      terms: name
      levels:
        - {when: null, bits: 0}
        - {when: exact, bits: 5}
        - {when: {jaro_winkler: 0.9}, bits: 2}
        - {when: else, bits: -4}
    city:
      levels: [{when: null, bits: 0}, {when: exact, bits: 3}, {when: else, bits: -1}]
"""
TERMS = {"attribute": "name", "u": 0.02}


def model(**changes):
    """A model of these rules."""
    names = ("null name", 0.0), ("exact name", 6.0), ("jaro_winkler 0.9 name", 3.0), ("else", -5.0)
    levels = [{"when": when, "bits": bits} for when, bits in names]
    levels[1]["terms"] = TERMS
    cities = [{"when": "null city", "bits": 0.0}, {"when": "exact city", "bits": 4.0}, {"when": "else", "bits": -2.0}]
    table = [[0.0] * 3, [0.0, -1.5, 0.25], [0.0, 0.0, 0.0], [0.0, 1.0, 0.5]]
    return {
        "format": 1,
        "domain": "person",
        "prior": 0.02,
        "comparisons": {"name": {"levels": levels}, "city": {"levels": cities}},
        "dependences": [{"comparisons": ["name", "city"], "bits": table}],
        "terms": {"name": {"values": {"smith": 0.2, "jones": 0.1}, "rest": 0.001}},
    } | changes


@pytest.fixture
def rules(tmp_path):
    """Rules that name a model which is not written yet."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES.replace("match:\n", "match:\n  model: rules.model.json\n"), "utf-8")
    return path


def write(rules, document):
    """Write the model of rules."""
    rules.with_name("rules.model.json").write_bytes(orjson.dumps(document))


def test_weights_come_from_the_model(rules):
    """Levels, prior, terms and dependences are the model's; the rules say what is compared."""
    write(rules, model())
    found = explain_pair(load_ruleset(rules), ("smith", "york"), ("smith", "york"))
    assert found["prior_bits"] == pytest.approx(np.log2(0.02 / 0.98))
    assert [each["bits"] for each in found["comparisons"]] == [6.0, 4.0]
    assert found["comparisons"][0]["term_bits"] == pytest.approx(np.log2(0.02 / 0.2), abs=1e-8)
    assert found["dependences"] == [{"comparisons": ["name", "city"], "bits": -1.5}]
    parts = [each["bits"] + each.get("term_bits", 0) for each in found["comparisons"]]
    assert found["weight"] == pytest.approx(found["prior_bits"] + sum(parts) - 1.5)


def test_a_rare_value_says_more_than_a_common_one(rules):
    """Of two equal pairs the one with the rarer name is surer, and a name that is not listed is surest."""
    write(rules, model())
    loaded = load_ruleset(rules)
    weights = [explain_pair(loaded, (name, None), (name, None))["weight"] for name in ("smith", "jones", "zebedee")]
    assert weights == sorted(weights)
    assert len(set(weights)) == 3


def test_calibration_is_affine_in_bits(rules):
    """Slope and offset change the whole match weight, and nothing else has to know of them."""
    write(rules, model())
    plain = load_ruleset(rules)
    write(rules, model(calibration={"slope": 0.5, "offset": 1.0}))
    calibrated = load_ruleset(rules)
    for a, b in itertools.product([("smith", "york"), ("smyth", "leeds"), (None, "york")], repeat=2):
        expected = 0.5 * explain_pair(plain, a, b)["weight"] + 1.0
        assert explain_pair(calibrated, a, b)["weight"] == pytest.approx(expected, abs=1e-6)


def test_a_prior_is_the_same_on_every_machine(rules):
    """It is part of the digest: one that is not calibrated stays to the last bit, one that is has twelve digits."""
    write(rules, model())
    assert load_ruleset(rules).match.prior == 0.02
    write(rules, model(calibration={"slope": 0.7, "offset": 0.3}))
    prior = load_ruleset(rules).match.prior
    assert prior == float(f"{prior:.12g}") == pytest.approx(1 / (1 + 2 ** -(0.7 * np.log2(0.02 / 0.98) + 0.3)))


def test_a_frequency_next_to_nothing_is_a_large_weight_and_no_error(rules):
    """A file may have any frequency above 0; a term that counts for nothing adds nothing, however rare its value."""
    document = model(words={"city": {"values": {"york": 5e-324}, "rest": 1.0}})
    document["terms"]["name"]["values"]["rare"] = 5e-324
    document["comparisons"]["city"]["levels"][1]["when"] = "shared_words 0.5 city"
    rules.write_text(rules.read_text("utf-8").replace("exact, bits: 3", "{shared_words: 0.5}, bits: 3"), "utf-8")
    for weight, expected in ((1.0, 60.0), (0.0, 0.0)):
        document["comparisons"]["name"]["levels"][1]["terms"] = TERMS | {"weight": weight}
        write(rules, document)
        found = explain_pair(load_ruleset(rules), ("rare", "york"), ("rare", "york"))
        assert found["comparisons"][0]["term_bits"] == expected


def test_both_scorers_agree_on_a_model(rules):
    """The bulk scorer gives what the scalar one gives, to the last bit."""
    write(rules, model(calibration={"slope": 0.7, "offset": 0.3}))
    loaded = load_ruleset(rules)
    records = [*itertools.product([None, "smith", "smyth", "jones", "joness", "rare"], [None, "york", "leeds"])]
    pairs = [*itertools.product(range(len(records)), repeat=2)]
    left, right = (np.array(side) for side in zip(*pairs, strict=True))
    expected = [
        (place, score) for place, (a, b) in enumerate(pairs) if (score := score_pair(loaded, records[a], records[b]))
    ]
    assert score_many(loaded, records, left, right) == expected


def test_the_model_is_part_of_the_digest(rules, tmp_path):
    """Another model is another rule set; where it came from is none of its meaning; without one all is as it was."""
    write(rules, model())
    first = load_ruleset(rules).digest
    write(rules, model(about={"method": "by hand"}))
    assert load_ruleset(rules).digest == first
    write(rules, model(prior=0.03))
    assert load_ruleset(rules).digest != first
    plain = tmp_path / "plain.yaml"
    plain.write_text(RULES.replace("      terms: name\n", ""), "utf-8")
    declared = tmp_path / "declared.yaml"
    declared.write_text(RULES, "utf-8")
    assert load_ruleset(plain).digest == load_ruleset(declared).digest == load_written(rules).digest


def other_levels():
    """A model whose second level is another."""
    document = model()
    document["comparisons"]["name"]["levels"][1]["when"] = "exact city"
    return document


WRONG = {
    "no file": (None, "there is no model"),
    "no JSON": (b"{", "not valid JSON"),
    "later format": (orjson.dumps(model(format=2)), "reads 1; use a later release"),
    "no model": (b"[]", "write it again"),
    "another domain": (orjson.dumps(model(domain="company")), "domain 'company'"),
    "a setting": (orjson.dumps(model(weights={})), "weights: extra inputs"),
    "infinite": (orjson.dumps(model()).replace(b'"bits":6.0', b'"bits":1e400'), "infinity"),
    "too sure": (orjson.dumps(model()).replace(b'"bits":6.0', b'"bits":99.0'), "less than or equal to 60"),
    "other levels": (orjson.dumps(other_levels()), "level 2 of comparison 'name' is 'exact name' in the rules"),
    "one level less": (
        orjson.dumps(model(comparisons={**model()["comparisons"], "city": {"levels": []}})),
        "has 3 levels in the rules and 0 in the model",
    ),
    "a comparison more": (
        orjson.dumps(model(comparisons={**model()["comparisons"], "street": {"levels": []}})),
        "comparison 'street' that the rules do not have",
    ),
    "a comparison less": (
        orjson.dumps(model(comparisons={"name": model()["comparisons"]["name"]})),
        "the model has no comparison 'city'",
    ),
    "a narrow table": (
        orjson.dumps(model(dependences=[{"comparisons": ["name", "city"], "bits": [[0.0]]}])),
        "has not a weight for each of their levels",
    ),
    "no table of terms": (orjson.dumps(model(terms={})), "without a table of frequencies"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused(rules, case):
    """An error says what is wrong with the model, in `rules check` as when it is loaded."""
    raw, said = WRONG[case]
    if raw is not None:
        rules.with_name("rules.model.json").write_bytes(raw)
    with pytest.raises(RulesError) as error:
        load_ruleset(rules)
    assert said in str(error.value)
    assert any(said in finding.message for finding in check_file(rules))


def test_a_model_of_a_weighted_mean_is_refused(tmp_path):
    """There are no weights of levels to take from it."""
    path = tmp_path / "rules.yaml"
    text = RULES[: RULES.index("match:")] + "match:\n  method: weighted_mean\n  model: x.json\n  comparisons:\n"
    path.write_text(text + "    name: {similarity: exact, weight: 1}\n", "utf-8")
    with pytest.raises(RulesError, match="no meaning with weighted_mean"):
        load_ruleset(path)


@pytest.mark.parametrize("end", ["", "\n", "\n# the end\n"])
@pytest.mark.parametrize("match", [RULES[RULES.index("match:") :], ""], ids=["with match", "without"])
def test_a_line_is_added_and_all_else_stays(tmp_path, match, end):
    """`--use` names the model in the file, once."""
    path = tmp_path / "rules.yaml"
    head = RULES[: RULES.index("match:")] if match else "extends: person\n# mine\nversion: 2"
    path.write_text((head + match).rstrip("\n") + end, "utf-8")
    before = path.read_text("utf-8").splitlines()
    use_model(str(path), model_path(str(path)))
    after = path.read_text("utf-8").splitlines()
    assert [line for line in before if line.strip()] == [
        line for line in after if line.strip() and "model:" not in line and not (line == "match:" and not match)
    ]
    assert use_model(str(path), model_path(str(path))) == f"{path} names it already"


def test_line_ends_permissions_and_other_drafts_stay(tmp_path):
    """Line ends of Windows, permissions and a link are kept, and no other file is lost."""
    path, link, beside = tmp_path / "rules.yaml", tmp_path / "linked.yaml", tmp_path / ".rules.yaml.new"
    path.write_bytes(b"\xef\xbb\xbf" + b"extends: person\r\nversion: 2\r\nmatch:\r\n  prior: 0.001\r\n")
    path.chmod(0o644)
    link.symlink_to(path.name)
    beside.write_text("mine", "utf-8")
    use_model(str(link), tmp_path / "rules.model.json")
    after = path.read_bytes()
    assert after == (
        b"\xef\xbb\xbfextends: person\r\nversion: 2\r\nmatch:\r\n  model: rules.model.json\r\n  prior: 0.001\r\n"
    )
    assert (path.stat().st_mode & 0o777, link.is_symlink(), beside.read_text("utf-8")) == (0o644, True, "mine")
    assert sorted(each.name for each in tmp_path.iterdir()) == [".rules.yaml.new", "linked.yaml", "rules.yaml"]


def test_levels_of_the_same_terms_share_one_table(tmp_path):
    """Half a million values are tabled once, not once a level; levels of other terms have their own."""
    given = model()
    names = given["comparisons"]["name"]["levels"]
    names[2]["terms"] = TERMS
    names[3]["terms"] = TERMS | {"weight": 0.5}
    path = tmp_path / "rules.yaml"
    (tmp_path / "m.json").write_bytes(orjson.dumps(given))
    path.write_text(RULES.replace("  prior: 0.01\n", "  model: m.json\n  prior: 0.01\n"), "utf-8")
    tables = [level.terms for level in load_ruleset(path).match.comparisons[0].levels]
    assert tables[1] is tables[2]
    assert tables[3] is not None
    assert tables[3].bits != tables[1].bits


def test_a_model_that_could_not_be_read_is_not_written(monkeypatch):
    """What is larger than a model may be is refused before it is written, with what makes it large."""
    values = {f"value {number}": 0.001 for number in range(50)}
    large = LearnedModel.model_validate_json(orjson.dumps(model(terms={"name": {"values": values}})))
    assert large.to_bytes()
    monkeypatch.setattr(learned_models, "MODEL_BYTES_MAX", 500)
    with pytest.raises(ConfigurationError, match="50 of name: leave out the rare ones"):
        large.to_bytes()
