"""Golden records, their ids, and review items: what F says about one component."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mdm_stream.core.canonical import canonical_json, digest_of, digest_of_bytes
from mdm_stream.core.cluster.clustering import Clustering, Refusal, Weighing, cluster
from mdm_stream.core.cluster.edges import Edge, ordered, verdict_on
from mdm_stream.core.cluster.joint_evidence import joint_evidence
from mdm_stream.core.cluster.survive import survive
from mdm_stream.core.cluster.survivor import Origin
from mdm_stream.core.match.decide import NO_SIMILARITY
from mdm_stream.core.model import split_ref
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.times import format_time_us


def golden_id_of(domain: str, anchor: str) -> str:
    """Return the golden id that belongs to an anchor record: ``g`` and 24 hex digits of its BLAKE2b hash.

    96 bits: among a billion records two ids meet with a probability of 10^-11.
    """
    return "g" + digest_of([domain, *split_ref(anchor)], 12)


def anchor_named_by(domain: str, golden_id: str, members: Iterable[str]) -> str | None:
    """Return the member that a golden id is made from; ``None`` if it is not among them."""
    return next((ref for ref in members if golden_id_of(domain, ref) == golden_id), None)


def anchor_of(members: Iterable[Record]) -> str:
    """Return the reference of the member with the least ``(born_at, source, record_id)``."""
    return min(members, key=lambda record: (record.born_at_us, *split_ref(record.ref))).ref


@dataclass(frozen=True, slots=True)
class Golden:
    """One golden record. ``content`` is its canonical JSON, ``digest`` identifies that.

    ``content`` is empty where nothing was made anew, since no member has changed: then the digest is what it was.
    """

    golden_id: str
    members: tuple[str, ...]
    content: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class KeptApart:
    """Two golden records of one component that links would have joined: one question for a steward.

    ``strongest`` is the strongest of the ``refused_links`` links that were refused between the two. ``answered`` says
    that a SEPARATE verdict stands between a member of the one and a member of the other, whatever refused the link.
    """

    golden_ids: tuple[str, str]
    strongest: Refusal
    refused_links: int
    answered: bool


@dataclass(frozen=True, slots=True)
class ResolvedComponent:
    """One connected component: its links in pair order, its clusters as golden records, and the links refused.

    ``apart`` has an entry for each two of the golden records between which links were refused.
    """

    members: tuple[str, ...]
    links: tuple[Edge, ...]
    golden: tuple[Golden, ...]
    clustering: Clustering
    apart: tuple[KeptApart, ...]


def resolve_component(
    rules: Ruleset,
    members: Sequence[str],
    links: Iterable[Edge],
    records: Mapping[str, Record],
    known: Mapping[tuple[str, ...], Golden] | None = None,
) -> ResolvedComponent:
    """Cluster one component of live records and let the golden values survive.

    ``known`` has golden records, without their content, by their members, sorted, none of which has changed.
    """
    links = tuple(sorted(links))  # an edge begins with its pair
    separated: set[tuple[str, str]] = set()
    if len(members) == 1:
        clustering = Clustering(((members[0],),), ())
    else:
        separated = separated_pairs(records, members)
        exclusive = {ref: exclusive_values(rules, records[ref]) for ref in members}
        weighing = weighing_of(rules, records, members)
        clustering = cluster(members, links, separated, exclusive, rules.max_cluster_size, weighing)
    unchanged = known or {}
    golden = tuple(
        unchanged.get(refs) or golden_record(rules, [records[ref] for ref in refs]) for refs in clustering.clusters
    )
    return ResolvedComponent(tuple(members), links, golden, clustering, _kept_apart(golden, clustering, separated))


def _kept_apart(
    golden: Iterable[Golden], clustering: Clustering, separated: Iterable[tuple[str, str]]
) -> tuple[KeptApart, ...]:
    if not clustering.refused:
        return ()
    golden_id_of_ref = {ref: record.golden_id for record in golden for ref in record.members}
    between: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in clustering.refused:
        ids = ordered(golden_id_of_ref[refusal.edge.a], golden_id_of_ref[refusal.edge.b])
        between.setdefault(ids, []).append(refusal)
    answered = {ordered(golden_id_of_ref[a], golden_id_of_ref[b]) for a, b in separated}
    return tuple(
        KeptApart(ids, min(refused, key=lambda refusal: refusal.edge.strength), len(refused), ids in answered)
        for ids, refused in sorted(between.items())
    )


def separated_pairs(records: Mapping[str, Record], members: Collection[str]) -> set[tuple[str, str]]:
    """Return the pairs among ``members`` that stand under a SEPARATE verdict."""
    inside = set(members)
    return {
        (ref, other)
        for ref in members
        for other in records[ref].state.verdicts
        if ref < other and other in inside and verdict_on(records[ref], records[other]) == "separate"
    }


def exclusive_values(rules: Ruleset, record: Record) -> tuple[object, ...]:
    """Return a record's own values of the exclusive attributes: what is compared beside them (``also``) is no value."""
    return tuple(record.values[attribute].match for attribute in rules.match.exclusive)


def weighing_of(rules: Ruleset, records: Mapping[str, Record], members: Iterable[str]) -> Weighing | None:
    """Return how clusters of these members are weighed; ``None`` where the rules follow links alone."""
    if rules.match.clustering != "evidence":
        return None
    weight = joint_evidence(rules, {ref: records[ref].match for ref in members})
    return Weighing(weight, rules.match.review, rules.match.evidence_margin)


def golden_record(rules: Ruleset, members: Sequence[Record]) -> Golden:
    """Return the golden record of one cluster."""
    ordered = sorted(members, key=lambda record: split_ref(record.ref))
    golden_id = golden_id_of(rules.domain, anchor_of(ordered))
    survivors = survive(rules, ordered)
    described: dict[int, dict[str, object]] = {}
    content = canonical_json(
        {
            "domain": rules.domain,
            "golden_id": golden_id,
            "members": [key_of(record.ref) for record in ordered],
            "values": {name: survivor.value for name, survivor in survivors.items()},
            "provenance": {
                name: [_described(origin, described) for origin in survivor.origins]
                for name, survivor in survivors.items()
            },
        }
    )
    return Golden(golden_id, tuple(record.ref for record in ordered), content, digest_of_content(content))


def digest_of_content(content: bytes) -> str:
    """Return the digest of a golden record's canonical JSON."""
    return digest_of_bytes(content)


def key_of(ref: str) -> dict[str, str]:
    """Return a reference as the object that the contracts use."""
    source, record_id = split_ref(ref)
    return {"source": source, "record_id": record_id}


def _described(origin: Origin, described: dict[int, dict[str, object]]) -> dict[str, object]:
    """Return an origin's JSON form; many attributes share one object, whose identity is the key."""
    form = described.get(id(origin))
    if form is None:
        form = described[id(origin)] = {
            **key_of(origin.ref),
            "version": origin.version,
            "event_time": format_time_us(origin.event_time_us),
            "strategy": origin.strategy,
        }
    return form


def review_item(rules: Ruleset, asked: Edge | KeptApart) -> dict[str, object]:
    """Return the JSON form of one item of the review queue: a REVIEW edge, or two golden records kept apart.

    ``reason`` is ``score`` (the confidence lies in the middle band) or why the strongest link between the two golden
    records was refused; ``separated`` are the first of the ``separated_count`` SEPARATE verdicts that stand against
    that one, ``refused_links`` is how many links were refused between the two, and ``answered`` says that a SEPARATE
    verdict stands between them, on this pair of members or another. ``evidence`` names the level of each comparison. No
    value of a record is in it.
    """
    kept = None if isinstance(asked, Edge) else asked
    edge = asked if isinstance(asked, Edge) else asked.strongest.edge
    return {
        "domain": rules.domain,
        "a": key_of(edge.a),
        "b": key_of(edge.b),
        "reason": kept.strongest.reason if kept else "score",
        "refused_links": kept.refused_links if kept else 0,
        "answered": kept.answered if kept else False,
        "separated": [[key_of(a), key_of(b)] for a, b in kept.strongest.separated] if kept else [],
        "separated_count": kept.strongest.separated_count if kept else 0,
        **evidence_of(rules, edge),
    }


def evidence_of(rules: Ruleset, edge: Edge) -> dict[str, object]:
    """Return what an edge rests on, without a value: its confidence and weight, its rule, the level of each comparison.

    ``rule`` is the deterministic rule's name, ``verdict`` or ``score``.
    """
    return {
        "confidence": edge.confidence,
        "weight_bits": edge.weight,
        "rule": edge.rule or "score",
        "evidence": {
            comparison.name: level_label(comparison.levels, mark)
            for comparison, mark in zip(rules.match.comparisons, edge.levels, strict=False)
        },
    }


def digest_of_item(item: Mapping[str, object]) -> str:
    """Return the digest of a review item's canonical JSON (BLAKE2b-64)."""
    return digest_of(item, 8)


def level_label(levels: Sequence[object], mark: str) -> str:
    """Return the label of a level by its base-36 mark.

    A comparison without levels shows its similarity in 1/35, or ``missing`` where a value was.
    """
    if mark == NO_SIMILARITY:
        return "missing"
    if not levels:
        return f"similarity {int(mark, 36) / 35:.2f}"
    return str(getattr(levels[int(mark, 36)], "label", mark))
