"""Between Arrow's batches, in which Spark hands rows to Python, and the rows of a stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_BATCH = 1_000
"""Rows that are given back to Spark at once."""

Batches = Iterator["pa.RecordBatch"]


def rows_in(batches: Batches, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of batches as tuples of the named columns."""
    for batch in batches:
        yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def batches_of(rows: Iterable[Sequence[Any]], schema: pa.Schema) -> Batches:
    """Yield batches of rows, whose values are in the order of the schema's fields."""
    held: list[Sequence[Any]] = []
    for row in rows:
        held.append(row)
        if len(held) >= ROWS_PER_BATCH:
            yield _batch(held, schema)
            held = []
    if held:
        yield _batch(held, schema)


def runs_of(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, list[tuple[Any, ...]]]]:
    """Yield ``(first value, rows)`` for each run of rows with one first value: rows come sorted by it."""
    held: list[tuple[Any, ...]] = []
    for row in rows:
        if held and held[0][0] != row[0]:
            yield held[0][0], held
            held = []
        held.append(row)
    if held:
        yield held[0][0], held


def _batch(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    arrays = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
