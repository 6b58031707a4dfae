"""The wire contracts as JSON Schema (draft 2020-12), for sources and subscribers written in another language."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from mdm_stream.contracts.change import RecordChange, StewardChange
from mdm_stream.contracts.golden import ClaimCheck, FeedEnvelope
from mdm_stream.contracts.steward import Explanation, Lookup, ReviewQueue

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CONTRACTS: dict[str, tuple[str, TypeAdapter[Any]]] = {
    "change": ("Change of a source record", TypeAdapter(RecordChange)),
    "steward": ("Steward's verdict, override, expiry of one, or erasure", TypeAdapter(StewardChange)),
    "golden": ("Message of the golden feed", TypeAdapter(FeedEnvelope | ClaimCheck)),
    "lookup": ("What a record's name or a golden id leads to", TypeAdapter(Lookup)),
    "explanation": ("Why two records are together, or are not", TypeAdapter(Explanation)),
    "review": ("The first items of a review queue", TypeAdapter(ReviewQueue)),
}


def contract_names() -> tuple[str, ...]:
    """Return the names that ``contract_schema`` takes."""
    return tuple(_CONTRACTS)


def contract_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one contract, by a name of ``contract_names()``; ``ValueError`` for another."""
    if name not in _CONTRACTS:
        raise ValueError(f"no contract of that name; there are {', '.join(_CONTRACTS)}")
    title, adapter = _CONTRACTS[name]
    return {"$schema": _DIALECT, **adapter.json_schema(), "title": title}
