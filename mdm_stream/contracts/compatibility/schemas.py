"""What a change of a schema means, by the direction in which its values go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mdm_stream.contracts.compatibility.branches import Schema, SchemaReader
from mdm_stream.contracts.compatibility.findings import ContractChange, Difference, Party, breaking, place, safe
from mdm_stream.contracts.compatibility.inclusion import Inclusion

Direction = Literal["consumed", "produced"]
"""As seen from mdm-stream: it reads what others send, or sends what others read."""

_REPEATABLE = frozenset({"type", "value", "alternative"})
"""Of these a place may lose some and gain others; any other change of a place is told once."""


@dataclass(frozen=True, slots=True)
class ComparedPlace:
    """In what document, where in it, and whom a schema is for."""

    document: str
    where: str
    direction: Direction
    party: Party


class SchemaComparison:
    """Compares schemas of an earlier document with those of the present one, and keeps what it has compared."""

    def __init__(self, old: SchemaReader, new: SchemaReader) -> None:
        """Take both documents."""
        self._lost = Inclusion(old, new, old_is_narrow=True)
        self._gained = Inclusion(old, new, old_is_narrow=False)

    def findings(self, side: ComparedPlace, old: Schema, new: Schema) -> Iterator[ContractChange]:
        """Yield what became of a schema: what breaks first. ``UncomparableError``."""
        lost, gained = self._lost.differences(old, new), self._gained.differences(new, old)
        decisive, other = (lost, gained) if side.direction == "consumed" else (gained, lost)
        broken = [each for each in decisive if each.breaks]
        told = {_place_and_kind(each) for each in broken}
        for each in broken:
            yield breaking(side.party, side.document, _where(side, each), each.said, each.why)
        for each in (*(one for one in decisive if not one.breaks), *other):
            if _place_and_kind(each) not in told:
                told.add(_place_and_kind(each))
                yield safe(side.document, _where(side, each), each.said, _why_safe(side, each))


def _place_and_kind(difference: Difference) -> tuple[tuple[str, ...], str]:
    if difference.code in _REPEATABLE:
        return difference.path, difference.said
    kind = "field" if difference.code in ("property", "required") else difference.code
    return difference.path, kind


def _why_safe(side: ComparedPlace, difference: Difference) -> str:
    if not difference.breaks:
        return difference.why
    if side.direction == "consumed":
        return "what was accepted is accepted still"
    return "nothing new can be met"


def _where(side: ComparedPlace, difference: Difference) -> str:
    inner = place(difference.path)
    return ": ".join(each for each in (side.where, inner) if each)
