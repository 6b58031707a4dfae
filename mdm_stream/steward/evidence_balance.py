"""The evidence on a pair as a balance: what speaks for a match, what against it, and what says nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mdm_stream.contracts.evidence_balance import EvidenceBalance, EvidenceStep, SilentComparison
from mdm_stream.contracts.steward import LevelEvidence, MeanScore, ScoreEvidence, WeightScore
from mdm_stream.core.match.decide import bits_of

DECIMALS = 6


class _Moved(NamedTuple):
    name: str
    label: str
    amount: float
    missing: bool


def balance_of(score: ScoreEvidence) -> EvidenceBalance | None:
    """Return a pair's evidence in order; ``None`` for a weighted mean that had nothing to compare.

    What speaks for a match comes first and then what speaks against it, each strongest first; ``begins`` and ``ends``
    run from ``start`` through all of them to ``total``, rounded to six decimals. A comparison that moves nothing is
    among ``silent``. What a learned model adds by value moves its comparison; what it adds for two comparisons together
    is a step of its own, named after both. Where a deterministic rule decided, the balance is what the comparisons
    alone would have said.
    """
    if isinstance(score, WeightScore):
        return _of_weight(score)
    return _of_mean(score)


def _of_weight(score: WeightScore) -> EvidenceBalance:
    moved = [
        _Moved(each.name, _label(each), each.bits + each.term_bits, "null" in each.predicates)
        for each in score.comparisons
    ]
    moved += [
        _Moved(" + ".join(each.comparisons), "together", each.bits, False) for each in score.dependences if each.bits
    ]
    thresholds = bits_of(score.thresholds.link), bits_of(score.thresholds.review)
    return _balance("bits", moved, score.prior_bits, thresholds, counted=score.rule is None)


def _label(found: LevelEvidence) -> str:
    """Return a level's label, and whether the value is one that a model knows as rare or common."""
    if not found.term_bits:
        return found.level
    return f"{found.level}, {'rare' if found.term_bits > 0 else 'common'} value"


def _of_mean(score: MeanScore) -> EvidenceBalance | None:
    present = sum(each.weight for each in score.comparisons if each.similarity is not None)
    if present <= 0:
        return None
    link = score.thresholds.link
    moved = [
        _Moved(each.name, "missing", 0.0, missing=True)
        if each.similarity is None
        else _Moved(
            each.name, f"similarity {each.similarity:.3f}", each.weight * (each.similarity - link) / present, False
        )
        for each in score.comparisons
    ]
    return _balance("similarity", moved, link, (link, score.thresholds.review), counted=score.rule is None)


def _balance(
    unit: str, moved: Sequence[_Moved], start: float, thresholds: tuple[float, float], *, counted: bool
) -> EvidenceBalance:
    speaks_for = sorted((each for each in moved if each.amount > 0), key=lambda each: -each.amount)
    against = sorted((each for each in moved if each.amount < 0), key=lambda each: each.amount)
    steps = _steps([*speaks_for, *against], start)
    return EvidenceBalance.model_validate(
        {
            "unit": unit,
            "counted": counted,
            "start": round(start, DECIMALS),
            "speaks_for": steps[: len(speaks_for)],
            "speaks_against": steps[len(speaks_for) :],
            "silent": [
                SilentComparison(name=each.name, label=each.label, missing=each.missing)
                for each in moved
                if each.amount == 0
            ],
            "total": steps[-1].ends if steps else round(start, DECIMALS),
            "link_from": round(thresholds[0], DECIMALS),
            "review_from": round(thresholds[1], DECIMALS),
        }
    )


def _steps(moved: Iterable[_Moved], start: float) -> list[EvidenceStep]:
    steps = []
    reached = start
    for each in moved:
        begins, reached = reached, reached + each.amount
        steps.append(
            EvidenceStep(
                name=each.name,
                label=each.label,
                amount=round(each.amount, DECIMALS),
                begins=round(begins, DECIMALS),
                ends=round(reached, DECIMALS),
            )
        )
    return steps
