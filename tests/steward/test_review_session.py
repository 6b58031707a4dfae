"""A session goes through the open items once, remembers what it asked, and takes its last decision back."""

from __future__ import annotations

import pytest
from small_world import small_rules

from mdm_stream.contracts.review_next import ReviewNext
from mdm_stream.contracts.schema import contract_schema
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.steward.review_session import ReviewSession

RULES = small_rules(max_block_size=50)
ANN = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01"}
NEAR = {"given_name": "Anne", "family_name": "Lee"}
QUEUE = [("crm/1", "erp/3"), ("crm/2", "erp/3"), ("web/4", "web/5")]
"""The open items in their order: the first two are about the same two golden records."""


class Desk:
    """An index in memory, its engine, and a session on it."""

    def __init__(self):
        self.index = MemoryIndex(RULES)
        self.engine = Engine(RULES, self.index, sleep=lambda _: None)
        self.apply(
            RecordEvent("person", "crm", "1", "upsert", 1, 0, ANN),
            RecordEvent("person", "crm", "2", "upsert", 1, 0, ANN),
            RecordEvent("person", "erp", "3", "upsert", 1, 0, NEAR),
            RecordEvent("person", "web", "4", "upsert", 1, 0, {"given_name": "Bob", "family_name": "Kim"}),
            RecordEvent("person", "web", "5", "upsert", 1, 0, {"family_name": "Kim"}),
        )
        self.session = ReviewSession(self.index, RULES)

    def apply(self, *events):
        """Apply events, as the consumer would."""
        assert not self.engine.process(events).failed
        self.engine.drain()

    def pairs(self):
        """Return every question that is left, without an answer to any."""
        found = []
        while (question := self.session.next_question()) is not None:
            found.append(question.pair)
        return found


@pytest.fixture
def desk():
    """A queue with several items."""
    return Desk()


def test_every_open_item_is_asked_once(desk):
    """In the order of the queue, until nothing is open; values are in it."""
    first = desk.session.next_question()
    assert first.explanation.values["given_name"] == ("Ann", "Anne")
    assert [first.pair, *desk.pairs()] == QUEUE
    assert desk.session.next_question() is None
    assert desk.session.total == len(QUEUE)


def test_what_is_decided_is_not_asked_again_though_it_is_not_applied_yet(desk):
    """After a verdict nothing else about the same two golden records comes, while the consumer has yet to apply it."""
    question = desk.session.next_question()
    desk.session.decided(question, "link")
    assert desk.pairs() == QUEUE[2:]


def test_what_was_settled_meanwhile_is_left_out(desk):
    """An item that another steward answered since the queue was read is no question any more."""
    assert desk.session.next_question().pair == QUEUE[0]
    desk.apply(VerdictEvent("person", *QUEUE[2], "separate", 1, 1, "s-9"))
    assert desk.pairs() == QUEUE[1:2]


def test_undo_gives_back_what_stood_before(desk):
    """The last decision comes back with what stood before it; its question is next, and then the one that was on."""
    first = desk.session.next_question()
    desk.session.decided(first, "separate")
    second = desk.session.next_question()
    assert second.pair == QUEUE[2]
    taken = desk.session.take_back()
    assert (taken.question, taken.verdict) == (first, "separate")
    assert taken.question.verdict_before == "none"
    desk.session.ask_again(second)
    assert desk.session.next_question() == first
    assert desk.session.next_question() == second
    assert desk.session.take_back() is None


def test_a_contradiction_is_asked_though_it_was_answered(desk):
    """A SEPARATE verdict stands in each; what stands on the pair is what undoing gives back."""
    desk.apply(
        VerdictEvent("person", "crm/1", "erp/3", "link", 1, 1, "s-1"),
        VerdictEvent("person", "crm/2", "erp/3", "separate", 1, 1, "s-2"),
        VerdictEvent("person", "crm/1", "crm/2", "link", 1, 1, "s-3"),
    )
    question = ReviewSession(desk.index, RULES).next_question()
    assert question.item.reason == "contradiction"
    assert question.verdict_before == "link"
    answered = ReviewSession(desk.index, RULES, reasons=["separated"])
    assert answered.next_question() is None


def test_the_document_is_what_the_contract_says(desk):
    """The next item with its explanation; both null where nothing is open."""
    document = desk.session.document()
    assert ReviewNext.model_validate(document.document()) == document
    assert set(document.document()) == set(contract_schema("review_next")["properties"])
    empty = ReviewSession(MemoryIndex(RULES), RULES).document()
    assert (empty.item, empty.explanation, empty.total) == (None, None, 0)
