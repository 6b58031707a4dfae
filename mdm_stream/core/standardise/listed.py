"""Placeholders that the rules name: values that many records have and that say nothing of any of them.

A listed value is met by its text, whatever its case and accents, and by its standardised form: ``01/01/1970`` is a
listed ``1970-01-01``. A pattern matches the whole of the delivered text (lower case, no accents), of the value or of
the match value.
"""

from __future__ import annotations

from mdm_stream.core.model import MISSING, Standardised
from mdm_stream.core.ruleset import PlaceholderList
from mdm_stream.core.standardise.patterns import WholeMatch, any_pattern
from mdm_stream.core.standardise.registry import TextStandardiser
from mdm_stream.core.standardise.text import MATCH_LENGTH_MAX, clean, fold

LISTED_CHARS_MAX = 512
"""Characters of a text that lists are held against: a longer one is no placeholder."""


def without_listed(standardise: TextStandardiser, lists: tuple[PlaceholderList, ...]) -> TextStandardiser:
    """Return a standardiser that takes what the lists name for absent."""
    texts = frozenset(plain_text(value) for each in lists for value in each.values)
    forms = frozenset(
        str(found.match) for each in lists for value in each.values if (found := standardise(value)).match is not None
    )
    matches = _any_pattern(lists)

    def read(text: str) -> Standardised:
        result = standardise(text)
        if result is MISSING or len(text) > LISTED_CHARS_MAX:
            return result
        if result.match in forms or (plain := plain_text(text)) in texts:
            return MISSING
        if matches and any(matches(form) for form in {plain, result.value, result.match} if isinstance(form, str)):
            return MISSING
        return result

    return read


def is_listed_text(lists: tuple[PlaceholderList, ...], text: str) -> bool:
    """Return whether the lists name a text as it was delivered, such as one of several columns that are joined."""
    if len(text) > LISTED_CHARS_MAX:
        return False
    plain = plain_text(text)
    if any(plain == plain_text(value) for each in lists for value in each.values):
        return True
    matches = _any_pattern(lists)
    return matches is not None and matches(plain)


def plain_text(text: str) -> str:
    """Return what lists compare of a delivered text: its beginning, without case and accents."""
    return fold(clean(text[:MATCH_LENGTH_MAX]))


def _any_pattern(lists: tuple[PlaceholderList, ...]) -> WholeMatch | None:
    """Return what tells whether any pattern of the lists matches a whole text; ``None`` if they have none."""
    patterns = tuple(pattern for each in lists for pattern in each.patterns)
    return any_pattern(patterns) if patterns else None
