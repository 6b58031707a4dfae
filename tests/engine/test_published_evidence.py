"""The evidence that rules publish is that of F: the feed, folded, says what the reference says, whatever the order."""

from __future__ import annotations

import random
from dataclasses import replace

from evidence_world import PUBLISHED, expected_evidence, publishing, told_evidence
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_world import HISTORIES, small_rules
from test_engine import WORLDS, deliver

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import fold_events
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rules.compile import with_digest

EVIDENT = [publishing(world) for world in WORLDS]
ALL = 1_000_000


@given(history=HISTORIES, batch_size=st.integers(1, 12), world=st.sampled_from(EVIDENT), seed=st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_the_feed_says_the_evidence_of_the_reference(history, batch_size, world, seed):
    """Any history in any batches; and delivered again in another order, it says nothing that is not so."""
    expected = expected_evidence(world, fold_events(history))
    index = MemoryIndex(world)
    deliver(index, world, history, batch_size)
    assert told_evidence(index.read(ALL, bytes_max=ALL)) == expected
    again = history * 2
    random.Random(seed).shuffle(again)
    deliver(index, world, again, batch_size)
    assert told_evidence(index.read(ALL, bytes_max=ALL)) == expected


@given(history=HISTORIES, batch_size=st.integers(1, 12), world=st.sampled_from(EVIDENT))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_so_it_does_from_redis(redis_client, history, batch_size, world):
    """The same through the outbox on a real Redis."""
    redis_client.flushdb()  # Hypothesis calls this many times on one fixture
    index = RedisIndex(redis_client, world)
    deliver(index, world, history, batch_size)
    assert told_evidence(index.read(ALL, bytes_max=ALL)) == expected_evidence(world, fold_events(history))


@given(history=HISTORIES, batch_size=st.integers(1, 12))
@settings(max_examples=50, deadline=None)
def test_rules_that_publish_nothing_say_nothing(history, batch_size):
    """And the golden changes are the same, but for the rules that made them, whatever is published beside them."""
    told = []
    for rules in (small_rules(), publishing(small_rules())):
        index = MemoryIndex(rules)
        deliver(index, rules, history, batch_size)
        entries = index.read(ALL, bytes_max=ALL)
        golden = [
            entry.content.replace(rules.digest.encode(), b"") for entry in entries if b'"golden_id"' in entry.content
        ]
        told.append((golden, len(entries) - len(golden)))
    assert told[0] == (told[1][0], 0)


def test_what_is_published_is_part_of_the_rules():
    """An index of rules that publish less is one of other rules; rules that say nothing of it keep their digest."""
    rules = small_rules()
    digests = {publishing(rules, *what).digest for what in (PUBLISHED, PUBLISHED[:1], PUBLISHED[1:])}
    assert len(digests | {with_digest(rules).digest}) == 4
    assert with_digest(replace(rules, publish=())).digest == with_digest(rules).digest


def test_evidence_is_put_on_the_feed_beside_its_golden_record():
    """The partition key of what is said of an anchor is that of its golden record."""
    rules = publishing(small_rules())
    index = MemoryIndex(rules)
    deliver(index, rules, [RecordEvent(rules.domain, "crm", "1", "upsert", 1, 1, {"given_name": "Ann"})], 1)
    messages = [change_message(entry) for entry in index.read(ALL, bytes_max=ALL)]
    assert len(messages) == 2
    assert len({key for key, _ in messages}) == 1
