"""Declared date-time formats: what a text of one means, and what is no time of it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.time_format import time_format
from mdm_stream.core.times import parse_time_us


@pytest.mark.parametrize(
    ("written", "text", "meant"),
    [
        ("%d.%m.%Y %H:%M:%S", "01.02.2026 13:04:05", "2026-02-01T13:04:05Z"),
        ("%d.%m.%Y %H:%M:%S", " 1.2.2026  13:04:05 ", "2026-02-01T13:04:05Z"),
        ("%m/%d/%Y %I:%M %p", "2/1/2026 12:04 AM", "2026-02-01T00:04:00Z"),
        ("%m/%d/%Y %I:%M %p", "2/1/2026 1:04 pm", "2026-02-01T13:04:00Z"),
        ("%Y%m%d%H%M%S", "20260201130405", "2026-02-01T13:04:05Z"),
        ("%d-%b-%y", "01-FEB-26", "2026-02-01T00:00:00Z"),
        ("%d-%b-%y", "01-FEB-69", "1969-02-01T00:00:00Z"),
        ("%Y-%m-%d %H:%M:%S.%f%z", "2026-02-01 13:04:05.123456789+0130", "2026-02-01T11:34:05.123456Z"),
        ("%Y-%m-%d %H:%M %z", "2026-02-01 13:04 Z", "2026-02-01T13:04:00Z"),
        ("%d%%%m%%%Y", "01%02%2026", "2026-02-01T00:00:00Z"),
    ],
)
def test_a_text_of_a_format_is_its_time(written, text, meant):
    """Parts may lack their leading zero, blanks are as many as there are, and no locale has a say."""
    assert time_format(written).time_us(text) == parse_time_us(meant)


@pytest.mark.parametrize(
    "text", ["", "31.02.2026", "1.2.26", "2026-02-01", "01.02.2026 10:00", "aa.bb.cccc", "00.01.2026"]
)
def test_another_text_is_refused(text):
    """Another form, or a day that the calendar has not, is no time; the text is not repeated."""
    with pytest.raises(ValueError, match="not a time") as caught:
        time_format("%d.%m.%Y").time_us(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("%d.%m", "needs %Y or %y"),
        ("%d.%m.%Y %y", "needs %Y or %y"),
        ("%Y-%m", "needs %d"),
        ("%d.%m.%Y %d", "twice"),
        ("%d.%m.%Y %A", "and none but"),
        ("%d.%m.%Y %", "and none but"),
        ("%d.%m.%Y %I", "%I with %p"),
        ("%d.%m.%Y %H %p", "%I with %p"),
        ("x" * 65, "longer than"),
    ],
)
def test_a_format_that_says_no_day_is_refused(written, said):
    """What cannot mean one time is refused before any text is read."""
    with pytest.raises(ValueError, match=said):
        time_format(written)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001 - given with its zone
def test_whatever_a_writer_writes_is_read(moment):
    """A time written in a format, by Python's own writer, comes back to the microsecond."""
    text = moment.strftime("%d/%m/%Y %H:%M:%S.%f").replace(f"/{moment.year} ", f"/{moment.year:04d} ")
    assert time_format("%d/%m/%Y %H:%M:%S.%f").time_us(text) == parse_time_us(moment.isoformat().replace("+00:00", "Z"))


@given(st.text(max_size=20), st.text(st.sampled_from("%YmdHIpMSfzb. "), max_size=12))
def test_no_text_and_no_format_raises_anything_else(text, written):
    """Whatever is declared or sent, the answer is a time or a ``ValueError``."""
    try:
        found = time_format(written).time_us(text)
    except ValueError:
        return
    assert isinstance(found, int)
