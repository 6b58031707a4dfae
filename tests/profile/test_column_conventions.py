"""How columns write their values: dates, phones, numbers, several values in a cell."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.profile.columns.conventions import (
    countries_named,
    date_order,
    has_decimal_comma,
    phone_region,
    postcode_countries,
    separators_in,
)

DAYS = st.lists(st.dates(dt.date(1930, 1, 1), dt.date(2020, 12, 31)), min_size=1, max_size=40)


@given(DAYS, st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%y"]))
def test_the_order_of_dates_is_told_by_those_that_have_one_reading(days, written):
    """Dates that were all written in one order are never proved to be of the other; the 13th proves it."""
    order = date_order([day.strftime(written) for day in days])
    day_first = written.startswith("%d")
    proofs = sum(day.day > 12 for day in days)
    assert (order.day_first_proofs if day_first else order.month_first_proofs) == proofs
    assert (order.month_first_proofs if day_first else order.day_first_proofs) == 0
    assert not proofs or order.day_first == day_first
    assert order.is_proved == (proofs > 0 or not order.ambiguous)


@given(DAYS)
def test_a_year_first_leaves_nothing_open(days):
    """ISO dates have one order, whatever they are."""
    assert date_order([day.isoformat() for day in days]).day_first is None
    assert date_order([day.isoformat() for day in days]).ambiguous == 0


@pytest.mark.parametrize(
    ("region", "numbers"),
    [
        ("DE", ["030 901820", "089 21800", "0221 2210"]),
        ("FR", ["01 42 68 53 00", "04 91 13 89 00"]),
        ("GB", ["020 7222 1234", "0161 234 5000"]),
        ("JP", ["03-3224-9999", "06-6208-8181"]),
        ("TR", ["0212 334 87 00", "0532 123 45 67"]),
    ],
)
def test_national_numbers_tell_their_country(region, numbers):
    """Where most national numbers are of one country's plan, that is the one that they are read by."""
    assert phone_region(numbers, [region]) == (region, 1.0)


def test_no_country_is_made_up():
    """Numbers that no plan knows, or none at all, name no country."""
    assert phone_region(["12345678901234"])[0] == ""
    assert phone_region([]) == ("", 0.0)


def test_other_columns_name_countries():
    """Countries are told by their names and codes, and by postcodes that only they write."""
    assert countries_named([("Deutschland", 3), ("AT", 5), ("nowhere", 9)]) == ["AT", "DE"]
    assert postcode_countries(["SW1A 1AA", "M1 1AE", "10115"]) == ["GB"]


def test_decimal_commas_outnumber_dots():
    """A column of prices says by most of them which sign parts the decimals."""
    assert has_decimal_comma(["12,90", "1.234,50", "7"])
    assert not has_decimal_comma(["12.90", "1,234.50", "7"])


def test_separators_are_found_where_both_sides_are_values():
    """A semicolon between two addresses parts values; one in a single value does not."""
    assert separators_in(["a@x.example; b@x.example", "c@x.example"], "email") == ";"
    assert separators_in(["a@x.example", "b;c"], "email") == ""
