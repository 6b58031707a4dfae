"""From folded states to records: standardised, with blocking keys and verdicts. Each record once, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from mdm_stream.core.model import MatchValues
from mdm_stream.core.overrides import next_expiry_us
from mdm_stream.core.record import build_record
from mdm_stream.index.redis.codec import encode_record
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in, runs_of
from mdm_stream.reconcile.folded_states import joined
from mdm_stream.reconcile.session import gathered
from mdm_stream.reconcile.worker_rules import WorkerRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

RECORDS = (
    "ref string, revision string, live boolean, erased boolean, expires_us long, state binary, stored binary, "
    "match binary, "
    "keys array<string>, "
    "verdicts array<struct<other: string, verdict: string>>"
)
"""``stored`` is a live record as an index stores it, so that nothing is standardised twice; ``match``, ``keys`` and
``verdicts`` are those of a live one, too. ``expires_us``: when its first override ends."""


def make_records(rules: WorkerRules, folded: DataFrame) -> DataFrame:
    """Return all records (``RECORDS``, and ``rid``, a number that is theirs in this job) of their partial states."""
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    states = folded.where("ref IS NOT NULL").select("ref", "state")
    made = gathered(states, "ref").mapInArrow(partial(_build, rules), RECORDS)
    return made.withColumn("rid", F.monotonically_increasing_id())


def encode_match(values: MatchValues) -> bytes:
    """Return match values as JSON."""
    return orjson.dumps(values)


def decode_match(content: bytes) -> MatchValues:
    """Return the match values of their JSON."""
    return tuple(tuple(value) if isinstance(value, list) else value for value in orjson.loads(content))


def _build(rules: WorkerRules, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    verdict = pa.struct([("other", pa.string()), ("verdict", pa.string())])
    schema = pa.schema([
        ("ref", pa.string()), ("revision", pa.string()), ("live", pa.bool_()), ("erased", pa.bool_()),
        ("expires_us", pa.int64()), ("state", pa.binary()), ("stored", pa.binary()), ("match", pa.binary()),
        ("keys", pa.list_(pa.string())), ("verdicts", pa.list_(verdict)),
    ])  # fmt: skip
    yield from batches_of(_records(rules, batches), schema)


def _records(rules: WorkerRules, batches: Batches) -> Iterator[tuple[Any, ...]]:
    for ref, content, state in joined(runs_of(rows_in(batches, ["ref", "state"]))):
        record = build_record(rules.rules, ref, state)
        verdicts = state.verdicts.items() if record.live else ()
        yield (
            ref,
            record.revision,
            record.live,
            state.erased,
            next_expiry_us(state),
            content,
            encode_record(record) if record.live else None,
            encode_match(record.match) if record.live else None,
            list(record.keys),
            [{"other": other, "verdict": held.verdict} for other, held in verdicts],
        )
