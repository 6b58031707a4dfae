"""Times on the wire."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.times import TIME_US_MAX, TIME_US_MIN, format_time_us, parse_time_us


@given(st.integers(TIME_US_MIN, TIME_US_MAX))
def test_every_time_survives_its_text(time_us):
    """Whatever microsecond of the years 1 to 9999: its text is read back as it."""
    assert parse_time_us(format_time_us(time_us)) == time_us


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_offsets_are_honoured(moment, minutes):
    """The same moment told with any offset is the same number."""
    told = (moment.replace(tzinfo=UTC) + timedelta(minutes=minutes)).replace(tzinfo=None)
    sign = "-" if minutes < 0 else "+"
    text = f"{told.isoformat()}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    assert parse_time_us(text) == parse_time_us(f"{moment.isoformat()}Z")


def test_known_values():
    """The epoch is 0; digits below the microsecond are cut, not rounded."""
    assert parse_time_us("1970-01-01T00:00:00Z") == 0
    assert parse_time_us("1970-01-01t00:00:00.0000019z") == 1
    assert parse_time_us("1969-12-31 23:59:59.5-00:00") == -500_000
    assert format_time_us(1_500_000) == "1970-01-01T00:00:01.500000Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00.Z",
        "2026-W01-1T00:00:00Z",
        "٢٠٢٦-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-00:01",
        "2026-01-01T00:00:00Z\n",
    ],
)
def test_everything_else_is_refused(text):
    """What RFC 3339 does not allow, or no calendar has, is an error that does not repeat it."""
    with pytest.raises(ValueError, match="not ") as caught:
        parse_time_us(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("time_us", [TIME_US_MIN - 1, TIME_US_MAX + 1, 10**30])
def test_times_without_text(time_us):
    """A time that no four-digit year has is an error, not a wrong text."""
    with pytest.raises(ValueError, match="years 1 to 9999"):
        format_time_us(time_us)
