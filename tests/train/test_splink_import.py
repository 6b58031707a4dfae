"""Splink models as rules: the same match probability, and a clear error for what cannot be carried over."""

from __future__ import annotations

import copy
import csv
import math

import orjson
import pytest
import yaml
from source_tree import ROOT

from mdm_stream.core.match.score import explain_pair
from mdm_stream.core.standardise import standardise_record
from mdm_stream.errors import ConfigurationError
from mdm_stream.rules import load_ruleset
from mdm_stream.train.splink_import import import_splink, read_terms

FIXTURE = ROOT / "tests" / "fixtures" / "splink"
SETTINGS = orjson.loads((FIXTURE / "model.json").read_bytes())
TERMS = {column: read_terms(FIXTURE / f"tf_{column}.csv", column) for column in ("given", "family", "city")}
PARITY = 1e-6
LEAST, MOST = 1e-15, 0.999
"""Between these a probability tells the match weight, which says more of a pair that is plainly none."""
WEIGHT_PARITY = 1e-5


def written(tmp_path, settings, terms):
    """Write what is imported, and load it."""
    found = import_splink(settings, "person", "rules.model.json", terms)
    (tmp_path / "rules.model.json").write_bytes(found.model.to_bytes())
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(found.rules, sort_keys=False), "utf-8")
    return load_ruleset(path)


def test_pairs_have_the_probability_that_splink_gave_them(tmp_path):
    """Trained and scored by Splink 5: names by term frequency, edits, dates, arrays; to 1e-6 for every pair."""
    rules = written(tmp_path, SETTINGS, TERMS)
    rows = orjson.loads((FIXTURE / "records.json").read_bytes())
    values = {ref: tuple(each.match for each in standardise_record(rules, "", row)) for ref, row in rows.items()}
    with (FIXTURE / "pairs.csv").open(encoding="utf-8", newline="") as stream:
        pairs = list(csv.DictReader(stream))
    assert len(pairs) > 200
    for each in pairs:
        own = explain_pair(rules, values[each["ref_l"]], values[each["ref_r"]])
        probability = float(each["match_probability"])
        assert own["confidence"] == pytest.approx(probability, abs=PARITY), (each["ref_l"], each["ref_r"])
        if LEAST < probability < MOST:
            weight = math.log2(probability / (1 - probability))
            assert own["weight"] == pytest.approx(weight, abs=WEIGHT_PARITY), (each["ref_l"], each["ref_r"])


def test_frequencies_that_are_missing_are_asked_for():
    """A model adjusts by a table that its file does not have: the error says how to give it."""
    with pytest.raises(ConfigurationError, match="--terms given=FILE"):
        import_splink(SETTINGS, "person", "m.json", {})


def test_a_minimum_frequency_and_a_weight_are_carried_over():
    """Splink's tf_minimum_u_value and tf_adjustment_weight are those of the model file."""
    settings = copy.deepcopy(SETTINGS)
    level = settings["comparisons"][0]["comparison_levels"][1]
    level |= {"tf_minimum_u_value": 0.01, "tf_adjustment_weight": 0.5}
    terms = import_splink(settings, "person", "m.json", TERMS).model.comparisons["given"].levels[1].terms
    assert terms is not None
    assert (terms.floor, terms.weight) == (0.01, 0.5)


def changed(change):
    """The model with one level changed."""
    settings = copy.deepcopy(SETTINGS)
    settings["comparisons"][2]["comparison_levels"][1].update(change)
    return settings


WRONG = {
    "another function": (changed({"sql_condition": 'jaccard("street_l", "street_r") >= 0.9'}), "jaccard"),
    "an expression": (changed({"sql_condition": 'upper("street_l") = upper("street_r")'}), "level 2"),
    "not trained": (changed({"m_probability": None}), "train the model first"),
    "no blocking": ({**SETTINGS, "blocking_rules_to_generate_predictions": []}, "no blocking rules"),
    "no equality": (
        {**SETTINGS, "blocking_rules_to_generate_predictions": ["levenshtein(l.given, r.given) < 2"]},
        "has no equality",
    ),
    "no model": ({"comparisons": []}, "save_model_to_json"),
    "no prior": ({**SETTINGS, "probability_two_random_records_match": None}, "save_model_to_json"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_carried_over_is_named(case):
    """Nothing is left out in silence."""
    settings, said = WRONG[case]
    with pytest.raises(ConfigurationError, match=said):
        import_splink(settings, "person", "m.json", TERMS)


def test_a_table_of_terms_that_is_none_is_refused(tmp_path):
    """A file without the two columns, or with a text for a frequency, is an error that names it."""
    path = tmp_path / "tf.csv"
    for text in ("value,tf\na,1\n", "city,tf_city\na,often\n"):
        path.write_text(text, "utf-8")
        with pytest.raises(ConfigurationError, match=r"tf\.csv"):
            read_terms(path, "city")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_terms(tmp_path / "none.csv", "city")
