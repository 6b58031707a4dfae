"""Keys that refine themselves where they grow, and values that too many records share to be evidence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from small_world import HISTORIES, small_rules

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex

ABOVE = 2
REFINED = small_rules(max_block_size=4, max_cluster_size=50, refined_above=ABOVE)
GENERIC = small_rules(max_block_size=3, max_cluster_size=50)


def person(number: int, version: int, given: str | None, **more: object) -> RecordEvent:
    """A record of the family that all share."""
    values = {"given_name": given, "family_name": "Lee", **more}
    return RecordEvent("person", "crm", str(number), "upsert", version, number, values)


@pytest.fixture(params=["memory", "redis"])
def index_of(request, redis_client):
    """Both indexes, empty, for some rules."""
    return lambda rules: MemoryIndex(rules) if request.param == "memory" else RedisIndex(redis_client, rules)


def clusters(index):
    """Return the golden records' members that are more than one."""
    members = [tuple(each["record_id"] for each in golden["members"]) for golden in index.snapshot().golden.values()]
    return sorted(each for each in members if len(each) > 1)


def test_a_key_that_grows_finds_what_agrees_in_what_refines_it_too(index_of):
    """Past its limit records of one family meet by initial or birth year; back at it they meet again by the family."""
    index = index_of(REFINED)
    engine = Engine(REFINED, index)
    # Without a birth date nothing but the family name, or what refines it, makes two of them candidates.
    alone = [person(1, 1, "Bob"), person(2, 1, None)]
    engine.process(alone)
    pairs = engine.process([person(2, 2, "Bob")]).pairs
    assert (pairs, clusters(index)) == (1, [("1", "2")])
    engine.process([person(3, 1, "Zoe")])
    engine.drain()
    assert clusters(index) == [("1", "2")]  # by family name and initial
    report = engine.process([person(4, 1, "Kim")])
    assert report.pairs == 0  # no other of the family begins with a K
    engine.process([person(number, 2, None, family_name="Roth") for number in (3, 4)])
    engine.drain()
    assert engine.process([person(2, 3, "Rob")]).pairs == 1


def test_a_refined_key_is_not_reported_as_suspended(index_of):
    """It is no loss, as long as what refines it is at work; one that nothing refines is reported."""
    engine = Engine(REFINED, index_of(REFINED))
    report = engine.process([person(number, 1, None) for number in range(6)])
    assert report.suspended == []
    report = engine.process([person(number, 2, None, birth_date="1980-01-01") for number in range(6)])
    assert {key.expression for key in report.suspended} == {"soundex(family_name) + year(birth_date)"}


def test_a_value_that_too_many_share_is_no_evidence(index_of):
    """An address that links two records links no two any more once a fourth record has it, and does again after."""
    index = index_of(GENERIC)
    engine = Engine(GENERIC, index)
    shared = {"email": ("info@x.org",), "birth_date": "1980-01-01"}
    twins = [person(1, 1, "Ann", **shared), person(2, 1, "Abe", **shared)]
    engine.process(twins)
    assert clusters(index) == [("1", "2")]  # by the rule on the address alone
    others = [RecordEvent("person", "web", str(n), "upsert", 1, n, {"email": ("info@x.org",)}) for n in range(2)]
    engine.process(others)
    engine.drain()
    # The two are candidates by name and birth year as before; the address does not count between them.
    assert clusters(index) == []
    assert index.snapshot() == resolve(GENERIC, twins + others)
    gone = RecordEvent("person", "web", "0", "delete", 2, 9)
    engine.process([gone])
    engine.drain()
    assert clusters(index) == [("1", "2", "1")]
    assert index.snapshot() == resolve(GENERIC, [*twins, *others, gone])


@pytest.mark.parametrize(
    "rules", [REFINED, GENERIC, small_rules(2, 9, refined_above=2)], ids=["refined", "generic", "both"]
)
def test_any_history_ends_in_f(rules):
    """Whatever crosses whichever limit, in batches of any size: the engine ends where the reference does."""

    @settings(max_examples=40, deadline=None)
    @given(HISTORIES)
    def agree(events):
        index = MemoryIndex(rules)
        engine = Engine(rules, index)
        for start in range(0, len(events), 3):
            engine.process(events[start : start + 3])
        engine.drain()
        assert index.snapshot() == resolve(rules, events)

    agree()
