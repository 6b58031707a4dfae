"""What is known of a column, and what it was taken for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mdm_stream.profile.columns.counted import ColumnCounts


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What is known of a column before it has a meaning: its counts, the share of each form, what its name says."""

    counts: ColumnCounts
    forms: Mapping[str, float]
    named: Mapping[str, float]
    words: float
    """Words of a value, on average."""
    years_spread: int = 0

    def share(self, form: str) -> float:
        """Return the share of the sampled values that have a form."""
        return self.forms.get(form, 0.0)


@dataclass(frozen=True, slots=True)
class ColumnMeaning:
    """What a column was taken for: ``score`` from 0 to 1, ``by`` what (form, name, form and name, neighbours).

    ``doubts`` are sentences for a person to look at; ``runner_up`` is what it may be instead.
    """

    facts: ColumnFacts
    meaning: str
    score: float
    by: str
    runner_up: str = ""
    doubts: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """The column's name."""
        return self.facts.counts.name


def spoken(meaning: str) -> str:
    """Return a meaning as a sentence has it."""
    return meaning.replace("_", " ")
