"""Writers: however many send news of the same person at once, there is one golden record."""

from __future__ import annotations

import threading

import pytest
import redis
from storyline import ANN, BOB, RULES, Story, clusters, delete, golden_id, members, record, verdict
from torture.subscriber import golden_of_feed

from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.index import RedisIndex

pytestmark = pytest.mark.one_redis

ROUNDS = 8


def at_once(url: str, *deliveries: list[ChangeEvent]) -> Story:
    """Have each delivery made by a thread and a connection of its own, all at the same time; return what came of it."""
    start = threading.Barrier(len(deliveries))
    failed: list[str] = []

    def write(events: list[ChangeEvent]) -> None:
        with redis.Redis.from_url(url) as client:
            engine = Engine(RULES, RedisIndex(client, RULES))
            start.wait()
            report = engine.process(events)
            if report.failed:
                failed.append(report.cause)

    threads = [threading.Thread(target=write, args=(events,)) for events in deliveries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    told = Story(redis.Redis.from_url(url))
    told.events = [event for events in deliveries for event in events]
    return told


def state_of(told: Story):
    """Return the state, which is F of all that was delivered, and so is what the feed says."""
    found = told.index.snapshot()
    assert found == resolve(RULES, told.events)
    assert golden_of_feed(told.index.read(1_000_000)) == (found.golden, found.crosswalk)
    told.client.close()
    return found


@pytest.mark.parametrize("writers", [2, 4])
def test_writers_of_the_same_new_person_make_one_golden_record(redis_url, redis_client, writers):
    """Each has a record of somebody whom nobody has heard of; none sees the others', and still they are one."""
    refs = ["crm/1", "erp/2", "web/3", "web/4"][:writers]
    for _ in range(ROUNDS):
        redis_client.flushall()
        found = state_of(at_once(redis_url, *([record(ref, ANN, day=day)] for day, ref in enumerate(refs, start=1))))
        assert members(found) == {golden_id("crm/1"): set(refs)}


def test_two_writers_of_one_record_make_one_record(redis_url, redis_client):
    """The newer version stands, whoever was faster, and the same event from both counts once."""
    newer = record("crm/1", BOB, version=2, day=2)
    for _ in range(ROUNDS):
        redis_client.flushall()
        found = state_of(at_once(redis_url, [record("crm/1", ANN, day=1), newer], [newer]))
        assert found.golden[golden_id("crm/1")]["values"]["given_name"] == "Bob"


def test_a_bridge_a_separation_and_a_deletion_at_once(redis_url, redis_client):
    """Three writers pull at one cluster: whatever comes between what, the state is the one that all of it means."""
    for _ in range(ROUNDS):
        redis_client.flushall()
        Story(redis_client).tell(record("crm/1", ANN, day=1), record("web/3", ANN, day=3, email=("b@x.org",)))
        told = at_once(
            redis_url,
            [record("erp/2", BOB, day=2, email=("b@x.org",))],
            [verdict("crm/1", "web/3", "separate")],
            [delete("crm/1"), record("crm/1", ANN, version=10, day=1)],
        )
        told.events += [record("crm/1", ANN, day=1), record("web/3", ANN, day=3, email=("b@x.org",))]
        assert clusters(state_of(told)) == [["crm/1"], ["erp/2", "web/3"]]
