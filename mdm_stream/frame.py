"""F on a pandas DataFrame: rows in, crosswalk, golden records and review queue out. For trying out rules in a notebook.

Runs the engine on an index in memory, so the result is the one that a stream of the same rows would reach. Works with
pandas 2.3 and 3; pandas is imported when a frame is resolved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mdm_stream.contracts.change import INTEGER_MAX, INTEGER_MIN, VERSION_CHARS_MAX
from mdm_stream.core.model import NO_PLACE, RecordEvent, Version, make_ref, split_ref
from mdm_stream.core.reference import Resolution
from mdm_stream.core.ruleset import Ruleset, Source
from mdm_stream.decode.cdc.table_row import as_declared, attributes_of, checked_time_us, column_time_us, record_id_of
from mdm_stream.decode.clock import check_floor, version_in_history
from mdm_stream.decode.delivery import Delivery, row_position
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route, SourceCatalogue
from mdm_stream.decode.versions import checked_version, position_version
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import RejectedEventError, TerminalError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.rules import load_ruleset

if TYPE_CHECKING:
    import pandas as pd

BATCH_SIZE = 1_000
"""Rows that the engine takes at once. It bounds memory and never changes the result."""
ROWS_TOLD_MAX = 10
"""How many bad rows an error names; the first ones say enough."""

_KEY = ("source", "record_id")
DIGITS_MAX = 4_096
"""Digits of a number that becomes a text: Python refuses to write an integer of more than 4,300, and writes a short
``Decimal`` such as 1E+999999999 in a gigabyte."""
_EXACT_FLOAT_MAX = 2**53
"""Above it neighbouring integers share one double."""


class FrameError(TerminalError, ValueError):
    """A frame that cannot be resolved. The message names columns and rows, never a value."""


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedFrame:
    """What F says of a frame's rows, as three DataFrames of Python objects (``None`` where there is no value).

    ``crosswalk``: source, record_id, golden_id; sorted by record. ``golden``: golden_id, one column an attribute (a
    text, or a list of texts where several survive), members (a list of ``source/record_id``); sorted by golden_id.
    ``review``: a_source, a_record_id, b_source, b_record_id, confidence, reason, rule, refused_links (how many lie
    between the two golden records), and the level of each comparison (``None`` where a rule decided); sorted by pair.
    """

    crosswalk: pd.DataFrame
    golden: pd.DataFrame
    review: pd.DataFrame


def resolve_frame(df: pd.DataFrame, rules: Ruleset | str | Path) -> ResolvedFrame:
    """Resolve the rows of a frame under a rule set: a path, the name of a pack, or one that is loaded.

    Each row is an upsert of the record (``source``, ``record_id``). Its other columns are those that the rules map for
    its source, or attributes by name where they map none; columns that the rules do not use are ignored. Missing cells
    (``None``, NaN, NaT, ``pd.NA``) are nulls; times become ISO text, dates where they fall on midnight.

    ``version`` (of the kind that the rules declare, else integers) and ``event_time`` are optional columns. Without
    them a row's number, from 1, is its version and that microsecond of 1970 its time, as in a CSV file: of two rows of
    one record the later one wins. ``FrameError`` (a ``ValueError``) says which column or rows cannot be used;
    ``RulesError`` as ``load_ruleset``.
    """
    ruleset = rules if isinstance(rules, Ruleset) else load_ruleset(rules)
    index = MemoryIndex(ruleset)
    engine = Engine(ruleset, index)
    events = frame_events(df, ruleset)
    for start in range(0, len(events), BATCH_SIZE):
        report = engine.process(events[start : start + BATCH_SIZE])
        if report.failed:
            raise TerminalError(f"the engine gave a batch up: {report.cause}")
        index.acknowledge(index.read(report.changes))  # nobody reads this feed
    engine.drain()
    return _framed(index.snapshot(), ruleset)


def frame_events(df: pd.DataFrame, rules: Ruleset) -> list[RecordEvent]:
    """Return the events that the rows of a frame stand for, in the order of the rows. ``FrameError`` as above."""
    columns = _plain_columns(df)
    table = _Table(rules, columns)
    events: list[RecordEvent] = []
    complaints: list[str] = []
    for position in range(len(df)):
        try:
            events.append(table.event(position))
        except RejectedEventError as error:
            told = "; ".join(f"{reason.path.removeprefix('row.')} {reason.message}" for reason in error.reasons)
            complaints.append(f"row {position + 1}: {told}")
            if len(complaints) >= ROWS_TOLD_MAX:
                break
    if complaints:
        raise FrameError("the frame has rows that cannot be used (counted from 1)\n" + "\n".join(complaints))
    return events


def _plain_columns(df: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the cells of each named column as plain Python values."""
    import pandas as pd  # noqa: PLC0415 - only an extra installs it

    if not isinstance(df, pd.DataFrame):
        raise FrameError(f"expected a pandas DataFrame, not {type(df).__name__}; make one with pd.DataFrame(...)")
    names = [name for name in df.columns if isinstance(name, str)]
    for name in names:
        if names.count(name) > 1:
            raise FrameError(f"the frame has several columns {name!r}; rename or drop all but one of them")
    for name in _KEY:
        if name not in names:
            raise FrameError(f"the frame has no column {name!r}: every row needs a source and a record_id")
    missing = (pd.NaT, pd.NA)
    return {name: [_plain(cell, missing) for cell in df[name].tolist()] for name in names}


def _plain(cell: Any, missing: tuple[object, ...]) -> Any:
    """Return a cell as a Python value without pandas and numpy types; ``None`` where it is missing.

    Dates and times stay: what they become depends on the column. What is no value at all stays too, to be refused.
    """
    if type(cell) is str:
        return cell
    if cell is None or any(cell is absent for absent in missing):
        return None
    if hasattr(cell, "dtype") and hasattr(cell, "ndim"):
        cell = _unwrapped(cell)
    if isinstance(cell, set | frozenset):
        cell = sorted(cell, key=str)
    if isinstance(cell, list | tuple):
        return tuple(_as_value(_plain(item, missing)) for item in cell)
    return _plain_scalar(cell)


def _unwrapped(cell: Any) -> Any:
    """Return a numpy scalar as a Python value (a length of time, which is no value, as it is), an array as a list."""
    if cell.ndim:
        return list(cell)
    if cell.dtype.kind == "M":  # in nanoseconds item() would give a number
        return cell.astype("datetime64[us]").item()
    return cell if cell.dtype.kind == "m" else cell.item()


def _plain_scalar(cell: Any) -> Any:
    if isinstance(cell, float):
        return float(cell) if math.isfinite(cell) else None
    if isinstance(cell, Decimal):
        if not cell.is_finite():
            return None
        return f"{cell:f}" if abs(cell.adjusted()) < DIGITS_MAX else cell
    if isinstance(cell, int) and not INTEGER_MIN <= cell <= INTEGER_MAX:
        return str(cell) if cell.bit_length() < 3 * DIGITS_MAX else Decimal("Infinity")
    return str(cell) if isinstance(cell, str | UUID) else cell


def _as_value(cell: Any) -> Any:
    """Return a plain cell as an attribute's value: times as ISO text, those at midnight without an offset as dates."""
    if isinstance(cell, datetime):
        whole_day = cell.tzinfo is None and cell.time() == time(0)
        return cell.date().isoformat() if whole_day else cell.isoformat()
    return cell.isoformat() if isinstance(cell, date) else cell


def _is_unicode(value: Any) -> bool:
    """Return whether UTF-8 can write all texts of a value: a damaged Python text can hold half a character."""
    try:
        return all(item.isascii() or item.encode() for item in _texts(value))
    except UnicodeEncodeError:
        return False


def _texts(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, str)]


@dataclass(frozen=True, slots=True)
class _SourceRows:
    """How the rows of one source are read: its route with ``record_id`` as its key, and its columns in the frame."""

    route: Route
    columns: tuple[str, ...]


class _Table:
    """The rows of a frame as events."""

    def __init__(self, rules: Ruleset, columns: Mapping[str, list[Any]]) -> None:
        self._rules = rules
        self._columns = columns
        self._catalogue = SourceCatalogue({rules.domain: rules})
        self._sources: dict[str, _SourceRows] = {}

    def event(self, position: int) -> RecordEvent:
        """Return the event of one row; ``RejectedEventError`` if the row cannot be used, ``FrameError`` if a column."""
        name = self._columns["source"][position]
        if not isinstance(name, str) or not _is_unicode(name):
            raise rejection("missing", "source", "is missing or no text")
        source = self._sources.get(name)
        if source is None:
            source = self._sources[name] = self._source(name)
        row: Mapping[str, Any] = {column: _as_value(self._columns[column][position]) for column in source.columns}
        for column, value in row.items():
            if not _is_unicode(value):
                raise rejection("not_utf8", column, "holds half a character (a lone surrogate)")
        row = as_declared(source.route, row)
        record_id = record_id_of(source.route, row, "row")
        attributes = attributes_of(source.route, row, "row")
        version = self._version(source.route, position)
        time_us = self._time_us(position, source.route.source)
        placed = version_in_history(version, time_us, NO_PLACE, source.route.source, Delivery.unplaced(b""))
        return RecordEvent(self._rules.domain, name, record_id, "upsert", placed, time_us, attributes)

    def _source(self, name: str) -> _SourceRows:
        route = self._catalogue.by_source("csv", name)
        present = sorted(route.columns & self._columns.keys())
        absent = sorted(route.columns - self._columns.keys())
        if route.source.columns and absent:
            raise FrameError(
                f"the rules map columns of source {name!r} that the frame does not have: {', '.join(absent)}; "
                "add them (of None, where there is nothing) or take them out of the rules"
            )
        if not present:
            raise FrameError(
                f"the frame has no column that the rules use for source {name!r}: "
                f"map its columns in the rules, or name them {', '.join(absent)}"
            )
        keyed = replace(route, source=replace(route.source, key=("record_id",)))
        return _SourceRows(keyed, (*present, *({"record_id"} - set(present))))

    def _version(self, route: Route, position: int) -> Version:
        source = route.source
        place = Delivery.from_row(b"", position + 1)
        if "version" not in self._columns:
            if source.version_kind == "integer":
                return position + 1
            text = source.version_kind == "text"
            return row_position(position + 1) if text else position_version(source, place, "version")
        version = self._columns["version"][position]
        if isinstance(version, datetime):
            version = column_time_us(version.isoformat(), "version")
        if isinstance(version, float) and version.is_integer() and abs(version) <= _EXACT_FLOAT_MAX:
            version = int(version)
        if isinstance(version, bool) or not isinstance(version, int | str) or version == "":
            raise rejection("missing", "version", "is no integer or text; give every row one, or drop the column")
        if isinstance(version, str) and (len(version) > VERSION_CHARS_MAX or not version.isprintable()):
            raise rejection(
                "wrong_format", "version", f"must be a printable text of 1 to {VERSION_CHARS_MAX} characters"
            )
        return checked_version(version, source, place, "version")

    def _time_us(self, position: int, source: Source) -> int:
        cell = self._columns["event_time"][position] if "event_time" in self._columns else None
        if cell is None:
            return position + 1
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)
        if isinstance(cell, date):  # a datetime is one too
            cell = cell.isoformat()
        time_us = checked_time_us(column_time_us(cell, "event_time"), "event_time")
        check_floor(time_us, source)
        return time_us


def _framed(resolution: Resolution, rules: Ruleset) -> ResolvedFrame:
    crosswalk = [(*split_ref(ref), resolution.crosswalk[ref]) for ref in sorted(resolution.crosswalk, key=split_ref)]
    attributes = [attribute.name for attribute in rules.attributes]
    golden = [_golden_row(golden_id, content, attributes) for golden_id, content in resolution.golden.items()]
    comparisons = [comparison.name for comparison in rules.match.comparisons]
    review = [
        _review_row(pair, resolution.review[pair], comparisons)
        for pair in sorted(resolution.review, key=lambda pair: (split_ref(pair[0]), split_ref(pair[1])))
    ]
    ends = ("a_source", "a_record_id", "b_source", "b_record_id")
    return ResolvedFrame(
        _frame(crosswalk, (*_KEY, "golden_id")),
        _frame(golden, ("golden_id", *attributes, "members")),
        _frame(review, (*ends, "confidence", "reason", "rule", "refused_links", *comparisons)),
    )


def _golden_row(golden_id: str, content: Mapping[str, Any], attributes: Sequence[str]) -> tuple[Any, ...]:
    members = [make_ref(member["source"], member["record_id"]) for member in content["members"]]
    return (golden_id, *(content["values"].get(name) for name in attributes), members)


def _review_row(pair: tuple[str, str], item: Mapping[str, Any], comparisons: Sequence[str]) -> tuple[Any, ...]:
    levels = (item["evidence"].get(name) for name in comparisons)
    said = (item[name] for name in ("confidence", "reason", "rule", "refused_links"))
    return (*split_ref(pair[0]), *split_ref(pair[1]), *said, *levels)


def _frame(rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> pd.DataFrame:
    """Return rows as a frame of Python objects, so that it is the same with every pandas."""
    import pandas as pd  # noqa: PLC0415

    return pd.DataFrame(rows, columns=list(columns), dtype=object)
