"""What a new epoch tells puts every reader right, whichever part of the old epoch's last words he has heard."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator

import pytest
from rebuild_world import Feed
from small_world import small_rules
from torture.world import World as SmallWorld
from torture.world import history

from mdm_stream.contracts.golden import parse_envelope
from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.cluster.golden import digest_of_content
from mdm_stream.core.plan.commit import OutboxChange
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.feed.envelope import change_message
from mdm_stream.feed.published import PublishedState
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.port import OutboxEntry
from mdm_stream.rebuild.difference import differences

RULES = small_rules()


def told(events) -> list[tuple[str, bytes]]:
    """Return what the feed is told of a history, event by event."""
    index = MemoryIndex(RULES)
    engine = Engine(RULES, index, sleep=lambda _: None)
    for event in events:
        assert engine.process([event]).failed == []
    engine.drain()
    return [change_message(entry) for entry in index.read(10_000)]


def differences_to(now: Resolution, state: PublishedState, but: Collection[str] = ()) -> Iterator[OutboxChange]:
    """Yield what leads from a published state to a resolution."""
    contents = {golden_id: canonical_json(golden) for golden_id, golden in now.golden.items()}
    digests = {golden_id: digest_of_content(content) for golden_id, content in contents.items()}
    return differences(RULES, state, digests, now.crosswalk, lambda ids: ((each, contents[each]) for each in ids), but)


@pytest.mark.parametrize("seed", range(40))
def test_a_reader_who_heard_a_part_is_put_right_by_the_differences(seed):
    """Some of the last changes were published and some lost with the index; some of what they followed from is undone,
    and more has happened that nobody was told.
    """
    randomness = random.Random(seed)
    events = history(SmallWorld(records_per_source=3), randomness, 30)
    heard = told(events[:-6])
    last = told(events)[len(heard) :]
    feed = Feed()
    feed.publish(heard)
    feed.publish(randomness.sample(last, randomness.randrange(len(last) + 1)))
    state = PublishedState("person")
    for message in feed.messages:
        state.apply(parse_envelope(message))
    archived = events[:-6] + randomness.sample(events[-6:], 3)
    now = resolve(RULES, archived)
    for number, change in enumerate(differences_to(now, state), start=1):
        feed.publish([change_message(OutboxEntry(2, number, change.content, 0))])
    assert feed.state() == (now.golden, now.crosswalk)


def test_what_was_published_as_a_whole_is_not_told_again():
    """Where readers have everything there is no difference, whatever moved on the way."""
    events = history(SmallWorld(records_per_source=3), random.Random(1), 40)
    state = PublishedState("person")
    for _, message in told(events):
        state.apply(parse_envelope(message))
    now = resolve(RULES, events)
    assert list(differences_to(now, state)) == []
    assert dict(state.places()) == now.crosswalk
