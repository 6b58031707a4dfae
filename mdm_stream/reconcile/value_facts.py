"""What each live record says of each attribute: the narrow table that profiles are made of.

Words and meanings are those of the core: a value is invalid, or a placeholder, for the very reasons that
``core.standardise.set_aside`` gives, and what is counted as a value is its match, as ``profile.shared`` counts it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from mdm_stream.core.fold import state_from_wire
from mdm_stream.core.model import Standardised, split_ref
from mdm_stream.core.standardise import delivered, set_aside, standardise_record, why_absent
from mdm_stream.reconcile.arrow_rows import Batches, batches_of, rows_in
from mdm_stream.reconcile.worker_rules import WorkerRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FACTS = (
    "source string, attribute int, is string, reasons array<string>, "
    "held array<struct<match: string, value: string, measure: double>>"
)
"""A row for each live record and attribute (its position in the rules). ``is``: present, missing, placeholder, invalid.
An attribute of several values is present if one of them is valid; ``reasons`` has why others are not, each once.
``held`` are the values that have a match, each with its measure (see ``measure_of``)."""

MEASURES = {"number": "number", "date": "day"}
"""What is measured of a type's values: numbers themselves, dates in days since 1970-01-01, else characters."""

LENGTH = "characters"

_EPOCH = date(1970, 1, 1).toordinal()


def make_facts(rules: WorkerRules, records: DataFrame) -> DataFrame:
    """Return ``FACTS`` of the live ones of some records (``records.RECORDS``)."""
    return records.where("live").select("ref", "state").mapInArrow(partial(_make, rules), FACTS)


def measure_of(type_name: str, match: str, value: str) -> float | None:
    """Return what is measured of a value: see ``MEASURES``. ``None`` for a date or number that its type cannot read."""
    try:
        if type_name == "number":
            return float(match)
        if type_name == "date":
            return float(date.fromisoformat(match).toordinal() - _EPOCH)
    except ValueError:
        return None
    return float(len(value))


def _make(rules: WorkerRules, batches: Batches) -> Batches:
    import pyarrow as pa  # noqa: PLC0415 - on Spark's workers alone

    held = pa.struct([("match", pa.string()), ("value", pa.string()), ("measure", pa.float64())])
    schema = pa.schema([
        ("source", pa.string()), ("attribute", pa.int32()), ("is", pa.string()), ("reasons", pa.list_(pa.string())),
        ("held", pa.list_(held)),
    ])  # fmt: skip
    yield from batches_of(_facts(rules, batches), schema)


def _facts(packed: WorkerRules, batches: Batches) -> Iterator[tuple[Any, ...]]:
    rules = packed.rules
    types = [attribute.type for attribute in rules.attributes]
    for ref, content in rows_in(batches, ["ref", "state"]):
        source = split_ref(ref)[0]
        columns = state_from_wire(orjson.loads(content)).columns()
        values = standardise_record(rules, source, columns)
        reasons: dict[int, set[str]] = {}
        for position, reason in set_aside(rules, source, columns, values):
            reasons.setdefault(position, set()).add(reason)
        for position, found in enumerate(values):
            if found.value is not None:
                is_ = "present" if found.valid else "invalid"
            elif texts := delivered(rules, source, columns, position):
                lost = why_absent(rules, source, position, texts) != "placeholder"
                is_ = "invalid" if lost else "placeholder"
            else:
                is_ = "missing"
            held = [
                {"match": match, "value": value, "measure": measure_of(types[position], match, value)}
                for match, value in matched(found)
            ]
            yield source, position, is_, sorted(reasons.get(position, ())), held


def matched(found: Standardised) -> Iterator[tuple[str, str]]:
    """Yield each match of an attribute with its value; what has no match comes last among several values."""
    if isinstance(found.match, tuple):
        yield from zip(found.match, found.value or (), strict=False)
    elif found.match is not None:
        yield found.match, str(found.value)
