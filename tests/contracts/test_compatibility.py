"""The comparison of schemas: what is included in what, and what cannot be shown."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mdm_stream.contracts.compatibility import compare_documents
from mdm_stream.contracts.compatibility.findings import UncomparableError
from mdm_stream.contracts.packaged import packaged_documents

DOCUMENTS = packaged_documents()
CONSUMED = sorted(name for name, each in DOCUMENTS.items() if each.get("x-direction") == "consumed")

TEXT, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}


def compare(old, new, direction="consumed"):
    """Return the changes between two schemas of one direction."""
    before, after = ({**each, "x-direction": direction} for each in (old, new))
    return compare_documents({"it": before}, {"it": after})


def broken(old, new, direction="consumed"):
    """Return what breaks, as texts."""
    return [f"{each.where}: {each.what}" for each in compare(old, new, direction) if each.breaks]


def thing(required=(), closed=True, **properties):
    """Return an object's schema."""
    rest = {"additionalProperties": False} if closed else {}
    return {"type": "object", "properties": properties, "required": list(required), **rest}


NARROWER = {
    "type": (NUMBER, INTEGER),
    "types": ({"type": ["string", "null"]}, TEXT),
    "enum": ({"enum": ["a", "b"]}, {"enum": ["a"]}),
    "any text to some": (TEXT, {"enum": ["a"]}),
    "minimum": (INTEGER, {"type": "integer", "minimum": 1}),
    "exclusive": ({"type": "number", "minimum": 1}, {"type": "number", "exclusiveMinimum": 1}),
    "maximum": ({"type": "number", "maximum": 9}, {"type": "number", "exclusiveMaximum": 9}),
    "multiple": (INTEGER, {"type": "integer", "multipleOf": 5}),
    "length": ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 8}),
    "not empty": (TEXT, {"type": "string", "minLength": 1}),
    "pattern": (TEXT, {"type": "string", "pattern": "^a"}),
    "format": (TEXT, {"type": "string", "format": "date-time"}),
    "values by pattern": ({"enum": ["a", "b"]}, {"allOf": [{"enum": ["a", "b"]}, {"pattern": "^a"}]}),
    "no items": ({"type": "array", "items": TEXT}, {"type": "array", "items": False}),
    "items": ({"type": "array", "items": NUMBER}, {"type": "array", "items": INTEGER}),
    "number of items": ({"type": "array"}, {"type": "array", "minItems": 1}),
    "most items": ({"type": "array", "maxItems": 9}, {"type": "array", "maxItems": 8}),
    "distinct items": ({"type": "array"}, {"type": "array", "uniqueItems": True}),
    "first item": ({"prefixItems": [NUMBER]}, {"prefixItems": [INTEGER]}),
    "alternative": ({"anyOf": [TEXT, NUMBER]}, {"anyOf": [TEXT]}),
    "conjunction": ({"allOf": [TEXT]}, {"allOf": [TEXT, {"maxLength": 5}]}),
    "required": (thing(a=TEXT), thing(["a"], a=TEXT)),
    "closed": (thing(closed=False, a=TEXT), thing(a=TEXT)),
    "names": ({"type": "object"}, {"type": "object", "propertyNames": {"maxLength": 5}}),
    "further": ({"additionalProperties": NUMBER}, {"additionalProperties": INTEGER}),
    "named by pattern": ({"type": "object"}, {"type": "object", "patternProperties": {"^x": INTEGER}}),
    "fields": ({"type": "object", "maxProperties": 9}, {"type": "object", "maxProperties": 8}),
    "null": ({"type": "string", "nullable": True}, TEXT),
}


@pytest.mark.parametrize("name", NARROWER)
def test_a_narrower_schema_breaks_who_sends_and_a_wider_one_who_reads(name):
    """Each keyword counts, in the one direction for what we consume, and in the other for what we produce."""
    wide, narrow = NARROWER[name]
    assert broken(wide, narrow, "consumed")
    assert not broken(narrow, wide, "consumed")
    assert broken(narrow, wide, "produced")
    assert not broken(wide, narrow, "produced")
    assert broken(wide, narrow, "unknown")
    assert broken(narrow, wide, "unknown")


SAME = {
    "order": ({"anyOf": [TEXT, NUMBER]}, {"type": ["number", "string"]}),
    "booleans": ({"type": "boolean"}, {"enum": [True, False]}),
    "constant": ({"const": "a"}, {"enum": ["a"]}),
    "whole numbers": (INTEGER, {"type": "integer", "multipleOf": 1}),
    "one as a fraction": ({"enum": [1.0, 2]}, {"enum": [2.0, 1]}),
    "parts of an enum": ({"enum": ["a", "b"]}, {"anyOf": [{"const": "b"}, {"const": "a"}]}),
    "merged": ({"allOf": [thing(closed=False, a=TEXT), {"required": ["a"]}]}, thing(["a"], closed=False, a=TEXT)),
    "referred": ({"$defs": {"T": TEXT}, "items": {"$ref": "#/$defs/T"}}, {"items": TEXT}),
    "one of kinds apart": (
        {"oneOf": [thing(["k"], k={"const": "a"}), thing(["k"], k={"const": "b"})]},
        {"anyOf": [thing(["k"], k={"const": "b"}), thing(["k"], k={"const": "a"})]},
    ),
    "everything": ({}, {"type": ["null", "boolean", "number", "string", "array", "object"]}),
    "zero": (TEXT, {"type": "string", "minLength": 0}),
    "bounds": ({"exclusiveMinimum": 0, "minimum": -5}, {"exclusiveMinimum": 0}),
    "draft 4": ({"minimum": 0, "exclusiveMinimum": True}, {"exclusiveMinimum": 0}),
}


@pytest.mark.parametrize("name", SAME)
def test_other_ways_to_say_the_same_are_safe(name):
    """What accepts the same values is compatible both ways."""
    one, other = SAME[name]
    assert broken(one, other, "unknown") == []
    assert broken(other, one, "unknown") == []


@pytest.mark.parametrize(
    ("value", "rule", "fits"),
    [
        ("abc", {"pattern": "^a"}, True),
        ("b", {"pattern": "^a"}, False),
        ("abc", {"maxLength": 2}, False),
        (20, {"maximum": 9}, False),
        (9, {"maximum": 9}, True),
        (9, {"exclusiveMaximum": 9}, False),
        (10, {"multipleOf": 5}, True),
        (11, {"multipleOf": 5}, False),
        (None, {"type": "string"}, False),
        ([1], {"enum": [[1], [2]]}, True),
        ([1], {"minItems": 2}, False),
    ],
)
def test_single_values_are_tried(value, rule, fits):
    """Of a constant it is known whether the other schema takes it; lists are compared as they stand."""
    assert (broken({"const": value}, rule) == []) == fits


def test_what_cannot_be_shown_breaks():
    """Two patterns, overlapping alternatives of ``oneOf`` and keywords that are not compared: with that reason."""
    pairs = [
        ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^b"}),
        (TEXT, {"type": "string", "not": {"const": "a"}}),
        ({"oneOf": [TEXT, {"maxLength": 5}]}, {"oneOf": [TEXT, {"maxLength": 6}]}),
        (thing(a=TEXT), {**thing(a=TEXT), "dependentRequired": {"a": ["b"]}}),
    ]
    for old, new in pairs:
        found = [each for each in compare(old, new) if each.breaks]
        assert found, (old, new)
        assert any("cannot be shown" in each.why for each in found), (old, new)


def test_recursive_schemas_end():
    """A tree of trees is compared once; a change deep in it is found where it is first met."""
    tree = {"$defs": {"Tree": thing(["name"], name=TEXT, parts={"type": "array", "items": {"$ref": "#/$defs/Tree"}})}}
    old = {**tree, "$ref": "#/$defs/Tree"}
    new = copy.deepcopy(old)
    new["$defs"]["Tree"]["properties"]["name"]["maxLength"] = 5
    assert broken(old, old) == []
    assert broken(old, new) == ["name: maxLength none -> 5", "parts[].name: maxLength none -> 5"]
    other = copy.deepcopy(old)
    other["$defs"]["Tree"]["properties"]["parts"]["items"] = {"anyOf": [{"$ref": "#/$defs/Tree"}, TEXT]}
    assert broken(old, other) == []
    assert broken(other, old) == ["parts[]: type string is refused now"]


@pytest.mark.parametrize("default", ["", None, 0])
def test_a_default_that_changes_breaks_and_a_new_one_does_not(default):
    """What is left out means something else; empty ones are defaults like any other."""
    old, new = thing(a={"default": default}), thing(a={})
    for direction in ("consumed", "produced"):
        assert broken(old, new, direction)
        assert broken(old, thing(a={"default": "x"}), direction)
        assert broken(new, old, direction) == []


def test_long_lists_of_values_take_no_square_of_time():
    """Ten thousand values are compared with as many: one that is gone is named."""
    values = [f"value-{number}" for number in range(10_000)]
    assert broken({"enum": values}, {"enum": values[1:]}) == ["(the whole document): value 'value-0' is refused now"]


def test_a_closed_field_that_is_gone_is_missed_by_readers():
    """A subscriber that reads a field does not find it, even where the earlier document allowed that."""
    old, new = thing(a=TEXT, b=TEXT), thing(a=TEXT)
    assert broken(old, new, "produced") == ["b: is removed"]
    assert broken(thing(closed=False, b=TEXT), thing(closed=False), "produced") == ["b: is removed"]
    assert broken(thing(closed=False, b=TEXT), thing(closed=False), "consumed") == []


@pytest.mark.parametrize(
    "document",
    [
        {"$ref": "#/$defs/Nowhere"},
        {"$ref": "other.json"},
        {"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"},
        {"anyOf": 1},
        {"properties": 7},
        {"type": "text"},
        {"items": "string"},
        {"asyncapi": "3.0.0", "operations": {"a": {}}},
        {"openapi": "3.1.0", "paths": {"/": {"get": {"parameters": [1]}}}},
    ],
    ids=str,
)
def test_a_damaged_document_is_refused_by_name(document):
    """It is an error of its own and never a verdict: neither safe nor breaking."""
    other = {**document, "description": "another"}
    with pytest.raises(UncomparableError, match=r"^it: "):
        compare_documents({"it": document}, {"it": other})


def test_a_document_that_grows_without_end_is_refused():
    """Alternatives multiply in conjunctions: past a bound the comparison says so instead of going on."""
    many = {"anyOf": [thing([name], **{name: TEXT}) for name in "abcdefghij"]}
    with pytest.raises(UncomparableError, match="alternatives"):
        broken({"allOf": [many] * 4}, {**TEXT})
    deep = TEXT
    for _ in range(500):
        deep = {"type": "array", "items": deep}
    with pytest.raises(UncomparableError):
        broken(deep, {"type": "array", "items": deep})


@st.composite
def schemas(draw, depth=2):
    """Draw a schema of the keywords that pydantic writes."""
    if depth and draw(st.booleans()):
        inner = schemas(depth - 1)
        names = draw(st.lists(st.sampled_from("abc"), unique=True))
        made = {
            "object": lambda: {
                **thing(draw(st.lists(st.sampled_from(names), unique=True)) if names else [], draw(st.booleans())),
                "properties": {name: draw(inner) for name in names},
            },
            "array": lambda: {"type": "array", "items": draw(inner), "maxItems": draw(st.integers(0, 3))},
            "union": lambda: {"anyOf": [draw(inner), draw(inner)]},
        }
        return made[draw(st.sampled_from(sorted(made)))]()
    return draw(
        st.sampled_from([TEXT, NUMBER, INTEGER, {"type": "null"}, {"type": "boolean"}, {"enum": ["x", 1]}])
        | st.builds(lambda size: {"type": "string", "maxLength": size}, st.integers(0, 3))
        | st.builds(lambda low: {"type": "integer", "minimum": low}, st.integers(-2, 2))
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "long"]) | st.just(0.5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=5,
)


@given(schemas(), schemas(), st.lists(values, min_size=5, max_size=20))
def test_what_is_called_safe_is_safe(old, new, tried):
    """A value that was valid is valid still, if nothing breaks a producer: a validator of others finds no exception."""
    if broken(old, new):
        return
    before, after = Draft202012Validator(old), Draft202012Validator(new)
    assert [each for each in tried if before.is_valid(each) and not after.is_valid(each)] == []


@given(schemas())
def test_a_schema_is_compatible_with_itself(schema):
    """In both directions, whatever it is made of."""
    assert compare(schema, copy.deepcopy(schema), "unknown") == []


@given(st.sampled_from(CONSUMED), st.text(min_size=1, max_size=9), schemas(), st.data())
def test_an_optional_field_more_is_safe_in_all_that_we_consume(name, field, schema, data):
    """Wherever in a document it is added: an object that refuses unknown fields may know one more."""
    changed = copy.deepcopy(DOCUMENTS[name])
    owners = [each for each in _objects(changed) if field not in each["properties"]]
    data.draw(st.sampled_from(owners))["properties"][field] = schema
    assert [each for each in compare_documents({name: DOCUMENTS[name]}, {name: changed}) if each.breaks] == []


def _objects(node):
    if isinstance(node, dict):
        if node.get("type") == "object" and isinstance(node.get("properties"), dict):
            yield node
        for each in node.values():
            yield from _objects(each)
    elif isinstance(node, list):
        for each in node:
            yield from _objects(each)
