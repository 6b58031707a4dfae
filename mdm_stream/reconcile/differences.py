"""Where a live side differs from F: full outer joins of their tables, each difference with its kind.

A difference is a row ``side, kind, item, first, second, refs``: what it is about (``item`` with one or two names), and
the records that it depends on. No value of a record is in it.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

from mdm_stream.reconcile.expected import Expected, evidence_said
from mdm_stream.reconcile.live_tables import ERASED_STATE, LiveIndex, LiveWarehouse, own_ids, warehouse_form
from mdm_stream.reconcile.worker_rules import WorkerRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COLUMNS = ("side", "kind", "item", "first", "second", "refs")
KEY = ("side", "item", "first", "second")

KINDS: dict[str, str] = {
    "lost_record": "a record that was delivered is not in the index",
    "ghost_record": "the index has a record that the archive knows nothing of",
    "stale_record": "the index has a record in another state than its deliveries give",
    "unsound_record": "revision, values or blocking keys in the index do not follow from a record's state",
    "unreadable_record": "the index has something that is no record",
    "lost_golden": "a golden record is not in the index",
    "ghost_golden": "the index has a golden record that should not be",
    "stale_golden": "a golden record in the index says something else than it should",
    "wrong_member": "a record is in another golden record than it should be, or in none",
    "wrong_id": "a record is under a golden id that none should have",
    "wrong_place": "where the index looks for the component of a record, it is not",
    "missing_link": "a link, or a pair in the middle band, is not in the index",
    "ghost_link": "the index has a link, or a pair in the middle band, that should not be",
    "wrong_link": "a link in the index rests on something else than it should",
    "lost_review": "a question is not in the review queue",
    "ghost_review": "the review queue has a question that should not be asked",
    "stale_review": "a question in the review queue says something else than it should",
    "erased_value": "the index has a value of an erased record",
    "warehouse_lost_golden": "a golden record is not in the warehouse",
    "warehouse_ghost_golden": "the warehouse has a golden record that should not be",
    "warehouse_stale_golden": "a golden record in the warehouse says something else than it should",
    "warehouse_erased_value": "the warehouse has a value of an erased record",
    "stale_crosswalk": "the warehouse has a record in another golden record than it should be",
    "stale_evidence": "what the warehouse says of a record, a link or a question is not what it should say",
    "ghost_evidence": "the warehouse says something of a record or a link that is not there",
    "dangling_redirect": "an id that was retired does not lead in the warehouse to where its anchor is",
}
"""Every kind of difference, and what it says."""


def index_differences(expected: Expected, live: LiveIndex, only: DataFrame | None = None) -> DataFrame:
    """Return where the index differs from F; with ``only`` (``KEY``), of these items alone."""
    found = [
        _records(expected, live, only),
        _crosswalk(expected, live, only),
        _members(expected, live, only),
        _places(expected, live, only),
        _golden(expected, live, only),
        _links(expected, live, only),
        _review(expected, live, only),
    ]
    return reduce(_union, found).selectExpr("'index' AS side", *COLUMNS[1:])


def warehouse_differences(
    rules: WorkerRules, expected: Expected, live: LiveWarehouse, only: DataFrame | None = None
) -> DataFrame:
    """Return where the warehouse differs from F; with ``only`` (``KEY``), of these items alone."""
    found = [
        _warehouse_golden(expected, live, only),
        _warehouse_crosswalk(expected, live, only),
        _redirects(rules, expected, live, only),
    ]
    if rules.rules.publish:
        found.append(_evidence(rules, expected, live, only))
    return reduce(_union, found).selectExpr("'warehouse' AS side", *COLUMNS[1:])


def _records(expected: Expected, live: LiveIndex, only: DataFrame | None) -> DataFrame:
    f = _asked(expected.records.select("ref", "state"), only, "record", "ref")
    held = _asked(live.records, only, "record", "ref").withColumnRenamed("state", "held")
    return _differing(
        f.join(held, "ref", "full_outer"),
        f"""CASE WHEN readable IS NULL THEN 'lost_record' WHEN NOT readable THEN 'unreadable_record'
        WHEN state IS NULL THEN 'ghost_record'
        WHEN held <> state AND CAST(state AS STRING) = '{ERASED_STATE}' THEN 'erased_value'
        WHEN held <> state THEN 'stale_record' WHEN NOT sound THEN 'unsound_record' END""",
        "record", "ref", "NULL", "array(ref)",
    )  # fmt: skip


def _crosswalk(expected: Expected, live: LiveIndex, only: DataFrame | None) -> DataFrame:
    f = _asked(expected.crosswalk.select("ref", "golden_id"), only, "crosswalk", "ref")
    held = _asked(live.crosswalk, only, "crosswalk", "ref").withColumnRenamed("golden_id", "held")
    both = f.join(held, "ref", "full_outer").where("NOT golden_id <=> held")
    return _misplaced(expected, both, "crosswalk")


def _members(expected: Expected, live: LiveIndex, only: DataFrame | None) -> DataFrame:
    f = _asked(expected.crosswalk.select("ref", "golden_id"), only, "member", "ref").join(
        expected.records.select("ref", "revision"), "ref"
    )
    held = _asked(live.members, only, "member", "ref").selectExpr(
        "ref", "coalesce(golden_id, '') AS held", "revision AS held_revision"
    )
    # A record that is a member of two components has two rows, one of which differs.
    both = f.join(held, "ref", "full_outer").where("NOT golden_id <=> held OR NOT revision <=> held_revision")
    return _misplaced(expected, both, "member")


def _misplaced(expected: Expected, both: DataFrame, item: str) -> DataFrame:
    ids = expected.golden.selectExpr("golden_id AS held", "true AS right_id")
    return _differing(
        both.join(ids, "held", "left").dropDuplicates(["ref"]),
        "CASE WHEN held IS NOT NULL AND held <> '' AND right_id IS NULL THEN 'wrong_id' ELSE 'wrong_member' END",
        item, "ref", "NULL", "array(ref)",
    )  # fmt: skip


def _places(expected: Expected, live: LiveIndex, only: DataFrame | None) -> DataFrame:
    """Compare where records say they are with the components' members, for live ones: F has no component ids."""
    f = _asked(expected.crosswalk.select("ref"), only, "place", "ref")
    held = _asked(live.places, only, "place", "ref").selectExpr("ref", "component_id AS held", "true AS said")
    members = live.members.selectExpr("ref", "component_id AS held", "true AS inside")
    joined = f.withColumn("wanted", _true()).join(held, "ref", "full_outer").join(members, ["ref", "held"], "left")
    return _differing(
        joined,
        "CASE WHEN wanted IS NULL OR said IS NULL OR inside IS NULL THEN 'wrong_place' END",
        "place", "ref", "NULL", "array(ref)",
    )  # fmt: skip


def _golden(expected: Expected, live: LiveIndex, only: DataFrame | None) -> DataFrame:
    f = _asked(expected.golden.select("golden_id", "digest"), only, "golden", "golden_id")
    held = _asked(live.golden, only, "golden", "golden_id").withColumnRenamed("digest", "held")
    both = f.join(held, "golden_id", "full_outer").where("NOT digest <=> held")
    both = _with_erased(expected, both).join(_first_members(expected.crosswalk), "golden_id", "left")
    return _differing(
        both,
        """CASE WHEN held IS NULL THEN 'lost_golden' WHEN of_erased THEN 'erased_value'
        WHEN digest IS NULL THEN 'ghost_golden' ELSE 'stale_golden' END""",
        "golden", "golden_id", "NULL",
        "array_compact(array_union(coalesce(members, array()), array(first_member)))",
    )  # fmt: skip


def _links(expected: Expected, live: LiveIndex, only: DataFrame | None) -> DataFrame:
    said = ("link", "weight", "confidence", "rule", "levels")
    f = _asked(expected.links.select("a", "b", *said), only, "link", "a", "b")
    held = _asked(live.links, only, "link", "a", "b").selectExpr("a", "b", *(f"{c} AS held_{c}" for c in said))
    differs = " OR ".join(f"NOT {c} <=> held_{c}" for c in said)
    return _differing(
        f.join(held, ["a", "b"], "full_outer"),
        f"""CASE WHEN held_link IS NULL THEN 'missing_link' WHEN link IS NULL THEN 'ghost_link'
        WHEN {differs} THEN 'wrong_link' END""",
        "link", "a", "b", "array(a, b)",
    )  # fmt: skip


def _review(expected: Expected, live: LiveIndex, only: DataFrame | None) -> DataFrame:
    f = _asked(expected.review.select("a", "b", "digest"), only, "review", "a", "b")
    held = _asked(live.review, only, "review", "a", "b").withColumnRenamed("digest", "held")
    return _differing(
        f.join(held, ["a", "b"], "full_outer"),
        """CASE WHEN held IS NULL THEN 'lost_review' WHEN digest IS NULL THEN 'ghost_review'
        WHEN digest <> held THEN 'stale_review' END""",
        "review", "a", "b", "array(a, b)",
    )  # fmt: skip


def _warehouse_golden(expected: Expected, live: LiveWarehouse, only: DataFrame | None) -> DataFrame:
    f = _asked(warehouse_form(expected.golden), only, "golden", "golden_id")
    held = _asked(live.golden.where("live"), only, "golden", "golden_id").selectExpr(
        "golden_id", "digest AS held", "origins"
    )
    both = _with_erased(expected, f.join(held, "golden_id", "full_outer").where("NOT digest <=> held"))
    both = both.join(_first_members(expected.crosswalk), "golden_id", "left").join(
        _first_members(live.crosswalk).withColumnRenamed("first_member", "held_member"), "golden_id", "left"
    )
    return _differing(
        both,
        """CASE WHEN held IS NULL THEN 'warehouse_lost_golden' WHEN of_erased THEN 'warehouse_erased_value'
        WHEN digest IS NULL THEN 'warehouse_ghost_golden' ELSE 'warehouse_stale_golden' END""",
        "golden", "golden_id", "NULL",
        "array_compact(array_union(coalesce(origins, array()), array(first_member, held_member)))",
    )  # fmt: skip


def _warehouse_crosswalk(expected: Expected, live: LiveWarehouse, only: DataFrame | None) -> DataFrame:
    f = _asked(expected.crosswalk.select("ref", "golden_id"), only, "crosswalk", "ref")
    held = _asked(live.crosswalk, only, "crosswalk", "ref").withColumnRenamed("golden_id", "held")
    both = f.join(held, "ref", "full_outer").where("NOT golden_id <=> held")
    both = both.join(_first_members(expected.crosswalk).withColumnRenamed("golden_id", "held"), "held", "left")
    refs = "array_compact(array(ref, first_member))"
    return _differing(both, "'stale_crosswalk'", "crosswalk", "ref", "held", refs)


def _redirects(rules: WorkerRules, expected: Expected, live: LiveWarehouse, only: DataFrame | None) -> DataFrame:
    """Compare where each retired id leads: F says where its anchor, the record that it is made from, is now."""
    retired = _asked(live.golden.where("NOT live").select("golden_id", "anchor"), only, "redirect", "golden_id")
    places = live.crosswalk.selectExpr("ref AS anchor", "golden_id AS held")
    where = expected.records.select("ref").join(expected.crosswalk.select("ref", "golden_id"), "ref", "left")
    both = retired.join(places, "anchor", "left").join(own_ids(rules, where), "golden_id", "left")
    both = both.where("NOT held <=> leads_to AND NOT golden_id <=> leads_to")
    both = both.join(_first_members(expected.crosswalk).withColumnRenamed("golden_id", "leads_to"), "leads_to", "left")
    refs = "array_compact(array(own, first_member))"
    return _differing(both, "'dangling_redirect'", "redirect", "golden_id", "NULL", refs)


def _evidence(rules: WorkerRules, expected: Expected, live: LiveWarehouse, only: DataFrame | None) -> DataFrame:
    held = live.evidence.withColumnRenamed("digest", "held")
    both = evidence_said(rules, expected).join(held, ["op", "first", "second"], "full_outer")
    if only is not None:
        asked = only.where("kind IN ('stale_evidence', 'ghost_evidence')")
        asked = asked.selectExpr("item AS op", "first", "coalesce(second, '') AS second").distinct()
        both = both.join(asked, ["op", "first", "second"], "left_semi")
    # A question that is there by mistake is closed by a repair; of anything else that is not there none can speak.
    return both.where("NOT digest <=> held").selectExpr(
        "CASE WHEN digest IS NULL AND op <> 'review' THEN 'ghost_evidence' ELSE 'stale_evidence' END AS kind",
        "op AS item", "first", "nullif(second, '') AS second",
        "array_compact(array(first, nullif(second, ''))) AS refs",
    )  # fmt: skip


def _with_erased(expected: Expected, golden: DataFrame) -> DataFrame:
    """Add whether a value of golden records (``origins``) comes from an erased record: ``of_erased``."""
    erased = expected.records.where(f"CAST(state AS STRING) = '{ERASED_STATE}'").selectExpr("ref AS origin")
    named = golden.selectExpr("golden_id", "explode(origins) AS origin").join(erased, "origin", "left_semi")
    found = named.select("golden_id").distinct().withColumn("of_erased", _true())
    return golden.join(found, "golden_id", "left")


def _first_members(crosswalk: DataFrame) -> DataFrame:
    return crosswalk.groupBy("golden_id").agg({"ref": "min"}).withColumnRenamed("min(ref)", "first_member")


def _asked(table: DataFrame, only: DataFrame | None, item: str, first: str, second: str | None = None) -> DataFrame:
    if only is None:
        return table
    names = {"first": first} if second is None else {"first": first, "second": second}
    asked = only.where(f"item = '{item}'").selectExpr(*(f"{key} AS {name}" for key, name in names.items()))
    return table.join(asked.distinct(), list(names.values()), "left_semi")


def _differing(both: DataFrame, kind: str, item: str, first: str, second: str, refs: str) -> DataFrame:
    return both.selectExpr(
        f"{kind} AS kind", f"'{item}' AS item", f"{first} AS first", f"CAST({second} AS STRING) AS second",
        f"CAST({refs} AS ARRAY<STRING>) AS refs",
    ).where("kind IS NOT NULL")  # fmt: skip


def _union(left: DataFrame, right: DataFrame) -> DataFrame:
    return left.unionByName(right)


def _true() -> Any:
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    return F.lit(True)
