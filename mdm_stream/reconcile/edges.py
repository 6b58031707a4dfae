"""Candidate pairs by shared blocking keys, scored in bulk, and of them the edges that F keeps.

A key with more records than its limit (``max_block_size``, or less where it is refined) is closed, one with a single
record has no pair: both leave before a value is moved. So no block is larger than that limit whatever a source sends,
and no task has more to do than the largest blocks that it happens to have; the join that takes the keys out is one
whose skewed partitions Spark splits (adaptive execution). What is shuffled is a row for each record and block, never
one for each pair: pairs exist as numbers in arrays, inside one batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mdm_stream.core.blocking.generic_values import RecordPlaces, compared_values, value_attributes
from mdm_stream.core.cluster.edges import VERDICT_RULE, VERDICT_WEIGHT_BITS
from mdm_stream.core.match.score_bulk import PAIRS_MAX, score_many
from mdm_stream.core.model import MatchValues
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in, runs_of
from mdm_stream.reconcile.closed_keys import TAG, limit_sql
from mdm_stream.reconcile.records import decode_match
from mdm_stream.reconcile.session import gathered
from mdm_stream.reconcile.worker_rules import WorkerRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

EDGES = (
    "a string, b string, a_rid long, b_rid long, link boolean, weight double, confidence double, rule string, "
    "levels string"
)
"""An edge as ``core.cluster.edges.Edge`` has it, with the numbers of both records."""

EDGE_COLUMNS = ("a", "b", "link", "weight", "confidence", "rule", "levels")

_VALUES = ("rid", "ref", "match", "generic")
"""What is known of a record of a block. ``generic``: its keys of one value that too many records share, if any."""

PAIRS_PER_BATCH = PAIRS_MAX
"""Pairs of several blocks that are scored together: what the scorer takes at once."""


def block_sizes(records: DataFrame) -> DataFrame:
    """Return ``key, members`` of each blocking key, from live records."""
    return records.select("rid", _explode("keys", "key")).groupBy("key").agg(_count("members"))


def score_edges(rules: WorkerRules, records: DataFrame, sizes: DataFrame) -> DataFrame:
    """Return the edges (``EDGES``) of all pairs that share a block, each once, verdicts not looked at."""
    at_work = sizes.where(f"members BETWEEN 2 AND {limit_sql(rules.rules)}").select("key")
    members = records.select("rid", _explode("keys", "key")).join(at_work, "key")
    values = _with_generic_keys(rules, records, sizes)
    valued = members.join(values, "rid").select("key", *_VALUES)
    return gathered(valued, "key").mapInArrow(partial(_score_blocks, rules), EDGES).dropDuplicates(["a_rid", "b_rid"])


def _with_generic_keys(rules: WorkerRules, records: DataFrame, sizes: DataFrame) -> DataFrame:
    """Return ``_VALUES`` of each record: what is compared, and its keys of one value that too many records share."""
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    tags = sorted(value_attributes(rules.rules))
    if not tags:
        return records.selectExpr("rid", "ref", "match", "CAST(NULL AS array<string>) AS generic")
    named = F.col("tag").isin(tags) & F.expr(f"members > {limit_sql(rules.rules)}")
    shared = sizes.withColumn("tag", F.expr(TAG.format(key="key"))).where(named).select("key")
    holders = records.select("rid", _explode("keys", "key")).join(shared, "key")
    generic = holders.groupBy("rid").agg(F.collect_set("key").alias("generic"))
    return records.select("rid", "ref", "match").join(generic, "rid", "left")


def decided_edges(records: DataFrame, scored: DataFrame) -> DataFrame:
    """Return the edges after stewards' verdicts: a LINK makes one, any other verdict that stands takes one away."""
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    held = records.select("ref", "rid", F.explode("verdicts").alias("held")).select("ref", "rid", "held.*")
    first, second = held.alias("first"), held.alias("second")
    # A verdict stands while both records hold it; what the smaller reference holds is what counts.
    both = first.join(
        second, F.expr("first.ref = second.other AND first.other = second.ref AND first.ref < second.ref")
    ).where("first.verdict <> 'none'")
    standing = both.selectExpr(
        "first.ref AS a", "second.ref AS b", "first.rid AS a_rid", "second.rid AS b_rid", "first.verdict AS verdict"
    )
    linked = standing.where("verdict = 'link'").selectExpr(
        "a", "b", "a_rid", "b_rid", "true AS link", f"{VERDICT_WEIGHT_BITS}D AS weight", "1D AS confidence",
        f"'{VERDICT_RULE}' AS rule", "'' AS levels",
    )  # fmt: skip
    return scored.join(standing.select("a_rid", "b_rid"), ["a_rid", "b_rid"], "left_anti").unionByName(linked)


def kept_edges(max_links: int, max_reviews: int, edges: DataFrame) -> DataFrame:
    """Return those that F keeps; ``core.cluster.strongest`` says which: for each record the strongest to both sides.

    ``by_a`` and ``by_b`` say which of its two records keeps an edge as one of its strongest.
    """
    from pyspark.sql import Window  # noqa: PLC0415
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    scored = edges.where(F.col("rule") != VERDICT_RULE).withColumn("tier", F.expr("IF(rule <> '', 1, 2)"))
    strongest_first = [F.col("tier"), F.col("weight").desc()]
    to_later = Window.partitionBy("a_rid", "link").orderBy(*strongest_first, F.col("b"))
    to_earlier = Window.partitionBy("b_rid", "link").orderBy(*strongest_first, F.col("a").desc())
    placed = scored.withColumn("later", F.row_number().over(to_later)).withColumn(
        "earlier", F.row_number().over(to_earlier)
    )
    limit = F.expr(f"IF(link, {max_links}, {max_reviews})")
    placed = placed.withColumn("by_a", F.col("later") <= limit).withColumn("by_b", F.col("earlier") <= limit)
    kept = placed.where("by_a OR by_b").drop("later", "earlier", "tier")
    return kept.unionByName(edges.where(F.col("rule") == VERDICT_RULE).selectExpr("*", "true AS by_a", "true AS by_b"))


def _explode(column: str, name: str) -> Any:
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    return F.explode(column).alias(name)


def _count(name: str) -> Any:
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    return F.count(F.lit(1)).alias(name)


class _PairBatch:
    """The pairs of some blocks, of records that each stand in it once."""

    def __init__(self) -> None:
        self.pairs = 0
        self._places: dict[int, int] = {}
        self._rids: list[int] = []
        self._refs: list[str] = []
        self._match: list[MatchValues] = []
        self._generic: list[frozenset[str]] = []
        self._blocks: dict[int, list[int]] = defaultdict(list)

    def add(self, block: list[tuple[Any, ...]]) -> None:
        """Add all pairs of a block's ``(key, *_VALUES)``."""
        count = len(block)
        self._blocks[count] += [self._place(*values) for _, *values in block]
        self.pairs += count * (count - 1) // 2

    def _place(self, rid: int, ref: str, match: bytes, generic: list[str] | None) -> int:
        place = self._places.get(rid)
        if place is None:
            place = self._places[rid] = len(self._rids)
            self._rids.append(rid)
            self._refs.append(ref)
            self._match.append(decode_match(match))
            self._generic.append(frozenset(generic or ()))
        return place

    def _sides(self) -> tuple[RecordPlaces, RecordPlaces]:
        """Return the places of both records of each pair: most blocks are small, so those of one size go together."""
        left, right = [], []
        for count, places in self._blocks.items():
            rows = np.array(places, np.int64).reshape(-1, count)
            one, other = np.triu_indices(count, 1)
            left.append(rows[:, one].ravel())
            right.append(rows[:, other].ravel())
        return np.concatenate(left), np.concatenate(right)

    def scored(self, rules: WorkerRules) -> Iterator[tuple[Any, ...]]:
        """Yield the edges (``EDGES``) of its pairs, each pair scored once."""
        if not self.pairs:
            return
        count = len(self._refs)
        order = np.empty(count, np.int64)
        order[sorted(range(count), key=self._refs.__getitem__)] = np.arange(count)
        one, other = self._sides()
        swapped = order[one] > order[other]
        left, right = np.where(swapped, other, one), np.where(swapped, one, other)
        distinct = np.unique(left * count + right)
        left, right = distinct // count, distinct % count
        compared = compared_values(rules.rules, self._match, self._generic, left, right)
        for position, score in score_many(rules.rules, *compared):
            a, b = int(left[position]), int(right[position])
            yield (
                self._refs[a], self._refs[b], self._rids[a], self._rids[b],
                score.link, score.weight, score.confidence, score.rule, score.levels,
            )  # fmt: skip


def _score_blocks(rules: WorkerRules, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([
        ("a", pa.string()), ("b", pa.string()), ("a_rid", pa.int64()), ("b_rid", pa.int64()), ("link", pa.bool_()),
        ("weight", pa.float64()), ("confidence", pa.float64()), ("rule", pa.string()), ("levels", pa.string()),
    ])  # fmt: skip
    yield from batches_of(_scored(rules, batches), schema)


def _scored(rules: WorkerRules, batches: Batches) -> Iterator[tuple[Any, ...]]:
    batch = _PairBatch()
    for _, block in runs_of(rows_in(batches, ["key", *_VALUES])):
        if batch.pairs and batch.pairs + len(block) * (len(block) - 1) // 2 > PAIRS_PER_BATCH:
            yield from batch.scored(rules)
            batch = _PairBatch()
        batch.add(block)
    yield from batch.scored(rules)
