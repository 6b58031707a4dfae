"""JSON Schemas as unions of plain branches: references followed, ``allOf`` merged, ``anyOf`` and ``oneOf`` spread out.

A branch is a conjunction of keywords about the value itself; schemas of its parts stay as they are, so that a recursive
schema has finitely many of them. Keywords that are not understood are kept as text, to be compared as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, cast

import orjson

from mdm_stream.contracts.compatibility.findings import UncomparableError

Schema = bool | Mapping[str, Any]

NESTING_MAX = 64
"""Deeper than any document that people read; a damaged or hostile one must not end the process."""
BRANCHES_MAX = 1_000

# A number is an integer or has a fraction: so each type is a set, and one type holds another by inclusion.
TYPES = frozenset({"null", "boolean", "integer", "fraction", "string", "array", "object"})
_NUMBER = frozenset({"integer", "fraction"})

_ANNOTATIONS = frozenset({
    "title", "description", "$comment", "examples", "example", "default", "deprecated", "readOnly", "writeOnly",
    "$schema", "$id", "$defs", "definitions", "discriminator", "contentEncoding", "contentMediaType", "externalDocs",
    "xml",
})  # fmt: skip
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
BOUNDS = (*_LOWER, *_UPPER)
_STRUCTURE = frozenset({
    "type", "nullable", "enum", "const", "pattern", "format", "multipleOf", "uniqueItems", "properties", "required",
    "additionalProperties", "patternProperties", "propertyNames", "prefixItems", "items", "$ref", "allOf", "anyOf",
    "oneOf", *BOUNDS,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class SchemaBranch:
    """One alternative of a schema. ``values`` are the only ones that it takes, by their texts; None: no such bound."""

    types: frozenset[str]
    label: str
    values: Mapping[bytes, Any] | None
    bounds: Mapping[str, float]
    patterns: frozenset[str]
    formats: frozenset[str]
    multiples: frozenset[float]
    unique: bool
    properties: Mapping[str, Schema]
    required: frozenset[str]
    additional: Schema
    patterned: Mapping[str, Schema]
    names: tuple[Schema, ...]
    prefix: tuple[Schema, ...]
    items: Schema
    opaque: Mapping[str, str]

    def schema_of(self, name: str) -> Schema:
        """Return the schema of a field of this name, which may be one of the unknown ones."""
        found = [self.properties[name]] if name in self.properties else []
        found += [schema for pattern, schema in self.patterned.items() if _matches(pattern, name)]
        if len(found) == 1:
            return found[0]  # as it stands, with its default
        return all_of(*found) if found else self.additional

    def item(self, number: int) -> Schema:
        """Return the schema of an item by its place in the list, from 0."""
        return self.prefix[number] if number < len(self.prefix) else self.items


class SchemaReader:
    """Reads the schemas of one document, in which references begin at its root. Keeps what it has read."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        """Take the whole document."""
        self.root = root
        self._read: dict[bytes, tuple[SchemaBranch, ...]] = {}

    def branches(self, schema: Schema, depth: int = 0) -> tuple[SchemaBranch, ...]:
        """Return the alternatives of a schema; none if nothing is valid under it. ``UncomparableError``."""
        if depth > NESTING_MAX:
            raise UncomparableError(f"a schema refers to itself, or is nested deeper than {NESTING_MAX} levels")
        if isinstance(schema, bool):
            return (_own({}),) if schema else ()
        key = text_of(schema)
        if key not in self._read:
            self._read[key] = self._spread(schema, depth)
        return self._read[key]

    def target(self, reference: str) -> Any:
        """Return what a reference within the document leads to. ``UncomparableError`` if it leads nowhere."""
        found: Any = self.root
        if not reference.startswith("#"):
            raise UncomparableError(f"the reference {reference!r} leads out of the document")
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, Mapping) and name in found:
                found = found[name]
            else:
                raise UncomparableError(f"the reference {reference!r} leads to nothing")
        return found

    def followed(self, node: Any) -> Any:
        """Return a node of the document, or what it refers to."""
        for _ in range(NESTING_MAX):
            if not (isinstance(node, Mapping) and isinstance(node.get("$ref"), str)):
                return node
            node = self.target(node["$ref"])
        raise UncomparableError("a reference leads to itself")

    def text(self, value: Any) -> str:
        """Return what stands for a part that is not understood: its text, and that of whatever it may refer to."""
        text = text_of(value)
        if b'"$ref"' in text:
            text += text_of({name: self.root.get(name) for name in ("$defs", "definitions", "components")})
        return text.decode()

    def _spread(self, schema: Mapping[str, Any], depth: int) -> tuple[SchemaBranch, ...]:
        opaque = {
            name: self.text(value)
            for name, value in schema.items()
            if name not in _STRUCTURE and name not in _ANNOTATIONS and not name.startswith("x-")
        }
        found: tuple[SchemaBranch, ...] = (replace(_own(schema), opaque=opaque),)
        for union in self._unions(schema, depth):
            if len(found) * len(union) > BRANCHES_MAX:
                raise UncomparableError(f"a schema has more than {BRANCHES_MAX:,} alternatives")
            pairs = [(one, other) for one in found for other in union]
            found = tuple(both for both in (_merged(one, other) for one, other in pairs) if both.types)
        return found

    def _unions(self, schema: Mapping[str, Any], depth: int) -> Iterator[tuple[SchemaBranch, ...]]:
        if "$ref" in schema:
            reference = schema["$ref"]
            name = reference.rpartition("/")[2]
            yield tuple(
                replace(each, label=each.label or name)
                for each in self.branches(_schema(self.target(reference)), depth + 1)
            )
        for each in _listed(schema, "allOf"):
            yield self.branches(each, depth + 1)
        if "anyOf" in schema:
            yield tuple(each for one in _listed(schema, "anyOf") for each in self.branches(one, depth + 1))
        if "oneOf" in schema:
            alternatives = [self.branches(one, depth + 1) for one in _listed(schema, "oneOf")]
            spread = tuple(each for one in alternatives for each in one)
            apart = all(disjoint(a, b, self, self) for x, y in combinations(alternatives, 2) for a in x for b in y)
            text = "" if apart else self.text(schema["oneOf"])
            yield spread if apart else tuple(replace(each, opaque={**each.opaque, "oneOf": text}) for each in spread)


def all_of(*schemas: Schema) -> Schema:
    """Return the schema of what is valid under all of some schemas."""
    if any(each is False for each in schemas):
        return False
    wanted = list({text_of(each): each for each in schemas if each is not True and each != {}}.values())
    if not wanted:
        return True
    return wanted[0] if len(wanted) == 1 else {"allOf": wanted}


def disjoint(one: SchemaBranch, other: SchemaBranch, reader: SchemaReader, of_other: SchemaReader) -> bool:
    """Tell whether no value can be of both branches, as far as a look at their fields shows."""
    common = one.types & other.types
    if not common:
        return True
    if one.values is not None and other.values is not None:
        return one.values.keys().isdisjoint(other.values.keys())
    if common != {"object"}:
        return False
    refused = any(
        one.schema_of(name) is False or other.schema_of(name) is False for name in one.required | other.required
    )
    return refused or told_apart(one, other, reader, of_other)


def told_apart(one: SchemaBranch, other: SchemaBranch, reader: SchemaReader, of_other: SchemaReader) -> bool:
    """Tell whether a field that both require has values in the one that it cannot have in the other."""
    for name in one.required & other.required:
        values = finite_values(one.schema_of(name), reader)
        others = finite_values(other.schema_of(name), of_other)
        if values is not None and others is not None and not values & others:
            return True
    return False


def finite_values(schema: Schema, reader: SchemaReader) -> set[bytes] | None:
    """Return the texts of the only values that a schema takes, or None if there is no end of them."""
    found: set[bytes] = set()
    for each in reader.branches(schema):
        if each.values is None:
            return None
        found |= each.values.keys()
    return found


def text_of(value: Any) -> bytes:
    """Return JSON that is the same for equal values. ``UncomparableError`` for what JSON cannot say."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, orjson.JSONEncodeError, RecursionError):
        raise UncomparableError("the document holds what JSON cannot say") from None


def by_text(values: Iterable[Any]) -> dict[bytes, Any]:
    """Return values by their texts; 1.0 is 1, as JSON Schema has it."""
    whole = (int(each) if isinstance(each, float) and each.is_integer() else each for each in values)
    return {text_of(each): each for each in whole}


def type_of(value: object) -> str:
    """Return the type of a JSON value, by the names of ``TYPES``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if float(value).is_integer() else "fraction"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _own(schema: Mapping[str, Any]) -> SchemaBranch:
    """Return the branch of a schema's own keywords, without references and unions."""
    values: Mapping[bytes, Any] | None = by_text(schema["enum"]) if "enum" in schema else None
    if "const" in schema:
        values = by_text([schema["const"]])
    types, values = _fitting(_types(schema), values)
    names = schema.get("propertyNames", True)
    return SchemaBranch(
        types=types,
        label=str(schema.get("title", "")),
        values=values,
        bounds=_bounds(schema),
        patterns=frozenset({str(schema["pattern"])} if "pattern" in schema else ()),
        formats=frozenset({str(schema["format"])} if "format" in schema else ()),
        multiples=frozenset({schema["multipleOf"]} if "multipleOf" in schema else ()),
        unique=bool(schema.get("uniqueItems")),
        properties=dict(schema.get("properties", {})),
        required=frozenset(schema.get("required", ())),
        additional=_schema(schema.get("additionalProperties", True)),
        patterned=dict(schema.get("patternProperties", {})),
        names=() if names is True else (_schema(names),),
        prefix=tuple(schema.get("prefixItems", ())),
        items=_schema(schema.get("items", True)),
        opaque={},
    )


def _fitting(
    types: frozenset[str], values: Mapping[bytes, Any] | None
) -> tuple[frozenset[str], Mapping[bytes, Any] | None]:
    """Return types and values without those that the other does not have."""
    if values is None:
        return types, None
    kept = {text: each for text, each in values.items() if type_of(each) in types}
    return types & {type_of(each) for each in kept.values()}, kept


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    given = schema.get("type")
    if given is None:
        return TYPES
    found: set[str] = set()
    for each in [given] if isinstance(given, str) else given:
        found |= _NUMBER if each == "number" else {each}
    if schema.get("nullable") is True:  # OpenAPI 3.0
        found.add("null")
    if not found <= TYPES:
        raise UncomparableError(f"a schema has the type {', '.join(sorted(found - TYPES))}")
    return frozenset(found)


def _bounds(schema: Mapping[str, Any]) -> dict[str, float]:
    found = {name: schema[name] for name in BOUNDS if name in schema}
    for plain, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        # In OpenAPI 3.0 it is a mark beside the bound.
        if isinstance(found.get(strict), bool) and found.pop(strict) and plain in found:
            found[strict] = found.pop(plain)
    return found


def _merged(one: SchemaBranch, other: SchemaBranch) -> SchemaBranch:
    """Return the branch of what is of both; it has no types if that is nothing."""
    values = one.values if other.values is None else other.values
    if one.values is not None and other.values is not None:
        values = {text: each for text, each in one.values.items() if text in other.values}
    types, values = _fitting(one.types & other.types, values)
    bounds = dict(one.bounds)
    for name, bound in other.bounds.items():
        tightest = max if name in _LOWER else min
        bounds[name] = tightest(bound, bounds.get(name, bound))
    names = sorted({*one.properties, *other.properties})
    opaque = {**one.opaque, **other.opaque}
    if (one.patterned and other.additional not in (True, {})) or (other.patterned and one.additional not in (True, {})):
        opaque["patternProperties"] = text_of([one.patterned, other.patterned]).decode()
    longest = max(len(one.prefix), len(other.prefix))
    return SchemaBranch(
        types=types,
        label=other.label or one.label,
        values=values,
        bounds=bounds,
        patterns=one.patterns | other.patterns,
        formats=one.formats | other.formats,
        multiples=one.multiples | other.multiples,
        unique=one.unique or other.unique,
        properties={name: all_of(one.schema_of(name), other.schema_of(name)) for name in names},
        required=one.required | other.required,
        additional=all_of(one.additional, other.additional),
        patterned={
            pattern: all_of(one.patterned.get(pattern, True), other.patterned.get(pattern, True))
            for pattern in sorted({*one.patterned, *other.patterned})
        },
        names=(*one.names, *other.names),
        prefix=tuple(all_of(one.item(number), other.item(number)) for number in range(longest)),
        items=all_of(one.items, other.items),
        opaque=opaque,
    )


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def _listed(schema: Mapping[str, Any], name: str) -> list[Schema]:
    listed = schema.get(name, [])
    if not isinstance(listed, list):
        raise UncomparableError(f"{name} of a schema is no list")
    return [_schema(each) for each in listed]


def _schema(value: object) -> Schema:
    if not isinstance(value, bool | Mapping):
        raise UncomparableError("something that is no schema stands in the place of one")
    return cast("Schema", value)
