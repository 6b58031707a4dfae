"""What identifies and orders the rows of a file: its key columns, and a version column where it has one. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from mdm_stream.core.name_patterns import SOURCE_PATTERN
from mdm_stream.core.time_format import time_format
from mdm_stream.profile.columns.column_facts import ColumnMeaning

PARTS_MAX = 16
"""Sources that the rows of one file may name themselves."""
KEY_COLUMNS_TRIED = 8
_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y%m%d")
_CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M:%S", "T%H:%M:%S%z", "T%H:%M:%S.%f%z", "T%H:%M:%S.%f",
    " %H:%M:%S%z",
    " %H:%M:%S.%f%z", " %I:%M %p", " %I:%M:%S %p", "T%H:%M", "T%H:%M%z", "%H%M%S",
)  # fmt: skip
_EPOCHS = {10: "seconds", 13: "milliseconds", 16: "microseconds"}
_YEAR_1990_US = 631_152_000_000_000
_UNITS_US = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
_RESERVED = {"source": "names sources", "version": "is no whole number", "event_time": "is no time"}
_BESIDE_KEYS = frozenset({"key", "source", "category", "country", "code", "region"})
_NEVER_KEYS = frozenset({
    "given_name", "family_name", "full_name", "birth_date", "street", "city", "description", "title", "price",
    "date", "changed_at",
    "created_at", "number", "organisation", "email", "phone", "creator",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class RowOrder:
    """The column by which versions of a row are ordered: a time of the form ``written``, or a count of ``kind``."""

    column: str
    kind: str
    written: str | None


@dataclass(frozen=True, slots=True)
class SourceKeys:
    """The key of a file's rows (none: ``record_id``, which a copy of the file gets) and what orders their versions.

    ``parts`` are sources that the rows name themselves. ``copy_because`` says why the rules are about a copy of the
    file, if they are; ``renamed`` are columns that it has under another name. ``doubts`` go with columns.
    """

    key: tuple[str, ...]
    order: RowOrder | None
    parts: tuple[str, ...]
    copy_because: str
    renamed: tuple[tuple[str, str], ...]
    doubts: tuple[tuple[str, str], ...]


def source_keys(
    columns: Sequence[ColumnMeaning],
    distinct_of: Callable[[Sequence[int]], tuple[int, int]],
    values_of: Callable[[int], list[str]],
    loaded_at_us: int,
) -> SourceKeys:
    """Return what identifies the rows of a file.

    ``distinct_of`` counts the combinations of values of some columns (by place) and the rows that have all of them;
    ``values_of`` gives a column's different values. A time beyond the load's is none that orders versions.
    """
    names = [each.name for each in columns]
    rows = columns[0].facts.counts.rows
    doubts: list[tuple[str, str]] = []
    parts, renamed = _parts(columns, values_of)
    within = [names.index("source")] if parts else []
    order = _order(columns, values_of, loaded_at_us, doubts)
    key = _key(columns, distinct_of, within, rows)
    if key is None and order is not None:
        key = _key_with_versions(columns, distinct_of, [*within, names.index(order.column)], rows)
        if key is not None:
            doubts.append(
                (key[0], f"is in several rows, which are taken for its versions, ordered by {order.column!r}")
            )
    if key is None and not within:
        key = _pair(columns, distinct_of, rows)
    if key is not None:
        key = tuple(names[columns_place] for columns_place in _places(names, key))
    renamed += tuple(
        (each, f"{each}_column") for each in names if _is_misused(each, columns, names, order, loaded_at_us, values_of)
    )
    because = "it has no column that identifies a row" if key is None else ""
    if renamed:
        because = because or "; ".join(
            f"its column {old!r} {_RESERVED[old]}, as a column of that name must" for old, _ in renamed
        )
    if key is None:
        doubts.append(
            ("", "no column identifies a row; the copy numbers the rows, so a later export must keep their order")
        )
    return SourceKeys(key or ("record_id",), order, parts, because, renamed, tuple(doubts))


def _places(names: Sequence[str], key: Sequence[str]) -> list[int]:
    return [names.index(each) for each in key]


def _parts(
    columns: Sequence[ColumnMeaning], values_of: Callable[[int], list[str]]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the sources that a column ``source`` names, or that it must be renamed as it names none."""
    for place, each in enumerate(columns):
        if each.name == "source":
            counts = each.facts.counts
            if counts.distinct <= PARTS_MAX and counts.present == counts.rows:
                values = values_of(place)
                if all(re.fullmatch(SOURCE_PATTERN, value) and value != "steward" for value in values):
                    return tuple(values), ()
            return (), (("source", "source_column"),)
    return (), ()


def _rank(column: ColumnMeaning, place: int) -> tuple[bool, bool, bool, int]:
    is_code = max(column.facts.share("code"), column.facts.share("integer"), column.facts.share("uuid")) > 0.9
    return column.meaning != "key", column.name != "record_id", not is_code, place


def _candidates(columns: Sequence[ColumnMeaning]) -> list[int]:
    found = [
        place for place, each in enumerate(columns)
        if each.facts.counts.present == each.facts.counts.rows and each.meaning not in _NEVER_KEYS
        and each.facts.counts.lengths[4] <= 128 and each.facts.counts.distinctness > 0.02
    ]  # fmt: skip
    return sorted(found, key=lambda place: _rank(columns[place], place))[:KEY_COLUMNS_TRIED]


def _key(
    columns: Sequence[ColumnMeaning],
    distinct_of: Callable[[Sequence[int]], tuple[int, int]],
    within: Sequence[int],
    rows: int,
) -> tuple[str, ...] | None:
    """Return the column that identifies a row (of its source)."""
    for place in _candidates(columns):
        counts = columns[place].facts.counts
        if counts.is_key or (within and columns[place].meaning == "key" and distinct_of([*within, place])[0] == rows):
            return (columns[place].name,)
    return None


def _key_with_versions(
    columns: Sequence[ColumnMeaning],
    distinct_of: Callable[[Sequence[int]], tuple[int, int]],
    within: Sequence[int],
    rows: int,
) -> tuple[str, ...] | None:
    for place in _candidates(columns):
        if columns[place].meaning == "key" and distinct_of([*within, place]) == (rows, rows):
            return (columns[place].name,)
    return None


def _pair(
    columns: Sequence[ColumnMeaning], distinct_of: Callable[[Sequence[int]], tuple[int, int]], rows: int
) -> tuple[str, ...] | None:
    """Return two columns that identify a row together, one of them a key by its name."""
    complete = [place for place, each in enumerate(columns) if each.facts.counts.present == each.facts.counts.rows]
    keys = [place for place in complete if columns[place].meaning == "key"]
    beside = [
        place for place in complete
        if columns[place].meaning in _BESIDE_KEYS and place not in keys[:1]
    ]  # fmt: skip
    pairs = [pair for pair in product(keys, beside) if pair[0] != pair[1]] + list(combinations(keys, 2))
    for pair in list(dict.fromkeys(pairs))[: 3 * KEY_COLUMNS_TRIED]:
        if distinct_of(pair) == (rows, rows):
            return tuple(columns[place].name for place in sorted(pair))
    return None


def _order(
    columns: Sequence[ColumnMeaning],
    values_of: Callable[[int], list[str]],
    loaded_at_us: int,
    doubts: list[tuple[str, str]],
) -> RowOrder | None:
    for place, each in enumerate(columns):
        if each.meaning != "changed_at":
            continue
        counts = each.facts.counts
        if counts.present < counts.rows:
            doubts.append(
                (
                    each.name,
                    "looks like the time of a change, and is empty in some rows; versions are those of the load",
                )
            )
            continue
        found = time_column(values_of(place), loaded_at_us)
        if isinstance(found, str):
            doubts.append((each.name, f"looks like the time of a change, and {found}; versions are those of the load"))
            continue
        return RowOrder(each.name, *found)
    return None


def time_column(values: Sequence[str], latest_us: int) -> tuple[str, str | None] | str:
    """Return the kind of version (``time`` or a unit) and how texts are written, or why there is none."""
    sizes = {len(text) for text in values}
    if all(text.isdigit() for text in values) and len(sizes) == 1 and (size := sizes.pop()) in _EPOCHS:
        unit = _EPOCHS[size]
        return (unit, None) if max(map(int, values)) * _UNITS_US[unit] <= latest_us else "has times to come"
    fitting: list[str] = []
    for written in (day + clock for day in _DATES for clock in _CLOCKS if clock != "%H%M%S" or day == "%Y%m%d"):
        times = _times(values, written)
        if times is None:
            continue
        if min(times) < _YEAR_1990_US:
            return "has times before 1990"
        if max(times) > latest_us:
            continue
        fitting.append(written)
    if len(fitting) == 1:
        return "time", fitting[0]
    return (
        "may be read with the day or the month first" if fitting else "is not of one known form, or has times to come"
    )


def _times(values: Sequence[str], written: str) -> list[int] | None:
    read = time_format(written)
    times = []
    for text in values:
        try:
            times.append(read.time_us(text.lower()))
        except ValueError:
            return None
    return times or None


def _is_misused(
    name: str,
    columns: Sequence[ColumnMeaning],
    names: Sequence[str],
    order: RowOrder | None,
    loaded_at_us: int,
    values_of: Callable[[int], list[str]],
) -> bool:
    """Return whether a column has a name that every file's reader knows, and other values."""
    place = names.index(name)
    column = columns[place]
    if name == "version":
        return (order is None or order.column != name) and (
            column.facts.share("integer") < 1 or column.facts.counts.present < column.facts.counts.rows
        )
    if name == "event_time" and (order is None or order.column != name):
        return isinstance(time_column(values_of(place), loaded_at_us), str) or column.facts.share("date") < 1
    return False
