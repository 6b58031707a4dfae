"""The live state compared with F: nothing is drift that is none, and damage is named."""

from __future__ import annotations

import time

import pytest
from reconcile_world import NAMED, ReconcileWorld, history, people


@pytest.fixture
def world(spark, redis_client, tmp_path):
    """A world in which something happened."""
    world = ReconcileWorld(spark, redis_client, tmp_path)
    for events in history():
        world.deliver(events)
    yield world
    world.warehouse.close()


@pytest.mark.one_redis
@pytest.mark.long
@pytest.mark.timeout(900)
def test_each_damage_is_named_and_repaired(world):
    """Without any nothing is waited for. All ways at once, each at a family of its own, are named; a repair brings the
    drift to 0, and a run after it says so.
    """
    expected, resolved, listed = world.expect()
    found = world.compare(expected, listed, lambda _: pytest.fail("nothing differs, so nothing is waited for"))
    assert (found.drift, found.touched, found.samples) == ({}, 0, [])
    assert world.index.snapshot() == resolved
    for how in NAMED:
        world.damage(how)
    found = world.compare(expected, listed)
    assert not_named(found) == {}
    assert found.touched == 0
    done = world.repair(found, expected, listed)
    assert (done.failed, done.rebuild, done.left) == ([], {}, 0)
    assert world.index.snapshot() == resolved
    after = world.compare(expected, listed)
    assert (after.drift, after.samples) == ({}, [])


@pytest.mark.one_redis
@pytest.mark.long
@pytest.mark.timeout(900)
def test_writers_may_go_on(world):
    """What they change is no drift; what is damaged beside them is found and repaired beside them, and F is reached."""
    world.deliver(people(10, first=10))
    expected, _, listed = world.expect()
    with world.writing(first=10, families=10):
        found = world.compare(expected, listed, time.sleep)
        assert found.drift == {}
        assert found.touched > 0
        assert found.moved > 0
        expected, _, listed = world.expect()
        for how in NAMED:
            world.damage(how)
        found = world.compare(expected, listed, time.sleep)
        assert not_named(found) == {}
        about = {ref.partition("/")[2] for sample in found.samples for ref in sample.refs}
        assert not about & {f"{number}" for number in range(10, 20)}
        assert world.repair(found, expected, listed).failed == []
    expected, resolved, listed = world.expect()
    assert world.index.snapshot() == resolved
    assert world.compare(expected, listed).drift == {}


def not_named(found):
    """Return the ways of damage that a comparison does not name, with what it says."""
    return {how: found.drift for how, kinds in NAMED.items() if not kinds <= found.drift.keys()}
