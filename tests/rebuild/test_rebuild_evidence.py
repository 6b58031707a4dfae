"""A rebuild leads a reader of the feed to the evidence that F has, and says nothing of what was said before."""

from __future__ import annotations

import orjson
import pytest
from evidence_world import expected_evidence, known_evidence, publishing
from rebuild_world import OPTIONS, World, events_of
from small_world import small_rules

from mdm_stream.contracts.golden import parse_envelope
from mdm_stream.core.model import EraseEvent
from mdm_stream.core.reference import fold_events
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.run import Rebuild

RULES = publishing(small_rules())


@pytest.fixture
def world(redis_client, redis_url, tmp_path):
    """An empty world whose rules publish all evidence."""
    return World(redis_client, redis_url, tmp_path, RULES)


def known(world):
    """What a reader of the feed knows."""
    return known_evidence(map(parse_envelope, world.feed.messages))


@pytest.mark.one_redis
@pytest.mark.parametrize("seed", range(2))
def test_of_what_was_said_right_nothing_is_said_again(world, seed):
    """Neither by the first rebuild nor by a second one."""
    events = events_of(seed)
    world.deliver(events)
    told = len(world.feed.messages)
    assert known(world) == expected_evidence(RULES, fold_events(events))
    assert (world.rebuild().told, world.rebuild().told, len(world.feed.messages)) == (0, 0, told)


@pytest.mark.one_redis
def test_what_was_lost_with_the_index_is_said(world):
    """The half of the history that was archived and never published comes with the rebuild, and nothing else."""
    events = events_of(3)
    world.deliver(events[:30])
    published = list(world.feed.messages)
    world.deliver(events[30:])
    world.feed.messages = published
    world.client.flushall()
    world.rebuild()
    assert known(world) == expected_evidence(RULES, fold_events(events))


@pytest.mark.one_redis
def test_a_fallen_back_index_takes_back_what_it_said(world):
    """What an index said after the point that it fell back to, and the archive does not have, is said to be gone.

    But for an erasure: that a record was erased cannot be taken back.
    """
    events = [event for event in events_of(4) if not isinstance(event, EraseEvent)]
    world.deliver(events[:30])
    world.deliver(events[30:], archived=False)
    world.client.flushall()
    world.rebuild()
    assert known(world) == expected_evidence(RULES, fold_events(events[:30]))


@pytest.mark.one_redis
@pytest.mark.parametrize("published", [("records",), ("matches", "records", "reviews")])
def test_what_the_old_epoch_says_meanwhile_is_put_right(world, published):
    """It goes on while the new one is built: what it says last, and the new rules do not, is said to be gone."""
    events = [event for event in events_of(6) if not isinstance(event, EraseEvent)]
    world.deliver(events[:20])
    rules = publishing(small_rules(50, 9, kept=1), *published)

    class Meanwhile:
        calls = 0

        def read(self, state):
            self.calls += 1
            if self.calls == 2:
                world.deliver(events[20:])
            world.feed.read(state)

        def finish(self, state):
            world.feed.read(state)

    Rebuild(
        rules, world.url, "main", archive=world.archive, golden=world.feed, published=Meanwhile(), options=OPTIONS
    ).run()
    assert known(world) == expected_evidence(rules, fold_events(events))


@pytest.mark.one_redis
def test_rules_that_publish_more_say_it_all_and_rules_that_publish_less_take_it_back(world):
    """Each by the rebuild that puts them to use; the golden records are not told again."""
    events = events_of(5)
    world.deliver(events)
    told = len(world.feed.messages)
    quiet, some = small_rules(), publishing(small_rules(), "records")
    for rules, expected in ((quiet, {}), (some, expected_evidence(some, fold_events(events)))):
        world.rebuild(rules)
        assert known(world) == expected
    world.rebuild(RULES)
    assert known(world) == expected_evidence(RULES, fold_events(events))
    said = {orjson.loads(message)["data"]["op"] for message in world.feed.messages[told:]}
    assert said <= {"record", "match", "review"}
    assert RedisIndex(world.client, RULES).snapshot().golden
