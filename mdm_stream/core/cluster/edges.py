"""Edges: scored pairs that matter (LINK or REVIEW), and the evidence that they carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mdm_stream.core.model import Verdict

if TYPE_CHECKING:
    from mdm_stream.core.match.score import PairScore  # numpy, which those who only read do without
    from mdm_stream.core.record import Record

VERDICT_RULE = "verdict"
"""The name that a steward's LINK carries in place of a rule's; no deterministic rule may have it."""

VERDICT_WEIGHT_BITS = 60.0
"""The weight of a steward's LINK: above every weight that scoring gives (those are clamped to 60)."""


class Edge(NamedTuple):
    """A pair of live records, ``a < b``, that is decided LINK (``link``) or REVIEW.

    (A tuple: a storm makes them by the hundred thousand, and frozen dataclasses take three times as long to make.)
    ``weight`` is in bits, ``confidence`` in 0..1, ``rule`` the deterministic rule or ``verdict`` ("" = scored),
    ``levels`` the level of each comparison as :class:`~mdm_stream.core.match.score.PairScore` writes it.
    """

    a: str
    b: str
    link: bool
    weight: float
    confidence: float
    rule: str
    levels: str

    @property
    def pair(self) -> tuple[str, str]:
        """Both references, the smaller first."""
        return self.a, self.b

    def other(self, ref: str) -> str:
        """Return the reference at the other end."""
        return self.b if ref == self.a else self.a

    @property
    def strength(self) -> tuple[int, float, str, str]:
        """Sort key, strongest first: verdicts, deterministic rules, scores by weight; ties by pair."""
        tier = 0 if self.rule == VERDICT_RULE else (1 if self.rule else 2)
        return tier, -self.weight, self.a, self.b


def ordered(a: str, b: str) -> tuple[str, str]:
    """Return two references as a pair, the smaller first."""
    return (a, b) if a < b else (b, a)


def scored_edge(pair: tuple[str, str], score: PairScore) -> Edge:
    """Return the edge of a scored pair."""
    return Edge(*pair, score.link, score.weight, score.confidence, score.rule, score.levels)


def verdict_edge(pair: tuple[str, str]) -> Edge:
    """Return the edge that a steward's LINK makes."""
    return Edge(*pair, link=True, weight=VERDICT_WEIGHT_BITS, confidence=1.0, rule=VERDICT_RULE, levels="")


def verdict_on(a: Record, b: Record) -> Verdict:
    """Return the standing verdict on two records (``none`` if there is none): both of them must hold it."""
    held = a.state.verdicts.get(b.ref)
    return "none" if held is None or a.ref not in b.state.verdicts else held.verdict
