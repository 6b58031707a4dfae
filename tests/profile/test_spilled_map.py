"""The map behind profiles: exact whatever its bound, never more in memory than that, and nothing left on disk."""

from __future__ import annotations

import tempfile
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.errors import TerminalError
from mdm_stream.profile.spilled import PARTS, SpilledMap


def counting(entries_max: int) -> SpilledMap[int]:
    """A map of numbers, each of which weighs one."""
    return SpilledMap(lambda left, right: left + right, lambda _key, _entry: 1, entries_max)


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(1, 9)), max_size=200), st.integers(0, 50))
def test_the_sums_are_exact_whatever_fits_into_memory(added, entries_max):
    """As those of a counter; and no more entries are held than the bound allows, but for the last one."""
    expected: Counter[str] = Counter()
    with counting(entries_max) as counted:
        for key, number in added:
            counted.add(key, number)
            expected[key] += number
            assert counted.held <= entries_max
        found = list(counted.items())
    assert sorted(found) == sorted(expected.items())


def test_what_is_too_large_for_one_division_is_divided_again():
    """More keys than parts times the bound: each comes once, and with its whole sum."""
    keys = [f"key {number}" for number in range(3 * PARTS)]
    with counting(1) as counted:
        for key in keys + keys:
            counted.add(key, 1)
        assert sorted(counted.items()) == [(key, 2) for key in sorted(keys)]


def test_nothing_has_a_name_on_disk(tmp_path, monkeypatch):
    """Also while the map is in use: what a killed process held cannot be found."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with counting(2) as counted:
        for number in range(100):
            counted.add(str(number), 1)
        assert counted.held <= 2
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_says_what_to_do(monkeypatch):
    """The folder for temporary files is named, and no value."""

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            """Nothing to give back."""

        def write(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with counting(1) as counted:
        counted.add("secret", 1)
        with pytest.raises(TerminalError, match=r"No space left on device.*TMPDIR"):
            counted.add("values", 1)
