"""Member names that a report may repeat: those of the contract. One that a sender chose may be a personal value."""

from __future__ import annotations

from collections.abc import Container, Iterable

from pydantic import BaseModel

UNKNOWN_NAME = "?"
"""What stands in a path for a name that is not shown."""


def members_of(*models: type[BaseModel]) -> frozenset[str]:
    """Return the names of all members of models, by which JSON has them."""
    return frozenset(field.alias or name for model in models for name, field in model.model_fields.items())


def shown_path(place: Iterable[object], known: Container[str]) -> str:
    """Return a place in an event as ``a.record_id``: names that are ``known``, positions, and ``?`` for the rest."""
    return ".".join(shown_name(step, known) for step in place)


def shown_name(name: object, known: Container[str]) -> str:
    """Return a name for a report: a position or a known name as it is, ``?`` for whatever else a sender wrote."""
    if isinstance(name, int):
        return str(name)
    return name if isinstance(name, str) and name in known else UNKNOWN_NAME
