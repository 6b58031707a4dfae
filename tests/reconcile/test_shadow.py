"""Rules in the shadow of others: what they would change, window by window, and nothing that is live is touched."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from bytes_of_redis import keys_with_content
from rebuild_world import RULES, World, events_of, rows_of
from small_world import small_rules

from mdm_stream.archive import open_archive
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.reconcile.impact_in_process import impact_in_process, state_of_events
from mdm_stream.reconcile.shadow import RulesShadow
from mdm_stream.reconcile.shadow_windows import ShadowTimes, shadow_windows

NEW_RULES = small_rules(max_block_size=6, max_cluster_size=3)
NOW_US = 64


@pytest.fixture
def archive(tmp_path):
    """An archive with nothing in it."""
    return open_archive((tmp_path / "archive").as_uri())


def archived(archive, events) -> None:
    """Archive events whose arrivals are their places."""
    archive.append("person", rows_of(events), EpochPosition(1, 1, 1))


def shadow_of(archive, old=RULES, new=NEW_RULES, **options) -> RulesShadow:
    """Both in memory."""
    return RulesShadow(archive, (old, MemoryIndex(old)), (new, MemoryIndex(new)), **options)


def windows_of(shadow, every_us, past_us=NOW_US, now_us=NOW_US):
    """All windows of what is archived, at once."""
    times = ShadowTimes(every_us=every_us, for_us=0, past_us=past_us, settle_us=0)
    return list(shadow_windows(shadow, times, lambda: now_us, lambda _: False))


@pytest.mark.parametrize("seed", range(3))
def test_in_the_end_it_says_what_rules_diff_says(archive, seed):
    """However what was delivered is cut into windows: two rule sets, one archive, one comparison."""
    events = events_of(seed)
    archived(archive, events)
    every_us = random.Random(seed).randrange(15, 40)
    shadow = shadow_of(archive)
    windows = windows_of(shadow, every_us)
    assert sum(each.deliveries for each in windows) == len(events)
    assert [each.to_us for each in windows[:-1]] == [each.from_us for each in windows[1:]]
    states = [state_of_events(rules, events) for rules in (RULES, NEW_RULES)]
    assert shadow.total() == impact_in_process("person", *states)
    assert [side.index.snapshot() for side in (shadow.old, shadow.new)] == [each.resolution for each in states]
    assert states[0].resolution == resolve(RULES, events)
    assert windows[-1].open_new == sum(not item["answered"] for item in states[1].resolution.review.values())


def test_the_same_rules_differ_in_nothing(archive):
    """In no window, whatever is in it."""
    archived(archive, events_of(1))
    shadow = shadow_of(archive, new=RULES)
    windows = windows_of(shadow, 20)
    assert all(each.impact.is_none and each.opened_old == each.opened_new for each in windows)
    assert shadow.total().is_none
    assert any(each.impact.clusters["unchanged"].before for each in windows)


def person(number: int, source: str, **more: str) -> RecordEvent:
    """One of some people whom small rules link by name and birth date."""
    said = {"given_name": "Ada", "family_name": f"Fam{chr(97 + number)}", "birth_date": f"198{number}-01-01", **more}
    return RecordEvent("person", source, str(number), "upsert", 1, 1, said)


def test_a_window_is_about_what_was_delivered_in_it(archive):
    """What the new rules keep apart shows in the window in which it was joined, and in no other."""
    old, new = small_rules(), small_rules(max_cluster_size=1)
    trios = [[person(number, source) for source in ("crm", "erp")] for number in range(3)]
    archived(archive, [event for trio in trios for event in trio])
    windows = windows_of(shadow_of(archive, old, new), every_us=2, past_us=6, now_us=6)
    assert [(each.deliveries, each.records, each.impact.clusters["split"].before) for each in windows] == [
        (2, 2, 1)
    ] * 3
    assert [each.impact.clusters["split"].after for each in windows] == [2, 2, 2]
    samples = [each.impact.samples[0] for each in windows]
    assert [sample.refs for sample in samples] == [(f"crm/{number}", f"erp/{number}") for number in range(3)]


def test_what_was_there_before_is_no_difference_of_a_window(archive):
    """What was delivered before the beginning counts where something touches it."""
    old, new = small_rules(), small_rules(max_cluster_size=1)
    archived(archive, [person(0, "crm"), person(0, "erp"), person(1, "crm"), person(0, "crm", email="a@b.example")])
    (window,) = windows_of(shadow_of(archive, old, new), every_us=1, past_us=1, now_us=4)
    assert (window.deliveries, window.records) == (1, 1)
    assert window.impact.golden.before == 1
    assert window.impact.clusters["split"].before == 1


def test_it_follows_what_is_archived_meanwhile(archive):
    """A window closes once its time is over; asked to stop, it closes the one that is open."""
    now = [10]
    waited = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        if len(waited) == 1:
            archive.append("person", arriving([person(0, "crm")], 12), EpochPosition(1, 2, 2))
        if len(waited) == 2:
            more = arriving([person(0, "erp")], 13) + arriving([person(1, "crm")], 25)
            archive.append("person", more, EpochPosition(1, 3, 3))
        now[0] += 6
        return len(waited) == 3

    shadow = shadow_of(archive)
    times = ShadowTimes(every_us=10, for_us=None, past_us=0, settle_us=0)
    windows = list(shadow_windows(shadow, times, lambda: now[0], wait))
    assert [(each.from_us, each.to_us, each.deliveries) for each in windows] == [(10, 20, 2), (20, 28, 1)]


def arriving(events, at_us):
    """Events as they are archived, with the time of their arrival."""
    return [replace(row, arrival_time_us=at_us) for row in rows_of(events)]


def test_nothing_live_is_written(redis_client, redis_url, tmp_path):
    """Index, archive and feed are what they were, byte for byte, though the shadow's own index is in the same Redis."""
    world = World(redis_client, redis_url, tmp_path)
    world.deliver(events_of(2))
    live, told = dict(keys_with_content(redis_client)), len(world.feed.messages)
    files = {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()}
    indexes = [RedisIndex(redis_client, rules, f"shadow-{side}") for side, rules in enumerate((RULES, NEW_RULES))]
    shadow = RulesShadow(world.archive, (RULES, indexes[0]), (NEW_RULES, indexes[1]))
    in_redis = windows_of(shadow, 30)
    now = dict(keys_with_content(redis_client))
    assert {key: now.get(key) for key in live} == live
    assert all(key.startswith(b"mdm:{shadow-") for key in now.keys() - live.keys())
    assert len(world.feed.messages) == told
    assert {path: path.read_bytes() for path in (tmp_path / "archive").rglob("*") if path.is_file()} == files
    assert in_redis == windows_of(shadow_of(world.archive), 30)


def test_rules_that_cannot_be_compared_and_a_changed_source_are_said(archive):
    """Two domains at once; a purge of a source while a shadow runs ends it, for what it has applied counts no more."""
    with pytest.raises(ConfigurationError, match="two domains"):
        shadow_of(archive, new=replace(NEW_RULES, domain="company"))
    archived(archive, events_of(1))
    shadow = shadow_of(archive)
    shadow.begin(10)
    archive.sources("person").exclude("crm", 0, 5, 9)
    with pytest.raises(TransientError, match="start the shadow again"):
        shadow.close(20)
