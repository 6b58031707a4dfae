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
