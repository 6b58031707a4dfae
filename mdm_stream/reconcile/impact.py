"""The impact of going from one state of F to another: by other rules, by another F, or by a switch that was made.

Figures and samples are functions of the two states alone, so a forecast and what came of it compare with ``==``. No
value of a record is in them: samples have ids, references and names of attributes, as a drift report has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

from mdm_stream.core.cluster.golden import digest_of_content
from mdm_stream.core.f_version import f_part
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import ConfigurationError
from mdm_stream.reconcile import impact_tables
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in
from mdm_stream.reconcile.impact_tables import SparkTables, Tables
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SAMPLES = 20
"""Samples of each kind, unless another number is asked for."""

OTHERS_SHOWN = 10
"""Ids and references that one sample names; it says how many there are in all."""

FORMAT = 1

GOLDEN = "golden_id string, digest string, content binary"

CLUSTER_KINDS: Mapping[str, str] = {
    "unchanged": "the same records under the same id",
    "renamed": "the same records under another id",
    "resized": "one cluster as before, but for records that are live on one side alone",
    "merged": "several clusters that become one",
    "split": "one cluster that becomes several",
    "moved": "several clusters whose records are in several others, no merge and no split alone",
    "new": "only records that are not live before",
    "gone": "only records that are not live after",
}
"""Every kind of cluster, and what it says. Each cluster of either side is of exactly one."""

SAMPLE_KINDS = (*[kind for kind in CLUSTER_KINDS if kind != "unchanged"], "values", "opened", "closed")
"""Kinds of samples in the order of a report."""


@dataclass(frozen=True, slots=True)
class RecordFigures:
    """Live records: before and after, those that one side alone has, and those whose golden id is another."""

    before: int
    after: int
    appeared: int
    vanished: int
    other_id: int


@dataclass(frozen=True, slots=True)
class ClusterFigures:
    """Clusters of a kind on either side, and the records that they share (for ``new`` and ``gone``: that they have)."""

    before: int
    after: int
    records: int


@dataclass(frozen=True, slots=True)
class GoldenFigures:
    """Golden records by their id: ``created`` and ``retired`` ids are on one side alone; of the others so many say
    anything else (``changed``: values, members or provenance), and so many have other values (``values_changed``).
    """

    before: int
    after: int
    created: int
    retired: int
    changed: int
    values_changed: int


@dataclass(frozen=True, slots=True)
class ValueFigures:
    """Golden records with an id of both sides, whose value of an attribute is another, is new, or is no more."""

    changed: int = 0
    gained: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class ReviewFigures:
    """The review queue, by pairs of records. ``changed``: asked on both sides, and says something else. Of the items so
    many are ``answered`` by a SEPARATE verdict. ``pairs``: all in the middle band, be they asked of stewards or not.
    """

    before: int
    after: int
    opened: int
    closed: int
    changed: int
    answered_before: int
    answered_after: int
    pairs_before: int
    pairs_after: int


@dataclass(frozen=True, slots=True)
class ImpactSample:
    """One thing that is another after.

    ``item`` is an old golden id (the new one of ``merged`` and ``new``), and ``others`` are the first ids on the other
    side that share records with it, ``others_count`` all of them; ``refs`` has a record for each of them. Of ``values``
    ``item`` is the golden id and ``others`` are attributes; of ``opened`` and ``closed`` they are the two records.
    """

    kind: str
    item: str
    others: tuple[str, ...] = ()
    others_count: int = 0
    refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Impact:
    """What differs between two states of a domain. ``clusters`` by kind, all of them; ``values`` by attribute, those
    with a difference.
    """

    domain: str
    records: RecordFigures
    clusters: Mapping[str, ClusterFigures]
    golden: GoldenFigures
    values: Mapping[str, ValueFigures]
    review: ReviewFigures
    samples: tuple[ImpactSample, ...] = field(repr=False)

    @property
    def is_none(self) -> bool:
        """Whether the two states are the same to everyone who reads them."""
        golden, review = self.golden, self.review
        return not any((
            self.records.appeared, self.records.vanished, self.records.other_id, golden.created, golden.retired,
            golden.changed, review.opened, review.closed, review.changed,
        ))  # fmt: skip


class ResolvedState(Protocol):
    """F's tables, as ``recompute.Resolved`` and ``expected.Expected`` have them."""

    @property
    def links(self) -> DataFrame:
        """``a, b, link``."""

    @property
    def crosswalk(self) -> DataFrame:
        """``ref, golden_id``."""

    @property
    def golden(self) -> DataFrame:
        """``golden_id, digest, content``."""

    @property
    def review(self) -> DataFrame:
        """``a, b, item``."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """A live index, as ``live_index.write_index`` has left it: F's tables, read as far as an impact needs them."""

    links: DataFrame
    crosswalk: DataFrame
    golden: DataFrame
    review: DataFrame


def index_state(workspace: Workspace) -> IndexState:
    """Return the tables of ``live_index.write_index`` as a side of ``impact_of``.

    They are those of one moment if nothing was written while they were read: hold writers, or the figures have a part
    of what they did.
    """

    def table(name: str, *key: str) -> DataFrame:
        return workspace.read(name).dropDuplicates(list(key))

    return IndexState(
        links=table("links", "a", "b"),
        crosswalk=table("crosswalk", "ref"),
        golden=table("stored_golden", "golden_id").mapInArrow(_with_digest, GOLDEN),
        review=table("stored_review", "a", "b"),
    )


def require_comparable(old: Ruleset, new: Ruleset) -> None:
    """Raise ``ConfigurationError`` if two rule sets are of two domains, or bound to two F: one process runs one F."""
    if old.domain != new.domain:
        raise ConfigurationError(
            f"the rule sets are of two domains, {old.domain!r} and {new.domain!r}: name two of one domain"
        )
    if f_part(old.digest) != f_part(new.digest):
        raise ConfigurationError("the rule sets are bound to two versions of F: load both with one release")


def impact_of(
    spark: SparkSession, domain: str, before: ResolvedState, after: ResolvedState, *, samples: int = SAMPLES
) -> Impact:
    """Return the impact of going from one state of a domain to another, by Spark.

    ``samples`` bounds those of each kind. Only figures and samples come to the driver; what the comparison keeps is on
    the disks of Spark's workers while it runs, and has values of records.
    """
    inputs: dict[str, DataFrame] = {}
    for side, state in (("before", before), ("after", after)):
        inputs[f"crosswalk_{side}"] = state.crosswalk.select("ref", "golden_id")
        inputs[f"golden_{side}"] = state.golden.select("golden_id", "digest")
        inputs[f"contents_{side}"] = state.golden.select("golden_id", "content")
        inputs[f"items_{side}"] = state.review.select("a", "b", "item")
        inputs[f"links_{side}"] = state.links.select("a", "b", "link")
    tables = SparkTables(spark, inputs)
    try:
        return measured(tables, domain, samples)
    finally:
        tables.close()


def measured(tables: Tables, domain: str, samples: int = SAMPLES) -> Impact:
    """Return the impact that tables with the inputs of ``impact_tables`` show."""
    impact_tables.compute(tables)
    (row,) = tables.rows(impact_tables.FIGURES)
    figures = list(map(int, row))
    first, second = len(fields(RecordFigures)), len(fields(RecordFigures)) + len(fields(GoldenFigures))
    clusters = {kind: ClusterFigures(0, 0, 0) for kind in CLUSTER_KINDS}
    for kind, *counts in tables.rows(impact_tables.CLUSTERS):
        clusters[kind] = ClusterFigures(*map(int, counts))
    return Impact(
        domain,
        RecordFigures(*figures[:first]),
        clusters,
        GoldenFigures(*figures[first:second]),
        _values(tables),
        ReviewFigures(*figures[second:]),
        _samples(tables, samples),
    )


def as_json(impact: Impact) -> dict[str, Any]:
    """Return an impact as a JSON object."""
    return {
        "format": FORMAT,
        "domain": impact.domain,
        "records": asdict(impact.records),
        "clusters": {kind: asdict(figures) for kind, figures in impact.clusters.items()},
        "golden": asdict(impact.golden),
        "values": {attribute: asdict(figures) for attribute, figures in impact.values.items()},
        "review": asdict(impact.review),
        "samples": [
            {**asdict(sample), "others": list(sample.others), "refs": list(sample.refs)} for sample in impact.samples
        ],
    }


def _with_digest(batches: Iterable[Any]) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([("golden_id", pa.string()), ("digest", pa.string()), ("content", pa.binary())])
    rows = rows_in(iter(batches), ["golden_id", "content"])
    yield from batches_of(((golden_id, digest_of_content(content), content) for golden_id, content in rows), schema)


def _values(tables: Tables) -> dict[str, ValueFigures]:
    found: dict[str, dict[str, int]] = {}
    for attribute, change, count in tables.rows(impact_tables.VALUES):
        found.setdefault(attribute, {})[change] = int(count)
    return {attribute: ValueFigures(**found[attribute]) for attribute in sorted(found)}


def _samples(tables: Tables, samples: int) -> tuple[ImpactSample, ...]:
    held: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for kind, item, *rest in tables.rows(impact_tables.cluster_samples(samples, OTHERS_SHOWN)):
        held.setdefault((kind, item), []).append(tuple(rest))
    found = [
        ImpactSample(
            kind,
            item,
            tuple(other for other, _, _ in rows if other is not None),
            int(rows[0][2]),
            tuple(sorted(ref for _, ref, _ in rows if ref is not None)),
        )
        for (kind, item), rows in held.items()
    ]
    for kind in ("opened", "closed"):
        for a, b in tables.rows(impact_tables.question_samples(kind, samples)):
            found.append(ImpactSample(kind, a, (b,), 1, (a, b)))
    places = {kind: place for place, kind in enumerate(SAMPLE_KINDS)}
    return tuple(sorted(found, key=lambda sample: places[sample.kind]))
