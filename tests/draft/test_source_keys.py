"""What identifies and orders the rows of a file."""

from __future__ import annotations

import pytest
from column_counts import counts_of

from mdm_stream.draft.source_keys import source_keys, time_column
from mdm_stream.profile.columns.meanings import meanings_of

NOW_US = 1_780_000_000_000_000
TOWNS = ["Dornheim", "Elmstedt", "Fahrdorf"]


def keys(**columns):
    """The key of a file with such columns."""
    cells = {name: list(map(str, values)) for name, values in columns.items()}
    found = meanings_of([counts_of(name, values) for name, values in cells.items()])
    listed = list(cells.values())

    def distinct_of(places):
        rows = [tuple(listed[place][row] for place in places) for row in range(len(listed[0]))]
        complete = [row for row in rows if all(row)]
        return len(set(complete)), len(complete)

    return source_keys(found, distinct_of, lambda place: sorted(set(listed[place]) - {""}), NOW_US)


def test_a_number_of_its_own_is_the_key():
    """The column that is called a key and differs in each row identifies it."""
    found = keys(ort=TOWNS * 10, kundennr=range(1000, 1030))
    assert (found.key, found.copy_because) == (("kundennr",), "")


def test_rows_of_sources_have_keys_of_their_own():
    """A column source names the sources of its rows; a key has to be unique within one."""
    found = keys(source=["crm"] * 15 + ["erp"] * 15, record_id=[*range(15), *range(15)], ort=TOWNS * 10)
    assert (found.key, found.parts) == (("record_id",), ("crm", "erp"))


def test_versions_of_a_row_are_ordered_by_its_time_of_change():
    """A key in several rows, whose times of change differ, names a record with versions."""
    days = [f"2024-01-{day:02} 10:00:00" for day in range(1, 31)]
    found = keys(id=[n // 2 for n in range(30)], updated_at=days, town=TOWNS * 10)
    assert found.key == ("id",)
    assert (found.order.column, found.order.written) == ("updated_at", "%Y-%m-%d %H:%M:%S")
    assert any("versions" in said for _, said in found.doubts)


def test_two_columns_identify_together():
    """A number that begins anew in each country is a key with the country."""
    found = keys(customer_no=[*range(15), *range(15)], country=["DE"] * 15 + ["AT"] * 15, town=TOWNS * 10)
    assert set(found.key) == {"customer_no", "country"}


def test_without_a_key_rows_are_numbered_in_a_copy():
    """Rows that nothing identifies get numbers in a copy of the file, which is said."""
    found = keys(town=TOWNS * 10, given_name=["Anna", "Petra"] * 15)
    assert found.key == ("record_id",)
    assert "no column" in found.copy_because
    assert found.doubts


def test_a_column_called_source_that_names_none_is_renamed():
    """Readers take a column source for the name of a source; one with other words gets another name in a copy."""
    found = keys(id=range(30), source=["phone call", "web form", "fair"] * 10)
    assert found.parts == ()
    assert found.renamed == (("source", "source_column"),)
    assert "source" in found.copy_because


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["2024-05-06T07:08:09Z", "2024-05-07T07:08:09Z"], ("time", "%Y-%m-%dT%H:%M:%S%z")),
        (["06.05.2024 07:08", "17.05.2024 09:00"], ("time", "%d.%m.%Y %H:%M")),
        (["1700000000", "1700000009"], ("seconds", None)),
        (["13/05/2024", "01/02/2024"], ("time", "%d/%m/%Y")),
    ],
)
def test_times_of_change_are_read_in_their_form(values, said):
    """A column of times says its form; it must be the same in every row."""
    assert time_column(values, NOW_US) == said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["03/04/2024"], "day or the month"),
        (["2024-01-01", "01.01.2024"], "not of one known form"),
        (["2999-01-01"], "times to come"),
        (["1961-01-01"], "before 1990"),
    ],
)
def test_times_that_cannot_order_say_why(values, said):
    """Two readings, several forms, the future and years before there were such systems order nothing."""
    found = time_column(values, NOW_US)
    assert isinstance(found, str)
    assert said in found
