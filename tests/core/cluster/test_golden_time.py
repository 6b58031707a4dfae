"""Times on golden records are RFC 3339 for every time that an event may have."""

from __future__ import annotations

import pytest

from mdm_stream.core.times import TIME_US_MAX, TIME_US_MIN, format_time_us, parse_time_us


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (TIME_US_MIN, "0001-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (0, "1970-01-01T00:00:00.000000Z"),
        (TIME_US_MAX, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_time_has_four_digits_of_year_and_six_of_fraction(time_us, text):
    """The same text on every platform, and it reads back as the same time."""
    assert format_time_us(time_us) == text
    assert parse_time_us(text) == time_us
