"""Two records side by side: of which attributes they say the same, and where two texts differ. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from mdm_stream.contracts.steward import Agreement
from mdm_stream.core.model import Standardised
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset

COMPARED_CHARS_MAX = 500
"""Characters of a text up to which differences are looked for inside it; a longer one differs as a whole."""
_JOINERS = "\u200c\u200d"


class Segment(NamedTuple):
    """A part of a text, and whether the other text lacks it."""

    text: str
    differs: bool


def agreement_of(rules: Ruleset, a: Record, b: Record) -> dict[str, Agreement]:
    """Return of each attribute that either record has whether they say the same; a record that is not live has none."""
    found: dict[str, Agreement] = {}
    for position, attribute in enumerate(rules.attributes):
        left, right = (record.values[position] if record.live else Standardised(None, None) for record in (a, b))
        if left.value is not None or right.value is not None:
            found[attribute.name] = _agreement(left, right)
    return found


def _agreement(left: Standardised, right: Standardised) -> Agreement:
    if left.value is None or right.value is None:
        return "missing"
    mine, other = _compared(left), _compared(right)
    if mine == other:
        return "same"
    return "partly" if mine & other else "differs"


def _compared(value: Standardised) -> frozenset[str]:
    """Return what matching sees of a value; where it sees nothing (an invalid one), the value itself."""
    seen = value.match or value.value
    return frozenset([seen]) if isinstance(seen, str) else frozenset(seen or ())


def differences(left: str, right: str) -> tuple[list[Segment], list[Segment]]:
    """Return both texts in segments that are, or are not, in the other at that place.

    By the fewest insertions, deletions and replacements of characters as people see them: an accent or joiner stays
    with its letter. Joined, the segments are the texts.
    """
    if left == right:
        return _whole(left, differs=False), _whole(right, differs=False)
    if max(len(left), len(right)) > COMPARED_CHARS_MAX:
        return _whole(left, differs=True), _whole(right, differs=True)
    mine, other = _characters(left), _characters(right)
    ours: list[Segment] = []
    theirs: list[Segment] = []
    for step in Levenshtein.opcodes(mine, other):
        differs = step.tag != "equal"
        ours += _whole("".join(mine[step.src_start : step.src_end]), differs=differs)
        theirs += _whole("".join(other[step.dest_start : step.dest_end]), differs=differs)
    return _joined(ours), _joined(theirs)


def _whole(text: str, *, differs: bool) -> list[Segment]:
    return [Segment(text, differs)] if text else []


def _joined(segments: Sequence[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    for segment in segments:
        if joined and joined[-1].differs == segment.differs:
            joined[-1] = Segment(joined[-1].text + segment.text, segment.differs)
        else:
            joined.append(segment)
    return joined


def _characters(text: str) -> list[str]:
    """Return a text's letters with the marks and joiners that belong to them."""
    characters: list[str] = []
    for char in text:
        binds = char in _JOINERS or unicodedata.category(char).startswith("M")
        follows_joiner = bool(characters) and characters[-1][-1] == "\u200d"
        if characters and (binds or follows_joiner):
            characters[-1] += char
        else:
            characters.append(char)
    return characters
