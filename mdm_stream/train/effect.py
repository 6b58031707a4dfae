"""What another model would change, pair by pair: questions that it decides, links that fall below, and what is new.

Looks at candidate pairs as the rules in use score them and as they would: a pair is a link, a question for stewards or
apart. Pairs under a verdict of a steward stay what that verdict says, whatever a model gives them; they are counted by
how well each side agrees with them. Clusters are not looked at: that is what ``rules diff`` does.

Pure, and the same whatever the order of the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mdm_stream.core.blocking.generic_values import compared_values, generic_by_record, pair_values
from mdm_stream.core.cluster.edges import verdict_on
from mdm_stream.core.match.decide import PairScore
from mdm_stream.core.match.score import explain_pair, score_pairs
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.train.pairs import CandidatePairs

EXAMPLES = 5
"""Pairs that are shown of each kind, unless another number is asked for."""

PairStanding = Literal["link", "question", "apart"]
STANDINGS: tuple[PairStanding, ...] = ("link", "question", "apart")

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PairShift:
    """A pair as an example: two references, and its confidence and weight in bits before and after."""

    a: str
    b: str
    confidence_before: float
    confidence_after: float
    bits_before: float
    bits_after: float


@dataclass(frozen=True, slots=True)
class StandingChange:
    """How many pairs were one thing and would be another; of these, examples: what speaks most for a match first."""

    before: PairStanding
    after: PairStanding
    pairs: int
    examples: tuple[PairShift, ...]


@dataclass(frozen=True, slots=True)
class VerdictAgreement:
    """Verdicts of a kind, on how many of them the rules say the same before and after, and the first that would differ.

    LINK agrees with a link; SEPARATE with a question or less.
    """

    verdict: Literal["link", "separate"]
    pairs: int
    agree_before: int
    agree_after: int
    examples: tuple[PairShift, ...]


@dataclass(frozen=True, slots=True)
class ModelEffect:
    """What becomes of candidate pairs. ``share`` of them were looked at; ``before`` and ``after`` count by standing."""

    pairs: int
    share: float
    before: Mapping[PairStanding, int]
    after: Mapping[PairStanding, int]
    changes: tuple[StandingChange, ...]
    verdicts: tuple[VerdictAgreement, ...]


def effect_of(
    old: Ruleset,
    new: Ruleset,
    records: Mapping[str, Record],
    candidates: tuple[list[str], CandidatePairs],
    examples: int = EXAMPLES,
) -> ModelEffect:
    """Return what changes if rules that differ in weights take the place of others.

    ``candidates`` are those of ``gather.candidates_of`` for the same records, by reference.
    """
    live = {ref: record for ref, record in records.items() if record.live}
    refs, found = candidates
    decided = decided_pairs(live)
    at = {ref: place for place, ref in enumerate(refs)}
    codes = found.left * len(refs) + found.right
    under = np.array([at[a] * len(refs) + at[b] for a, b, _ in decided], np.int64)
    open_ = ~np.isin(codes, under)
    left, right = found.left[open_], found.right[open_]
    generic = generic_by_record(old, {ref: record.keys for ref, record in live.items()})
    values = [live[ref].match for ref in refs]
    compared = compared_values(old, values, [generic.get(ref, frozenset()) for ref in refs], left, right)
    sides = [dict(score_pairs(rules, *compared)) for rules in (old, new)]
    pairs = len(left)
    shifts = _Shifts(old, new, live, generic, examples)
    moved: dict[tuple[PairStanding, PairStanding], list[tuple[float, Pair]]] = {}
    for place in sorted(sides[0].keys() | sides[1].keys()):
        scores = sides[0].get(place), sides[1].get(place)
        standings = _standing(scores[0]), _standing(scores[1])
        if standings[0] != standings[1]:
            most = max(score.weight for score in scores if score is not None)
            pair = refs[int(left[place])], refs[int(right[place])]
            moved.setdefault(standings, []).append((-most, pair))
    return ModelEffect(
        pairs=pairs,
        share=found.share,
        before=_counted(sides[0], pairs),
        after=_counted(sides[1], pairs),
        changes=tuple(
            StandingChange(before, after, len(moved[before, after]), shifts.first(moved[before, after]))
            for before in STANDINGS
            for after in STANDINGS
            if (before, after) in moved
        ),
        verdicts=_agreements(decided, shifts),
    )


class _Shifts:
    """Both scores of single pairs, as they are explained."""

    def __init__(
        self,
        old: Ruleset,
        new: Ruleset,
        records: Mapping[str, Record],
        generic: Mapping[str, frozenset[str]],
        examples: int,
    ) -> None:
        self._rules, self._records, self._generic, self._examples = (old, new), records, generic, examples

    def of(self, pair: Pair) -> tuple[PairShift, tuple[bool, bool]]:
        """Return a pair as an example, and whether it is a link on either side."""
        a, b = (self._records[ref].match for ref in pair)
        shared = frozenset.intersection(*(self._generic.get(ref, frozenset()) for ref in pair))
        a, b = pair_values(self._rules[0], a, b, shared)
        before, after = (explain_pair(rules, a, b) for rules in self._rules)
        shift = PairShift(
            *pair,
            *(float(each["confidence"] or 0.0) for each in (before, after)),
            *(round(float(each["weight"] or 0.0), 2) for each in (before, after)),
        )
        return shift, (before["decision"] == "LINK", after["decision"] == "LINK")

    def first(self, found: list[tuple[float, Pair]]) -> tuple[PairShift, ...]:
        """Return the first examples of pairs under a sort key."""
        return tuple(self.of(pair)[0] for _, pair in sorted(found)[: self._examples])


def decided_pairs(records: Mapping[str, Record]) -> list[tuple[str, str, Literal["link", "separate"]]]:
    """Return the pairs of live records under a LINK or a SEPARATE verdict, in the order of their references."""
    pairs = sorted(
        {
            (min(ref, other), max(ref, other))
            for ref, record in records.items()
            for other in record.state.verdicts
            if other in records and other != ref
        }
    )
    found: list[tuple[str, str, Literal["link", "separate"]]] = []
    for a, b in pairs:
        verdict = verdict_on(records[a], records[b])
        if verdict != "none":
            found.append((a, b, verdict))
    return found


def _standing(score: PairScore | None) -> PairStanding:
    return "apart" if score is None else "link" if score.link else "question"


def _counted(scores: Mapping[int, PairScore], pairs: int) -> dict[PairStanding, int]:
    links = sum(score.link for score in scores.values())
    return {"link": links, "question": len(scores) - links, "apart": pairs - len(scores)}


def _agreements(
    decided: list[tuple[str, str, Literal["link", "separate"]]], shifts: _Shifts
) -> tuple[VerdictAgreement, ...]:
    found = []
    for verdict in ("link", "separate"):
        agree = [0, 0]
        against: list[tuple[float, Pair]] = []
        own = [(a, b) for a, b, said in decided if said == verdict]
        for pair in own:
            shift, links = shifts.of(pair)
            for side, link in enumerate(links):
                agree[side] += link == (verdict == "link")
            if links[1] != (verdict == "link"):
                against.append((shift.bits_after if verdict == "link" else -shift.bits_after, pair))
        if own:
            found.append(VerdictAgreement(verdict, len(own), agree[0], agree[1], shifts.first(against)))
    return tuple(found)
