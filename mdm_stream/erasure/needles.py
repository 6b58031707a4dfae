"""Looking for values in bytes in whatever form they are written there. The one home of this for every store. Pure.

A value is found in every reading of the bytes (see ``readings``), compared as ``folding`` makes texts alike. How much a
find says depends on the value:

* One of ``VALUE_BYTES_MIN`` or more is found wherever it stands, in longer words too. As a *word*, with nothing that
  is a letter or a digit beside it, it is told apart: only words may lead to a removal.
* A shorter one stands by chance in megabytes of other bytes. It is found as a word only, and says nothing alone.
* Telephone numbers, and whatever else is ``DIGITS_MIN`` digits and separators, is found however it is grouped.
* A value that is cut off where the bytes end (or begin) is found by what is left of it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mdm_stream.erasure.folding import digits_joined, fold
from mdm_stream.erasure.readings import ANY, ASCII, LATIN, Readings, unescaped, without_cut_escape

VALUE_BYTES_MIN = 5
"""Shorter texts, in UTF-8, occur by chance. Two Chinese characters are long enough, four Latin letters are not."""

DIGITS_MIN = 6

FILE_PIECE_BYTES, FILE_OVERLAP_BYTES = 4 * 1024**2, 64 * 1024
"""A file is read in such pieces, which overlap by more than a value and its escapes are long."""

_DIGITS_AND_SEPARATORS = re.compile(r"[0-9 \-./()]+")
_WORD_BEFORE, _WORD_AFTER = r"(?<![^\W_])", r"(?![^\W_])"

_EDGE_CHARS = 512


@dataclass(slots=True)
class Found:
    """What was found in some bytes.

    ``values`` are those that stand in them in any form, ``words`` those of them, and the short ones, that stand there
    as words. ``ids``: a record id is there as a word, in any form; ``exact_ids``: letter by letter. ``opaque``: they
    hold something that cannot be read, so that nothing found proves nothing.
    """

    values: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    ids: bool = False
    exact_ids: bool = False
    opaque: bool = False


class Needles:
    """Some values and record ids to look for."""

    def __init__(self, values: Iterable[str], ids: Iterable[str] = ()) -> None:
        """Take the texts. Those that are nothing once folded (a dash of spaces) are never found."""
        folded = {text: fold(text) for text in values}
        self._long = {text: each for text, each in folded.items() if is_long(text) and len(each) > 1}
        self._short = {text: each for text, each in folded.items() if text not in self._long and each}
        self._digits = {text: joined for text, each in self._long.items() if (joined := _only_digits(each))}
        self._folded = {**self._long, **self._short}
        self._words = {text: _word(each) for text, each in self._folded.items()}
        ids = list(ids)
        self._ids = [(each, fold(each), _word(each), _word(fold(each))) for each in ids if fold(each)]
        greatest = max((ord(character) for text in (*folded, *ids) for character in text), default=0)
        self._code_pages = ASCII if greatest < 0x80 else LATIN if greatest < 0x100 else ANY

    def plainly_in(self, raw: bytes) -> set[str]:
        """Return the longer values in bytes that one of our own writers made: UTF-8, with the escapes of JSON."""
        text = raw.decode("utf-8", "replace")
        readings = [text]
        if "\\" in text:
            readings += list(unescaped(text))
        return {value for reading in readings for value in self._long_in(fold(reading))}

    def found_in(self, raw: bytes) -> Found:
        """Return what is found in bytes of any origin."""
        found = Found()
        readings = Readings(raw, code_pages=self._code_pages)
        for text in readings:
            self._look_into(text, found)
        found.opaque = readings.opaque
        return found

    def _look_into(self, text: str, found: Found) -> None:
        folded = fold(text)
        found.values.update(self._long_in(folded))
        found.values.update(self._cut_in(text, folded))
        candidates = [*(found.values - found.words), *(self._short.keys() - found.words)]
        joined = ""
        for value in candidates:
            if self._folded[value] in folded and self._words[value].search(folded):
                found.words.add(value)
            elif value in self._digits:
                joined = joined or digits_joined(folded)
                if re.search(f"(?<![0-9]){self._digits[value]}(?![0-9])", joined):
                    found.words.add(value)
        for exact, alike, exact_word, alike_word in self._ids:
            found.ids = found.ids or (alike in folded and alike_word.search(folded) is not None)
            found.exact_ids = found.exact_ids or (exact in text and exact_word.search(text) is not None)

    def in_file(self, path: Path) -> bool:
        """Tell whether a file of our own servers and processes holds one of the longer values, plainly or escaped.

        One that is gone holds nothing.
        """
        return any(self.plainly_in(piece) for piece in _pieces(path))

    def _long_in(self, folded: str) -> Iterator[str]:
        for value, needle in self._long.items():
            if needle in folded:
                yield value
        if self._digits:
            joined = digits_joined(folded)
            for value, digits in self._digits.items():
                if digits in joined:
                    yield value

    def _cut_in(self, text: str, folded: str) -> Iterator[str]:
        """Yield the values of which the end of the text is a beginning, or its beginning an end."""
        tail = fold(without_cut_escape(text[-_EDGE_CHARS:]))
        head = folded[:_EDGE_CHARS]
        for value, needle in self._long.items():
            if any(tail.endswith(needle[:size]) for size in range(VALUE_BYTES_MIN, len(needle))) or any(
                head.startswith(needle[-size:]) for size in range(VALUE_BYTES_MIN, len(needle))
            ):
                yield value


def is_long(text: str) -> bool:
    """Tell whether a value is long enough to say something wherever it stands."""
    return len(text.encode("utf-8", "replace")) >= VALUE_BYTES_MIN


def written_forms(text: str) -> list[str]:
    """Return how our own writers may have written a text, for where only texts can be compared, as in SQL."""
    composed = {text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD"))}
    return sorted(composed | {json.dumps(each)[1:-1] for each in composed if not each.isascii()})


def _only_digits(folded: str) -> str:
    if _DIGITS_AND_SEPARATORS.fullmatch(folded) is None:
        return ""
    digits = re.sub(r"\D", "", folded)
    return digits if len(digits) >= DIGITS_MIN else ""


def _word(text: str) -> re.Pattern[str]:
    return re.compile(_WORD_BEFORE + re.escape(text) + _WORD_AFTER)


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            kept = b""
            while piece := file.read(FILE_PIECE_BYTES):
                yield kept + piece
                kept = piece[-FILE_OVERLAP_BYTES:]
    except FileNotFoundError:  # a server has replaced it meanwhile
        return
