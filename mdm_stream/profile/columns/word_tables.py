"""The tables of words beside this module: what columns are called, and common names of people, by language."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache

from mdm_stream.core.standardise.text import fold, words
from mdm_stream.core.standardise.text import table_rows as standard_rows


def table_rows(name: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the rows of a table: subject, language, and its words as written; ``#`` starts a comment."""
    raw = pkgutil.get_data(__package__, name)
    if raw is None:
        raise ValueError(f"the packaged table {name} cannot be read: install mdm-stream again")
    for line in raw.decode("utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            subject, language, listed = (part.strip() for part in text.split(";"))
            yield subject, language, [word.strip() for word in listed.split(",") if word.strip()]


@cache
def _folded(subject: str) -> frozenset[str]:
    rows = (names for kind, _, names in table_rows("person_words.csv") if kind == subject)
    return frozenset(token for names in rows for name in names for token in words(fold(name)).split())


@cache
def given_names() -> frozenset[str]:
    """Return common given names of many languages, folded, with the English nicknames that the standardisers know."""
    roots = (word for root, nicknames in standard_rows("nicknames.csv") for word in (root, *nicknames.split()))
    return _folded("given") | frozenset(roots)


@cache
def family_names() -> frozenset[str]:
    """Return common family names of many languages, folded."""
    return _folded("family")


@cache
def person_titles() -> frozenset[str]:
    """Return what stands before names of people: Mr, Frau, Dr."""
    return _folded("title")


@cache
def street_words() -> frozenset[str]:
    """Return words for a street in many languages, folded, with those that the standardisers know."""
    known = (word for short, spellings in standard_rows("street_words.csv") for word in (short, *spellings.split()))
    return _folded("street") | frozenset(word for word in known if len(word) > 1)


@cache
def firm_words() -> frozenset[str]:
    """Return words that names of organisations alone have, beside known legal forms, folded."""
    return _folded("firm")


@cache
def words_for_sex() -> frozenset[str]:
    """Return what columns of sex or gender hold, folded: m, weiblich, mujer."""
    return _folded_whole("sex")


@cache
def yes_and_no() -> frozenset[str]:
    """Return what columns of yes and no hold, folded."""
    return _folded_whole("yes_no")


def _folded_whole(subject: str) -> frozenset[str]:
    rows = (names for kind, _, names in table_rows("person_words.csv") if kind == subject)
    return frozenset(words(fold(name)) for names in rows for name in names)
