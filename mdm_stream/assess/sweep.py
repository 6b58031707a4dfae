"""What other thresholds would make of a labelled set: pairs are scored once, and clustered at each threshold.

Precision and recall are of the golden records, as ``mdm_stream.evaluate`` measures them; the review load is how many
questions stewards would be asked, how many of them are matches, and what recall would be if each was answered right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from mdm_stream.assess.labelled import ScoredSet, SetOutcome, outcome_at
from mdm_stream.core.model import split_ref
from mdm_stream.evaluate import Evaluation, RecordRef, evaluate

DEFAULT_LINKS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99, 0.995, 0.999)
STEPS_MAX = 400
"""Pairs of thresholds: each is a clustering of the whole set."""


@dataclass(frozen=True, slots=True)
class SweepStep:
    """What one pair of thresholds comes to.

    ``matches_asked`` are the questions about two records of one entity; ``recall_reviewed`` is the pairwise recall
    after all of these were answered with LINK. ``current`` marks the rules' own thresholds.
    """

    link: float
    review: float
    precision: float
    recall: float
    f1: float
    clusters: int
    questions: int
    matches_asked: int
    recall_reviewed: float
    current: bool

    def as_dict(self) -> dict[str, object]:
        """Return the step as a JSON object."""
        return asdict(self)


def sweep(
    scored: ScoredSet,
    entities: Mapping[RecordRef, str],
    links: Sequence[float],
    reviews: Sequence[float],
    *,
    cross_source: bool = False,
) -> Iterator[SweepStep]:
    """Yield a step for each link threshold and each review threshold below it, in order; the rules' own are among them.

    A review threshold that is not below the link threshold asks nothing, and stands once for all such.
    """
    own = (scored.rules.match.link, scored.rules.match.review)
    for link in sorted({*links, own[0]}):
        asked = sorted({min(review, link) for review in {*reviews, own[1]}})
        for review in asked:
            outcome = outcome_at(scored, link, review)
            yield _step(outcome, entities, link, review, current=(link, review) == own, cross_source=cross_source)


def _step(
    outcome: SetOutcome,
    entities: Mapping[RecordRef, str],
    link: float,
    review: float,
    *,
    current: bool,
    cross_source: bool,
) -> SweepStep:
    clusters = outcome.clusters()
    measured = evaluate(clusters, entities, cross_source=cross_source)
    matches = [pair for pair in outcome.questions if _is_match(pair, entities)]
    answered = _answered(outcome, matches, entities, cross_source) if matches else measured
    return SweepStep(
        link=link,
        review=review,
        precision=measured.pairwise.precision,
        recall=measured.pairwise.recall,
        f1=measured.pairwise.f1,
        clusters=measured.clusters,
        questions=len(outcome.questions),
        matches_asked=len(matches),
        recall_reviewed=answered.pairwise.recall,
        current=current,
    )


def _is_match(pair: tuple[str, str], entities: Mapping[RecordRef, str]) -> bool:
    first, second = (entities.get(split_ref(ref)) for ref in pair)
    return first is not None and first == second


def _answered(
    outcome: SetOutcome, matches: Iterable[tuple[str, str]], entities: Mapping[RecordRef, str], cross_source: bool
) -> Evaluation:
    """Measure the clusters after those of each of the pairs were joined."""
    root: dict[str, str] = {}

    def root_of(name: str) -> str:
        while (above := root.get(name, name)) != name:
            name = above
        return name

    for a, b in matches:
        first, second = root_of(outcome.cluster_of[a]), root_of(outcome.cluster_of[b])
        root[max(first, second)] = min(first, second)
    joined = {split_ref(ref): root_of(name) for ref, name in outcome.cluster_of.items()}
    return evaluate(joined, entities, cross_source=cross_source)
