"""The views that analysts read: right on warehouses of either kind on both databases, as are the guide's answers."""

from __future__ import annotations

from analysts_questions import ANSWERS, FEED, answer, questions, wrong_answers

from mdm_stream.warehouse.warehouse import SqlWarehouse


def test_each_question_of_the_guide_has_its_answer(warehouse: SqlWarehouse) -> None:
    """On a warehouse of either kind, on both databases; the guide has these questions and no others, twenty or more."""
    asked = questions()
    assert (sorted(asked), len(asked) >= 20) == (sorted(ANSWERS), True)
    warehouse.apply(FEED)
    assert wrong_answers(warehouse) == {}


def test_replays_do_not_change_an_answer(warehouse: SqlWarehouse) -> None:
    """The same answers after the feed was applied again, backwards, in three batches that overlap."""
    warehouse.apply(FEED)
    asked = {question: sql for question, sql in questions().items() if "late" not in question}
    before = {question: answer(warehouse, sql) for question, sql in asked.items()}
    again = FEED[::-1]
    for batch in (again[5:], again[:12], again[8:15]):
        warehouse.apply(batch)
    assert {question: answer(warehouse, sql) for question, sql in asked.items()} == before
