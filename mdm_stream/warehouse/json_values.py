"""Whether a text is in the values of a JSON document, however they are written there. Pure.

JSON can write one character in several ways: by its number in small or in large letters, a solidus with a backslash
before it or without, one outside of ASCII as it is or as one or two numbers. So documents are compared by their values;
their text only says which documents need to be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

ESCAPE = "\\u"
"""In every JSON text that writes a character by its number."""

_WRITTEN_SEVERAL_WAYS = re.compile(r'["\\/\x00-\x1f\x7f\ud800-\udfff]')
_DOCUMENT_BEGINS = ("{", "[", '"')


def plain_part(text: str) -> str:
    """Return the longest part of a text that every JSON text with it has too, unless that has an ``ESCAPE``."""
    return max(_WRITTEN_SEVERAL_WAYS.split(text), key=len)


def holds_one(written: str, texts: Collection[str]) -> bool:
    """Tell whether one of some texts is in a column's value: in a value or a key of it where it is a JSON document."""
    return any(text in value for value in _values(written) for text in texts)


def _values(written: str) -> Iterator[str]:
    """Yield what is written as it is, for a column of text may look like JSON; then the values of a document."""
    yield written
    if not written.startswith(_DOCUMENT_BEGINS):
        return
    try:
        rest: list[Any] = [json.loads(written, parse_int=str, parse_float=str)]
    except (ValueError, RecursionError):
        return
    while rest:
        each = rest.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from each
            rest.extend(each.values())
        elif isinstance(each, list):
            rest.extend(each)
