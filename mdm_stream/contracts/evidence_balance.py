"""What speaks for and against a pair, in the order in which people want it: part of an explanation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

EvidenceUnit = Literal["bits", "similarity"]
"""``bits``: log2 of odds, which add up to the match weight. ``similarity``: shares of a weighted mean from 0 to 1."""


class _BalancePart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EvidenceStep(_BalancePart):
    """One comparison that moves the total, or what two say together: by ``amount``, from ``begins`` to ``ends``."""

    name: str
    label: str
    amount: float
    begins: float
    ends: float


class SilentComparison(_BalancePart):
    """A comparison that moves nothing. ``missing``: a record lacks the value."""

    name: str
    label: str
    missing: bool


class EvidenceBalance(_BalancePart):
    """A pair's evidence from where it starts to its total: what speaks for a match, then what against it.

    Each is in the order of its strength, ties by the order of the rules. ``start`` is the prior in bits; of a weighted
    mean it is the link threshold, and each comparison moves by its share of the distance to it. ``link_from`` and
    ``review_from`` are the thresholds in the same unit. ``counted`` is false where a rule decided instead.
    """

    unit: EvidenceUnit
    counted: bool
    start: float
    speaks_for: list[EvidenceStep]
    speaks_against: list[EvidenceStep]
    silent: list[SilentComparison]
    total: float
    link_from: float
    review_from: float
