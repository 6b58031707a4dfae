r"""Text from outside as one harmless line, for whatever shows it: a terminal, a page, a picture. Pure.

A value with escape sequences would clear a terminal's screen or type into a shell; one that turns the direction of
writing shows one id as another, on a page too. Control characters, line ends, what turns the direction of writing or is
not to be seen are written as escapes such as ``\x1b`` and ``\u202e``.
"""

from __future__ import annotations

import re

DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
UNSEEN = "\u00ad\u180e\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_NO_TEXT = "\ud800-\udfff\ufffe\uffff"
"""Surrogates, which no encoding writes, and what no XML document may hold."""
_UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f{DIRECTION}{UNSEEN}{_NO_TEXT}]")
"""Control characters, what directs writing, and what is not seen. The zero-width joiners stay: Persian and emoji need
them, and they move nothing."""


def plain(text: str) -> str:
    """Return one line of text as a terminal or page may have it: see the module's note."""
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    named = {9: "\\t", 10: "\\n", 13: "\\r"}.get(code)
    return named or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65_536 else f"\\U{code:08x}")
