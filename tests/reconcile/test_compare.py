"""The live state compared with F: nothing is drift that is none, and damage is named."""

from __future__ import annotations

import pytest
from reconcile_world import NAMED, ReconcileWorld, history

from mdm_stream.reconcile.session import local_session


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    """A small Spark."""
    session = local_session(2, tmp_path_factory.mktemp("spark"), "1g")
    session.conf.set("spark.sql.shuffle.partitions", "2")
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    session.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    yield session
    session.stop()


@pytest.fixture
def world(spark, redis_client, tmp_path):
    """A world in which something happened."""
    world = ReconcileWorld(spark, redis_client, tmp_path)
    for events in history():
        world.deliver(events)
    yield world
    world.warehouse.close()


@pytest.mark.one_redis
@pytest.mark.slow
def test_what_is_right_has_no_drift(world):
    """Index and warehouse are F; nothing is waited for."""
    found = world.compare(sleep=lambda _: pytest.fail("nothing differs, so nothing is waited for"))
    assert (found.drift, found.touched, found.samples) == ({}, 0, [])
    assert world.index.snapshot() == world.expect()[1]


@pytest.mark.one_redis
@pytest.mark.slow
def test_each_damage_is_named_and_repaired(world):
    """All at once, each at a family of its own: a repair brings the drift to 0, and a run after it says so."""
    for how in NAMED:
        world.damage(how)
    (expected, resolved), listed = world.expect(), world.listed()
    found = world.compare(expected, listed)
    missing = {how: kinds for how, kinds in NAMED.items() if not kinds <= found.drift.keys()}
    assert not missing, (found.drift, found.samples)
    assert found.touched == 0
    done = world.repair(found, expected, listed)
    assert (done.failed, done.rebuild, done.left) == ([], {}, 0)
    assert world.index.snapshot() == resolved
    after = world.compare(expected, listed)
    assert (after.drift, after.samples) == ({}, [])
