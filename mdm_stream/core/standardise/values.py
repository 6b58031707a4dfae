"""Types of no particular subject: text, verbatim, category, identifier, number."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from mdm_stream.core.model import Standardised
from mdm_stream.core.standardise.several import holds_two_identifiers
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import alphanumerics, fold, words


def standardise_text(text: str, _options: Options) -> Standardised:
    """Standardise free text: ``match`` is its folded words in their order."""
    return Standardised(text, words(fold(text)) or None)


def standardise_verbatim(text: str, _options: Options) -> Standardised:
    """Standardise a text that is compared as it is, for it was made ready before: capitals and marks count."""
    return Standardised(text, text)


_SYNONYM_TEXTS_MAX = 256


def standardise_category(text: str, options: Options) -> Standardised:
    """Standardise a word of a short list, such as a gender or a status.

    ``match`` is the folded words, or what ``synonyms`` says of them: ``m=male; f=female`` makes M and Male equal.
    """
    folded = words(fold(text))
    return Standardised(text, _synonyms(str(options["synonyms"])).get(folded, folded) or None)


@lru_cache(maxsize=_SYNONYM_TEXTS_MAX)
def _synonyms(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(";"))
    return {words(fold(name)): words(fold(meaning)) for name, equals, meaning in pairs if equals}


_FLOAT_TAIL = re.compile(r"(\d{4,})\.0+")


def standardise_identifier(text: str, _options: Options) -> Standardised:
    """Standardise an identifier: ``match`` is its letters and digits, upper case. Leading zeros count.

    Four or more digits with ``.0`` after them are those digits: a data frame turned the column into floats. Two
    identifiers with a comma, a semicolon or a bar between are invalid and have no match.
    """
    if holds_two_identifiers(text):
        return Standardised(text, None, valid=False)
    folded = fold(text)
    found = _FLOAT_TAIL.fullmatch(folded)
    return Standardised(text, alphanumerics(found[1] if found else folded).upper() or None)


_NUMBER_DIGITS_MAX = 40
_CURRENCY = re.compile(r"^(?:[a-z]{0,3}\s?[$£€¥₹₽₩]|[a-z]{3}(?=[\s\d.+-]))\s*|\s*(?:[$£€¥₹₽₩%]|\b(?:[a-z]{3}|kr|zl))$")
_PLAIN = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,2}))?")
_GROUPED_COMMA = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}")
_GROUPED_DOT = re.compile(r"\d{1,3}(?:\.\d{3})+")


def standardise_number(text: str, options: Options) -> Standardised:
    """Standardise a number to plain decimal digits: ``$1,234.50`` is ``1234.5``, ``(12)`` is ``-12``.

    Of two kinds of separator the last is the decimal one; a comma before exactly three digits separates thousands, a
    single dot is decimal. With ``decimal_comma`` it is the other way round. Currency and percent signs are dropped.
    What is no number, or has more than forty digits, is invalid and has no match.
    """
    number = _number_of(text, decimal_comma=bool(options["decimal_comma"]))
    if number is None:
        return Standardised(text, None, valid=False)
    match = value = f"{number:f}"
    if "." in match:
        match = value = match.rstrip("0").rstrip(".")
    if match in ("-0", ""):
        match = value = "0"
    if options["decimal_comma"] and _GROUPED_DOT.fullmatch(value.lstrip("-")):
        value += "0"  # else the value would be read as thousands when it is standardised again
    return Standardised(value, match)


def _number_of(text: str, *, decimal_comma: bool) -> Decimal | None:
    # Currency signs are symbols beyond ASCII, which folding makes spaces: they go first.
    compact = fold(_CURRENCY.sub("", text.lower().replace("−", "-"))).replace("'", "").replace("_", "").strip()  # noqa: RUF001
    negative = compact.startswith("(") and compact.endswith(")")
    if negative:
        compact = _CURRENCY.sub("", compact[1:-1])
    compact = re.sub(r"(?<=[\d+-])\s+(?=[\d.,])", "", compact)
    sign, compact = ("-", compact[1:]) if compact.startswith("-") else ("", compact.removeprefix("+"))
    compact = _with_decimal_dot(compact.strip(), decimal_comma=decimal_comma)
    found = _PLAIN.fullmatch(compact)
    if not found or found[1] or not (found[2] or found[3]) or len(compact) > _NUMBER_DIGITS_MAX:
        return None
    number = Decimal(sign + compact)
    return -number if negative else number


def _with_decimal_dot(digits: str, *, decimal_comma: bool) -> str:
    comma, dot = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and dot >= 0:
        thousands = "," if dot > comma else "."
        return digits.replace(thousands, "").replace(",", ".")
    if decimal_comma:
        if _GROUPED_DOT.fullmatch(digits):
            return digits.replace(".", "")
        return digits.replace(",", "" if digits.count(",") > 1 else ".")
    if comma >= 0:
        return digits.replace(",", "" if _GROUPED_COMMA.fullmatch(digits) or digits.count(",") > 1 else ".")
    return digits.replace(".", "") if digits.count(".") > 1 and _GROUPED_DOT.fullmatch(digits) else digits
