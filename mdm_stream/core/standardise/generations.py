"""Generations of a name: what tells a father from a son of one name."""

from __future__ import annotations

import re

from mdm_stream.core.model import Standardised
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import fold, table_rows, words

_NUMBERS = {word: number for number, spellings in table_rows("generations.csv") for word in spellings.split()}
# "d.J." and "d.Ä." of German names, "d.y." and "d.ä." of Nordic ones: the younger and the elder.
_THE_YOUNGER = re.compile(r"\bd\.\s?([ajy])\.?(?=$|,)")
_YOUNGER = {"a": "senior", "j": "junior", "y": "junior"}


def generation_in(text: str) -> str:
    """Return the word of a name that says its bearer's generation, folded; ``""`` if it has none.

    It never stands first: there "Sr." is a Spanish title and "Junior" a given name. The last one counts.
    """
    folded = fold(text)
    if " " not in folded and "," not in folded:
        return ""
    found = _THE_YOUNGER.search(folded) if "d." in folded else None
    if found is not None and found.start() and "," not in folded[: found.start()]:
        return _YOUNGER[found[1]]
    return next((word for word in reversed(words(folded).split()[1:]) if word in _NUMBERS), "")


def is_generation(word: str) -> bool:
    """Return whether a word says a generation where it does not stand first in a name."""
    return fold(word) in _NUMBERS


def standardise_generation(text: str, _options: Options) -> Standardised:
    """Standardise a generation; ``match`` is its number: Sr 1, Jr and II 2, III 3. Another word is itself."""
    plain = words(fold(text))
    if found := _THE_YOUNGER.search(fold(text)):
        plain = _YOUNGER[found[1]]
    return Standardised(text, _NUMBERS.get(plain, plain) or None)
