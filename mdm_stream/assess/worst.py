"""The worst clusters: those that join most records of different entities, and the entities that are most torn apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mdm_stream.assess.labelled import ScoredSet
from mdm_stream.assess.pair_evidence import pair_evidence
from mdm_stream.core.model import make_ref
from mdm_stream.evaluate import RecordRef

RECORDS_SHOWN = 6
"""Records of one group that are shown side by side: of each part one first, then the rest."""
PAIRS_SHOWN = 3
"""Wrong pairs of which the evidence is told, those nearest to the threshold of a link, from the side that is wrong."""
PAIRS_LOOKED_AT_MAX = 2_000

Wrong = Literal["joined", "parted"]


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """A record of a wrong group: where the truth puts it, and where the crosswalk does."""

    ref: str
    entity: str
    cluster: str


@dataclass(frozen=True, slots=True)
class WrongGroup:
    """Records that are wrongly in one cluster, or of one entity in several. ``wrong_pairs`` is how many pairs that are.

    ``parts`` are the sizes of what should be apart (by entity), or together (by cluster), the largest first. ``shown``
    are some of the records, ``reasons`` the evidence on some of the pairs.
    """

    wrong: Wrong
    wrong_pairs: int
    parts: tuple[int, ...]
    shown: tuple[ShownRecord, ...]
    reasons: tuple[str, ...]


def worst_groups(
    scored: ScoredSet, clusters: Mapping[RecordRef, str], entities: Mapping[RecordRef, str], count: int
) -> list[WrongGroup]:
    """Return up to ``count`` groups of either kind, most wrong pairs first, then by first record.

    A record that the crosswalk lacks is alone; one that the truth lacks is left out, as in ``mdm_stream.evaluate``.
    """
    cluster_of = {ref: clusters.get(ref, f"alone: {make_ref(*ref)}") for ref in entities}
    found: list[WrongGroup] = []
    for wrong, outer, inner in (("joined", cluster_of, entities), ("parted", entities, cluster_of)):
        groups: dict[str, list[RecordRef]] = {}
        for ref in sorted(entities):
            groups.setdefault(outer[ref], []).append(ref)
        ranked = sorted(
            ((_wrong_pairs(inner[ref] for ref in members), members) for members in groups.values()),
            key=lambda each: (-each[0], each[1][0]),
        )
        for pairs, members in ranked[:count]:
            if pairs:
                parted = _parts(members, inner)
                shown = tuple(
                    ShownRecord(make_ref(*ref), entities[ref], cluster_of[ref])
                    for ref in _spread(parted, RECORDS_SHOWN)
                )
                reasons = _reasons(scored, parted, joined=wrong == "joined")
                sizes = tuple(len(part) for part in parted)
                found.append(WrongGroup("joined" if wrong == "joined" else "parted", pairs, sizes, shown, reasons))
    return found


def _wrong_pairs(labels: Iterable[str]) -> int:
    """Return how many pairs of records have different labels."""
    sizes = Counter(labels)
    total = sizes.total()
    return total * (total - 1) // 2 - sum(size * (size - 1) // 2 for size in sizes.values())


def _parts(members: Sequence[RecordRef], label_of: Mapping[RecordRef, str]) -> list[list[RecordRef]]:
    parts: dict[str, list[RecordRef]] = {}
    for ref in members:
        parts.setdefault(label_of[ref], []).append(ref)
    return sorted(parts.values(), key=lambda part: (-len(part), part[0]))


def _spread(parts: Sequence[Sequence[RecordRef]], limit: int) -> list[RecordRef]:
    """Return up to ``limit`` records, the first of each part before the second of any."""
    ranked = sorted((place, at, ref) for at, part in enumerate(parts) for place, ref in enumerate(part))
    chosen = ranked[:limit]
    return [ref for _, _, ref in sorted(chosen, key=lambda each: (each[1], each[0]))]


def _reasons(scored: ScoredSet, parts: Sequence[Sequence[RecordRef]], *, joined: bool) -> tuple[str, ...]:
    """Tell of the pairs across parts that are most sure: wrong links first, or what came nearest to a link."""
    told: list[tuple[float, str]] = []
    looked_at = 0
    for at, part in enumerate(parts):
        for other in parts[at + 1 :]:
            for a in part:
                for b in other:
                    looked_at += 1
                    if looked_at > PAIRS_LOOKED_AT_MAX:
                        return _first(told)
                    left, right = (scored.records.get(make_ref(*ref)) for ref in (a, b))
                    if left is not None and right is not None:
                        confidence, said = pair_evidence(scored.rules, left, right, scored.generic)
                        if not joined or confidence >= scored.rules.match.link or len(told) < PAIRS_SHOWN:
                            told.append((confidence, f"{make_ref(*a)} and {make_ref(*b)}: {said}"))
    return _first(told)


def _first(told: list[tuple[float, str]]) -> tuple[str, ...]:
    return tuple(said for _, said in sorted(told, key=lambda each: (-each[0], each[1]))[:PAIRS_SHOWN])
