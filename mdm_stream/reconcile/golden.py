"""From components to golden records, crosswalk and review queue, by the very functions of the core."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.cluster.golden import digest_of_item, resolve_component, review_item
from mdm_stream.core.plan.commit import HeldComponent
from mdm_stream.core.plan.component_id import component_id_of
from mdm_stream.core.plan.held_component import held_component
from mdm_stream.index.redis.codec import decode_record
from mdm_stream.index.redis.pages import stored_component
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in, runs_of
from mdm_stream.reconcile.edges import EDGE_COLUMNS
from mdm_stream.reconcile.session import gathered
from mdm_stream.reconcile.worker_rules import WorkerRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

RESOLVED = "kind string, first string, second string, digest string, content binary"
"""What a component says: ``golden`` (id, none, digest, content), ``crosswalk`` (reference, golden id), ``review`` (both
references, digest, item), ``apart`` (two golden ids between which links were refused), and for an index to be filled
``component`` (id, none, none, stored form), ``page`` (first member, none, none, stored form) and ``member``
(reference, component id)."""

REVIEW = "a string, b string, digest string, item binary"

_MEMBER, _EDGE = 0, 1


def resolve_components(
    rules: WorkerRules, records: DataFrame, links: DataFrame, roots: DataFrame, *, for_index: bool = False
) -> DataFrame:
    """Return what each component says (``RESOLVED``), with ``for_index`` also what an index holds of it.

    ``links`` are edges; ``roots`` has ``rid, root`` of their records. A component comes to one task whole, its records
    in the order of their references and then its links.
    """
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    members = (
        records.where("live").select("rid", "ref", "stored").join(roots, "rid", "left")
        .selectExpr("coalesce(root, rid) AS root", f"{_MEMBER} AS part", "ref", "stored")
    )  # fmt: skip
    inside = links.join(roots.withColumnRenamed("rid", "a_rid"), "a_rid").select(
        "root", F.lit(_EDGE).alias("part"), F.col("a").alias("ref"), F.lit(None).cast("binary").alias("stored"),
        *[column for column in EDGE_COLUMNS if column != "a"],
    )  # fmt: skip
    parts = members.unionByName(inside, allowMissingColumns=True)
    return gathered(parts, "root", "part", "ref").mapInArrow(partial(_resolve, rules, for_index), RESOLVED)


def review_queue(rules: WorkerRules, resolved: DataFrame, edges: DataFrame) -> DataFrame:
    """Return the review queue (``REVIEW``): refused links, one for two golden records, and pairs in the middle band."""
    crosswalk = resolved.where("kind = 'crosswalk'").select("first", "second")
    refused = resolved.where("kind = 'review'").selectExpr("first AS a", "second AS b", "digest", "content AS item")
    apart = resolved.where("kind = 'apart'").selectExpr("first AS one", "second AS other")
    doubts = (
        edges.where("NOT link")
        .join(crosswalk.selectExpr("first AS a", "second AS golden_a"), "a")
        .join(crosswalk.selectExpr("first AS b", "second AS golden_b"), "b")
        .where("golden_a <> golden_b")
        .selectExpr("*", "least(golden_a, golden_b) AS one", "greatest(golden_a, golden_b) AS other")
        .join(apart, ["one", "other"], "left_anti")
        .select(*EDGE_COLUMNS)
    )
    return refused.unionByName(doubts.mapInArrow(partial(_review, rules), REVIEW))


def _resolve(rules: WorkerRules, for_index: bool, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([
        ("kind", pa.string()), ("first", pa.string()), ("second", pa.string()), ("digest", pa.string()),
        ("content", pa.binary()),
    ])  # fmt: skip
    yield from batches_of(_resolved(rules, for_index, batches), schema)


_Said = tuple[str, str, str | None, str | None, bytes | None]


def _resolved(rules: WorkerRules, for_index: bool, batches: Batches) -> Iterator[_Said]:
    names = ("root", "part", "ref", "stored", "b", "link", "weight", "confidence", "rule", "levels")
    for _, rows in runs_of(rows_in(batches, names)):
        links = [Edge(row[2], *row[4:]) for row in rows if row[1] == _EDGE]
        records = {row[2]: decode_record(row[2], row[3]) for row in rows if row[1] == _MEMBER}
        component = resolve_component(rules.rules, list(records), links, records)
        for golden in component.golden:
            yield "golden", golden.golden_id, None, golden.digest, golden.content
            for ref in golden.members:
                yield "crosswalk", ref, golden.golden_id, None, None
        for kept in component.apart:
            yield "apart", *kept.golden_ids, None, None
            item = review_item(rules.rules, kept)
            yield "review", *kept.strongest.edge.pair, digest_of_item(item), canonical_json(item)
        if for_index:
            yield from _held(held_component(rules.rules, component, records))


def _held(component: HeldComponent) -> Iterator[_Said]:
    component_id = component_id_of(component.members)
    stored, pages = stored_component(component)
    for first, page in pages.items():
        yield "page", first, None, None, page
    yield "component", component_id, None, None, stored
    for ref in component.members:
        yield "member", ref, component_id, None, None


def _review(rules: WorkerRules, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([("a", pa.string()), ("b", pa.string()), ("digest", pa.string()), ("item", pa.binary())])
    yield from batches_of(_review_items(rules, batches), schema)


def _review_items(rules: WorkerRules, batches: Batches) -> Iterator[tuple[str, str, str, bytes]]:
    for row in rows_in(batches, EDGE_COLUMNS):
        edge = Edge(*row)
        item = review_item(rules.rules, edge)
        yield edge.a, edge.b, digest_of_item(item), canonical_json(item)
