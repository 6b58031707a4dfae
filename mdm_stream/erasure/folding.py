"""Texts made alike that differ only in how they are written: case, composition, spaces, quotes, dashes. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

MARKS_IN_A_ROW_MAX = 30
"""Combining marks beyond so many in a row are left out, as Unicode's stream-safe format does: putting them in order
takes time that is quadratic in their number."""

_ALIKE = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
}
_INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
_TO_CHANGE = re.compile(f"[{_INVISIBLE}{''.join(_ALIKE)}]")
_ASTRAL = re.compile("[\U00010000-\U0001ffff]")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[ \-./()_\\]{1,4}(?=[0-9])")


def fold(text: str) -> str:
    """Return a text in the form in which texts are compared. ``+`` counts as a space, as in forms of the web."""
    if not text.isascii():
        text = _TO_CHANGE.sub(lambda found: _ALIKE.get(found[0], ""), text)
        text = _with_bounded_marks(text)
        text = unicodedata.normalize("NFKC", text).casefold()
    text = " ".join(text.lower().replace("+", " ").split())
    for quote in ('"', "'"):
        while quote * 2 in text:  # doubled by CSV and SQL; each round halves what there is
            text = text.replace(quote * 2, quote)
    return text


def digits_joined(folded: str) -> str:
    """Return a folded text without what separates groups of digits: telephone numbers, ids, dates."""
    return _BETWEEN_DIGITS.sub("", folded)


def _with_bounded_marks(text: str) -> str:
    one, bounded = _marks(0x20000 if _ASTRAL.search(text) else 0x10000)
    return bounded.sub(r"\1", text) if one.search(text) else text


@cache
def _marks(end: int) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds a combining mark, and what finds too many in a row; both are fast below U+10000."""
    marks = "".join(re.escape(chr(code)) for code in range(0x300, end) if unicodedata.combining(chr(code)))
    return re.compile(f"[{marks}]"), re.compile(f"([{marks}]{{{MARKS_IN_A_ROW_MAX}}})[{marks}]+")
