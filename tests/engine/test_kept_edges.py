"""Records that keep their strongest edges alone: what goes is replaced by what had been left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_world import small_rules

from mdm_stream.core.cluster.strongest import KeptLinks
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.plan.reviews import plan_reviews
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex

RULES = small_rules(max_block_size=50, max_cluster_size=50, kept=1)
LINKED = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01"}
DOUBTFUL = {"family_name": "Lee"}


def event(number: int, values: dict[str, str] | None, version: int = 1) -> RecordEvent:
    """Return the write of a record, or its deletion."""
    op = "delete" if values is None else "upsert"
    return RecordEvent("person", "crm", f"{number:02}", op, version, number, values or {})


@pytest.fixture(params=["memory", "redis"])
def index(request, redis_client):
    """Both indexes."""
    return MemoryIndex(RULES) if request.param == "memory" else RedisIndex(redis_client, RULES)


def without_one(index, values):
    """Return the state, and F, after the middle one of five equal records was deleted."""
    engine = Engine(RULES, index)
    events = [event(number, values) for number in range(5)]
    engine.process(events)
    assert index.snapshot() == resolve(RULES, events)
    engine.process([event(2, None, 2)])
    engine.drain()
    return index.snapshot(), resolve(RULES, [*events, event(2, None, 2)])


@pytest.mark.parametrize("values", [LINKED, DOUBTFUL], ids=["links", "questions"])
def test_an_edge_that_goes_is_replaced_by_one_that_was_left_out(index, values):
    """Each of the neighbours keeps the next one instead, which the index did not hold: both are evaluated again."""
    state, expected = without_one(index, values)
    assert state == expected
    assert len(expected.golden) == (1 if values is LINKED else 4)
    assert len(expected.review) == (0 if values is LINKED else 3)


def test_without_the_re_evaluation_the_cluster_would_be_torn(monkeypatch):
    """The record that held the two sides together is gone, and no link between them is stored."""
    monkeypatch.setattr(KeptLinks, "with_hole", lambda _: [])
    state, expected = without_one(MemoryIndex(RULES), LINKED)
    assert (len(state.golden), len(expected.golden)) == (2, 1)


def test_without_the_re_evaluation_a_question_would_never_be_asked(monkeypatch):
    """One of three is missing."""
    monkeypatch.setattr(
        "mdm_stream.core.plan.planning.plan_reviews",
        lambda *asked, **how: replace(plan_reviews(*asked, **how), holes=()),
    )
    state, expected = without_one(MemoryIndex(RULES), DOUBTFUL)
    assert (len(state.review), len(expected.review)) == (2, 3)
