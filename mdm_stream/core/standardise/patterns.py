r"""The patterns that rule sets may give an attribute: regular expressions that match in time linear in the text.

Python's own ``re`` tries alternatives one after the other, so ``(a+)+b`` takes a year for fifty letters, and nobody
sees that by looking at a value. RE2 is an automaton: it reads each character once, whatever the pattern. It lacks
what no automaton has (look-around, back-references, atomic groups), and these are refused with what to write instead.

RE2's ``\d``, ``\w`` and ``\s`` know ASCII alone. They are written out before it sees them, so that they mean what they
mean in Python: digits, letters and white space of every script.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import re2

PATTERN_CHARS_MAX = 1_000
"""The longest pattern."""
PATTERN_MEMORY_BYTES_MAX = 4_194_304
"""Memory of one compiled pattern with what it remembers while it matches (RE2's ``max_mem``). A pattern that needs
more is refused; where matching would need more it forgets, and stays linear."""
REPEATS_MAX = 1_000
"""The greatest number in ``{...}``, also of nested ones multiplied: RE2's own."""

_COMPILED_MAX = 1_024
_SPACES = r"\t-\r\x1c-\x20\x{85}\p{Z}"
_CLASSES = {"d": r"\p{Nd}", "w": r"\p{L}\p{N}_", "s": _SPACES}
_CHARACTERS = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(0[0-7]{0,2}))")
_REPEAT = re.compile(r"\{([0-9]{0,9})(,?)([0-9]{0,9})\}", re.ASCII)
_GROUP = re.compile(r"\?(?::|P<\w+>|[ims]*(?:-[ims]+)?[:)])")
_PROPERTY = re.compile(r"\\[pP](?:\{\^?\w+\}|[A-Z])", re.ASCII)

_LOOK_AROUND = "look-around"
_NO_GROUP: tuple[tuple[str, str, str], ...] = (
    ("?=", _LOOK_AROUND, "write what stands there as a part of the pattern, which matches the whole value"),
    ("?!", _LOOK_AROUND, "list what is allowed instead, such as [0-46-9] for a digit other than 5"),
    ("?<=", _LOOK_AROUND, "write what stands before as a part of the pattern"),
    ("?<!", _LOOK_AROUND, "list what may stand before as a part of the pattern"),
    ("?P=", "a back-reference", "write out the alternatives, such as (?:aa|bb)"),
    ("?(", "a condition", "write out the alternatives, such as (?:ab|c)"),
    ("?>", "an atomic group", "write (?:...), which never tries twice here"),
)

WholeMatch = Callable[[str], bool]


class PatternError(ValueError):
    """Why a pattern cannot be used; the text says what to write instead."""


@lru_cache(maxsize=_COMPILED_MAX)
def compile_pattern(pattern: str) -> WholeMatch:
    """Return what tells whether a pattern matches a whole text; ``PatternError`` if the pattern cannot be used."""
    if len(pattern) > PATTERN_CHARS_MAX:
        raise PatternError(f"has {len(pattern):,} characters; expected {PATTERN_CHARS_MAX:,} at most; shorten it")
    options = re2.Options()
    options.max_mem = PATTERN_MEMORY_BYTES_MAX
    options.log_errors = False
    options.never_capture = True
    try:
        compiled = re2.compile(_Translation(pattern).text(), options)
    except re2.error as error:
        raise PatternError(_said(error)) from None
    except UnicodeEncodeError:
        raise PatternError("holds half a character (a lone surrogate); expected whole ones; correct it") from None
    return lambda text: compiled.fullmatch(text) is not None


@lru_cache(maxsize=_COMPILED_MAX)
def any_pattern(patterns: tuple[str, ...]) -> WholeMatch:
    """Return what tells whether any of some patterns, each of which can be used, matches a whole text.

    They are asked at once where they fit into one automaton: asking costs more than what is read.
    """
    singly = [compile_pattern(pattern) for pattern in patterns]
    if len(singly) == 1:
        return singly[0]
    try:
        return compile_pattern("|".join(f"(?:{pattern})" for pattern in patterns))
    except PatternError:
        return lambda text: any(matches(text) for matches in singly)


def _said(error: re2.error) -> str:
    why = error.args[0] if error.args else ""
    said = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
    if "too large" in said:
        return "needs too much memory; repeat less, or use ASCII classes such as [A-Za-z0-9] in what is repeated"
    if "repetition size" in said:
        return f"repeats more than {REPEATS_MAX:,} times, nested repeats multiplied; repeat less"
    return f"cannot be read: {said}; expected a regular expression as RE2 has them; correct it"


class _Translation:
    """One pass over a pattern as Python's ``re`` writes it, into one that means the same to RE2."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._in_class = False

    def text(self) -> str:
        written: list[str] = []
        while self._at < len(self._pattern):
            character = self._pattern[self._at]
            if character == "\\":
                written.append(self._escape())
            elif self._in_class:
                written.append(self._of_class(character))
            elif character == "[":
                written.append(self._begin_class())
            elif character == "(":
                written.append(self._group())
            elif character == "{":
                written.append(self._repeat())
            else:
                written.append(self._take(1))
        return "".join(written)

    def _take(self, count: int) -> str:
        taken = self._pattern[self._at : self._at + count]
        self._at += count
        return taken

    def _begin_class(self) -> str:
        self._in_class = True
        begin = self._take(2 if self._pattern.startswith("^", self._at + 1) else 1)
        if self._pattern.startswith("]", self._at):  # the first one is a character of the class
            self._take(1)
            return begin + "\\]"
        return begin

    def _of_class(self, character: str) -> str:
        self._take(1)
        if character == "]":
            self._in_class = False
        return "\\[" if character == "[" else character

    def _group(self) -> str:
        for mark, what, instead in _NO_GROUP:
            if self._pattern.startswith(mark, self._at + 1):
                raise PatternError(f"has {what} ({mark}...), which no linear engine has; {instead}")
        if self._pattern.startswith("?#", self._at + 1):
            end = self._pattern.find(")", self._at)
            self._at = len(self._pattern) if end < 0 else end + 1
            return ""
        if not self._pattern.startswith("?", self._at + 1):
            return self._take(1)
        found = _GROUP.match(self._pattern, self._at + 1)
        if found is None:
            raise PatternError("has an unknown kind of group after '(?'; expected (?:...), (?i), (?s) or (?m)")
        return self._take(found.end() - self._at)

    def _repeat(self) -> str:
        found = _REPEAT.match(self._pattern, self._at)
        if found is None or not (found[1] or found[2]):
            self._take(1)
            return "\\{"
        self._at = found.end()
        if max(int(found[1] or 0), int(found[3] or 0)) > REPEATS_MAX:
            raise PatternError(f"repeats more than {REPEATS_MAX:,} times; repeat less, or use * or +")
        return f"{{{found[1] or 0}{found[2]}{found[3]}}}"

    def _escape(self) -> str:
        if self._at + 1 == len(self._pattern):
            raise PatternError(r"ends in a backslash; write \\ for the character itself")
        if found := _CHARACTERS.match(self._pattern, self._at):
            self._at = found.end()
            code = int(found[4], 8) if found[4] else int(found[1] or found[2] or found[3], 16)
            return f"\\x{{{code:x}}}"
        if found := _PROPERTY.match(self._pattern, self._at):
            return self._take(found.end() - self._at)
        escaped = self._take(2)
        letter = escaped[1]
        if letter.lower() in _CLASSES:
            return self._character_class(letter)
        if letter in "123456789":
            raise PatternError(f"has a back-reference ({escaped}), which no linear engine has; write the alternatives")
        if letter in "bB":
            raise PatternError(
                f"has a word boundary ({escaped}), which RE2 knows for ASCII alone; write what stands there, such as "
                "a space: the pattern matches the whole value"
            )
        if letter == "Z":
            return r"\z"
        if letter.isascii() and letter.isalnum() and letter not in "Azafnrtv":
            raise PatternError(f"has an unknown escape ({escaped}); write the character itself")
        return escaped if letter.isascii() else letter

    def _character_class(self, letter: str) -> str:
        members = _CLASSES[letter.lower()]
        if not self._in_class:
            return f"[{'^' if letter.isupper() else ''}{members}]"
        if letter == "D":
            return r"\P{Nd}"
        if letter.isupper():
            raise PatternError(f"has \\{letter} inside of [...]; list what is allowed, or write [^\\{letter.lower()}]")
        return members
