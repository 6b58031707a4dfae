"""A batch that cannot be done says what stops it, for the metrics by which people are called."""

from __future__ import annotations

import pytest
from resolver_world import upsert

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.errors import TransientError
from mdm_stream.index.errors import IndexInDoubtError
from mdm_stream.index.redis.epochs import hold


def test_a_held_domain_is_named_by_its_error(world, redis_client):
    """Nothing of the batch is done."""
    world.handle(upsert("1"))
    hold(redis_client, "main", "person", "a test")
    report = world.handle(upsert("2"))
    assert (report.first_failed, report.fault, report.archived) == (0, "DomainHeldError", 0)
    assert "held" in report.cause


def test_an_index_in_doubt_is_named_by_its_error(world, redis_client):
    """An index that knows less than the archive witnesses, in the middle of work."""
    world.index._epoch._witness = lambda: world.archive.witness("person")
    world.handle(upsert("1"))
    world.archive.append("person", [], EpochPosition(9, 9, 9))
    redis_client.flushall()
    report = world.handle(upsert("2"))
    assert (report.first_failed, report.fault) == (0, "IndexInDoubtError")
    with pytest.raises(IndexInDoubtError):
        world.resolver.tick()


def test_a_fault_that_passed_is_told_no_more(world, monkeypatch):
    """What an attempt met, and the next one did not, is no reason of the batch."""
    commit, failures = world.index.commit, [TransientError("once")]

    def flaky(commits):
        if failures:
            raise failures.pop()
        return commit(commits)

    monkeypatch.setattr(world.index, "commit", flaky)
    report = world.handle(upsert("1"))
    assert (report.first_failed, report.cause, report.fault) == (None, "", "")
