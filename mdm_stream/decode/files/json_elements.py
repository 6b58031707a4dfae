"""The elements of a JSON file, told apart without reading them: those of an array, or one a line.

Linear in the file, and in memory one element and one block. An element that is no JSON costs itself alone, as long as
its brackets and quotes are in pairs; a file in which they are not is broken as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mdm_stream.decode.files.csv_dialect import CsvDialect
from mdm_stream.decode.files.csv_lines import LineTooLongError, iter_lines
from mdm_stream.decode.files.file_faults import unreadable
from mdm_stream.decode.files.read_limits import ReadLimits

BLOCK_BYTES = 262_144
"""Bytes that are looked at together: pieces of a file may be as small as one byte."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_SPACES = re.compile(rb"[ \t\r\n]*")
_FLAT = re.compile(rb'\{(?:[^{}"\[\]]++|"(?:[^"\\]++|\\.)*+")*+\}', re.DOTALL)
"""A whole object without another one in it, as nearly all elements are."""
_OUTSIDE = re.compile(rb'["\[\]{},]')
_INSIDE = re.compile(rb'["\\]')


def line_elements(pieces: Iterable[bytes], limits: ReadLimits) -> Iterator[bytes]:
    """Yield the lines of an NDJSON file that are not blank; ``UnreadableFileError`` for one that is far too long."""
    try:
        for number, line in enumerate(iter_lines(pieces, CsvDialect(), limits.line_bytes_max)):
            element = (line if number else line.removeprefix(_BYTE_ORDER_MARK)).strip(_SPACE)
            if element == b"{" and not number:
                said = "is one JSON object over several lines; send an array of objects, or one object a line"
                raise unreadable("broken_file", said)
            if element:
                yield element
    except LineTooLongError as error:
        raise unreadable("giant_line", f"cannot be read: {error}") from error


def array_elements(pieces: Iterable[bytes], limits: ReadLimits) -> Iterator[bytes]:
    """Yield the elements of the array that a file is; ``UnreadableFileError`` if it is none, or cut short."""
    scan = _ArrayScan(limits.line_bytes_max)
    for block in _blocks(pieces):
        yield from scan.elements(block)
    scan.end()


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


class _ArrayScan:
    """Where in an array the scan of its blocks is."""

    def __init__(self, element_bytes_max: int) -> None:
        self._element_bytes_max = element_bytes_max
        self._rest = b""
        self._wants = "array"
        self._depth = 0
        self._in_string = False
        self._scanned = 0
        self._number = 0

    def elements(self, block: bytes) -> Iterator[bytes]:
        """Yield the elements that end in a block."""
        text = self._rest + block
        at = 0
        if self._wants == "array":
            if len(text) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(text):
                self._rest = text
                return
            at = len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0
        while True:
            if not self._scanned:
                at += len(_SPACES.match(text, at)[0])  # type: ignore[index]  # it matches anywhere
            if at >= len(text):
                break
            if self._wants in ("element", "element or end"):
                end = self._element_end(text, at)
                if end < 0:
                    break
                if end > at:
                    self._number += 1
                    yield text[at:end].rstrip(_SPACE)
                at = end
            else:
                self._step(text[at : at + 1])
                at += 1
        self._rest = text[at:]
        if len(self._rest) > self._element_bytes_max:
            said = f"has an element, number {self._number + 1:,}, of more than {self._element_bytes_max:,} bytes"
            raise unreadable("giant_line", said)

    def _step(self, character: bytes) -> None:
        """Take a character between elements."""
        known = {("array", b"["): "element or end", ("comma", b","): "element", ("comma", b"]"): "end"}
        wanted = known.get((self._wants, character))
        if wanted is None:
            raise self._broken()
        self._wants = wanted

    def _element_end(self, text: bytes, at: int) -> int:
        """Return where the element that begins at ``at`` ends, -1 if it is not all there yet."""
        if not self._scanned:
            first = text[at : at + 1]
            if first == b"]" and self._wants == "element or end":
                self._wants = "comma"
                return at
            if first in (b",", b"]", b"}"):
                raise self._broken()
            flat = _FLAT.match(text, at)
            if flat is not None:
                self._wants = "comma"
                return flat.end()
        end, scanned = self._scan(text, at + self._scanned)
        self._scanned = 0 if end >= 0 else scanned - at
        if end >= 0:
            self._wants = "comma"
        return end

    def _scan(self, text: bytes, at: int) -> tuple[int, int]:
        """Go on through an element; return where it ends, -1 if that is not in the text, and how far that was seen."""
        while True:
            found = (_INSIDE if self._in_string else _OUTSIDE).search(text, at)
            if found is None:
                return -1, len(text)
            mark, at = found[0], found.end()
            if mark == b"\\":
                if at == len(text):
                    return -1, found.start()
                at += 1
            elif mark == b'"':
                self._in_string = not self._in_string
            elif mark in (b"[", b"{"):
                self._depth += 1
            elif self._depth == 0:
                return found.start(), at
            elif mark != b",":
                self._depth -= 1
                if self._depth == 0:
                    return at, at

    def end(self) -> None:
        """Take the end of the file; ``UnreadableFileError`` if the array has none."""
        if self._wants != "end" or self._rest.strip(_SPACE):
            raise self._broken()

    def _broken(self) -> Exception:
        said = f"is no JSON array of objects: it breaks off or goes wrong behind element {self._number:,}"
        return unreadable("broken_file", said)
