"""F on Spark: the state of a domain from everything that its archive holds.

The third implementation of F beside ``core.reference`` and the engine, and byte for byte the same: states are folded by
the core's join, records built, pairs scored, components clustered and golden values chosen by the core's functions, in
batches; Spark joins, counts and sorts. No step reads an arrival order, a clock or the number of tasks.

Stages, each a table of the workspace: ``folded`` (partial states of each task), ``records``, ``blocks`` (sizes),
``scored`` (edges of candidate pairs), ``edges`` (those that F keeps), ``links-N`` (rounds of the components),
``resolved`` and ``review``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mdm_stream.archive import Archive, Exclusion
from mdm_stream.archive.object_names import ArchiveObject
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import TransientError
from mdm_stream.rebuild.kept import digest_of_exclusions
from mdm_stream.rebuild.load import LoadCounters
from mdm_stream.reconcile.closed_keys import limit_sql
from mdm_stream.reconcile.components import ROUNDS_MAX, component_roots
from mdm_stream.reconcile.edges import block_sizes, decided_edges, kept_edges, score_edges
from mdm_stream.reconcile.folded_states import OpenArchive, counted, fold_archive
from mdm_stream.reconcile.golden import resolve_components, review_queue
from mdm_stream.reconcile.records import make_records
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PASSES_MAX = 20
"""Listings of the archive before it is given up on: each one catches what compaction has replaced since the last."""


@dataclass(frozen=True, slots=True)
class BlockFigures:
    """What blocking makes of the records: its keys, how many are suspended, records of the largest block.

    ``pairs`` are the candidate pairs, counted in each block.
    """

    keys: int
    suspended: int
    largest: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """The state of one domain, as tables.

    ``records``: ``ref, revision, live, erased, state`` and more (``records.RECORDS``). ``links``: the edges that F
    keeps (``edges.EDGES``), LINK and REVIEW. ``crosswalk``: ``ref, golden_id`` of each live record. ``golden``:
    ``golden_id, digest, content``. ``review``: ``a, b, digest, item``. ``sizes``: ``key, members`` of each block.
    ``held``: ``kind, first, second, content`` of components as an index has them, if that was asked for (see
    ``golden.RESOLVED``). ``rounds`` is how often the components were gone through.
    """

    records: DataFrame
    links: DataFrame
    crosswalk: DataFrame
    golden: DataFrame
    review: DataFrame
    sizes: DataFrame
    held: DataFrame
    blocks: BlockFigures
    rounds: int


@dataclass(frozen=True, slots=True)
class Recomputed:
    """F of an archive: the state, what was read, and the names of the objects that it was read from."""

    state: Resolved
    counters: LoadCounters
    objects: tuple[str, ...] = field(repr=False)


def recompute(
    spark: SparkSession,
    workspace: Workspace,
    rules: Ruleset,
    opened: OpenArchive,
    *,
    exclusions: Sequence[Exclusion] | None = None,
    rounds_max: int = ROUNDS_MAX,
    for_index: bool = False,
) -> Recomputed:
    """Return F of all that is archived of a domain when the call begins, and perhaps of some that comes meanwhile.

    ``exclusions`` are those that the archive's marks have now, unless given. A call in a workspace that another one
    with the same rules has left goes on where that one was, if the same is excluded. ``TransientError`` if compaction
    outruns the reading.
    """
    archive = opened()
    found = archive.sources(rules.domain).read().exclusions if exclusions is None else exclusions
    workspace = workspace.within(digest_of_exclusions(found))
    packed = WorkerRules.of(rules)
    folded, objects = read_all(
        workspace, archive, rules.domain, lambda listed: fold_archive(spark, packed, opened, listed, found)
    )
    return Recomputed(
        resolve_folded(workspace, rules, folded, rounds_max, for_index=for_index), counted(folded), objects
    )


def resolve_folded(
    workspace: Workspace,
    rules: Ruleset,
    folded: DataFrame,
    rounds_max: int = ROUNDS_MAX,
    *,
    for_index: bool = False,
) -> Resolved:
    """Return F of partial states: ``ref, state`` (canonical JSON), any number of them for one record.

    ``for_index``: with ``held``, what an index is to be filled with.
    """
    packed = WorkerRules.of(rules)
    records = workspace.keep("records", lambda: make_records(packed, folded))
    sizes = workspace.keep("blocks", lambda: block_sizes(records))
    scored = workspace.keep("scored", lambda: score_edges(packed, records, sizes))
    edges = workspace.keep(
        "edges", lambda: kept_edges(rules.max_links, rules.max_reviews, decided_edges(records, scored))
    )
    links = edges.where("link")
    roots, rounds = component_roots(workspace, links, rounds_max)
    resolved = workspace.keep(
        "resolved", lambda: resolve_components(packed, records, links, roots, for_index=for_index), by="kind"
    )
    review = workspace.keep("review", lambda: review_queue(packed, resolved, edges))
    return Resolved(
        records=records,
        links=edges,
        crosswalk=resolved.where("kind = 'crosswalk'").selectExpr("first AS ref", "second AS golden_id"),
        golden=resolved.where("kind = 'golden'").selectExpr("first AS golden_id", "digest", "content"),
        review=review,
        sizes=sizes,
        held=resolved.where("kind IN ('component', 'page', 'member')").select("kind", "first", "second", "content"),
        blocks=_figures(sizes, rules),
        rounds=rounds,
    )


def read_all(
    workspace: Workspace, archive: Archive, domain: str, fold: Callable[[Sequence[ArchiveObject]], DataFrame]
) -> tuple[DataFrame, tuple[str, ...]]:
    """Fold all objects of a domain; return the partial states, and the names of what was read.

    Objects that were replaced before they were read, by whichever task of ``fold``, are looked for by listing again.
    ``TransientError`` if compaction outruns that.
    """
    read: list[DataFrame] = []
    seen: set[str] = set()
    for number in range(PASSES_MAX):
        objects: list[ArchiveObject] = [each for each in archive.objects(domain) if each.name not in seen]
        folded = workspace.keep(f"folded-{number}", lambda objects=objects: fold(objects))  # type: ignore[misc]
        read.append(folded)
        missing: set[str] = set()
        for row in folded.where("object IS NOT NULL").select("object", "present").toLocalIterator():
            (seen if row["present"] else missing).add(row["object"])
        seen -= missing
        if not missing:
            whole = read[0]
            for further in read[1:]:
                whole = whole.unionByName(further)
            return whole, tuple(sorted(seen))
    raise TransientError(
        f"the archive of domain {domain} was compacted faster than it was read, {PASSES_MAX} times; run it again later"
    )


def _figures(sizes: DataFrame, rules: Ruleset) -> BlockFigures:
    at_work = f"members <= {limit_sql(rules)}"
    row = sizes.selectExpr(
        "count(*) AS keys",
        f"count_if(NOT {at_work}) AS suspended",
        "coalesce(max(members), 0) AS largest",
        f"coalesce(sum(IF({at_work}, members * (members - 1) div 2, 0)), 0) AS pairs",
    ).first()
    assert row is not None  # an aggregate without groups has one row
    return BlockFigures(int(row["keys"]), int(row["suspended"]), int(row["largest"]), int(row["pairs"]))
