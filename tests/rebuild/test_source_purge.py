"""Taking out again what a source sent between two moments: a forecast, a rebuild without it, and all of it back."""

from __future__ import annotations

import pytest
from rebuild_world import OPTIONS, RULES, World, events_of, rows_of

from mdm_stream.archive import Exclusion
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import Resolution, fold_events, resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import ConfigurationError, TerminalError
from mdm_stream.rebuild.forecast import forecast

pytestmark = pytest.mark.one_redis

FROM_US, TO_US, NOW_US = 15, 45, 1_000
SOURCE = "crm"
HOW = OPTIONS.filling(lambda _what, _done, _expected: None)


@pytest.fixture(params=range(3))
def events(request):
    """A history; the n-th event arrived at microsecond n."""
    return events_of(request.param)


@pytest.fixture
def world(redis_client, redis_url, tmp_path, events):
    """An index, its archive and its feed after that history."""
    world = World(redis_client, redis_url, tmp_path)
    assert Engine(RULES, world.index, sleep=lambda _: None).process(events).failed == []
    world.archive.append("person", rows_of(events), world.index.position())
    world.rebuild()  # which tells the feed
    return world


def without(events):
    """What is left of a history once the purge is done."""
    return [
        event
        for n, event in enumerate(events)
        if not (isinstance(event, RecordEvent) and event.source == SOURCE and FROM_US <= n < TO_US)
    ]


def snapshot(world) -> Resolution:
    """The state of the index."""
    world.index.refresh()
    return world.index.snapshot()


def counted(events, before: Resolution, after: Resolution) -> dict[str, int]:
    """Return what a forecast should have said, from what it was like before and what it is like now."""
    was, now = fold_events(events), fold_events(without(events))
    changed = {each for each in before.golden.keys() & after.golden.keys() if before.golden[each] != after.golden[each]}
    gone = before.golden.keys() - after.golden.keys()
    values = [
        (name, value, after.golden[each]["values"] if each in after.golden else {})
        for each in changed | gone
        for name, value in before.golden[each]["values"].items()
    ]
    return {
        "events": len(events) - len(without(events)),
        "records": sum(now.get(ref) != state for ref, state in was.items()),
        "records_gone": len(before.crosswalk.keys() - after.crosswalk.keys()),
        "golden_changed": len(changed),
        "golden_gone": len(gone),
        "golden_new": len(after.golden.keys() - before.golden.keys()),
        "values_changed": sum(name in left and left[name] != value for name, value, left in values),
        "values_gone": sum(name not in left for name, _, left in values),
    }


def test_the_forecast_is_what_happens_and_the_state_is_f_of_the_rest(world, events):
    """Forecast, purge, compaction, another rebuild, and all of it back: each state is F of what counts then."""
    sources, before = world.archive.sources("person"), snapshot(world)
    assert before == resolve(RULES, events)
    keys = set(world.client.scan_iter("*"))
    planned = Exclusion("planned", SOURCE, FROM_US, TO_US, NOW_US)
    expected = forecast(RULES, world.url, "main", world.archive, HOW, planned)
    assert (snapshot(world), set(world.client.scan_iter("*"))) == (before, keys), "a forecast changes nothing"
    assert sources.read().exclusions == ()

    exclusion = sources.exclude(SOURCE, FROM_US, TO_US, NOW_US)
    report = world.rebuild()
    after = snapshot(world)
    assert after == resolve(RULES, without(events))
    assert {name: getattr(expected, name) for name in type(expected).__slots__} == counted(events, before, after)
    assert expected.events == report.excluded > 0
    assert world.feed.state() == (after.golden, after.crosswalk)
    assert sources.applied() == {exclusion.exclusion_id: report.epoch}

    world.archive.compact("person")
    assert world.rebuild().told == 0
    assert snapshot(world) == after, "a compaction keeps when each row arrived, and so what is taken out"

    assert sources.readmit(exclusion.exclusion_id) == exclusion
    world.rebuild()
    assert snapshot(world) == before
    assert world.feed.state() == (before.golden, before.crosswalk)


def test_slips_are_refused(world):
    """A time that is none or still to come, a name that is none, an exclusion that is not there, no index at all."""
    sources = world.archive.sources("person")
    for source, from_us, to_us in (("crm", 5, 5), ("crm", 6, 5), ("crm", 5, NOW_US + 1), ("../crm", 5, 6)):
        with pytest.raises(ConfigurationError):
            sources.exclude(source, from_us, to_us, NOW_US)
    with pytest.raises(ConfigurationError, match="source list"):
        sources.readmit("0" * 16)
    assert sources.read().exclusions == ()
    with pytest.raises(TerminalError, match="rebuild it first"):
        forecast(RULES, world.url, "other", world.archive, HOW, Exclusion("x", "crm", 1, 2, 3))
