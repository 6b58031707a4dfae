"""Why two records are one golden record, or are not. Pure: records, components and block sizes in, evidence out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pydantic import TypeAdapter

from mdm_stream.contracts.feed_model import GoldenValue
from mdm_stream.contracts.steward import (
    BlockingKey,
    Conclusion,
    DecidedBy,
    Explanation,
    LinkRefusal,
    LinkState,
    PairSide,
    ScoreEvidence,
)
from mdm_stream.core.blocking.generic_values import pair_values, value_keys
from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.cluster.clustering import SEPARATED_LISTED_MAX, RefusalReason
from mdm_stream.core.cluster.edges import Edge, ordered, verdict_on
from mdm_stream.core.cluster.golden import exclusive_values, resolve_component, separated_pairs, weighing_of
from mdm_stream.core.match.decide import Decision
from mdm_stream.core.match.score import explain_pair
from mdm_stream.core.plan.commit import HeldComponent
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.steward.describe import (
    Reveal,
    describe_keys,
    describe_overrides_set_aside,
    describe_verdict,
    golden_id_in,
    record_key,
    shown_value,
    status_of,
)
from mdm_stream.steward.evidence_balance import balance_of
from mdm_stream.steward.side_by_side import agreement_of

_SCORE: TypeAdapter[ScoreEvidence] = TypeAdapter(ScoreEvidence)


@dataclass(frozen=True, slots=True)
class PairContext:
    """What :func:`explain` needs to know beside the two records.

    ``components`` has the component of each of the two that is live, by its reference; ``records`` every member of
    those; ``block_sizes`` the size of each blocking key that the two share.
    """

    components: Mapping[str, HeldComponent]
    records: Mapping[str, Record]
    block_sizes: Mapping[str, int]


def explain(
    rules: Ruleset, a: Record, b: Record, around: PairContext, *, values: bool = False, reveal: Reveal = False
) -> Explanation:
    """Return why two different records are together or not.

    ``together`` and the golden ids are what the index holds; ``decision`` is F's on this very pair (LINK, REVIEW or
    NO_LINK) and ``decided_by`` what made it: ``verdict``, ``rule``, ``score``, or why the pair is never scored:
    ``not_live``, ``no_shared_key``, ``suspended_keys``. ``score`` compares the two in any case, if both are live.
    ``link`` is the pair's own link and ``path`` the strongest way from a to b along links; each says why it was
    refused, if it was: the ``reason``, what stands between the two golden records that it would have joined (of the
    ``separated_count`` verdicts the first), and how many links between these were refused, it included: all of them
    are one review item. ``conclusion`` is all of it in a word, see ``CONCLUSIONS``. Attribute values are in it with
    ``values`` alone, those of sensitive attributes with ``reveal`` too. ``balance`` has the comparisons of ``score`` in
    the order in which they speak for and against a match.
    """
    if a.ref == b.ref:
        raise ValueError("a record has no pair with itself")
    shared = describe_keys(rules, set(a.keys) & set(b.keys), around.block_sizes, reveal=reveal, values=values)
    score = _score(rules, a, b, around.block_sizes) if a.live and b.live else None
    decision, decided_by = _decision(a, b, shared, score)
    golden_ids = {record.ref: golden_id_in(around.components.get(record.ref), record.ref) for record in (a, b)}
    verdict = a.state.verdicts.get(b.ref) if a.ref in b.state.verdicts else None
    component = around.components.get(a.ref)
    link: LinkState | None = None
    path: list[LinkState] = []
    if component is not None and b.ref in component.members:
        link, path = _connection(rules, a, b, component, around.records)
    together = golden_ids[a.ref] is not None and golden_ids[a.ref] == golden_ids[b.ref]
    explanation = Explanation(
        domain=rules.domain,
        rules_version=rules.version,
        a=_side(rules, a, golden_ids),
        b=_side(rules, b, golden_ids),
        together=together,
        decision=decision,
        decided_by=decided_by,
        verdict=None if verdict is None else describe_verdict(verdict),
        shared_keys=shared,
        score=score,
        link=link,
        path=path,
        conclusion=_conclusion(decision, decided_by, together=together, linked=link is not None, path=bool(path)),
        balance=None if score is None else balance_of(score),
    )
    if not values:
        return explanation
    shown = {"values": _values(rules, a, b, reveal=reveal), "agreement": agreement_of(rules, a, b)}
    return explanation.model_copy(update=shown)


def _score(rules: Ruleset, a: Record, b: Record, block_sizes: Mapping[str, int]) -> ScoreEvidence:
    """Return what compares the two; a value that they share with too many others counts as missing."""
    generic = [key for key in value_keys(rules, block_sizes) if block_sizes[key] > block_limit(rules, key)]
    compared = pair_values(rules, a.match, b.match, generic)
    score: ScoreEvidence = _SCORE.validate_python(explain_pair(rules, *compared))
    return score


CONCLUSIONS: Mapping[Conclusion, str] = {
    "linked": "They are one golden record: this pair is linked.",
    "linked_through_others": "They are one golden record, though this pair alone is not linked: others connect them.",
    "not_live": "They are apart: a record that does not exist now belongs to no golden record.",
    "separated": "They are apart: a steward's verdict separates them.",
    "refused": "They are apart: the pair is linked, but following the link would join what must not be joined.",
    "refused_elsewhere": "They are apart: links connect them, but one on the way was refused.",
    "review": "They are apart until a steward decides: the pair, or a refused link that stands for it, is in review.",
    "no_link": "They are apart: the evidence does not make them a match.",
    "no_shared_key": "They are apart: they share no blocking key, so the pair is never scored.",
    "suspended_keys": "They are apart: every blocking key that they share is suspended, so the pair is never scored.",
    "waiting": "They are apart, but linked by the rules: it waits for re-evaluation, or both have stronger links.",
}
"""What ``conclusion`` can be, each as a sentence."""


def strongest_path(links: Iterable[Edge], a: str, b: str) -> list[Edge] | None:
    """Return the links from ``a`` to ``b`` whose weakest is as strong as can be; ``None`` if no links connect them.

    Of several such paths the shortest, and of those the one through the smaller references. Verdicts are stronger than
    deterministic rules, and those than scores, as in clustering. Links are added strongest first until the two ends
    meet: the last one added is the weakest link of the path, since without it there is none.
    """
    by_strength = sorted(links, key=lambda link: link.strength)
    parent: dict[str, str] = {}

    def root(ref: str) -> str:
        while parent.setdefault(ref, ref) != ref:
            parent[ref] = parent[parent[ref]]
            ref = parent[ref]
        return ref

    for position, link in enumerate(by_strength):
        parent[root(link.a)] = root(link.b)
        if root(a) == root(b):
            weakest = link.strength[:2]
            strong = by_strength[:position] + [each for each in by_strength[position:] if each.strength[:2] == weakest]
            return _shortest_path(strong, a, b)
    return None


def _shortest_path(links: Sequence[Edge], a: str, b: str) -> list[Edge]:
    """Return a path of fewest links by breadth-first search; the two ends must be connected."""
    around: dict[str, dict[str, Edge]] = {}
    for link in links:
        around.setdefault(link.a, {})[link.b] = link
        around.setdefault(link.b, {})[link.a] = link
    came_by: dict[str, Edge] = {}
    front = [a]
    while b not in came_by:
        reached = []
        for ref in front:
            for other, link in sorted(around[ref].items()):
                if other != a and other not in came_by:
                    came_by[other] = link
                    reached.append(other)
        front = reached
    path = []
    ref = b
    while ref != a:
        path.append(came_by[ref])
        ref = came_by[ref].other(ref)
    return path[::-1]


def _decision(
    a: Record, b: Record, shared: Sequence[BlockingKey], score: ScoreEvidence | None
) -> tuple[Decision, DecidedBy]:
    if score is None:
        return "NO_LINK", "not_live"
    verdict = verdict_on(a, b)
    if verdict != "none":
        return ("LINK" if verdict == "link" else "NO_LINK"), "verdict"
    if not shared:
        return "NO_LINK", "no_shared_key"
    if all(key.suspended for key in shared):
        return "NO_LINK", "suspended_keys"
    return score.decision, "rule" if score.rule else "score"


def _conclusion(decision: Decision, decided_by: DecidedBy, *, together: bool, linked: bool, path: bool) -> Conclusion:
    if decided_by == "not_live":
        return "not_live"
    if together:
        return "linked" if linked else "linked_through_others"
    return _separation(decision, decided_by, linked=linked, path=path)


def _separation(decision: Decision, decided_by: DecidedBy, *, linked: bool, path: bool) -> Conclusion:
    if decided_by == "verdict" and decision == "NO_LINK":
        return "separated"
    if linked:
        return "refused"
    if decision != "NO_LINK":
        return "waiting" if decision == "LINK" else "review"
    if path:
        return "refused_elsewhere"
    return decided_by if decided_by in ("no_shared_key", "suspended_keys") else "no_link"


def _connection(
    rules: Ruleset, a: Record, b: Record, component: HeldComponent, records: Mapping[str, Record]
) -> tuple[LinkState | None, list[LinkState]]:
    """Return the link and the path between two records of one component."""
    resolved = resolve_component(rules, component.members, component.links, records)
    clustering = resolved.clustering
    golden_of = {ref: golden.golden_id for golden in resolved.golden for ref in golden.members}
    refused_links = {kept.golden_ids: kept.refused_links for kept in resolved.apart}
    reasons = {refusal.edge.pair: refusal.reason for refusal in clustering.refused}
    clusters = {ref: set(members) for members in clustering.clusters for ref in members}

    def described(link: Edge) -> LinkState:
        reason = reasons.get(link.pair)
        return LinkState(
            a=record_key(link.a),
            b=record_key(link.b),
            confidence=link.confidence,
            weight_bits=link.weight,
            decided_by=link.rule or "score",
            refused=reason and refusal(link, reason),
        )

    def refusal(link: Edge, reason: RefusalReason) -> LinkRefusal:
        between = ordered(golden_of[link.a], golden_of[link.b])
        return link_refusal(rules, records, reason, refused_links[between], (clusters[link.a], clusters[link.b]))

    cluster, pair = clusters[a.ref], ordered(a.ref, b.ref)
    together = b.ref in cluster
    links = [link for link in component.links if cluster.issuperset(link.pair)] if together else component.links
    own = next((described(link) for link in component.links if link.pair == pair), None)
    return own, [described(link) for link in strongest_path(links, a.ref, b.ref) or []]


def link_refusal(
    rules: Ruleset,
    records: Mapping[str, Record],
    reason: RefusalReason,
    refused_links: int,
    sides: tuple[AbstractSet[str], AbstractSet[str]],
) -> LinkRefusal:
    """Return what stands between two clusters: verdicts, exclusive attributes that differ, and their sizes."""
    left, right = sides
    across = [(x, y) for x, y in sorted(separated_pairs(records, left | right)) if (x in left) != (y in left)]
    differing = []
    for place, attribute in enumerate(rules.match.exclusive):
        values = [{exclusive_values(rules, records[ref])[place] for ref in side} - {None} for side in (left, right)]
        if values[0] and values[1] and values[0] != values[1]:
            differing.append(rules.attributes[attribute].name)
    weighing = weighing_of(rules, records, left | right)
    return LinkRefusal(
        reason=reason,
        refused_links=refused_links,
        separated=[(record_key(x), record_key(y)) for x, y in across[:SEPARATED_LISTED_MAX]],
        separated_count=len(across),
        exclusive=differing,
        sizes=(len(left), len(right)),
        max_cluster_size=rules.max_cluster_size,
        joint_confidence=weighing and weighing.confidence(left, right),
        joint_confidence_needed=weighing and weighing.needed,
    )


def _side(rules: Ruleset, record: Record, golden_ids: Mapping[str, str | None]) -> PairSide:
    key = record_key(record.ref)
    return PairSide(
        source=key.source,
        record_id=key.record_id,
        status=status_of(record),
        golden_id=golden_ids[record.ref],
        **describe_overrides_set_aside(rules, record),
    )


def _values(rules: Ruleset, a: Record, b: Record, *, reveal: Reveal) -> dict[str, tuple[GoldenValue, GoldenValue]]:
    """Return both values of every attribute that either record has."""
    shown = {}
    for position, attribute in enumerate(rules.attributes):
        left, right = (
            shown_value(attribute, record.values[position].value if record.live else None, reveal=reveal)
            for record in (a, b)
        )
        if left is not None or right is not None:
            shown[attribute.name] = left, right
    return shown
