"""Digests of values and keys, for tables that must not have them: made in Python, so only of the few rows left."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mdm_stream.core.blocking.keys import key_digest
from mdm_stream.reconcile.arrow_rows import Batches

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def value_digest(attribute: str, match: str) -> str:
    """Return the digits that stand for a match value of an attribute: too few to guess it by, as those of keys."""
    return key_digest(f"{attribute}:{match}")


def with_digest(frame: DataFrame, column: str) -> DataFrame:
    """Add ``digest``, of a column of texts: that of a key in logs (``key_digest``)."""
    from pyspark.sql.types import StringType, StructType  # noqa: PLC0415 - only what runs on Spark needs it

    schema = StructType(list(frame.schema.fields)).add("digest", StringType())
    return frame.mapInArrow(partial(_add, column), schema)


def _add(column: str, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    for batch in batches:
        digests = pa.array([key_digest(text) for text in batch.column(column).to_pylist()], pa.string())
        yield pa.RecordBatch.from_arrays([*batch.columns, digests], names=[*batch.schema.names, "digest"])
