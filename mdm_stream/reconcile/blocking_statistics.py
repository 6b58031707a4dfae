"""What blocking makes of the records, by key expression: pairs, largest blocks, and how many true pairs it may miss.

The pairs that F links say how much each expression finds of what all find together. What none finds is estimated by
capture and recapture, with Chapman's estimator (D. G. Chapman, *Some properties of the hypergeometric distribution with
applications to zoological sample censuses*, 1951): of two samples of n1 and n2 pairs with m in common there are about
(n1 + 1)(n2 + 1) / (m + 1) - 1 pairs in all. One sample is what an expression finds; the other what all expressions find
that read none of its attributes. The estimate assumes that the two find a pair independently of each other, that each
true pair is as likely to be found as any other, and that F links only and all true pairs among candidates. Records with
little in them are missed by every expression, so that true pairs are more than estimated, and recall is less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from mdm_stream.core.cluster.edges import VERDICT_RULE
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.reconcile.closed_keys import limit_sql
from mdm_stream.reconcile.digests import with_digest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LARGEST_BLOCKS = 10
"""Blocks of an expression that are listed: those of the most records."""

RECAPTURED_MIN = 7
"""Pairs that both samples must have in common, else nothing is estimated: with fewer the estimator's bias is not small
(D. S. Robson and H. A. Regier, *Sample size in Petersen mark-recapture experiments*, 1964)."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A key expression of the rules, and the tags of those that read none of its attributes."""

    tag: str
    text: str
    apart: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlockStatistics:
    """One key expression: its keys, candidate pairs in its blocks, and what it finds of the pairs that F links.

    ``records`` have a key of it. ``pairs`` are counted in each block at work; ``largest`` is the largest block's
    records. ``linked`` of all linked pairs share a key of it that is at work, ``only`` of them no key of any other.
    ``apart_linked`` are found by expressions that read none of its attributes, ``both`` by them and by it;
    ``estimated_pairs`` are Chapman's, ``None`` where too few are in both.
    """

    expression: str
    tag: str
    keys: int
    records: int
    records_without: int
    single_keys: int
    suspended_keys: int
    suspended_records: int
    pairs: int
    largest: int
    linked: int
    only: int
    share_of_linked: float | None
    apart_linked: int
    both: int
    estimated_pairs: float | None


@dataclass(frozen=True, slots=True)
class Recall:
    """All expressions together. ``linked``: pairs that F links by its rules; ``estimated_pairs``: true ones.

    ``estimated_pairs`` is the median of the expressions' estimates, ``estimated_pairs_max`` the greatest of them: where
    two find the same pairs more often than by chance, an estimate comes out too small. ``decided``: pairs that stewards
    linked, of which ``decided_found`` share a key at work, which is a measure that owes nothing to the rules, though
    stewards see mostly what the rules ask them.
    """

    linked: int
    estimated_pairs: float | None
    estimated_pairs_max: float | None
    estimated_recall: float | None
    estimated_recall_min: float | None
    decided: int
    decided_found: int


def chapman(first: int, second: int, both: int) -> float | None:
    """Return the estimated number of pairs, ``None`` with fewer than ``RECAPTURED_MIN`` in both samples."""
    if both < RECAPTURED_MIN:
        return None
    return (first + 1) * (second + 1) / (both + 1) - 1


def expressions_of(rules: Ruleset) -> tuple[Expression, ...]:
    """Return the key expressions of a rule set. What fills an attribute counts as that attribute."""
    names = {attribute.name: place for place, attribute in enumerate(rules.attributes)}
    filling: dict[int, set[int]] = {}
    for place, attribute in enumerate(rules.attributes):
        for target in attribute.fills.values():
            filling.setdefault(names[target], set()).add(place)
    read: dict[str, set[int]] = {}
    for each in rules.blocking:
        places = {part.attribute for part in each.parts}
        read[each.tag] = places.union(*(filling.get(place, set()) for place in places))
    return tuple(
        Expression(each.tag, each.text, tuple(tag for tag, places in read.items() if not places & read[each.tag]))
        for each in rules.blocking
    )


def block_statistics(
    rules: Ruleset, records: DataFrame, sizes: DataFrame, links: DataFrame
) -> tuple[list[BlockStatistics], Recall]:
    """Return the figures of each key expression and of all together.

    ``records``: ``records.RECORDS``; ``sizes``: ``edges.block_sizes``; ``links``: ``edges.EDGES``, those that F keeps.
    """
    live = records.where("live")
    blocks = {row["tag"]: row.asDict() for row in _by_expression(sizes, limit_sql(rules)).toLocalIterator()}
    with_key = live.selectExpr("explode(array_distinct(transform(keys, each -> substring_index(each, ':', 1)))) AS tag")
    having = {row["tag"]: row["count"] for row in with_key.groupBy("tag").count().toLocalIterator()}
    expressions = expressions_of(rules)
    found = _found(expressions, _tags_of_pairs(live, sizes, links, limit_sql(rules)))
    whole, linked = live.count(), int(found["linked"])
    statistics = [
        _statistics(each, place, found, blocks.get(each.tag, {}), having.get(each.tag, 0), whole)
        for place, each in enumerate(expressions)
    ]
    return statistics, recall_of(statistics, linked, int(found["decided"]), int(found["decided_found"]))


def recall_of(statistics: Sequence[BlockStatistics], linked: int, decided: int = 0, decided_found: int = 0) -> Recall:
    """Return the figures of all expressions together, from those of each and the pairs that any of them finds."""
    estimates = [each.estimated_pairs for each in statistics if each.estimated_pairs is not None]
    middle = max(median(estimates), float(linked)) if estimates else None
    greatest = max([*estimates, float(linked)]) if estimates else None
    return Recall(
        linked=linked,
        estimated_pairs=middle,
        estimated_pairs_max=greatest,
        estimated_recall=linked / middle if middle else None,
        estimated_recall_min=linked / greatest if greatest else None,
        decided=decided,
        decided_found=decided_found,
    )


def largest_blocks(rules: Ruleset, sizes: DataFrame, *, values: bool) -> DataFrame:
    """Return the largest blocks of each expression, by digest; the key itself only if ``values``."""
    from pyspark.sql import Window  # noqa: PLC0415
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    texts = sizes.sparkSession.createDataFrame([(each.tag, each.text) for each in rules.blocking] or [("", "")],
                                               "tag string, expression string")  # fmt: skip
    largest_first = Window.partitionBy("tag").orderBy(F.col("members").desc(), F.col("key"))
    tagged = sizes.where("members > 1").selectExpr("substring_index(key, ':', 1) AS tag", "key", "members")
    ranked = tagged.withColumn("rank", F.row_number().over(largest_first)).where(f"rank <= {LARGEST_BLOCKS}")
    named = ranked.join(texts, "tag")
    return with_digest(named, "key").selectExpr(
        "expression", "rank", "digest", "members AS records", f"members > {limit_sql(rules)} AS suspended",
        f"{'key' if values else 'CAST(NULL AS string)'} AS key",
    ).orderBy("expression", "rank")  # fmt: skip


def _by_expression(sizes: DataFrame, limit: str) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    wanted = {
        "keys": "count(*)",
        "single_keys": "count_if(members = 1)",
        "suspended_keys": f"count_if(members > {limit})",
        "suspended_records": f"sum(IF(members > {limit}, members, 0))",
        "pairs": f"sum(IF(members <= {limit}, members * (members - 1) div 2, 0))",
        "largest": "max(members)",
    }
    tagged = sizes.selectExpr("substring_index(key, ':', 1) AS tag", "key", "members")
    return tagged.groupBy("tag").agg(*(F.expr(text).alias(name) for name, text in wanted.items()))


def _tags_of_pairs(live: DataFrame, sizes: DataFrame, links: DataFrame, limit: str) -> DataFrame:
    """Return ``decided, tags`` of each pair that F links: by a verdict or not, and the expressions that find it."""
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    pairs = links.where("link").selectExpr("a_rid", "b_rid", f"rule = '{VERDICT_RULE}' AS decided")
    first = live.selectExpr("rid AS a_rid", "keys AS a_keys")
    second = live.selectExpr("rid AS b_rid", "keys AS b_keys")
    shared = pairs.join(first, "a_rid").join(second, "b_rid").selectExpr(
        "a_rid", "b_rid", "decided", "explode_outer(array_intersect(a_keys, b_keys)) AS key"
    )  # fmt: skip
    suspended = sizes.where(f"members > {limit}").selectExpr("key", "true AS suspended")
    tagged = shared.join(suspended, "key", "left").selectExpr(
        "a_rid", "b_rid", "decided", "IF(suspended, NULL, substring_index(key, ':', 1)) AS tag"
    )
    return tagged.groupBy("a_rid", "b_rid", "decided").agg(F.collect_set("tag").alias("tags"))


def _found(expressions: tuple[Expression, ...], pairs: DataFrame) -> dict[str, int]:
    """Count, in one pass, what each expression finds of the linked pairs."""
    wanted = {
        "linked": "count_if(NOT decided)",
        "decided": "count_if(decided)",
        "decided_found": "count_if(decided AND size(tags) > 0)",
    }
    for place, each in enumerate(expressions):
        own = f"NOT decided AND array_contains(tags, '{each.tag}')"
        apart = ", ".join(f"'{tag}'" for tag in each.apart)
        others = f"arrays_overlap(tags, array({apart}))" if apart else "false"
        wanted |= {
            f"linked_{place}": f"count_if({own})",
            f"only_{place}": f"count_if({own} AND size(tags) = 1)",
            f"apart_{place}": f"count_if(NOT decided AND {others})",
            f"both_{place}": f"count_if({own} AND {others})",
        }
    row = pairs.selectExpr(*(f"{text} AS {name}" for name, text in wanted.items())).first()
    assert row is not None  # an aggregate without groups has one row
    return {name: int(row[name]) for name in wanted}


def _statistics(
    each: Expression, place: int, found: dict[str, int], block: dict[str, Any], having: int, whole: int
) -> BlockStatistics:
    linked, apart, both = found[f"linked_{place}"], found[f"apart_{place}"], found[f"both_{place}"]
    return BlockStatistics(
        expression=each.text,
        tag=each.tag,
        keys=block.get("keys", 0),
        records=having,
        records_without=whole - having,
        single_keys=block.get("single_keys", 0),
        suspended_keys=block.get("suspended_keys", 0),
        suspended_records=block.get("suspended_records", 0),
        pairs=block.get("pairs", 0),
        largest=block.get("largest", 0),
        linked=linked,
        only=found[f"only_{place}"],
        share_of_linked=linked / found["linked"] if found["linked"] else None,
        apart_linked=apart,
        both=both,
        estimated_pairs=chapman(linked, apart, both),
    )
