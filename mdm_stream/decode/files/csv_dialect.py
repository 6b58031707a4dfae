"""The dialect of a CSV file: what its bytes are read by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """Encoding, delimiter, quote (each one character) and what ends lines: a line feed, with or without a carriage
    return before it, or a carriage return alone.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    line_end: Literal["\n", "\r"] = "\n"

    @property
    def end_bytes(self) -> bytes:
        """What ends a line, as bytes of the encoding."""
        return self.line_end.encode(self.encoding)

    @property
    def blank_bytes(self) -> bytes | None:
        """What a blank line is made of; ``None`` for white space."""
        return b" \t\r\n\0" if self.encoding.startswith("utf-16") else None

    def utf8(self, line: bytes) -> bytes | None:
        """Return a line in UTF-8; ``None`` if it is not in the encoding."""
        if self.encoding == "utf-8" and line.isascii():
            return line
        try:
            text = line.decode(self.encoding)
            return line if self.encoding == "utf-8" else text.encode()
        except UnicodeError:
            return None

    def __str__(self) -> str:
        delimiter = _NAMES.get(self.delimiter, f"{self.delimiter!r}")
        quote = "" if self.quote == '"' else f", quoted by {self.quote}"
        lines = ", lines end in CR" if self.line_end == "\r" else ""
        return f"{self.encoding}, separated by {delimiter}{quote}{lines}"
