"""Wholes written from their parts: a full name, an address on one line. What ``split`` takes apart, the other way.

The order is that of the script and the region, as far as the parts or an earlier whole tell it; nothing is looked up
and nothing is added but spaces and commas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mdm_stream.core.standardise.places import standardise_country
from mdm_stream.core.standardise.spec import Options

_IDEOGRAPHS = re.compile("[\u3005\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+")
_EAST_ASIAN_LINE = re.compile("[\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff].*")
_SHORT_REGION = re.compile("[A-Z]{2,3}")
# Hungarian words for a generation stand before the family name, those of other languages behind all names.
_LEADING_GENERATIONS = {"ifj": "ifj.", "ifj.": "ifj.", "ifjabb": "ifjabb", "id": "id.", "id.": "id."}
_POSTCODE_BEFORE_CITY = frozenset({
    "al", "at", "ba", "be", "bg", "ch", "cz", "de", "dk", "dz", "ee", "es", "fi", "fo", "fr", "gl", "gr", "hr", "hu",
    "il", "is", "it", "li", "lt", "lu", "ma", "mc", "me", "mk", "mx", "nl", "no", "pl", "pt", "ro", "rs", "se", "si",
    "sk", "sm", "tn", "tr", "va", "xk",
})  # fmt: skip


def join_full_name(parts: Mapping[str, str], like: str, options: Options) -> str:
    """Return a whole name of the parts ``given``, ``middle``, ``family`` and ``generation``, those that there are.

    A name of Chinese characters or Hangul alone has its family name first and no space. Any other has it first if
    ``options`` say ``family_first``, or if ``like``, the whole name as a record has it, begins with it (Kovács Anna);
    after a comma the given name comes first again.
    """
    given, middle, family = parts.get("given", ""), parts.get("middle", ""), parts.get("family", "")
    named = [part for part in (given, middle, family) if part]
    generation = parts.get("generation", "")
    if family and len(named) > 1 and not family.isascii() and all(map(_IDEOGRAPHS.fullmatch, named)):
        return " ".join(part for part in (family + middle + given, generation) if part)
    if family and (options.get("order") == "family_first" or _begins_with(like, family, given)):
        named = [part for part in (family, given, middle) if part]
    leading = _LEADING_GENERATIONS.get(generation.casefold()) if generation else None
    return " ".join([leading, *named] if leading else [*named, generation] if generation else named)


def _begins_with(like: str, family: str, given: str) -> bool:
    if not like or "," in like:
        return False
    words, first, other = (text.casefold().split() for text in (like, family, given))
    if words and words[0] in _LEADING_GENERATIONS:
        words = words[1:]
    begins = len(words) > len(first) and words[: len(first)] == first
    return begins and not (other and words[: len(other)] == other)


def join_full_address(parts: Mapping[str, str], _like: str, _options: Options) -> str:
    """Return one line of the parts ``street``, ``city``, ``region``, ``postcode`` and ``country`` that there are.

    The postcode stands before the city in most of Europe and some other countries, which ``country`` tells, and after
    the region elsewhere: behind a short one (IL 62704) without a comma. A Chinese or Japanese line goes from what is
    largest to the street, without commas.
    """
    street, city, region, postcode, country = (
        parts.get(name, "") for name in ("street", "city", "region", "postcode", "country")
    )
    if (
        street
        and city
        and not city.isascii()
        and _EAST_ASIAN_LINE.fullmatch(street)
        and _EAST_ASIAN_LINE.fullmatch(city)
    ):
        return ", ".join(part for part in (f"{postcode} {region}{city}{street}".strip(), country) if part)
    if country and standardise_country(country, {}).match in _POSTCODE_BEFORE_CITY:
        pieces = [street, f"{postcode} {city}".strip(), region]
    elif _SHORT_REGION.fullmatch(region):
        pieces = [street, city, f"{region} {postcode}".strip()]
    else:
        pieces = [street, city, region, postcode]
    return ", ".join(part for part in (*pieces, country) if part)
