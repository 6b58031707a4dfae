"""The JSON Schema of a rule-set file, for editors that complete and check while an author types."""

from __future__ import annotations

import copy
from typing import Any

from mdm_stream.rules.extend import pack_names
from mdm_stream.rules.model import RulesetModel

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
    rule = definitions["SurvivorshipModel"]["properties"]["rules"]["additionalProperties"]
    strategies = definitions["SurvivorshipRuleModel"]["properties"]["strategies"]
    rule["anyOf"] = [{"type": "string"}, next(each for each in strategies["anyOf"] if "items" in each), *rule["anyOf"]]
    schema["properties"]["extends"] = {
        "type": "string",
        "description": f"What this rule set builds on: a pack ({', '.join(pack_names())}) or the path of a file.",
    }
    schema["anyOf"] = [{"required": ["extends"]}, {"required": complete}]
    schema["title"] = "mdm-stream rule set"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
