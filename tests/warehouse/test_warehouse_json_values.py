"""Texts in JSON documents are found by value, however the document writes them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.warehouse.json_values import ESCAPE, holds_one, plain_part

TEXTS = st.text(st.sampled_from('ab1 "\\/\n\x0b\x7f\u00fc\u2028\U0001f98a\ud800'), min_size=1, max_size=8)
SOLIDUS = ("/", "\\/")


def written(text: str, *, ascii_only: bool, upper: bool, solidus: str) -> str:
    """One of the ways in which JSON may write a document with a text in it, as a value and as a key."""
    found = json.dumps({"a": [{text: [1, text]}]}, ensure_ascii=ascii_only).replace("/", solidus)
    if upper:
        parts = found.split("\\u")
        found = parts[0] + "".join("\\u" + part[:4].upper() + part[4:] for part in parts[1:])
    return found


@given(text=TEXTS, before=TEXTS, ascii_only=st.booleans(), upper=st.booleans(), solidus=st.sampled_from(("/", "\\/")))
def test_a_text_is_found_in_every_way_of_writing(
    text: str, before: str, ascii_only: bool, upper: bool, solidus: str
) -> None:
    """In the middle of a value too; and what the database looks for first is in each of them, or an escape is."""
    whole = before + text + "z"
    document = written(whole, ascii_only=ascii_only, upper=upper, solidus=solidus)
    if json.loads(document)["a"][0].keys() != {whole}:
        return  # an escape behind a backslash, which is none
    assert plain_part(text) in text
    assert plain_part(text) in document or ESCAPE in document
    assert holds_one(document, [text])


@pytest.mark.parametrize("text", ["x", "a1", "\x0b"])
def test_what_is_not_there_is_not_found(text: str) -> None:
    """Neither in values nor in keys."""
    assert not holds_one('{"a": ["b1", 2, {"c": null}]}', [text])


def test_numbers_and_texts_that_look_like_json_are_found() -> None:
    """A number by its digits, however many; a text column as it is."""
    assert holds_one('{"version": 123456789012345678901234567890}', ["56789012345678901234567890"])
    assert holds_one('["a"', ['["a"'])
    assert holds_one('"a"', ['"a"'])
    assert holds_one("[" * 100_000, ["["])
