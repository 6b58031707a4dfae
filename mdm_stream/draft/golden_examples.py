"""Golden records of the data at once: some records resolved by the engine itself, the most telling ones shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mdm_stream.core.model import RecordEvent, make_ref
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise import standardise_record
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TerminalError
from mdm_stream.index.memory import MemoryIndex

BATCH_SIZE = 1_000
EXAMPLES_SHOWN = 3
MEMBERS_SHOWN = 5
LARGE_CLUSTER = 25


@dataclass(frozen=True, slots=True)
class GoldenExample:
    """A golden record with what its members say: attribute -> its value, and each member's. Members are references."""

    golden_id: str
    members: tuple[str, ...]
    values: Mapping[str, tuple[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What came of some records: how many there were, golden records, those of several, pairs to review, examples."""

    records: int
    golden: int
    merged: int
    largest: int
    reviews: int
    examples: tuple[GoldenExample, ...]


def first_look(rules: Ruleset, events: Sequence[RecordEvent]) -> FirstLook:
    """Resolve some records, and return what came of them. The same records give the same examples."""
    index = MemoryIndex(rules)
    engine = Engine(rules, index)
    for start in range(0, len(events), BATCH_SIZE):
        report = engine.process(list(events[start : start + BATCH_SIZE]))
        if report.failed:
            raise TerminalError(f"the engine could not resolve the records: {report.cause}")
        index.acknowledge(index.read(report.changes))
    engine.drain()
    found = index.snapshot()
    by_ref = {event.refs[0]: event for event in events}
    members = {golden_id: _members(content) for golden_id, content in found.golden.items()}
    several = [golden_id for golden_id, refs in members.items() if len(refs) > 1]
    told = [_example(rules, each, members[each], found.golden[each], by_ref) for each in several]
    told.sort(key=_how_telling, reverse=True)
    return FirstLook(
        records=len(by_ref),
        golden=len(found.golden),
        merged=len(several),
        largest=max(map(len, members.values()), default=0),
        reviews=len(found.review),
        examples=tuple(told[:EXAMPLES_SHOWN]),
    )


def _members(content: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(make_ref(member["source"], member["record_id"]) for member in content["members"])


def _example(
    rules: Ruleset, golden_id: str, refs: tuple[str, ...], content: Mapping[str, Any], events: Mapping[str, RecordEvent]
) -> GoldenExample:
    records = [standardise_record(rules, events[ref].source, events[ref].attributes) for ref in refs if ref in events]
    values: dict[str, tuple[str, tuple[str, ...]]] = {}
    for place, attribute in enumerate(rules.attributes):
        each = tuple(_text(record[place].value) for record in records)
        golden = _text(content["values"].get(attribute.name))
        if golden or any(each):
            values[attribute.name] = (golden, each)
    return GoldenExample(golden_id, refs, values)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _how_telling(example: GoldenExample) -> tuple[bool, int, bool, str]:
    """Rank examples: those of a few members first, that differ in most attributes, of several sources."""
    differing = sum(len({text for text in each if text}) > 1 for _, each in example.values.values())
    sources = len({ref.partition("/")[0] for ref in example.members}) > 1
    return len(example.members) <= MEMBERS_SHOWN, differing + sources, sources, example.golden_id
