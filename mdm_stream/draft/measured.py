"""What a first draft of rules makes of the records: blocks of each key, chances of agreement, and records to look at.

The records are read as ``replay`` reads them, standardised and given keys by the engine's own functions: what is
measured is what will be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mdm_stream.core.blocking.keys import blocking_keys
from mdm_stream.core.blocking.limits import expression_limit
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.match.columns import MatchValue
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.ruleset import KeyExpression, Ruleset
from mdm_stream.core.standardise import match_values, standardise_record
from mdm_stream.decode.files.csv_rows import CsvFile
from mdm_stream.draft.key_choice import KeyMeasure, measured_key
from mdm_stream.draft.lowered import MEASURED_TYPES
from mdm_stream.draft.strangers import StrangerPairs, stranger_pairs, telling_attributes
from mdm_stream.draft.weights import ValueChance
from mdm_stream.profile.columns.table_files import file_bytes

MEASURED_RECORDS_MAX = 200_000
"""Records whose keys are counted; of more, these are the first ones, and the pairs of all are more."""
LOOKED_AT_MAX = 3_000
"""Records that are resolved to show golden records: all of a small file, of a larger one those of small blocks."""
_TELLING_TYPES = frozenset({"identifier", "email", "phone", "date", "address", "url"})
"""Types whose values may tell things apart, if few records share one."""
SMALL_BLOCK = range(2, 7)
PROGRESS_EVERY = 2_000
REASONS_KEPT = 5

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class RuledFile:
    """A file as ``replay`` reads it: its source is that of rows that name none."""

    path: Path
    source: str
    loaded_at_us: int


@dataclass(slots=True)
class RowsRead:
    """Counts of rows that were read and rejected; ``reasons`` counts why by code."""

    read: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def file_events(files: Sequence[RuledFile], rules: Ruleset, counts: RowsRead) -> Iterator[RecordEvent]:
    """Yield the events of the rows of files under rules; count those that are rejected, by reason."""
    for file in files:
        for row in CsvFile(file_bytes(file.path), {rules.domain: rules}, file.source, file.loaded_at_us).rows():
            if isinstance(row.outcome, RecordEvent):
                counts.read += 1
                yield row.outcome
            else:
                counts.rejected += 1
                reason = row.outcome.reasons[0]
                counts.reasons[f"{reason.code} ({reason.path})"] += 1


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of the records of files: keys by expression, chances by attribute, and events to resolve."""

    records: int
    rows: RowsRead
    keys: Mapping[str, KeyMeasure]
    chances: Mapping[str, ValueChance]
    strangers: Mapping[str, StrangerPairs]
    """Of attributes whose values many records share: how often records of different things agree on them."""
    looked_at: tuple[RecordEvent, ...]
    is_all: bool


def measure(
    files: Sequence[RuledFile], rules: Ruleset, advance: Progress = lambda _what, _done, _all: None
) -> Measured:
    """Return what rules make of files. Records in several rows count once, as their newest row has them."""
    rows = RowsRead()
    newest: dict[str, RecordEvent] = {}
    for event in file_events(files, rules, rows):
        held = newest.get(event.refs[0])
        if held is None or event.version >= held.version:  # type: ignore[operator]  # of one source, so of one kind
            newest[event.refs[0]] = event
        if len(newest) >= MEASURED_RECORDS_MAX:
            break
    values: list[list[MatchValue]] = [[] for _ in rules.attributes]
    blocks: dict[str, list[int]] = {}
    events = list(newest.values())
    for place, event in enumerate(events):
        found = standardise_record(rules, event.source, event.attributes)
        for column, each in zip(values, found, strict=True):
            column.append(each.match)
        for key in blocking_keys(rules, match_values(rules, event.source, found)):
            blocks.setdefault(key, []).append(place)
        if not place % PROGRESS_EVERY:
            advance("records", place, len(events))
    sizes: dict[str, list[int]] = {}
    for key, members in blocks.items():
        sizes.setdefault(key.partition(":")[0], []).append(len(members))
    keys = {each.text: _measured_key(rules, each, sizes.get(each.tag, ())) for each in rules.blocking}
    chances = {each.name: _chance(column) for each, column in zip(rules.attributes, values, strict=True)}
    chosen = _looked_at(events, blocks.values())
    strangers = _strangers(rules, values)
    return Measured(len(events), rows, keys, chances, strangers, chosen, len(chosen) == len(events))


def _strangers(rules: Ruleset, values: Sequence[Sequence[MatchValue]]) -> dict[str, StrangerPairs]:
    kinds = {each.name: each.type for each in rules.attributes}
    columns = {each.name: column for each, column in zip(rules.attributes, values, strict=True)}
    telling = {name: column for name, column in columns.items() if kinds[name] in _TELLING_TYPES}
    found = {}
    for name, column in columns.items():
        if kinds[name] in MEASURED_TYPES:
            found[name] = stranger_pairs(column, [telling[each] for each in telling_attributes(telling, name)])
    return found


def _measured_key(rules: Ruleset, expression: KeyExpression, sizes: Iterable[int]) -> KeyMeasure:
    """Return what an expression makes. Records of a refined block meet by what refines it: none is suspended."""
    found = measured_key(sizes, expression_limit(rules, expression))
    return found if expression.refined_above is None else replace(found, suspended=0)


def _chance(column: Iterable[MatchValue]) -> ValueChance:
    listed = Counter(match for match in column if match is not None).values()
    present = sum(listed)
    same = sum(count * (count - 1) for count in listed)
    return ValueChance(present, len(listed), same / (present * (present - 1)) if present > 1 else 0.0)


def _looked_at(events: Sequence[RecordEvent], blocks: Iterable[Sequence[int]]) -> tuple[RecordEvent, ...]:
    """Return the records to resolve: all, or those that share most small blocks. Chance has no part in it."""
    if len(events) <= LOOKED_AT_MAX:
        return tuple(events)
    shared: Counter[tuple[int, ...]] = Counter(tuple(members) for members in blocks if len(members) in SMALL_BLOCK)
    order = sorted(shared, key=lambda members: (-shared[members], _order_of(events[members[0]])))
    chosen: dict[int, None] = {}
    for members in order:
        if len(chosen) + len(members) > LOOKED_AT_MAX:
            break
        chosen.update(dict.fromkeys(members))
    return tuple(events[place] for place in sorted(chosen)) or tuple(events[:LOOKED_AT_MAX])


def _order_of(event: RecordEvent) -> str:
    return digest_of_bytes(event.refs[0].encode("utf-8", "surrogatepass"), 8)
