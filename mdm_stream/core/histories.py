"""Positions belong to a history: a version is (history, position), and the history counts first.

A failover, a restore, a move to another cluster or a reload begins a new history, whose positions may be lower than
those before it. A source's rules list its histories in order; what belongs to none of them is of history 0. There a
version is the bare position, so that rules without histories, and histories that nothing belongs to yet, change no
version. In every other history it is a text that begins with ``_MARK``, then the number of the history, then the
position: greater than every version of the histories before it, whatever kind those are, and compared like any other.
"""

from __future__ import annotations

from collections.abc import Sequence

from mdm_stream.core.model import History, LogPlace, Version

HISTORIES_MAX = 1_000
"""Histories of one source: a number of three digits tells them apart. A failover a day fills it in two years."""

_MARK = "\U0010fffd"
"""The last character that Unicode assigns to anything (private use): above every text that a source sends. What sorts
above it are two noncharacters, with which no version may begin."""
_DIGITS = 3
_INTEGER, _TEXT = "i", "t"
_INTEGER_DIGITS, _INTEGER_OFFSET = 20, 2**63


def history_of(histories: Sequence[History], place: LogPlace, time_us: int) -> int:
    """Return the number of the history that a change at ``place``, made at ``time_us``, belongs to.

    That is the last one of which all holds that it says: of the server, GTID source or timeline, and of the time. 0 if
    there is none.
    """
    for number in range(len(histories), 0, -1):
        if histories[number - 1].holds(place, time_us):
            return number
    return 0


def in_history(history: int, position: Version) -> Version:
    """Return the version of a position in a history: the position itself in history 0."""
    if history == 0:
        return position
    if isinstance(position, str):
        return f"{_MARK}{history:0{_DIGITS}d}{_TEXT}{position}"
    return f"{_MARK}{history:0{_DIGITS}d}{_INTEGER}{position + _INTEGER_OFFSET:0{_INTEGER_DIGITS}d}"


def split_version(version: Version) -> tuple[int, Version]:
    """Return history and position of a version: the inverse of ``in_history``."""
    if not isinstance(version, str) or not version.startswith(_MARK):
        return 0, version
    number, kind, position = version[1 : 1 + _DIGITS], version[1 + _DIGITS], version[2 + _DIGITS :]
    return int(number), int(position) - _INTEGER_OFFSET if kind == _INTEGER else position


def is_reserved(version: Version) -> bool:
    """Tell whether a text begins with a character that versions of later histories begin with, or with one above it."""
    return isinstance(version, str) and version[:1] >= _MARK


def shown_version(version: Version) -> str:
    """Return a version as people read it."""
    history, position = split_version(version)
    return f"history {history}: {position}" if history else str(position)
