"""Postal addresses on one line: their street, city, region, postcode and country.

Commas part most of them, and a postcode tells where the street ends: it stands after the city in Britain, after the
state in America and Australia, and before the city in most of Europe. Russian, Ukrainian, Chinese and Japanese ones
begin with what is largest. What cannot be told stays in the street.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from mdm_stream.core.model import Standardised
from mdm_stream.core.standardise.addresses import is_kind_of_street, standardise_address
from mdm_stream.core.standardise.places import is_known_region, standardise_country
from mdm_stream.core.standardise.scripts import in_latin
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import fold, is_blank, words

FULL_ADDRESS_PARTS = ("street", "city", "region", "postcode", "country")

_BETWEEN = re.compile(r"\s*[,;|]\s*")
_BRITISH = re.compile(r"(.*?)\s*\b([A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2})")
_AFTER_REGION = re.compile(
    r"(?:(.*?)\s+)??([^\W\d]{2,}\.?(?: [^\W\d]+){0,2}) +(\d{5}(?:-\d{4})?|\d{4}|[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d)"
)
_BEFORE_CITY = re.compile(
    r"(?:(.*\d\S*|.*[^\W\d])\s+)??(?:[A-Za-z]{1,2}-)?"
    r"(\d{5}|\d{4}(?: ?[A-Z]{2}(?= ))?|\d{4}-\d{3}|\d{2}-\d{3}|\d{3} \d{2}|\d{6}) ([^\W\d].*)"
)
_AFTER_CITY = re.compile(r"(.*[^\W\d]\.?)[ -]+(\d{4,6}|\d{3}-\d{4}|\d{5}-\d{3})")
_ALONE = re.compile(r"(\d{4,6}|\d{5}-\d{3,4}|\d{4}-\d{3}|\d{3}-\d{4}|\d{2}-\d{3}|[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d)")
_STATE_AFTER_CITY = re.compile(r"(.*[^\W\d])\s*[-/]\s*([A-Z]{2})")
# Largest first. Russian and Ukrainian lines go from region and city (each with its sign, say "gorod") to the street;
# Chinese and Japanese ones have no comma, and the kind of place after its name.
_REGION_SIGNS = frozenset({"obl", "oblast", "krai", "kray", "resp", "respublika", "ao", "rn", "raion"})
_CITY_SIGNS = frozenset({"g", "gor", "gorod", "m", "misto", "pos", "poselok", "pgt", "s", "selo"})
_SIGNED_CITY = re.compile(r"([^\W\d_]{1,8})\b\.?\s*(?=[^\W\d]{2})")
_HAN = "[\u3005\u3040-\u30ff\u4e00-\u9fff]"
_HAN_LINE = re.compile(
    r"(?:〒?\s*(\d{3}-\d{4}|\d{6,7})\s*)?"
    rf"(東京都|北海道|(?:京都|大阪)府|{_HAN}{{2,3}}県|{_HAN}{{2,6}}?(?:省|自治区))?\s*"
    rf"({_HAN}{{1,8}}?(?:市|区|區|县|縣|郡{_HAN}{{1,6}}?[町村]|[町村]))\s*({_HAN}.*)"
)
_PROVINCE = re.compile(r"(.+?) \(?([A-Z]{2})\)?")
_COUNTRY_CODE = 2
_POSTCODE_FIRST_MIN = 5  # a shorter number that begins a line is a house's


class _ReadPiece(NamedTuple):
    """What one piece of a line holds: what stands before it (street or city), and the rest by name."""

    before: str
    parts: dict[str, str]
    city_before: bool
    """Whether the city is what stands before, or the piece before."""


def standardise_full_address(text: str, options: Options) -> Standardised:
    """Standardise an address on one line; ``match`` is that of all of it as a street line: tokens in one order."""
    return Standardised(text, standardise_address(text, options).match)


def split_full_address(text: str, _options: Options) -> Mapping[str, str]:
    """Return the parts of an address on one line, those that it has."""
    pieces = [piece for piece in _BETWEEN.split(text) if not is_blank(piece)]
    if largest_first := _largest_first(pieces):
        return _in_order(largest_first)
    found: dict[str, str] = {}
    if len(pieces) > 1 and _is_country(pieces[-1], pieces[:-1]):
        found["country"] = pieces.pop()
    for place in range(len(pieces) - 1, -1, -1):
        read = _read(pieces[place], is_first=place == 0)
        if read is not None:
            found |= read.parts
            return _in_order(_with_street(found, read, pieces[:place], pieces[place + 1 :]))
    if len(pieces) > 1 and is_known_region(pieces[-1]):
        found["region"] = pieces.pop()
    if len(pieces) > 1:
        found["city"] = pieces.pop()
    return _in_order({**found, "street": ", ".join(pieces)})


def _largest_first(pieces: list[str]) -> dict[str, str]:
    """Return the parts of a line that begins with its country, postcode or city, none of any other."""
    found: dict[str, str] = {}
    rest = list(pieces)
    if len(rest) > 2 and standardise_country(rest[0], {}).valid and _ALONE.fullmatch(rest[1]):
        found["country"] = rest.pop(0)
    if (
        len(rest) > 2
        and len(rest[0]) >= _POSTCODE_FIRST_MIN
        and _ALONE.fullmatch(rest[0])
        and not _has_street_word(rest[1])
    ):
        found["postcode"] = rest.pop(0)
    elif not (rest and _without_city_sign(rest[0]) != rest[0]):
        line = _HAN_LINE.fullmatch(" ".join(rest))
        return dict(zip(("postcode", "region", "city", "street"), line.groups(default=""), strict=True)) if line else {}
    if len(rest) > 2 and not _REGION_SIGNS.isdisjoint(words(in_latin(fold(rest[0])).replace("-", "")).split()):
        found["region"] = rest.pop(0)
    city = _without_city_sign(rest.pop(0))
    return {**found, "city": city, "street": ", ".join(rest)}


def _without_city_sign(piece: str) -> str:
    found = None if piece[:1].isascii() else _SIGNED_CITY.match(piece)
    return piece[found.end() :] if found and in_latin(fold(found[1])) in _CITY_SIGNS else piece


def _is_country(piece: str, before: list[str]) -> bool:
    """Return whether the last piece names a country. IL, CA and DE are states, unless a postcode precedes a city."""
    if not standardise_country(piece, {}).valid:
        return False
    if len(piece) > _COUNTRY_CODE or not is_known_region(piece):
        return True
    return any(_BEFORE_CITY.fullmatch(each) for each in before[1:])


def _read(piece: str, *, is_first: bool) -> _ReadPiece | None:
    """Return what a piece with a postcode holds, ``None`` for one without."""
    if found := _BRITISH.fullmatch(piece):
        return _ReadPiece(found[1], {"postcode": found[2]}, city_before=True)
    if (found := _AFTER_REGION.fullmatch(piece)) and (region := _region_at_end(found[2])):
        before = f"{found[1] or ''} {found[2].removesuffix(region)}".strip()
        return _ReadPiece(before, {"region": region, "postcode": found[3]}, city_before=True)
    found = _BEFORE_CITY.fullmatch(piece)
    if found and (found[1] or not is_first):
        return _ReadPiece(found[1] or "", {"postcode": found[2], "city": found[3]}, city_before=False)
    if _ALONE.fullmatch(piece) and not is_first:
        return _ReadPiece("", {"postcode": piece}, city_before=True)
    if (found := _AFTER_CITY.fullmatch(piece)) and not is_first and not _has_street_word(piece):
        return _ReadPiece(found[1], {"postcode": found[2]}, city_before=True)
    return None


def _region_at_end(text: str) -> str:
    """Return the longest known region at the end of some words, ``""`` if none stands there."""
    names = text.split(" ")
    return next((region for at in range(len(names)) if is_known_region(region := " ".join(names[at:]))), "")


def _with_street(found: dict[str, str], read: _ReadPiece, before: list[str], after: list[str]) -> dict[str, str]:
    """Return the parts with street and city, from what stands before the postcode, in its piece and before that."""
    if not read.city_before:
        street = [*before, read.before]
        if province := _PROVINCE.fullmatch(found["city"]):
            found |= {"city": province[1], "region": province[2]}
        if after and "region" not in found and len(after) == 1:
            found["region"] = after[0]
    elif read.before and before:
        found["city"] = read.before
        street = before
    elif read.before:
        line, city = _apart(read.before)
        found |= {"city": city} if city else {}
        street = [line]
    else:
        if len(before) > 1 and "region" not in found and (is_known_region(before[-1]) or _ends_in_county(before)):
            found["region"] = before[-1]
            before = before[:-1]
        if len(before) > 1:
            found["city"] = before[-1]
            before = before[:-1]
        street = before
    if read.city_before and "region" not in found and (state := _STATE_AFTER_CITY.fullmatch(found.get("city", ""))):
        found |= {"city": state[1], "region": state[2]}
    return {**found, "street": ", ".join(piece for piece in street if piece)}


def _apart(line: str) -> tuple[str, str]:
    """Return the street and the city of a line without a comma: the city follows the last word of a street's kind."""
    written = line.split()
    kinds = (at for at in range(len(written) - 2, 0, -1) if is_kind_of_street(words(fold(written[at]))))
    end = next(kinds, -1) + 1
    while 0 < end < len(written) - 1 and any(map(str.isdigit, written[end])):
        end += 1  # the number of a unit
    return (" ".join(written[:end]), " ".join(written[end:])) if end else (line, "")


def _ends_in_county(before: list[str]) -> bool:
    """Return whether the last piece is a county: the one before it is no street, so it is the city."""
    return len(before) > 2 and not _has_street_word(before[-2]) and not any(map(str.isdigit, before[-2]))


def _has_street_word(piece: str) -> bool:
    return any(is_kind_of_street(word) for word in words(fold(piece)).split())


def _in_order(found: Mapping[str, str]) -> dict[str, str]:
    return {part: found[part] for part in FULL_ADDRESS_PARTS if not is_blank(found.get(part, ""))}
