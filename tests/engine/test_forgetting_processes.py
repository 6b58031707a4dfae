"""Processes forget the values of erased records: at once where the erasure is applied, else within a named time."""

from __future__ import annotations

import ast
import gc
from types import FrameType

import pytest
from source_tree import ROOT

from mdm_stream.archive.once import AppendOnce
from mdm_stream.archive.record import ArchivedRecord
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import EraseEvent, RecordEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.rules import load_ruleset
from mdm_stream.settings import EngineSettings

pytestmark = pytest.mark.slow

RULES = load_ruleset("person")
FORGET_AFTER_S = EngineSettings().forget_after_s
ALLOWED = {
    "mdm_stream/core/memo.py": "the home of memories",
    "mdm_stream/core/f_version.py": "versions of libraries",
    "mdm_stream/core/standardise/several.py": "separators of the rules",
    "mdm_stream/core/standardise/text.py": "single characters",
    "mdm_stream/core/file_names.py": "name patterns of the rules",
    "mdm_stream/core/time_format.py": "formats of the rules",
    "mdm_stream/core/standardise/values.py": "options of the rules",
    "mdm_stream/core/standardise/patterns.py": "patterns of the rules",
    "mdm_stream/core/standardise/registry.py": "standardisers by their options, each of which remembers by memo",
    "mdm_stream/decode/files/csv_records.py": "grammars of dialects",
    "mdm_stream/erasure/folding.py": "two expressions",
    "mdm_stream/local/servers/children.py": "what this machine can do",
    "mdm_stream/warehouse/append/schema.py": "our own statements",
    "mdm_stream/warehouse/migrations.py": "our own statements",
    "mdm_stream/warehouse/lineage/tables.py": "our own tables",
    "mdm_stream/warehouse/snowflake/options/option.py": "our own statements",
    "consumers/warehouse/handler.py": "the consumer itself",
    "mdm_stream/capacity/batches.py": "shapes of a day",
    "mdm_stream/profile/columns/column_words.py": "our own table of words",
    "mdm_stream/profile/columns/value_forms.py": "our own tables of words",
    "mdm_stream/profile/columns/word_tables.py": "our own tables of words",
    "mdm_stream/assess/labelled.py": "positions of pairs by how many records there are",
}
"""Where functools may remember something, and what that is: no value of a record."""


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def canaries(word: str) -> dict[str, object]:
    """Return attributes that are in nobody's memory yet: made now, so that they are no constants of this module."""
    name = "".join(reversed(word))
    return {
        "given_name": name.title(),
        "family_name": f"{name}-{name}".title(),
        "full_name": f"{name} van {name}".title(),
        "email": f"{name}@canary.example",
        "city": f"{name}burg",
        "birth_date": "1971-02-03",
    }


def texts_in_memory(needle: str) -> list[str]:
    """Return every text with a needle that an object of this process holds, but for those of running functions."""
    gc.unfreeze()  # tests/conftest.py leaves out what was there before the tests: modules, too, which remember
    gc.collect()
    found = []
    for holder in gc.get_objects():
        if isinstance(holder, FrameType) or holder is found:
            continue
        found += [
            text for text in gc.get_referents(holder) if isinstance(text, str) and needle in text.lower() != needle
        ]
    return found


def sent(engine: Engine, word: str, *, then_erased: bool = False) -> None:
    """Have an engine apply an upsert, which another record of the same person is scored against."""
    for source in ("crm", "erp"):
        engine.process([RecordEvent("person", source, "1", "upsert", 1, 0, canaries(word))])
    if then_erased:
        engine.process([EraseEvent("person", "crm/1", 2), EraseEvent("person", "erp/1", 2)])


def test_what_remembers_values_can_forget() -> None:
    """A memory of functools is in a module that is known to remember no values of records; all others use memo."""
    remembering = set()
    for package in ("mdm_stream", "consumers", "producers"):
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            names = {each.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for each in node.names}
            attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            if {"lru_cache", "cache"} & names or {"lru_cache"} & attributes or "functools.cache" in path.read_text():
                remembering.add(path.relative_to(ROOT).as_posix())
    assert remembering == set(ALLOWED)


def test_an_erasure_is_forgotten_at_once_by_the_process_that_applies_it() -> None:
    """No object of the process holds a value afterwards: cache of records, memories of standardisers and scores."""
    needle = "zwiesel" + "brand"
    engine = Engine(RULES, MemoryIndex(RULES), sleep=lambda _: None)
    sent(engine, needle[::-1])
    assert len(texts_in_memory(needle)) > 10
    engine.process([EraseEvent("person", "crm/1", 2), EraseEvent("person", "erp/1", 2)])
    assert texts_in_memory(needle) == []


def test_another_process_forgets_within_the_named_time() -> None:
    """With its next batch or its next tick after that: it has not seen the erasure."""
    needle = "quasten" + "flosser"
    clock, index = Clock(), MemoryIndex(RULES)
    engines = [Engine(RULES, index, sleep=lambda _: None, clock_s=clock) for _ in range(2)]
    sent(engines[0], needle[::-1])
    engines[1].process([RecordEvent("person", "web", "2", "upsert", 1, 0, canaries(needle[::-1]))])
    engines[1].process([EraseEvent("person", ref, 2) for ref in ("crm/1", "erp/1", "web/2")])
    assert texts_in_memory(needle)
    clock.now_s += FORGET_AFTER_S - 1
    engines[0].drain()
    assert texts_in_memory(needle)
    clock.now_s += 1
    engines[0].drain()
    assert texts_in_memory(needle) == []


def test_a_record_in_use_is_not_forgotten() -> None:
    """What a batch has used since stays in the cache."""
    clock = Clock()
    engine = Engine(RULES, MemoryIndex(RULES), sleep=lambda _: None, clock_s=clock)
    sent(engine, "pfiffikus")
    clock.now_s += FORGET_AFTER_S - 1
    engine.process([RecordEvent("person", "crm", "1", "upsert", 2, 0, canaries("pfiffikus"))])
    clock.now_s += 1
    engine.drain()
    assert list(engine._cache._records) == ["crm/1", "erp/1"] or list(engine._cache._records) == ["erp/1", "crm/1"]


class Appended:
    """An archive that counts what is appended."""

    def __init__(self) -> None:
        self.rows = 0

    def append(self, _: str, records: list[ArchivedRecord], __: EpochPosition) -> None:
        """Count rows."""
        self.rows += len(records)


def test_digests_of_archived_rows_are_forgotten_with_the_rest() -> None:
    """A row that is delivered again is then archived again, which compaction undoes; nothing else depends on them."""
    archive = Appended()
    once = AppendOnce(archive)  # type: ignore[arg-type]
    row = ArchivedRecord("person", ("crm/1",), "1", 0, "", b"{}", "record")
    for position in (1, 2):
        once.append("person", [row], EpochPosition(1, 0, position))
    assert archive.rows == 1
    once.forget()
    once.append("person", [row], EpochPosition(1, 0, 3))
    assert archive.rows == 2
