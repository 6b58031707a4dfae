"""What somebody sends without a right hides nothing in the quarantine that was sent with one."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from test_resolver import RULES, World, upsert

from mdm_stream.dead_letters import DeadLetters, Selection
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.authority import EVERYTHING, OTHER_STREAMS, RECORDS, Authority, Grant, Policy
from mdm_stream.decode.redrive_envelope import wrap
from mdm_stream.objects.opening import open_object_store
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.source_release import kept_aside

pytestmark = pytest.mark.one_redis

ARRIVAL_US = 1_780_000_000_000_000
POLICY = Policy({"changes": RECORDS, "steward": EVERYTHING, OTHER_STREAMS: Grant(None, frozenset())}, {})
GOOD = orjson.dumps(upsert("1"))
AHEAD = orjson.dumps(upsert("1", 2**63 - 1))
PLACELESS = orjson.dumps({name: value for name, value in upsert("1").items() if name != "event_time"})


@pytest.fixture
def world(redis_client, tmp_path):
    """A resolver under that policy, and the quarantine that it fills."""
    world = World(redis_client, tmp_path)
    world.resolver._intake = Intake(Decoder({"person": RULES}), Authority(POLICY))
    world.quarantine = DeadLetters(open_object_store((tmp_path / "quarantine").as_uri()), "quarantine")
    return world


def delivered(raw: bytes, number: int, stream: str = "changes") -> Delivery:
    """Bytes on a stream, an hour after those of the number before."""
    at_us = ARRIVAL_US + number * 3_600_000_000
    return Delivery(raw, str(number).zfill(64), at_us, f"{stream}/shardId-0:{number}")


def attempts(first: Delivery) -> list[Delivery]:
    """Copies of what a delivery held, on every way in that has no right to it."""
    later = replace(first, arrival_time_us=ARRIVAL_US + 90 * 3_600_000_000)
    earlier = replace(first, arrival_time_us=ARRIVAL_US - 90 * 86_400_000_000)
    return [
        delivered(first.raw, 20, "elsewhere"),
        *(delivered(wrap(each), 30 + n) for n, each in enumerate((first, earlier, later))),
        delivered(wrap(replace(first, origin="steward/shardId-0:1")), 40),
        delivered(wrap(first), 41, "elsewhere"),
    ]


@pytest.mark.parametrize("raw", [GOOD, PLACELESS], ids=["with its time", "without"])
def test_a_copy_hides_no_event_that_is_kept_aside(world, raw):
    """A held source's event is still there for its release, with the place and the way in that it had."""
    first = delivered(raw, 1)
    world.sources = world.archive.sources("person")
    world.sources.hold("crm", "r", 1)
    assert world.resolver.handle([first]).held == 1
    for record in attempts(first):
        assert world.resolver.handle([record]).held == 0
    [letter] = world.quarantine.find(kept_aside("person", "crm"))
    assert world.quarantine.contents(letter).events[0].delivery == first


def test_a_copy_hides_no_event_that_waits_for_mended_rules(world):
    """It keeps its reason, its place and its way in: redriven it is judged by those, and not by a copy's."""
    first = delivered(AHEAD, 1)
    for record in [first, *attempts(first)]:
        assert world.resolver.handle([record]).archived == 0
    letters = world.quarantine.find(Selection(cause="version_ahead"))
    kept = [world.quarantine.contents(letter).events[0].delivery for letter in letters]
    assert first in kept
    assert {each.stream for each in kept} == {"changes", "elsewhere"}
    assert not any(each.redriven_on for each in kept)
