"""Numbers as they were written, where no machine number keeps all their digits, and numbers that have lost theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from unicodedata import normalize

from mdm_stream.core.memo import remembered

WRITTEN_NUMBER_CHARS_MAX = 400
"""Characters of a number that is kept as it was written: a double has at most 309 digits before its point."""

EXACT_DOUBLE_MAX = 2**53
"""Above it neighbouring integers share one double: a double that is greater may stand for several of them."""

_SCIENTIFIC = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{0,40})?[eE][+-]?[0-9]{1,3}")
_LOST = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*e[+-]?|e\+)|[.,][0-9]+e[+-]?)[0-9]+")
_REMEMBERED_CHARS_MAX = 64
_QUOTES = " '\"="
_LOST_CHARS_MAX = WRITTEN_NUMBER_CHARS_MAX + 8
"""A number as long as may be kept, with quotes and what a decoder adds to make it known as one."""


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """A number of a JSON text that neither 64 bits nor a double hold to the last digit, or in scientific notation.

    ``text`` is how it was written. Where it is a value it becomes a text; nothing else takes it for a number.
    """

    text: str

    @property
    def plain(self) -> str | None:
        """All its digits without an exponent; ``None`` if its notation has lost some.

        The shortest text of a double is read back as that double, and a double of up to 2^53 has all its digits.
        """
        if "e" not in self.text.lower():
            return self.text if len(self.text) <= WRITTEN_NUMBER_CHARS_MAX else None
        number = Decimal(self.text) if _SCIENTIFIC.fullmatch(self.text) else None
        return None if number is None or abs(number) > EXACT_DOUBLE_MAX else plain_digits(number)

    @property
    def double(self) -> float | None:
        """The double that a number in scientific notation is; ``None`` where other digits would give the same."""
        if _SCIENTIFIC.fullmatch(self.text) is None:
            return None
        value = float(self.text)
        return value if Decimal(repr(value)) == Decimal(self.text) else None


def plain_digits(number: Decimal) -> str:
    """Return a number without an exponent, and without zeros that say nothing after its point."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def is_lost_number(text: str) -> bool:
    """Return whether a text is a number in scientific notation, as spreadsheets and floats are written: ``1.91E+18``.

    Its last digits are lost, so of an identifier, a phone number or a key it is none. What machines write has a point
    (or comma) or a plus sign; ``2E18`` and ``7E-05`` have neither, and may well be a part number or a door.
    """
    if text.isascii() and "e" not in text and "E" not in text:
        return False  # as nearly every key is, at a look
    if len(text) > _LOST_CHARS_MAX:
        return False
    return (_remembered_lost if len(text) <= _REMEMBERED_CHARS_MAX else _is_lost)(text)


def _is_lost(text: str) -> bool:
    bare = (text if text.isascii() else normalize("NFKC", text)).strip(_QUOTES).lower()
    return _LOST.fullmatch(bare) is not None


_remembered_lost = remembered(16_384)(_is_lost)
