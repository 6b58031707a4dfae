"""The queue by what an answer teaches, on an index: alike questions are counted, and so is what was decided."""

from __future__ import annotations

import pytest
from small_world import small_rules

from mdm_stream.contracts.review_next import ReviewNext
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.steward.decided_alike import decided_alike, decided_for
from mdm_stream.steward.review import review_queue
from mdm_stream.steward.review_session import ReviewSession
from mdm_stream.steward.wording import alike_sentence

RULES = small_rules(max_block_size=50)
FAMILIES = ("Lee", "Kim", "Moss", "Ibsen", "Tanaka", "Okonkwo")


def people():
    """Pairs that agree in the family name alone, each a question."""
    return [
        RecordEvent("person", source, str(number), "upsert", 1, 0, {"family_name": family} | more)
        for number, family in enumerate(FAMILIES)
        for source, more in (("crm", {"given_name": f"Bob{chr(97 + number)}"}), ("erp", {}))
    ]


def verdict(number, said):
    """A verdict on one of these pairs."""
    return VerdictEvent("person", f"crm/{number}", f"erp/{number}", said, 1, 0, "steward")


def filled(index, *events):
    """Apply events to an index."""
    engine = Engine(RULES, index, sleep=lambda _: None)
    assert not engine.process([*people(), *events]).failed
    engine.drain()
    return index


@pytest.mark.one_redis
def test_alike_questions_and_verdicts_are_counted(redis_client):
    """Pairs under a verdict are no open question any more, and are counted by what was said; withdrawn ones are not."""
    index = filled(RedisIndex(redis_client, RULES), verdict(0, "separate"), verdict(1, "link"), verdict(2, "none"))
    decided = decided_alike(index, RULES)
    assert list(decided.values()) == [(1, 1)]
    queue = review_queue(index, RULES, limit=9, decided=decided)
    assert {(item.alike.open, item.alike.links, item.alike.separates) for item in queue.items} == {(4, 1, 1)}
    assert alike_sentence(queue.items[0].alike.model_dump()) == (
        "4 open questions look like this one, 2 decided (1 LINK, 1 SEPARATE)"
    )
    plain = review_queue(index, RULES, limit=9)
    assert {(item.a, item.b) for item in plain.items} == {(item.a, item.b) for item in queue.items}
    assert "alike" not in plain.document()["items"][0]


def test_a_session_counts_what_it_decides():
    """At once, though the consumer applies it later; taken back, it does not count."""
    session = ReviewSession(filled(MemoryIndex(RULES)), RULES, order="teaches")
    question = session.next_question()
    assert (question.item.alike.open, question.item.alike.links) == (len(FAMILIES), 0)
    session.decided(question, "link")
    assert list(session._taught.values()) == [(1, 0)]
    session.take_back()
    assert list(session._taught.values()) == [(0, 0)]
    ReviewNext.model_validate(session.document().document())


def test_the_order_is_by_what_teaches_in_a_domain_of_few_records():
    """Unasked, all records are read up to a number of them; beyond it none is, unless that is asked for."""
    index = filled(MemoryIndex(RULES))
    decided = decided_alike(index, RULES)
    count = sum(1 for _ in index.scan_refs())
    assert decided_for("auto", index, RULES, count) == decided
    assert decided_for("auto", index, RULES, count - 1) is None
    assert decided_for("teaches", index, RULES, count - 1) == decided
    assert decided_for("worth", index, RULES, count) is None
