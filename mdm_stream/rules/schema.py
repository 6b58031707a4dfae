"""The JSON Schema of a rule-set file, for editors that complete and check while an author types.

What the model leaves open, for the compiler knows it (types, their options, kinds of comparison, strategies), is
enumerated here from the registries.
"""

from __future__ import annotations

import copy
from typing import Any

from mdm_stream.core.cluster.survive import STRATEGY_NAMES
from mdm_stream.core.match.compare import PREDICATE_KINDS, SIMILARITY_KINDS, UNBOUNDED
from mdm_stream.core.standardise import COUNTRY_TYPES, TYPE_OPTIONS, TYPE_PARTS
from mdm_stream.core.standardise.spec import OptionSpec
from mdm_stream.rules.compile_survivorship import AT_LEAST_MAX, HALF_LIFE_DAYS_MAX, STRATEGY_OPTIONS
from mdm_stream.rules.extend import pack_names
from mdm_stream.rules.model import RulesetModel
from mdm_stream.rules.setting_types import STRATEGY_SCHEMA, WHEN_SCHEMA

_REMOVED = {
    "type": "object",
    "description": "Takes the item of this name in the extended rule set away.",
    "properties": {"remove": {"const": True}},
    "required": ["remove"],
    "additionalProperties": False,
}
_NAMED = {
    "RulesetModel": ("attributes", "sources", "placeholders"),
    "SourceModel": ("attributes", "columns", "options"),
    "BlockingModel": ("keys",),
    "MatchModel": ("deterministic", "comparisons"),
    "SurvivorshipModel": ("rules",),
}


def ruleset_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one rule-set file, as JSON values.

    A file that extends another may leave anything out and may remove named items, so the schema requires nothing
    but that a file which extends none has a domain, a version, attributes, blocking and match.
    """
    schema: dict[str, Any] = copy.deepcopy(RulesetModel.model_json_schema())
    definitions = schema["$defs"]
    for name, definition in definitions.items():
        if name != "LevelModel":  # levels are replaced as a whole, so each is complete
            definition.pop("required", None)
    complete = schema.pop("required")
    for name, properties in _NAMED.items():
        owner = schema if name == "RulesetModel" else definitions[name]
        for key in properties:
            items = owner["properties"][key]
            items["additionalProperties"] = {"anyOf": [items["additionalProperties"], _REMOVED]}
    blocking_key = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/BlockingKeyModel"}]}
    definitions["BlockingKeyModel"]["properties"]["refine"]["items"] = blocking_key
    definitions["BlockingModel"]["properties"]["keys"]["additionalProperties"]["anyOf"][:1] = blocking_key["anyOf"]
    rule = definitions["SurvivorshipModel"]["properties"]["rules"]["additionalProperties"]
    strategies = definitions["SurvivorshipRuleModel"]["properties"]["strategies"]
    rule["anyOf"] = [
        {"enum": list(STRATEGY_NAMES)},
        next(each for each in strategies["anyOf"] if "items" in each),
        *rule["anyOf"],
    ]
    schema["properties"]["extends"] = {
        "type": "string",
        "description": f"What this rule set builds on: a pack ({', '.join(pack_names())}) or the path of a file.",
    }
    _name_what_is_known(schema)
    schema["anyOf"] = [{"required": ["extends"]}, {"required": complete}]
    schema["title"] = "mdm-stream rule set"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


Schema = dict[str, Any]
_BARE = sorted(name for name, kind in PREDICATE_KINDS.items() if kind.threshold is None)
_STRATEGY_OPTION_SCHEMAS: dict[str, Schema] = {
    "at_least": {"type": "integer", "minimum": 1, "maximum": AT_LEAST_MAX},
    "half_life_days": {"type": "number", "exclusiveMinimum": 0, "maximum": HALF_LIFE_DAYS_MAX},
    "sources": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
}


def _name_what_is_known(schema: Schema) -> None:
    """Put the names that the registries know into the schema."""
    definitions = schema["$defs"]
    definitions |= {
        "Condition": _condition(),
        "AttributeCondition": _attribute_condition(),
        "Strategy": _strategy(),
    }
    attribute = definitions["AttributeModel"]
    attribute["properties"]["type"]["enum"] = list(TYPE_OPTIONS)
    attribute["allOf"] = [_of_type(name) for name in TYPE_OPTIONS]
    similarity = definitions["ComparisonModel"]["properties"]["similarity"]
    similarity["anyOf"] = [{"enum": sorted(SIMILARITY_KINDS)}, {"type": "null"}]
    placeholders = definitions["PlaceholdersModel"]["properties"]["type"]
    names: Schema = {"enum": list(TYPE_OPTIONS)}
    placeholders["anyOf"] = [names, {"type": "array", "items": names, "minItems": 1}, {"type": "null"}]
    for name, own in definitions.items():
        if name not in ("Condition", "AttributeCondition", "Strategy"):
            definitions[name] = _referring(own)
    schema["properties"] = _referring(schema["properties"])


def _referring(part: Any) -> Any:
    """Return a part of the schema in which the open forms of conditions and strategies are those of the registries."""
    if isinstance(part, list):
        return [_referring(each) for each in part]
    if not isinstance(part, dict):
        return part
    for open_form, name in ((WHEN_SCHEMA, "Condition"), (STRATEGY_SCHEMA, "Strategy")):
        if all(part.get(key) == value for key, value in open_form.items()):
            kept = {key: value for key, value in part.items() if key not in open_form}
            return {**kept, "$ref": f"#/$defs/{name}"}
    return {key: _referring(value) for key, value in part.items()}


def _of_type(name: str) -> Schema:
    """Return what holds of an attribute that says that it is of a type: which options and parts it may have."""
    options: Schema = {
        "properties": {option: _option(spec) for option, spec in TYPE_OPTIONS[name].items()},
        "additionalProperties": False,
    }
    parts = {"propertyNames": {"enum": list(TYPE_PARTS.get(name, ()))}}
    allowed: Schema = {"options": options, "fills": parts}
    if name not in COUNTRY_TYPES:
        allowed["country"] = {"type": "null"}
    return {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": {"properties": allowed}}


def _option(spec: OptionSpec) -> Schema:
    about: Schema = {"description": spec.description, "default": spec.default}
    if spec.kind == "boolean":
        return {"type": "boolean", **about}
    if spec.kind == "integer":
        return {"type": "integer", "minimum": spec.minimum, "maximum": spec.maximum, **about}
    return {"enum": list(spec.allowed), **about} if spec.allowed else {"type": "string", **about}


def _thresholds() -> dict[str, Schema]:
    """Return the numbers that each kind with a threshold takes."""
    found: dict[str, Schema] = {}
    for name, kind in PREDICATE_KINDS.items():
        if kind.threshold is not None:
            low, high = kind.threshold
            found[name] = {"type": "number", "minimum": low}
            if high < UNBOUNDED:
                found[name]["maximum"] = high
    return found


def _attribute_condition() -> Schema:
    """Return what may be asked of one attribute. A kind of two attributes is not."""
    single = {name: own for name, own in _thresholds().items() if PREDICATE_KINDS[name].attributes == 1}
    kinds = {"type": "object", "minProperties": 1, "properties": single, "additionalProperties": False}
    return {"anyOf": [{"enum": _BARE}, {"type": "null"}, kinds]}


def _condition() -> Schema:
    """Return what a ``when`` may be. An attribute may be called as a kind is: then a number is the kind's threshold."""
    asked = {"$ref": "#/$defs/AttributeCondition"}
    kinds = {name: {"anyOf": [own, asked]} for name, own in _thresholds().items()}
    mapping = {"type": "object", "minProperties": 1, "properties": kinds, "additionalProperties": asked}
    return {**WHEN_SCHEMA, "anyOf": [{"enum": _BARE}, {"type": "null"}, mapping]}


def _strategy() -> Schema:
    """Return what a strategy may be: its name, or with the options that it has."""
    options = {
        name: {
            "type": "object",
            "properties": {option: _STRATEGY_OPTION_SCHEMAS[option] for option in STRATEGY_OPTIONS.get(name, ())},
            "additionalProperties": False,
        }
        for name in STRATEGY_NAMES
    }
    mapping = {"type": "object", "minProperties": 1, "maxProperties": 1, "properties": options}
    return {**STRATEGY_SCHEMA, "anyOf": [{"enum": list(STRATEGY_NAMES)}, {**mapping, "additionalProperties": False}]}
