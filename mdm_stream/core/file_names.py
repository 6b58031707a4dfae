"""The names of files: a glob with at most one place for the time of the load, ``customers_{as_of:%Y%m%d}*.csv.gz``.

``*`` stands for any characters and ``?`` for one, neither for ``/``; everything else is itself. A name is matched in
time linear in its length, whatever the glob is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from mdm_stream.core.time_format import TimeFormat, time_format

NAME_CHARS_MAX = 512
_AS_OF = re.compile(r"\{as_of:([^{}]*)\}")
_NAMED_GROUP = re.compile(r"\(\?P<[A-Za-z]>")
_WILD = {"*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, slots=True)
class NameMatch:
    """That a name matches, and the time of the load that it says, in microseconds, if it is to say one."""

    as_of_us: int | None = None


@dataclass(frozen=True, slots=True)
class FileNames:
    """A compiled name pattern."""

    written: str
    matcher: Any
    as_of: TimeFormat | None

    def match(self, name: str) -> NameMatch | None:
        """Return what a name says, ``None`` if it does not match; ``ValueError`` if its time does not exist."""
        found = self.matcher.fullmatch(name)
        if found is None:
            return None
        return NameMatch(None if self.as_of is None else self.as_of.time_us(found.group(1)))


@lru_cache(maxsize=256)
def file_names(written: str) -> FileNames:
    """Return a compiled pattern; ``ValueError`` says what is wrong with it."""
    if len(written) > NAME_CHARS_MAX:
        raise ValueError(f"is longer than {NAME_CHARS_MAX} characters")
    *before, last = _AS_OF.split(written)
    if len(before) > 2:
        raise ValueError("has {as_of:...} twice; expected it once")
    pieces = [*before[::2], last]
    if any("{" in piece or "}" in piece for piece in pieces):
        raise ValueError("has a brace that is not of {as_of:FORMAT}, such as {as_of:%Y%m%d}")
    form = None if not before else time_format(before[1])
    time = "" if form is None else f"({_NAMED_GROUP.sub('(?:', form.pattern.pattern)})"
    pattern = time.join(_glob(piece) for piece in pieces)
    return FileNames(written, re2.compile(f"(?s){pattern}"), form)


def _glob(piece: str) -> str:
    return "".join(_WILD.get(character) or re2.escape(character) for character in piece)
