"""The engine's cache of records holds what was used last, by number and by how much text that is."""

from __future__ import annotations

import pytest
from small_world import small_rules

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import OverrideEvent, RecordEvent, VerdictEvent
from mdm_stream.core.record import Record, build_record
from mdm_stream.engine.cache import RecordCache

RULES = small_rules()


def record_of(number: int, *events: object, version: int = 1, **attributes: object) -> Record:
    """Return the record of an upsert of the CRM, and of further events."""
    ref = f"crm/{number}"
    state = EMPTY
    for event in (RecordEvent("person", "crm", str(number), "upsert", version, 0, attributes), *events):
        state = fold(state, event, ref).state
    return build_record(RULES, ref, state)


def held(cache: RecordCache, *records: Record) -> list[str]:
    """Return which of some records a cache holds."""
    return [record.ref for record in records if cache.get(record.ref, record.revision) is record]


def test_the_record_not_used_for_the_longest_time_is_forgotten():
    """By number; one that was asked for counts as used, and of each record one revision is held."""
    cache = RecordCache(2)
    one, two, three = (record_of(number, given_name="Ann") for number in (1, 2, 3))
    cache.put([one, two])
    assert held(cache, one) == ["crm/1"]
    cache.put([three])
    assert held(cache, one, two, three) == ["crm/1", "crm/3"]
    newer = record_of(1, version=2, given_name="Anne")
    cache.put([newer])
    assert held(cache, one, newer, three) == ["crm/1", "crm/3"]
    assert cache.get("crm/1", one.revision) is None


@pytest.mark.parametrize("kind", ["text", "list", "patch", "override", "verdicts"])
def test_large_records_are_forgotten_however_few_they_are(kind):
    """A thousand characters fit: of four records with 400 each the last two are held, whatever makes them large."""

    def large(number: int) -> Record:
        ref, text = f"crm/{number}", "x" * 400
        if kind == "text":
            return record_of(number, given_name=text)
        if kind == "list":
            return record_of(number, email=tuple(f"{place:03d}@x.org" + "y" * 31 for place in range(10)))
        if kind == "patch":
            patch = RecordEvent("person", "crm", str(number), "patch", 2, 0, {"given_name": text})
            return record_of(number, patch, family_name="Lee")
        if kind == "override":
            return record_of(number, OverrideEvent("person", ref, 1, 0, "s", {"given_name": text}))
        verdicts = [VerdictEvent("person", *sorted((ref, f"erp/{other}")), "link", 1, 0, "s") for other in range(4)]
        return record_of(number, *verdicts)

    cache = RecordCache(50_000, 1_000)
    records = [large(number) for number in range(4)]
    for record in records:
        cache.put([record])
    assert held(cache, *records) == ["crm/2", "crm/3"]
    cache.put([records[3]] * 5)
    assert held(cache, *records) == ["crm/2", "crm/3"]


def test_a_record_that_fits_in_no_cache_is_not_held():
    """It is worked on all the same; what was held before it goes, and later records are held again."""
    cache = RecordCache(50_000, 1_000)
    small, huge = record_of(1, given_name="Ann"), record_of(2, given_name="x" * 2_000)
    cache.put([small])
    cache.put([huge])
    assert held(cache, small, huge) == []
    cache.put([small])
    assert held(cache, small) == ["crm/1"]
