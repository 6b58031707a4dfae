"""The contracts' documents as this release has them: files beside this module, made from the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).resolve().parent / "documents"


def packaged_documents() -> dict[str, dict[str, Any]]:
    """Return all documents by name: JSON Schemas, ``asyncapi``, and ``openapi`` where the events API is part of it."""
    return {path.stem: orjson.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
