"""Generations of a name: what tells a father from a son of one name."""

from __future__ import annotations

import re

from mdm_stream.core.model import Standardised
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import fold, table_rows, words

_NUMBERS = {fold(word): number for number, spellings in table_rows("generations.csv") for word in spellings.split()}
# "d.J." and "d.Ä." of German names, "d.y." and "d.ä." of Nordic ones: the younger and the elder.
_THE_YOUNGER = re.compile(r"\bd\.\s?([ajy])\.?(?=$|,)")
_YOUNGER = {"a": "senior", "j": "junior", "y": "junior"}
# With the dot of an abbreviation at the end of a name: German and Polish, Czech, Slovak and Polish, Russian.
_DOTTED = {"jun": "junior", "sen": "senior", "ml": "junior", "st": "senior", "мл": "junior", "ст": "senior"}
_ABBREVIATED = re.compile(rf"(?<=\w)[\s,]+({'|'.join(_DOTTED)})\.(?=\s*(?:$|,))")
# Hungarian ones stand before the family name.
_LEADING = {"ifj": "junior", "ifjabb": "junior", "id": "senior", "idosb": "senior"}
_BEFORE_NAME = re.compile(r"(ifj\.|ifjabb|id\.|idosb)\s+(?=\w)")
_IN_ITS_COLUMN = {**_DOTTED, **_LEADING}


def generation_in(text: str) -> str:
    """Return the word of a name that says its bearer's generation, folded; ``""`` if it has none.

    It never stands first but in Hungarian: there "Sr." is a Spanish title and "Junior" a given name. The last counts.
    """
    folded = fold(text)
    if " " not in folded and "," not in folded:
        return ""
    if "." in folded:
        found = _THE_YOUNGER.search(folded)
        if found is not None and found.start() and "," not in folded[: found.start()]:
            return _YOUNGER[found[1]]
        if (found := _ABBREVIATED.search(folded)) is not None:
            return _DOTTED[found[1]]
    if folded.startswith("i") and (found := _BEFORE_NAME.match(folded)) is not None:
        return _LEADING[found[1].rstrip(".")]
    return next((word for word in reversed(words(folded).split()[1:]) if word in _NUMBERS), "")


def is_generation(word: str) -> bool:
    """Return whether a word says a generation where it does not stand first in a name."""
    folded = fold(word)
    return folded in _NUMBERS or (folded.endswith(".") and folded[:-1] in _DOTTED)


def without_abbreviated_generation(folded: str) -> str:
    """Return a folded name without a generation that its dot shows, or its place before a Hungarian name."""
    if folded.startswith("i"):
        folded = _BEFORE_NAME.sub("", folded, count=1) if _BEFORE_NAME.match(folded) else folded
    return _ABBREVIATED.sub("", folded) if "." in folded else folded


def after_leading_generation(text: str) -> str:
    """Return a name without the word for a generation that stands before Hungarian ones."""
    found = _BEFORE_NAME.match(fold(text)) if text[:1] in "iI" else None
    return text.partition(" ")[2].strip() if found is not None else text


def standardise_generation(text: str, _options: Options) -> Standardised:
    """Standardise a generation; ``match`` is its number: Sr 1, Jr and II 2, III 3. Another word is itself."""
    plain = words(fold(text))
    if found := _THE_YOUNGER.search(fold(text)):
        plain = _YOUNGER[found[1]]
    plain = _IN_ITS_COLUMN.get(plain, plain)
    return Standardised(text, _NUMBERS.get(plain, plain) or None)
