"""A case: a few records, and what the rules must make of them. Plain values with the lines that they were written in.

Records are named as their author names them: ``crm/17``, or ``17`` alone where the rules leave no choice of a source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mdm_stream.core.model import Value
from mdm_stream.rules.findings import Place

CASE_RECORDS_MAX = 1_000
"""Records of one case: it is resolved by the reference, one pair at a time."""
CASES_MAX = 10_000
"""Cases of one file."""


@dataclass(frozen=True, slots=True)
class Field:
    """One cell of a record, and where it stands."""

    value: Value
    place: Place


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A record by the columns of its source, or the attributes of the domain. ``event_time`` is as delivered."""

    name: str
    place: Place
    fields: Mapping[str, Field]
    event_time: Field | None = None


@dataclass(frozen=True, slots=True)
class NamedRecords:
    """Names of records that an expectation speaks of, and where it stands."""

    names: tuple[str, ...]
    place: Place


ExpectedValues = Mapping[str, tuple[str, ...]]
"""Attribute: the values that are to survive; none where there is to be no value."""


@dataclass(frozen=True, slots=True)
class GoldenExpectation:
    """What the golden record of a record is to say, of the attributes named alone."""

    name: str
    values: ExpectedValues
    place: Place


@dataclass(frozen=True, slots=True)
class RuleCase:
    """Records and what is expected of them.

    Each of ``clusters`` is to be a golden record, of exactly these records; the records of each of ``separate`` are to
    be of different ones; ``review`` are all pairs that are to be in the review queue (``None``: nothing is said).
    ``rules`` are a path or the name of a pack as written, and ``None`` where the command's own are meant.
    """

    name: str
    place: Place
    rules: str | None
    rules_place: Place
    records: tuple[CaseRecord, ...]
    clusters: tuple[NamedRecords, ...] = ()
    separate: tuple[NamedRecords, ...] = ()
    review: tuple[NamedRecords, ...] | None = None
    review_place: Place = field(default=Place(""))
    golden: tuple[GoldenExpectation, ...] = ()

    @property
    def expects(self) -> bool:
        """Whether it says anything that could fail."""
        return bool(self.clusters or self.separate or self.golden) or self.review is not None
