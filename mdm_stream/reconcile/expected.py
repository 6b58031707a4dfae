"""F's tables, as a job leaves them, and what they say that the feed would tell of evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING

import orjson

from mdm_stream.contracts.evidence import key_and_digest
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.fold import state_from_wire
from mdm_stream.core.plan import evidence
from mdm_stream.core.plan.commit import OutboxChange
from mdm_stream.core.record import build_record
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in
from mdm_stream.reconcile.edges import EDGE_COLUMNS
from mdm_stream.reconcile.worker_rules import WorkerRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SAID = "op string, first string, second string, digest string"
CHANGES = "content binary"
"""Changes as an outbox has them."""

Form = Callable[[Iterator[OutboxChange]], Batches]
"""Makes batches of what is told."""


@dataclass(frozen=True, slots=True)
class Expected:
    """F's tables: ``records`` (``ref, revision, live, state``), ``links`` (``a, b, link, weight, confidence, rule,
    levels``), ``crosswalk`` (``ref, golden_id``), ``golden`` (``golden_id, digest, content``) and ``review`` (``a, b,
    digest, item``); more columns may be there.
    """

    records: DataFrame
    links: DataFrame
    crosswalk: DataFrame
    golden: DataFrame
    review: DataFrame


def evidence_said(rules: WorkerRules, expected: Expected) -> DataFrame:
    """Return what a warehouse should have as evidence, by what the rules publish (``SAID``)."""
    return _evidence(rules, expected, _said, SAID)


def evidence_changes(rules: WorkerRules, expected: Expected) -> DataFrame:
    """Return what the feed is told of evidence, by what the rules publish (``CHANGES``)."""
    return _evidence(rules, expected, contents_of, CHANGES)


def contents_of(told: Iterator[OutboxChange]) -> Batches:
    """Return changes as batches (``CHANGES``)."""
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    yield from batches_of(((change.content,) for change in told), pa.schema([("content", pa.binary())]))


def _evidence(rules: WorkerRules, expected: Expected, form: Form, schema: str) -> DataFrame:
    said = [expected.records.select("ref", "state").limit(0).mapInArrow(partial(_records, rules, form), schema)]
    publish = rules.rules.publish
    if evidence.RECORDS in publish:
        said.append(expected.records.select("ref", "state").mapInArrow(partial(_records, rules, form), schema))
    if evidence.MATCHES in publish:
        places = expected.crosswalk.select("ref", "golden_id")
        links = expected.links.where("link").select(*EDGE_COLUMNS)
        links = links.join(places.selectExpr("ref AS a", "golden_id AS golden_a"), "a")
        links = links.join(places.selectExpr("ref AS b", "golden_id AS golden_b"), "b")
        links = links.selectExpr(*EDGE_COLUMNS, "golden_a = golden_b AS followed")
        said.append(links.mapInArrow(partial(_matches, rules, form), schema))
    if evidence.REVIEWS in publish:
        said.append(expected.review.select("item").mapInArrow(partial(_reviews, rules, form), schema))
    return reduce(lambda left, right: left.unionByName(right), said)


def _records(rules: WorkerRules, form: Form, batches: Batches) -> Batches:
    def told() -> Iterator[OutboxChange]:
        for ref, content in rows_in(batches, ["ref", "state"]):
            state = state_from_wire(orjson.loads(content))
            if not state.erased:
                yield evidence.record_changed(rules.rules, build_record(rules.rules, ref, state))

    return form(told())


def _matches(rules: WorkerRules, form: Form, batches: Batches) -> Batches:
    rows = rows_in(batches, [*EDGE_COLUMNS, "followed"])
    return form(evidence.match_changed(rules.rules, Edge(*edge), followed) for *edge, followed in rows)


def _reviews(rules: WorkerRules, form: Form, batches: Batches) -> Batches:
    rows = rows_in(batches, ["item"])
    return form(evidence.review_changed(rules.rules, orjson.loads(item)) for (item,) in rows)


def _said(told: Iterator[OutboxChange]) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    schema = pa.schema([(name, pa.string()) for name in ("op", "first", "second", "digest")])
    rows = ((*key, digest) for key, digest in (key_and_digest(orjson.loads(change.content)) for change in told))
    return batches_of(rows, schema)
