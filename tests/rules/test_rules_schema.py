"""The JSON Schema that editors use."""

import json
from pathlib import Path

import pytest

from mdm_stream.rules import load_ruleset, pack_names, ruleset_schema
from mdm_stream.rules.extend import locate
from mdm_stream.rules.tree import plain, read_tree

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "rules").glob("*.yaml"))


def test_the_schema_is_json():
    """It can be written to a file as it is."""
    assert json.loads(json.dumps(ruleset_schema()))["title"] == "mdm-stream rule set"


@pytest.mark.parametrize("path", [*EXAMPLES, *map(locate, pack_names())], ids=lambda path: path.stem)
def test_packs_and_examples_fit_the_schema(path):
    """What loads also satisfies the schema, so that no editor marks a good file."""
    jsonschema = pytest.importorskip("jsonschema")
    value = json.loads(json.dumps(plain(read_tree(path, path.name))))
    jsonschema.Draft202012Validator(ruleset_schema()).validate(value)


@pytest.mark.parametrize(
    "value",
    [
        {"domain": "person"},
        {"extends": "person", "atributes": {}},
        {"extends": "person", "attributes": {"a": {"remove": False}}},
        {"extends": "person", "match": {"comparisons": {"a": {"levels": [{"bits": 1}]}}}},
        {"extends": "person", "sources": {"a": {"trust": 2}}},
    ],
)
def test_what_is_plainly_wrong_does_not_fit(value):
    """An editor marks unknown settings, ranges and incomplete files while they are typed."""
    jsonschema = pytest.importorskip("jsonschema")
    assert not jsonschema.Draft202012Validator(ruleset_schema()).is_valid(value)


@pytest.mark.parametrize(
    "text",
    [
        "placeholders: {desk: {attributes: email, values: desk@x.example, patterns: 'ward[0-9]+@x'}}",
        "placeholders: {none: {type: identifier, values: [PENDING, '4711']}, zero_dates: {remove: true}}",
        "match: {exclusive: national_id}",
        "survivorship: {default: [most_recent], rules: {email: [most_recent]}}",
        "survivorship: {default: most_recent, rules: {email: longest}}",
        "survivorship: {default: {trust: {half_life_days: 9}}, rules: {email: {strategies: longest}}}",
        "sources: {s: {format: debezium, table: a.b, key: id, ignore: log.*, histories: [{gtid_source: 0-1}]}}",
    ],
)
def test_one_text_that_loads_in_place_of_a_list_fits_the_schema(text, tmp_path):
    """Wherever the loader takes one text for a list of one, an editor does not mark it."""
    jsonschema = pytest.importorskip("jsonschema")
    path = tmp_path / "rules.yaml"
    path.write_text(f"extends: person\nversion: 1\n{text}\n")
    load_ruleset(path)
    jsonschema.Draft202012Validator(ruleset_schema()).validate(
        json.loads(json.dumps(plain(read_tree(path, path.name))))
    )


@pytest.mark.parametrize(
    "text",
    [
        "attributes: {email: {type: emial}}",
        "attributes: {birth_date: {type: date, options: {dayfirst: true}}}",
        "attributes: {birth_date: {type: date, options: {pivot: 100}}}",
        "attributes: {phone: {type: phone, options: {region: XX}}}",
        "attributes: {email: {type: email, fills: {given: given_name}}}",
        "attributes: {email: {type: email, country: country}}",
        "match: {comparisons: {email: {levels: [{when: exakt, bits: 1}]}}}",
        "match: {comparisons: {email: {levels: [{when: jaro_winkler, bits: 1}]}}}",
        "match: {comparisons: {email: {levels: [{when: {jaro_winkler: 92}, bits: 1}]}}}",
        "match: {comparisons: {email: {levels: [{when: {city: {levenstein: 1}}, bits: 1}]}}}",
        "match: {comparisons: {email: {similarity: prefix, weight: 1}}}",
        "survivorship: {default: newest}",
        "survivorship: {rules: {email: [valid_only, {trust: {half_life: 3}}]}}",
        "placeholders: {none: {type: emails, values: x}}",
    ],
)
def test_a_name_that_no_registry_knows_does_not_fit(text, tmp_path):
    """Types, options, kinds of comparison and strategies are enumerated: an editor offers them and marks others."""
    jsonschema = pytest.importorskip("jsonschema")
    path = tmp_path / "rules.yaml"
    path.write_text(f"extends: person\nversion: 1\n{text}\n")
    value = json.loads(json.dumps(plain(read_tree(path, path.name))))
    assert not jsonschema.Draft202012Validator(ruleset_schema()).is_valid(value)


@pytest.mark.parametrize(
    "text",
    [
        "attributes: {prefix: {type: text}, exact: {type: text}}",
        "attributes: {birth_date: {options: {day_first: true}}}",
        (
            "match: {comparisons: {email: {levels: [{when: null, bits: 0}, {when: {email: null}, bits: 0}, "
            "{when: {prefix: 3}, bits: 1}, {when: {city: {jaro_winkler: 0.9, prefix: 2}}, bits: 1}, "
            "{when: {swap: 0.9}, attributes: [given_name, family_name], bits: 2}, {when: else, bits: -1}]}}}"
        ),
        (
            "survivorship: {default: [valid_only, {trust: {half_life_days: 9.5}}, {most_complete: {at_least: 2}}, "
            "{source_priority: {}}, longest]}"
        ),
    ],
)
def test_what_loads_is_not_marked(text, tmp_path):
    """Conditions and strategies in all their forms fit the schema as they load."""
    jsonschema = pytest.importorskip("jsonschema")
    path = tmp_path / "rules.yaml"
    path.write_text(f"extends: person\nversion: 1\n{text}\n")
    load_ruleset(path)
    value = json.loads(json.dumps(plain(read_tree(path, path.name))))
    jsonschema.Draft202012Validator(ruleset_schema()).validate(value)
