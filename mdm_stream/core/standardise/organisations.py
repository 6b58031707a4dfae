"""Names of organisations."""

from __future__ import annotations

import re

from mdm_stream.core.model import Standardised
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import fold, table_rows, words

# "I.B.M." and "S.A." are one word: a dot between single letters joins them.
_INITIALS = re.compile(r"\b(?:[^\W\d_]\.\s?)+[^\W\d_]\b\.?")
_AND = str.maketrans({"&": " and ", "+": " and "})


def _legal_forms() -> tuple[frozenset[tuple[str, ...]], frozenset[str]]:
    """Return the legal forms as word sequences, and the single words that are a legal form wherever they stand."""
    forms: set[tuple[str, ...]] = set()
    certain: set[str] = set()
    for kind, spellings in table_rows("legal_forms.csv"):
        for spelling in spellings.split(","):
            form = tuple(spelling.split())
            forms.add(form)
            if kind == "anywhere" and len(form) == 1:
                certain.add(form[0])
    return frozenset(forms), frozenset(certain)


_FORMS, _CERTAIN_FORMS = _legal_forms()
_FORM_WORDS_MAX = max(map(len, _FORMS))
_ABBREVIATIONS = {short: long for long, shorts in table_rows("organisation_words.csv") for short in shorts.split()}


def standardise_organisation(text: str, _options: Options) -> Standardised:
    """Standardise an organisation's name.

    ``match`` has no legal form (Ltd, GmbH, S.A., Pty Ltd), no leading *the*, ``and`` for & and +, and common
    abbreviations written out. A name that consists of such words alone keeps them.
    """
    folded = _INITIALS.sub(lambda found: re.sub(r"[.\s]", "", found[0]) + " ", fold(text).translate(_AND))
    tokens = [_ABBREVIATIONS.get(token, token) for token in words(folded).split()]
    return Standardised(text, " ".join(_without_legal_form(tokens) or tokens) or None)


def _without_legal_form(tokens: list[str]) -> list[str]:
    if len(tokens) > 1 and tokens[0] == "the":
        tokens = tokens[1:]
    # A certain form may be followed by a place ("Acme Ltd (Scotland)"); as the first word it is a name ("Limited Run").
    tokens = [token for position, token in enumerate(tokens) if position == 0 or token not in _CERTAIN_FORMS]
    end = len(tokens)
    while end > 0:
        length = next((n for n in range(min(_FORM_WORDS_MAX, end), 0, -1) if tuple(tokens[end - n : end]) in _FORMS), 0)
        if length:
            end -= length
        elif tokens[end - 1] == "and" and end < len(tokens):
            end -= 1  # what is left of "& Co"
        else:
            break
    return tokens[:end]
