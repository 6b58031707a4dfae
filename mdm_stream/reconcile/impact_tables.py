"""The comparison of two states of F as queries, which Spark and DuckDB both run: one text, so one meaning.

Inputs, each twice, with ``_before`` and ``_after``: ``crosswalk`` (``ref, golden_id``), ``golden`` (``golden_id,
digest``), ``contents`` (``golden_id, content``), ``items`` (``a, b, item``) and ``links`` (``a, b, link``).

**Kinds of clusters.** Draw an edge between an old and a new cluster that share a record. What is connected so is an
overlap group, and a group is one of: an edge alone (unchanged, renamed or resized), several old clusters around one new
one (merged), several new ones around one old one (split), or anything else (moved). Whether a group is such a star can
be seen from each of its edges: it is, if the edge's one end has several edges and none of its neighbours has a second.
So no components are looked for, and each cluster is counted once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from mdm_stream.core.cluster.golden import digest_of_item
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

INPUTS = ("crosswalk", "golden", "contents", "items", "links")

_DDL = {"string": "string", "bool_": "boolean"}


@dataclass(frozen=True, slots=True)
class Mapped:
    """A function from batches to batches, and the columns of the latter with the names of their Arrow types."""

    function: Callable[[Iterable[Any]], Batches]
    columns: Mapping[str, str]

    @property
    def ddl(self) -> str:
        """Return the columns as Spark names them."""
        return ", ".join(f"{name} {_DDL[kind]}" for name, kind in self.columns.items())


class Tables(Protocol):
    """What runs the queries. Names of tables stand in braces in them."""

    def keep(self, name: str, query: str, mapped: Mapped | None = None) -> None:
        """Compute a table once: the rows of a query, or what a function makes of them."""

    def name(self, name: str, query: str, mapped: Mapped) -> None:
        """Name what a function makes of a query's rows, for one other query."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, which are few."""


class SparkTables:
    """On Spark. Tables are kept on the disks of its workers until ``close``."""

    def __init__(self, spark: SparkSession, inputs: Mapping[str, DataFrame]) -> None:
        self._spark = spark
        self._frames: dict[str, Any] = dict(inputs)
        self._kept: list[DataFrame] = []

    def keep(self, name: str, query: str, mapped: Mapped | None = None) -> None:
        """See ``Tables``; it is computed when it is asked for first."""
        from pyspark import StorageLevel  # noqa: PLC0415 - only what runs on Spark needs it

        self._frames[name] = self._frame(query, mapped).persist(StorageLevel.DISK_ONLY)
        self._kept.append(self._frames[name])

    def name(self, name: str, query: str, mapped: Mapped) -> None:
        """See ``Tables``."""
        self._frames[name] = self._frame(query, mapped)

    def _frame(self, query: str, mapped: Mapped | None) -> DataFrame:
        frame = self._spark.sql(query, **self._frames)
        return frame if mapped is None else frame.mapInArrow(mapped.function, mapped.ddl)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See ``Tables``."""
        return [tuple(row) for row in self._spark.sql(query, **self._frames).collect()]

    def close(self) -> None:
        """Let go of what was kept."""
        for frame in self._kept:
            frame.unpersist()


class DuckDbTables:
    """In this process, by DuckDB, in memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, inputs: Mapping[str, pa.Table]) -> None:
        self._connection = connection
        self._names = dict[str, str]()
        for name, table in inputs.items():
            self._create(name, table)

    def keep(self, name: str, query: str, mapped: Mapped | None = None) -> None:
        """See ``Tables``."""
        import pyarrow as pa  # noqa: PLC0415 - of the extra that this needs

        query = query.format_map(self._names)
        if mapped is None:
            self._connection.execute(f"CREATE TABLE {name} AS {query}")
            self._names[name] = name
            return
        batches = self._connection.sql(query).to_arrow_table().to_batches()
        schema = pa.schema([(column, getattr(pa, kind)()) for column, kind in mapped.columns.items()])
        self._create(name, pa.Table.from_batches(list(mapped.function(batches)), schema))

    def name(self, name: str, query: str, mapped: Mapped) -> None:
        """See ``Tables``."""
        self.keep(name, query, mapped)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See ``Tables``."""
        return self._connection.execute(query.format_map(self._names)).fetchall()

    def _create(self, name: str, table: pa.Table) -> None:
        self._connection.register("arrived", table)
        self._connection.execute(f"CREATE TABLE {name} AS SELECT * FROM arrived")  # noqa: S608 - made of names in this module
        self._connection.unregister("arrived")
        self._names[name] = name


def compute(tables: Tables) -> None:
    """Compute what the figures and samples are taken from."""
    for name, query in _CLUSTERS.items():
        tables.keep(name, query)
    for name, query in _GOLDEN.items():
        tables.keep(name, query)
    tables.keep("value_changes", _CHANGED_CONTENTS, VALUE_CHANGES)
    for side in ("before", "after"):
        tables.name(f"questions_{side}", f"SELECT a, b, item FROM {{items_{side}}}", QUESTIONS)  # noqa: S608 - made of names in this module
    tables.keep("asked", _ASKED)


_CLUSTERS = {
    # One row for each two clusters that share records; records that one side alone has are in rows with a NULL.
    "shared": """
        SELECT b.golden_id AS old_id, a.golden_id AS new_id, count(*) AS records, min(coalesce(b.ref, a.ref)) AS ref
        FROM {crosswalk_before} b FULL OUTER JOIN {crosswalk_after} a ON b.ref = a.ref
        GROUP BY b.golden_id, a.golden_id""",
    "old_clusters": """
        SELECT old_id, count(new_id) AS edges, sum(records) AS members, min(ref) AS ref
        FROM {shared} WHERE old_id IS NOT NULL GROUP BY old_id""",
    "new_clusters": """
        SELECT new_id, count(old_id) AS edges, sum(records) AS members, min(ref) AS ref
        FROM {shared} WHERE new_id IS NOT NULL GROUP BY new_id""",
    "kinds": """
        SELECT old_id, new_id, records, ref,
            CASE WHEN old_edges = 1 AND new_edges = 1 THEN
                CASE WHEN records < old_members OR records < new_members THEN 'resized'
                WHEN old_id = new_id THEN 'unchanged' ELSE 'renamed' END
            WHEN new_edges > 1 AND most_of_old = 1 THEN 'merged'
            WHEN old_edges > 1 AND most_of_new = 1 THEN 'split'
            ELSE 'moved' END AS kind
        FROM (
            SELECT s.old_id, s.new_id, s.records, s.ref, o.edges AS old_edges, n.edges AS new_edges,
                o.members AS old_members, n.members AS new_members,
                max(o.edges) OVER (PARTITION BY s.new_id) AS most_of_old,
                max(n.edges) OVER (PARTITION BY s.old_id) AS most_of_new
            FROM {shared} s JOIN {old_clusters} o ON s.old_id = o.old_id JOIN {new_clusters} n ON s.new_id = n.new_id
        ) edges""",
}

_GOLDEN = {
    "ids": """
        SELECT coalesce(b.golden_id, a.golden_id) AS golden_id, b.digest AS old_digest, a.digest AS new_digest
        FROM {golden_before} b FULL OUTER JOIN {golden_after} a ON b.golden_id = a.golden_id""",
}

_CHANGED_CONTENTS = """
    SELECT i.golden_id, b.content AS old_content, a.content AS new_content
    FROM {ids} i JOIN {contents_before} b ON i.golden_id = b.golden_id
    JOIN {contents_after} a ON i.golden_id = a.golden_id WHERE i.old_digest <> i.new_digest"""

_ASKED = """
    SELECT coalesce(o.a, n.a) AS a, coalesce(o.b, n.b) AS b, o.digest AS old_digest, n.digest AS new_digest,
        o.answered AS old_answered, n.answered AS new_answered
    FROM {questions_before} o FULL OUTER JOIN {questions_after} n ON o.a = n.a AND o.b = n.b"""


def _count_if(condition: str, what: str = "1") -> str:
    return f"coalesce(sum(CASE WHEN {condition} THEN {what} END), 0)"


_RECORDS = f"""
    SELECT {_count_if("old_id IS NOT NULL", "records")}, {_count_if("new_id IS NOT NULL", "records")},
        {_count_if("old_id IS NULL", "records")}, {_count_if("new_id IS NULL", "records")},
        {_count_if("old_id <> new_id", "records")}
    FROM {{shared}}"""  # noqa: S608 - made of names in this module
"""Records before, after, appeared, vanished, under another id."""

CLUSTERS = """
    SELECT kind, count(DISTINCT old_id), count(DISTINCT new_id), sum(records) FROM {kinds} GROUP BY kind
    UNION ALL SELECT 'gone', count(*), 0, coalesce(sum(members), 0) FROM {old_clusters} WHERE edges = 0
    UNION ALL SELECT 'new', 0, count(*), coalesce(sum(members), 0) FROM {new_clusters} WHERE edges = 0"""
"""Kind, clusters before, clusters after, and records: those that both sides have, or of a cluster on one side all."""

_GOLDEN_RECORDS = f"""
    SELECT count(old_digest), count(new_digest), {_count_if("old_digest IS NULL")}, {_count_if("new_digest IS NULL")},
        {_count_if("old_digest <> new_digest")}
    FROM {{ids}}"""  # noqa: S608 - made of names in this module
"""Golden records before, after, created, retired, changed in whatever they say."""

_CHANGED_VALUES = "SELECT count(DISTINCT golden_id) FROM {value_changes}"

VALUES = "SELECT attribute, change, count(*) FROM {value_changes} GROUP BY attribute, change"

_REVIEW = f"""
    SELECT count(old_digest), count(new_digest), {_count_if("old_digest IS NULL")}, {_count_if("new_digest IS NULL")},
        {_count_if("old_digest <> new_digest")}, {_count_if("old_answered")}, {_count_if("new_answered")}
    FROM {{asked}}"""  # noqa: S608 - made of names in this module
"""Items before, after, opened, closed, changed in what they say, answered before, answered after."""

_PAIRS = """
    SELECT (SELECT count(*) FROM {links_before} WHERE NOT link), (SELECT count(*) FROM {links_after} WHERE NOT link)"""
"""Pairs in the middle band, before and after."""

FIGURES = f"""
    SELECT * FROM ({_RECORDS}) records CROSS JOIN ({_GOLDEN_RECORDS}) golden CROSS JOIN ({_CHANGED_VALUES}) changed
    CROSS JOIN ({_REVIEW}) review CROSS JOIN ({_PAIRS}) pairs"""  # noqa: S608 - made of names in this module
"""One row: what ``RecordFigures``, ``GoldenFigures`` and ``ReviewFigures`` have, in their order."""

_SAMPLED = """
    SELECT kind, CASE WHEN kind = 'merged' THEN new_id ELSE old_id END AS item,
        CASE WHEN kind = 'merged' THEN old_id ELSE new_id END AS other, ref
    FROM {kinds} WHERE kind <> 'unchanged'
    UNION ALL SELECT 'gone', old_id, CAST(NULL AS STRING), ref FROM {old_clusters} WHERE edges = 0
    UNION ALL SELECT 'new', new_id, CAST(NULL AS STRING), ref FROM {new_clusters} WHERE edges = 0
    UNION ALL SELECT 'values', golden_id, attribute, CAST(NULL AS STRING) FROM {value_changes}"""


def cluster_samples(samples: int, others: int) -> str:
    """Return the query for some items of each kind: kind, item, other, reference, and how many others it has in all.

    Those with the least ids, which are hashes: so the choice says nothing of the records, and is always the same.
    """
    return f"""
        SELECT kind, item, other, ref, others FROM (
            SELECT kind, item, other, ref, row_number() OVER (PARTITION BY kind, item ORDER BY other) AS place,
                count(other) OVER (PARTITION BY kind, item) AS others
            FROM (
                SELECT kind, item, other, ref FROM (
                    SELECT kind, item, other, ref, dense_rank() OVER (PARTITION BY kind ORDER BY item) AS place
                    FROM ({_SAMPLED}) sampled
                ) ranked WHERE place <= {samples}
            ) chosen
        ) placed WHERE place <= {others} ORDER BY kind, item, place"""  # noqa: S608 - made of names in this module


def question_samples(kind: str, samples: int) -> str:
    """Return the query for some questions, ``opened`` or ``closed``: both references. Least digests first."""
    held, missing = ("new", "old") if kind == "opened" else ("old", "new")
    return f"""
        SELECT a, b FROM {{asked}} WHERE {missing}_digest IS NULL ORDER BY {held}_digest, a, b LIMIT {samples}"""  # noqa: S608 - made of names in this module


def _value_changes(batches: Iterable[Any]) -> Batches:
    yield from batches_of(_changed(iter(batches)), _schema(VALUE_CHANGES))


def _changed(batches: Batches) -> Iterator[tuple[str, str, str]]:
    for golden_id, old_content, new_content in rows_in(batches, ["golden_id", "old_content", "new_content"]):
        old, new = _values(old_content), _values(new_content)
        for attribute in sorted({*old, *new}):
            before, after = old.get(attribute), new.get(attribute)
            if before != after:
                change = "gained" if before is None else "lost" if after is None else "changed"
                yield golden_id, attribute, change


def _values(content: bytes) -> Mapping[str, Any]:
    """Return the values of a golden record; none of what is no golden record, which a live side may have."""
    try:
        values = orjson.loads(content)["values"]
    except (LookupError, TypeError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _questions(batches: Iterable[Any]) -> Batches:
    yield from batches_of(_read_questions(iter(batches)), _schema(QUESTIONS))


def _read_questions(batches: Batches) -> Iterator[tuple[str, str, str, bool]]:
    for a, b, content in rows_in(batches, ["a", "b", "item"]):
        try:
            item = orjson.loads(content)
            yield a, b, digest_of_item(item), item.get("answered") is True
        except (AttributeError, TypeError, ValueError):
            yield a, b, "unreadable", False


def _schema(mapped: Mapped) -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers, or where DuckDB is

    return pa.schema([(name, getattr(pa, kind)()) for name, kind in mapped.columns.items()])


VALUE_CHANGES = Mapped(_value_changes, {"golden_id": "string", "attribute": "string", "change": "string"})
"""Of golden records that both sides have: each attribute whose value ``changed``, was ``gained`` or ``lost``."""

QUESTIONS = Mapped(_questions, {"a": "string", "b": "string", "digest": "string", "answered": "bool_"})
