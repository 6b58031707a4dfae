"""The shape of log lines, as a JSON Schema, and the check of lines that were really written."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from mdm_stream.telemetry.log_lines import ALWAYS, FIELDS

TEXT = {"type": "string", "minLength": 1}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": sorted(ALWAYS),
    "properties": {
        **dict.fromkeys(FIELDS, TEXT),
        "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\+00:00|Z)$"},
        "level": {"enum": ["DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"]},
        "service": {"type": "string", "pattern": "^[a-z][a-z-]*$"},
        "shard": {"type": "string", "pattern": "^shardId-[0-9]+$"},
        "first": {"type": "string", "pattern": "^[0-9]+$"},
        "last": {"type": "string", "pattern": "^[0-9]+$"},
        "records": {"type": "integer", "minimum": 0},
    },
    "dependentRequired": {"first": ["last", "shard", "correlation_id"], "last": ["first"]},
}
_SHAPE = Draft202012Validator(SCHEMA)


def wrong_lines(text: str) -> list[str]:
    """Return what is wrong with the lines of a log; metrics among them are none of its business."""
    found = []
    for line in filter(None, text.splitlines()):
        try:
            document = json.loads(line)
        except ValueError:
            found.append(f"no JSON: {line[:200]}")
            continue
        if "_aws" not in document:
            found += [f"{error.json_path}: {error.message}: {line[:200]}" for error in _SHAPE.iter_errors(document)]
    return found
