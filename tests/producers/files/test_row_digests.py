"""Rows, references and values are compared by digests in arrays: the same answers as sets and dictionaries give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from producers.files import digests
from producers.files.digests import Digests, digest_of_text, repeated_rows

SMALL = st.lists(st.sampled_from([b"\0" * 16, b"\0" * 15 + b"\1", b"\1" + b"\0" * 15, b"\xff" * 16, b"a" * 16]))


@given(SMALL)
def test_a_row_is_repeated_if_an_equal_one_comes_later(rows):
    """Whatever bytes a digest has, zeros at its end too, and wherever the portions end in which they are compared."""
    wanted = [row in rows[place + 1 :] for place, row in enumerate(rows)]
    whole = digests.COMPARED_ROWS
    try:
        for digests.COMPARED_ROWS in (1, 2, 3, whole):
            assert repeated_rows(b"".join(rows)).tolist() == wanted
    finally:
        digests.COMPARED_ROWS = whole


@given(st.lists(st.text(max_size=2)), st.lists(st.text(max_size=2)))
def test_texts_are_found_among_digests(texts, asked):
    """Those that are there, and no others; what is there beyond the first of its kind is counted."""
    found = Digests([digest_of_text(text) for text in texts])
    assert [text in found for text in asked] == [text in texts for text in asked]
    assert (len(found), found.repeated) == (len(texts), len(texts) - len(set(texts)))
    assert 7 not in found
