"""What the records of files are of: persons, organisations, products, works, or something that no pack is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mdm_stream.profile.columns.column_facts import ColumnMeaning

SubjectName = Literal["person", "organisation", "product", "work", "record"]

_POINTS: Mapping[str, Mapping[str, float]] = MappingProxyType({
    "person": {
        "given_name": 2, "family_name": 2, "full_name": 2, "birth_date": 2, "gender": 1, "national_id": 1.5,
        "middle_name": 1, "passport_no": 1.5, "licence_no": 1, "generation": 1,
        "birth_place": 1, "nationality": 0.5, "name_prefix": 0.5, "email": 0.5,
    },
    "organisation": {
        "organisation": 3, "registration_no": 2, "duns": 2, "tax_id": 1, "legal_form": 1.5, "industry": 1,
        "url": 0.5, "fax": 0.5,
        "street": 0.3,
    },
    "product": {"title": 2.5, "gtin": 2, "model_no": 1.5, "brand": 1.5, "price": 1.5, "description": 0.8},
    "work": {"title": 2.5, "creator": 2, "year": 1, "gtin": 1, "brand": 0.5, "description": 0.5},
})  # fmt: skip
_POINTS_MIN = 2.0
_SCORE_OF_ABSENT = 0.25
"""Columns that fewer rows than this share have count as much less."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What records are of. ``pack`` is the pack that the rules extend, or empty. ``points`` say how it was decided."""

    name: SubjectName
    pack: str
    points: Mapping[str, float]

    @property
    def is_sure(self) -> bool:
        """Whether what comes second is plainly behind."""
        ordered = sorted(self.points.values(), reverse=True)
        return len(ordered) < 2 or ordered[0] - ordered[1] >= 1.0


def subject_of(columns: Iterable[ColumnMeaning]) -> Subject:
    """Return what the records of some columns (of all files together) are of."""
    points = dict.fromkeys(_POINTS, 0.0)
    found = list(columns)
    for name, worth in _POINTS.items():
        for meaning, value in worth.items():
            best = max((_weight(each) for each in found if each.meaning == meaning), default=0.0)
            points[name] += value * best
    if _has_persons_own(found):
        points["organisation"] -= 2.0  # an employer
    points = {name: round(value, 2) for name, value in points.items()}
    best_name = max(points, key=lambda each: (points[each], each))
    if points[best_name] < _POINTS_MIN:
        return Subject("record", "", MappingProxyType(points))
    pack = best_name if best_name in ("person", "organisation") else ""
    return Subject(best_name, pack, MappingProxyType(points))  # type: ignore[arg-type]  # a name of the table


def _weight(column: ColumnMeaning) -> float:
    completeness = column.facts.counts.completeness
    return min(1.0, column.score + 0.25) * (1.0 if completeness >= _SCORE_OF_ABSENT else 0.4)


def _has_persons_own(columns: Iterable[ColumnMeaning]) -> bool:
    meanings = {each.meaning for each in columns}
    return {"given_name", "family_name"} <= meanings or bool(
        meanings & {"birth_date", "gender"} and "full_name" in meanings
    )
