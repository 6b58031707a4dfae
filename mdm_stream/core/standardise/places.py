"""Cities, regions, postcodes and countries."""

from __future__ import annotations

import re

from mdm_stream.core.model import Standardised
from mdm_stream.core.standardise.scripts import in_latin
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import alphanumerics, fold, table_rows, without_float_tail, words

_CITY_WORDS = {
    "st": "saint", "ste": "sainte", "mt": "mount", "mtn": "mountain", "ft": "fort", "pt": "port", "n": "north",
    "nth": "north", "s": "south", "sth": "south", "e": "east", "w": "west", "ne": "northeast", "nw": "northwest",
    "se": "southeast", "sw": "southwest", "hts": "heights", "hgts": "heights", "bch": "beach", "spgs": "springs",
    "spg": "spring", "vlg": "village", "vly": "valley", "twp": "township", "upr": "upper", "lwr": "lower",
    "jct": "junction", "pk": "park", "lk": "lake", "gt": "great", "lt": "little", "cty": "city", "hbr": "harbor",
    "harbour": "harbor",
}  # fmt: skip


def standardise_city(text: str, _options: Options) -> Standardised:
    """Standardise a town or suburb; ``match`` has abbreviations written out (St, Mt, Ft, directions)."""
    spelt = words(in_latin(fold(text)))
    return Standardised(text, " ".join(_CITY_WORDS.get(token, token) for token in spelt.split()) or None)


_REGION_CODES = {
    alphanumerics(fold(name)): code.upper()
    for _country, code, names in table_rows("regions.csv")
    for name in [code, *names.split(",")]
}
_REGION_COUNTRY_PREFIX = re.compile(r"(?:us|ca|au|gb)[-_ ](?=[a-z]{2,3}$)")


def is_known_region(text: str) -> bool:
    """Return whether a text is the code or name of a known state, province or nation."""
    return alphanumerics(fold(text)) in _REGION_CODES


def standardise_region(text: str, _options: Options) -> Standardised:
    """Standardise a state, province or nation; known ones become their code (``NSW``), others stay as they are.

    The United States, Canada, Australia and the nations of the United Kingdom are known. Codes are not qualified by
    country, so WA is Washington and Western Australia alike: compare the country too.
    """
    folded = fold(text)
    code = _REGION_CODES.get(alphanumerics(folded)) or _REGION_CODES.get(
        alphanumerics(_REGION_COUNTRY_PREFIX.sub("", folded))
    )
    return Standardised(code, code.lower()) if code else Standardised(text, words(folded) or None)


_COUNTRY_CODES = {
    alphanumerics(fold(name)): alpha_2.upper()
    for alpha_2, alpha_3, names in table_rows("countries.csv")
    for name in [alpha_2, alpha_3, *names.split(",")]
}


def standardise_country(text: str, _options: Options) -> Standardised:
    """Standardise a country to its ISO 3166-1 alpha-2 code, from a code or a common English or local name.

    An unknown country is invalid, and its folded text still matches itself.
    """
    folded = fold(text)
    code = _COUNTRY_CODES.get(alphanumerics(folded))
    return Standardised(code, code.lower()) if code else Standardised(text, words(folded) or None, valid=False)


# Outward and inward code; the inward one is always a digit and two letters.
_UK = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?)(\d[A-Z]{2})")
_CANADA = re.compile(r"([ABCEGHJ-NPRSTVXY]\d[A-Z])(\d[A-Z]\d)")
_ZIP_PLUS_4 = re.compile(r"(\d{5})(\d{4})")
_COUNTRY_SIGN = re.compile(r"[A-Z]{1,2}-(?=\d{4,5}$)")
_POSTCODE_LENGTH_MAX = 12
_DIGITS_LOST_MAX = 2
POSTCODE_DIGITS = {
    "AM": 4, "AU": 4, "BD": 4, "BR": 8, "CN": 6, "CO": 6, "DE": 5, "DK": 4, "DZ": 5, "EC": 6, "ES": 5, "FI": 5, "FR": 5,
    "GE": 4, "GP": 5, "IL": 7, "IT": 5, "JP": 7, "KR": 5, "KZ": 6, "LT": 5, "MX": 5, "MY": 5, "NO": 4, "PE": 5, "PL": 5,
    "PR": 5, "RO": 6, "SG": 6, "SK": 5, "TR": 5, "UA": 5, "US": 5, "VI": 5, "VN": 6, "ZA": 4,
}  # fmt: skip
"""Country -> digits of its postal codes, of those where some begin with a zero, which a spreadsheet drops."""
_US_POSTCODES = frozenset({"US", "PR", "VI"})


def standardise_postcode(text: str, options: Options) -> Standardised:
    """Standardise a postal code; ``match`` is upper case with letters and digits only, five digits of a ZIP+4.
    The country sign of continental mail (D-10115) is not part of it.

    ``value`` has the usual spacing where the code's form tells its country (UK, Canada, ZIP+4), and is upper case.
    With ``country`` (see ``POSTCODE_DIGITS``), digits that a spreadsheet robbed of one or two leading zeros get them
    back. A code with no digit or of more than twelve characters is invalid and has no match.
    """
    spelt = without_float_tail(fold(text)).upper()
    compact = alphanumerics(spelt)
    if options["country"] and compact.isdecimal():
        restored = _with_leading_zeros(compact, str(options["country"]))
        spelt = spelt if restored == compact else restored
        compact = restored
    if len(compact) > _POSTCODE_LENGTH_MAX or not any(map(str.isdigit, compact)):
        return Standardised(text, None, valid=False)
    if len(compact) <= 5 and spelt.isalnum() and compact.isdecimal():
        return Standardised(spelt, compact)  # most codes of most countries: none of the forms below
    if found := _UK.fullmatch(compact) or _CANADA.fullmatch(compact):
        return Standardised(f"{found[1]} {found[2]}", compact)
    if found := _ZIP_PLUS_4.fullmatch(compact):
        return Standardised(f"{found[1]}-{found[2]}", found[1])
    return Standardised(" ".join(spelt.split()), alphanumerics(_COUNTRY_SIGN.sub("", spelt)))


def _with_leading_zeros(digits: str, country: str) -> str:
    length = POSTCODE_DIGITS[country]
    if country in _US_POSTCODES and len(digits) == 8:
        return digits.zfill(9)
    return digits.zfill(length) if 0 < length - len(digits) <= _DIGITS_LOST_MAX else digits
