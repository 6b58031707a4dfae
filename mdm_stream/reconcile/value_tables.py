"""Tables of a profile about values: attributes, shared values, term frequencies, distributions.

All figures are exact: values are counted by a shuffle and not sketched. A value itself is in a table only where that is
asked for; else a digest stands for it, which tells it from others and says nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.profile.suspicion import SHARED_BY_MIN, suspicious_from
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in
from mdm_stream.reconcile.digests import with_digest
from mdm_stream.reconcile.value_facts import LENGTH, MEASURES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ALL_SOURCES = ""
"""Stands for all sources together in a table's column ``source``; no source can be called so."""

TERM_RECORDS_MIN = 5
"""Records that must have a value before it is a row of the term frequencies: rarer ones single people out."""

DISTRIBUTION_VALUES = 100
"""Values of a source's attribute whose shares are kept for comparing loads: those of the most records."""

DISTRIBUTION_RECORDS_MIN = 5
"""Records that must have one of them: shares of rarer values say nothing of a load."""

FENCE_TIMES = 1.5
"""How many interquartile ranges outside of the quartiles an outlier lies: the fences of Tukey, Exploratory Data
Analysis, 1977, chapter 2."""

MEASURED_MIN = 20
"""Values of dates and numbers that must have been measured before their quartiles are shown without being asked for."""

QUARTILES = (("quartile_1", 0.25), ("median", 0.5), ("quartile_3", 0.75))


def value_counts(facts: DataFrame) -> DataFrame:
    """Return ``attribute, source, match, records, value``: how many records of a source have each value.

    ``value`` is the greatest of the values with that match.
    """
    held = facts.selectExpr("attribute", "source", "inline(held)")
    counted = held.groupBy("attribute", "source", "match")
    return counted.agg({"*": "count", "value": "max"}).selectExpr(
        "attribute", "source", "match", "`count(1)` AS records", "`max(value)` AS value"
    )


def with_totals(counts: DataFrame) -> DataFrame:
    """Return the same counts, and below ``ALL_SOURCES`` those of all sources together."""
    totals = counts.groupBy("attribute", "match").agg({"records": "sum", "value": "max"})
    return counts.unionByName(
        totals.selectExpr(
            "attribute", f"'{ALL_SOURCES}' AS source", "match", "`sum(records)` AS records", "`max(value)` AS value"
        )
    )


def attribute_table(rules: Ruleset, facts: DataFrame, counts: DataFrame, *, values: bool) -> DataFrame:
    """Return a row for each source (and all sources) and attribute: see docs/operate/profiling.md.

    ``counts`` are ``with_totals``. ``values``: whether what a single record may tell is shown (least and greatest of
    dates and numbers, and their quartiles where few were measured).
    """
    measured = _measures(facts)
    table = (
        _named(rules, _states(facts))
        .join(_reasons(facts), ["attribute", "source"], "left")
        .join(_uniqueness(counts), ["attribute", "source"], "left")
        .join(measured, ["attribute", "source"], "left")
    )
    told = ("least", "greatest", *(name for name, _ in QUARTILES), "fence_low", "fence_high")
    few = f"measured < {MEASURED_MIN}"

    def shown(name: str) -> str:
        if values:
            return name
        hidden = "true" if name in ("least", "greatest") else few
        return f"IF(measure <> '{LENGTH}' AND {hidden}, NULL, {name}) AS {name}"

    return table.selectExpr(
        "source", "name AS attribute", "type", "records", "present", "missing", "placeholders", "invalid",
        "present / records AS completeness", "present / nullif(present + invalid, 0) AS conformity",
        "coalesce(reasons, map()) AS reasons", "coalesce(`values`, 0) AS `values`",
        "coalesce(distinct_values, 0) AS distinct_values", "coalesce(unique_values, 0) AS unique_values",
        "distinct_values / `values` AS distinctness", "coalesce(most_shared, 0) AS most_shared",
        "measure", "coalesce(measured, 0) AS measured", *map(shown, told), "outliers",
    ).orderBy("source", "place")  # fmt: skip


def shared_values(rules: Ruleset, records: int, counts: DataFrame, *, values: bool) -> DataFrame:
    """Return the values that suspiciously many records share, by the rule of ``profile.suspicion``.

    ``counts`` are those by source; ``records`` is how many records there are, live ones.
    """
    looked_at = [place for place, each in enumerate(rules.attributes) if each.type in SHARED_BY_MIN]
    some = counts.where(f"attribute IN ({', '.join(map(str, looked_at)) or '-1'})")
    totals = with_totals(some).where(f"source = '{ALL_SOURCES}'").drop("source")
    by_records = totals.groupBy("attribute", "records").count()
    limits = (
        by_records.selectExpr("attribute", "struct(records, count AS found) AS pair")
        .groupBy("attribute")
        .agg(_collected("pair", "pairs"))
        .mapInArrow(partial(_limits, [each.type for each in rules.attributes]), "attribute int, suspicious_from long")
    )
    shared = totals.join(limits, "attribute").where("records >= suspicious_from")
    by_source = (
        some.selectExpr("attribute", "match", "source", "records AS of_source")
        .join(shared.select("attribute", "match"), ["attribute", "match"], "left_semi")
        .selectExpr("attribute", "match", "struct(source, of_source) AS pair")
        .groupBy("attribute", "match")
        .agg(_collected("pair", "pairs"))
    )
    named = _named(rules, shared.join(by_source, ["attribute", "match"]))
    return _digested(named).selectExpr(
        "name AS attribute", "type", "digest", "records", f"records / {max(1, records)} AS share", "suspicious_from",
        "map_from_entries(array_sort(pairs)) AS sources", f"{_shown('value', values)} AS value",
    ).orderBy("attribute", "records", "digest")  # fmt: skip


def term_frequencies(rules: Ruleset, counts: DataFrame, records_min: int, *, values: bool) -> DataFrame:
    """Return the match values that at least so many records have, all sources together, with their share.

    The share is that of all values of the attribute. ``counts`` are ``with_totals``.
    """
    totals = counts.where(f"source = '{ALL_SOURCES}'")
    whole = totals.groupBy("attribute").agg({"records": "sum"}).withColumnRenamed("sum(records)", "whole")
    frequent = _named(rules, totals.where(f"records >= {records_min}").join(whole, "attribute"))
    return _digested(frequent).selectExpr(
        "name AS attribute", "digest", "records", "records / whole AS share", f"{_shown('match', values)} AS match"
    )


def distributions(rules: Ruleset, counts: DataFrame, *, values: bool) -> DataFrame:
    """Return the most frequent values of each source's attribute with their share of its values.

    ``counts`` are ``with_totals``.
    """
    from pyspark.sql import Window  # noqa: PLC0415
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    whole = counts.groupBy("attribute", "source").agg({"records": "sum"}).withColumnRenamed("sum(records)", "whole")
    most_first = Window.partitionBy("attribute", "source").orderBy(F.col("records").desc(), F.col("match"))
    ranked = counts.where(f"records >= {DISTRIBUTION_RECORDS_MIN}").withColumn("rank", F.row_number().over(most_first))
    kept = _named(rules, ranked.where(f"rank <= {DISTRIBUTION_VALUES}").join(whole, ["attribute", "source"]))
    return _digested(kept).selectExpr(
        "source", "name AS attribute", "rank", "digest", "records", "records / whole AS share",
        f"{_shown('match', values)} AS match",
    ).orderBy("source", "attribute", "rank")  # fmt: skip


def _states(facts: DataFrame) -> DataFrame:
    of_sources = facts.groupBy("attribute", "source", "is").count()
    both = of_sources.selectExpr("attribute", "`is`", "count", f"explode(array(source, '{ALL_SOURCES}')) AS source")
    return both.groupBy("attribute", "source").agg(
        _summed("count", "records"),
        *(
            _summed(f"IF(`is` = '{word}', count, 0)", name)
            for word, name in (
                ("present", "present"), ("missing", "missing"), ("placeholder", "placeholders"), ("invalid", "invalid"),
            )
        ),
    )  # fmt: skip


def _reasons(facts: DataFrame) -> DataFrame:
    counted = facts.selectExpr("attribute", "source", "explode(reasons) AS reason").groupBy(
        "attribute", "source", "reason"
    )
    both = counted.count().selectExpr(
        "attribute", "reason", "count", f"explode(array(source, '{ALL_SOURCES}')) AS source"
    )
    summed = both.groupBy("attribute", "source", "reason").agg(_summed("count", "records"))
    return (
        summed.selectExpr("attribute", "source", "struct(reason, records) AS pair")
        .groupBy("attribute", "source")
        .agg(_collected("pair", "pairs"))
        .selectExpr("attribute", "source", "map_from_entries(array_sort(pairs)) AS reasons")
    )


def _uniqueness(counts: DataFrame) -> DataFrame:
    return counts.groupBy("attribute", "source").agg(
        _summed("records", "values"),
        _summed("1", "distinct_values"),
        _summed("IF(records = 1, 1, 0)", "unique_values"),
        _expression("max(records)", "most_shared"),
    )


def _measures(facts: DataFrame) -> DataFrame:
    """Return least, greatest, quartiles, fences and outliers of what was measured of each source's attribute.

    A quartile is the least value that a quarter (half, three quarters) of the values do not exceed. There are no fences
    where both quartiles are equal: half of the values are the same then, and every other one would be an outlier.
    """
    from pyspark.sql import Window  # noqa: PLC0415
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    group = ["attribute", "source"]
    found = facts.selectExpr("attribute", "source", "inline(held)").where("measure IS NOT NULL")
    of_sources = found.groupBy("attribute", "source", "measure").count()
    both = of_sources.selectExpr("attribute", "measure", "count", f"explode(array(source, '{ALL_SOURCES}')) AS source")
    sized = both.groupBy("attribute", "source", "measure").agg(_summed("count", "n"))
    whole = sized.groupBy(*group).agg(
        _summed("n", "measured"), _expression("min(measure)", "least"), _expression("max(measure)", "greatest")
    )
    upwards = Window.partitionBy(*group).orderBy("measure").rowsBetween(Window.unboundedPreceding, 0)
    placed = sized.withColumn("up_to", F.sum("n").over(upwards)).join(whole, group)
    quartiles = placed.groupBy(*group, "measured", "least", "greatest").agg(
        *(_expression(f"min(IF(up_to >= {share} * measured, measure, NULL))", name) for name, share in QUARTILES)
    )
    width = f"{FENCE_TIMES} * nullif(quartile_3 - quartile_1, 0)"
    fenced = quartiles.selectExpr("*", f"quartile_1 - {width} AS fence_low", f"quartile_3 + {width} AS fence_high")
    outside = "IF(fence_low IS NULL, NULL, IF(measure < fence_low OR measure > fence_high, n, 0))"
    outliers = sized.join(fenced.select(*group, "fence_low", "fence_high"), group).groupBy(*group)
    return fenced.join(outliers.agg(_summed(outside, "outliers")), group)


def _named(rules: Ruleset, frame: DataFrame) -> DataFrame:
    """Add ``name``, ``type``, ``measure`` and ``place`` of each row's attribute."""
    named = [
        (place, each.name, each.type, MEASURES.get(each.type, LENGTH)) for place, each in enumerate(rules.attributes)
    ]
    session: SparkSession = frame.sparkSession
    names = session.createDataFrame(named, "attribute int, name string, type string, measure string")
    return frame.join(names.selectExpr("*", "attribute AS place"), "attribute")


def _digested(frame: DataFrame) -> DataFrame:
    """Add ``digest`` of each value: see ``value_digest``."""
    return with_digest(frame.selectExpr("*", "concat(name, ':', match) AS named"), "named").drop("named")


def _limits(types: list[str], batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([("attribute", pa.int32()), ("suspicious_from", pa.int64())])

    def limits() -> Iterator[tuple[Any, ...]]:
        for place, pairs in rows_in(batches, ["attribute", "pairs"]):
            yield place, suspicious_from(types[place], {pair["records"]: pair["found"] for pair in pairs})

    yield from batches_of(limits(), schema)


def _shown(column: str, values: bool) -> str:
    return column if values else "CAST(NULL AS string)"


def _expression(text: str, name: str) -> Any:
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    return F.expr(text).alias(name)


def _summed(text: str, name: str) -> Any:
    return _expression(f"sum({text})", name)


def _collected(column: str, name: str) -> Any:
    return _expression(f"collect_list({column})", name)
