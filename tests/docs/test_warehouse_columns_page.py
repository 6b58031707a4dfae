"""docs/reference/warehouse-columns.md describes the schema as it is: every table, view and column, and no other."""

from __future__ import annotations

from warehouse_dictionary import PAGE, columns

from mdm_stream.warehouse.dictionary import COLUMNS, PARTICULAR, RELATIONS, page


def test_the_page_is_that_of_the_schema() -> None:
    """`make dictionary` would change nothing."""
    assert PAGE.read_text(encoding="utf-8") == page(columns())


def test_the_dictionary_describes_what_is_there() -> None:
    """No relation or column is described that is not in the schema."""
    found = columns()
    assert {relation for relation, _, _ in found} == set(RELATIONS)
    assert {column for _, column, _ in found} >= set(COLUMNS)
    assert {(relation, column) for relation, column, _ in found} >= set(PARTICULAR)
