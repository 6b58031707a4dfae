"""What is said of a profiled file: one document, from which the terminal and the page are made. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from mdm_stream.core.standardise import STANDARDISERS
from mdm_stream.profile.columns.column_facts import ColumnMeaning
from mdm_stream.profile.columns.conventions import date_order, has_decimal_comma, phone_region
from mdm_stream.profile.columns.meaning_types import TYPE_OF_MEANING
from mdm_stream.profile.columns.value_forms import shape_of

VALUES_SHOWN = 8
SHAPES_SHOWN = 5
_FORMS_SHOWN_FROM = 0.05


def masked(value: str) -> str:
    """Return what may be shown of a value without being asked to: its first character, and how long it is."""
    return f"{value[:1]}… ({len(value)} character{'s' * (len(value) != 1)})"


def masked_reference(shown: str) -> str:
    """Return what may be shown of a record's reference (SOURCE/ID): the source, and of the id what of other values."""
    source, _, record_id = shown.partition("/")
    return f"{source}/{masked(record_id)}"


def column_document(column: ColumnMeaning, shared: Sequence[tuple[str, int]], *, show: bool) -> dict[str, Any]:
    """Return what is said of a column. Values are masked unless ``show``; shapes and shares say nothing of a person."""
    counts, facts = column.facts.counts, column.facts
    shown: Callable[[str], str] = str if show else masked
    shapes = Counter(map(shape_of, counts.sample))
    return {
        "column": counts.name,
        "meaning": column.meaning,
        "sure": round(column.score, 2),
        "by": column.by,
        "may_be": column.runner_up,
        "completeness": round(counts.completeness, 4),
        "distinct_values": counts.distinct,
        "distinctness": round(counts.distinctness, 4),
        "unique_values": counts.unique,
        "is_key": counts.is_key,
        "conformity": conformity(column),
        "lengths": list(counts.lengths),
        "length_outliers": counts.outliers,
        "agreement": round(counts.agreement, 6),
        "conventions": conventions_of(column),
        "forms": {name: round(share, 2) for name, share in facts.forms.items() if share >= _FORMS_SHOWN_FROM},
        "shapes": [[shape, round(count / len(counts.sample), 3)] for shape, count in shapes.most_common(SHAPES_SHOWN)],
        "most_frequent": [[shown(value), rows] for value, rows in counts.most[:VALUES_SHOWN]],
        "shared_by_many": [[shown(value), rows] for value, rows in shared[:VALUES_SHOWN]],
        "doubts": list(column.doubts),
    }


def conformity(column: ColumnMeaning) -> float | None:
    """Return the share of the sampled values that the type of the column's meaning takes; None without one."""
    kind = TYPE_OF_MEANING.get(column.meaning)
    sample = column.facts.counts.sample
    if kind is None or not sample:
        return None
    options = _reading_options(kind, sample)
    good = sum(
        found.valid and found.match is not None for found in (STANDARDISERS[kind](text, options) for text in sample)
    )
    return round(good / len(sample), 4)


def _reading_options(kind: str, sample: Sequence[str]) -> dict[str, Any]:
    if kind == "date":
        return {"day_first": bool(date_order(sample).day_first)}
    if kind == "phone":
        region, _ = phone_region(sample)
        return {"region": region} if region else {}
    return {"decimal_comma": has_decimal_comma(sample)} if kind == "number" else {}


def conventions_of(column: ColumnMeaning) -> str:
    """Return in words how the column's values are written: the order of its dates, the country of its phones."""
    kind, sample = TYPE_OF_MEANING.get(column.meaning), column.facts.counts.sample
    if kind == "date":
        order = date_order(sample)
        if order.day_first is None and not order.ambiguous:
            return "year first, or in words"
        proofs = f"{order.day_first_proofs:,} day first, {order.month_first_proofs:,} month first"
        proofs += f", {order.ambiguous:,} either" if order.ambiguous else ""
        return proofs + (", years of two digits" if order.short_years else "")
    if kind == "phone":
        region, share = phone_region(sample)
        return f"numbers of {region} ({share:.0%})" if region else "numbers of no one country"
    if kind == "number" and has_decimal_comma(sample):
        return "decimal comma"
    return ""


def file_document(
    name: str, form: str, dialect: str, rows: int, faulty: int, keys: Sequence[str],
    columns: Sequence[dict[str, Any]], left_out: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Return what is said of a file; ``left_out`` are its columns of objects or lists."""
    return {
        "file": name, "form": form, "dialect": dialect, "rows": rows, "unreadable_rows": faulty, "key": list(keys),
        "columns": list(columns), "left_out": list(left_out),
    }  # fmt: skip
