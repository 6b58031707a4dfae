"""Compares sets of documents: JSON Schemas with their direction, AsyncAPI and OpenAPI documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mdm_stream.contracts.compatibility.asyncapi import asyncapi_findings
from mdm_stream.contracts.compatibility.branches import SchemaReader
from mdm_stream.contracts.compatibility.findings import (
    ContractChange,
    Party,
    UncomparableError,
    breaking,
    distinct,
    safe,
)
from mdm_stream.contracts.compatibility.openapi import openapi_findings
from mdm_stream.contracts.compatibility.schemas import ComparedPlace, Direction, SchemaComparison

DIRECTION = "x-direction"
"""The keyword by which a JSON Schema of ours says who sends its values: ``consumed`` or ``produced``."""

_PARTY: dict[Direction, Party] = {"consumed": "producer", "produced": "subscriber"}

Documents = Mapping[str, Mapping[str, Any]]
"""Documents by name: parsed JSON."""


def compare_documents(old: Documents, new: Documents) -> list[ContractChange]:
    """Return every change of the contracts: first what breaks a producer or a subscriber, then what is safe.

    A document that is gone breaks; a new one is safe. ``UncomparableError``, with the document's name, for one that is
    damaged, of another kind than before, or too large to be compared.
    """
    found: list[ContractChange] = []
    for name in sorted({*old, *new}):
        try:
            found += _findings(name, old.get(name), new.get(name))
        except UncomparableError as error:
            raise UncomparableError(f"{name}: {error}") from None
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise UncomparableError(
                f"{name}: is no document of its kind ({type(error).__name__}); compare valid JSON Schema, AsyncAPI or "
                "OpenAPI documents"
            ) from error
    return distinct(found)


def kind_of(document: Mapping[str, Any]) -> str:
    """Return what a document is, for people."""
    if "asyncapi" in document:
        return "AsyncAPI"
    return "OpenAPI" if "openapi" in document else "JSON Schema"


def directions_of(document: Mapping[str, Any]) -> tuple[Direction, ...]:
    """Return the directions of a JSON Schema; both for one that does not say."""
    said = document.get(DIRECTION)
    for each in _PARTY:
        if said == each:
            return (each,)
    return tuple(_PARTY)


def _findings(name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[ContractChange]:
    if old is None or new is None:
        yield from _come_or_gone(name, old)
        return
    if kind_of(old) != kind_of(new):
        raise UncomparableError(f"was an {kind_of(old)} document and is an {kind_of(new)} document")
    readers = SchemaReader(old), SchemaReader(new)
    if "asyncapi" in new:
        yield from asyncapi_findings(name, *readers)
    elif "openapi" in new:
        yield from openapi_findings(name, *readers)
    else:
        comparison = SchemaComparison(*readers)
        # What changed its direction has to be compatible both ways.
        for direction in dict.fromkeys((*directions_of(old), *directions_of(new))):
            yield from comparison.findings(ComparedPlace(name, "", direction, _PARTY[direction]), old, new)


def _come_or_gone(name: str, old: Mapping[str, Any] | None) -> Iterator[ContractChange]:
    if old is None:
        yield safe(name, "", "is a new document", "nothing was said of it before")
        return
    parties: list[Party] = ["producer"] if "openapi" in old else [_PARTY[each] for each in directions_of(old)]
    for party in parties:
        yield breaking(party, name, "", "the document is gone", "what it promised is promised no more")
