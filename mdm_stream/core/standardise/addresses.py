"""Street lines of postal addresses."""

from __future__ import annotations

import re

from mdm_stream.core.model import Standardised
from mdm_stream.core.standardise.scripts import in_latin
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import fold, table_rows, words

# A slash between numbers separates a unit from a house number, a hyphen makes a range; both are lost once punctuation
# becomes space, so they are seen to first.
_UNIT_SLASH = re.compile(r"(?<![\w/-])(\d{1,4}[a-z]?)\s*/\s*(\d+[a-z]?)\b(?!\s*/)")
_LETTER = re.compile(r"[^\W\d_]")
_UNIT_FIRST = frozenset({"AU", "CA", "GB", "IE", "NZ", "SG", "US"})
HOUSE_FIRST = frozenset({
    "AL", "AT", "BA", "BE", "BG", "BY", "CH", "CY", "CZ", "DE", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IL", "IT",
    "LT", "LV", "MD", "ME", "MK", "NL", "PL", "PT", "RO", "RS", "RU", "SI", "SK", "TR", "UA",
})  # fmt: skip
"""Countries where 5/3 is door 3 of house 5, wherever in the line it stands."""
ADDRESS_COUNTRIES = tuple(sorted(_UNIT_FIRST | HOUSE_FIRST))
_RANGE = re.compile(r"(?<=\d)\s*-\s*(?=\d)")
# "12-5" after a street's name is no range: door 5 of house 12.
_DOOR = re.compile(r"(?<=[^\W\d_] )(\d{1,4}[a-z]?)-(\d{1,4})\b(?!-)")
_ORDINAL_MARKS = str.maketrans("ºª°", "   ")
_CYRILLIC_HOUSE = re.compile(r"\bд(?:ом)?\.?\s*(?=\d)")
_HASH = re.compile(r"#\s*(?=\w)")
_PO_BOX = re.compile(
    r"\b(?:(?:g\.?\s?)?p\.?\s?o\.?\s?b(?:ox)?\b\.?|post(?:al)?\s+(?:office\s+)?box\b|(?:locked|private)\s+bag\b"
    r"|postfach\b|postbus\b|boite\s+postale\b|b\.?p\.?(?=\s*\d)|apartado(?:\s+postal)?\b|casella\s+postale\b)"
    r"\s*(?:no\b\.?|nr\b\.?|#)?\s*"
)
_SPANISH_STREET = re.compile(r"\bc/\s*(?=\w)")
_ITALIAN_ABBREVIATION = re.compile(r"\b(?:(p)\.\s?zza|(v)\.\s?le|(c)\.\s?so)\b")
_ITALIAN_WORDS = ("piazza", "viale", "corso")
_SUFFIXES = ("strasse", "straat", "str")
_STREET_SUFFIX = re.compile(rf"([^\W\d_]{{3,}})(?:{'|'.join(_SUFFIXES)})")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)")
_RANGE_MARK = "\ue000"  # private use: survives `words`, which would make a hyphen a space


def _canonical_words() -> dict[str, str]:
    return {word: short for short, spellings in table_rows("street_words.csv") for word in [short, *spellings.split()]}


_CANONICAL = _canonical_words()
_KINDS = frozenset(_CANONICAL.values())
_UNITS = {
    "apartment": "unit", "apt": "unit", "appartement": "unit", "appt": "unit", "flat": "unit", "unit": "unit",
    "suite": "unit", "ste": "unit", "room": "unit", "rm": "unit", "villa": "unit", "wohnung": "unit", "whg": "unit",
    "floor": "level", "fl": "level", "flr": "level", "level": "level", "lvl": "level", "etage": "level",
    "building": "bldg", "bldg": "bldg", "block": "blk", "blk": "blk", "lot": "lot", "shop": "shop", "office": "office",
    "tower": "tower", "box": "box", "m": "unit", "lok": "unit", "lokal": "unit", "mieszkanie": "unit", "kv": "unit",
    "kvartira": "unit", "byt": "unit", "daire": "unit", "interno": "unit", "int": "unit", "top": "unit", "tur": "unit",
    "apto": "unit", "ap": "unit", "andar": "level",
    "bte": "unit", "lgh": "unit", "kat": "level", "piso": "level", "dept": "unit", "dpto": "unit", "depto": "unit",
}  # fmt: skip
_NUMBER_WORDS = frozenset({"no", "nr", "num", "number", "numero", "dom"})
_DIRECTIONS = {
    "north": "n", "nth": "n", "south": "s", "sth": "s", "east": "e", "west": "w", "northeast": "ne", "northwest": "nw",
    "southeast": "se", "southwest": "sw", "nord": "n", "sud": "s", "ouest": "w", "norte": "n", "sur": "s",
}  # fmt: skip
_LATITUDES, _LONGITUDES = frozenset("ns"), frozenset("ew")
_ONES = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
)  # fmt: skip
_ROUND_TENS = (
    "twentieth", "thirtieth", "fortieth", "fiftieth", "sixtieth", "seventieth", "eightieth", "ninetieth",
)  # fmt: skip
_ORDINAL_VALUES = dict(zip(_ONES, range(1, 20), strict=True)) | dict(zip(_ROUND_TENS, range(20, 100, 10), strict=True))
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}


def standardise_address(text: str, options: Options) -> Standardised:
    """Standardise a street line.

    ``match`` holds canonical tokens in a canonical order: house numbers, names, kinds of street and directions,
    then units (``unit4``, ``level5``, ``box12``). "Apt 4, 12 North High Street", "12 High St N #4" and
    "4/12 N High Str." agree. A street kind and *saint* share the word ``st``, so "St" needs no guess. Of two numbers
    with a slash the first is the unit in some countries and the second in others; where the country is not known, the
    first is if they begin the line, as where house numbers stand before the street.
    """
    folded = fold(text)
    if not text.isascii():
        folded = _CYRILLIC_HOUSE.sub("dom ", fold(text.translate(_ORDINAL_MARKS)))
    tokens = _tokens_of(in_latin(folded), str(options["country"]))
    return Standardised(text, " ".join(sorted(tokens, key=_word_order)) or None)


def is_kind_of_street(word: str) -> bool:
    """Return whether a folded word says what kind of street a street is, or what kind of unit a unit."""
    return word in _CANONICAL or word in _UNITS or (word.endswith(_SUFFIXES) and len(word) > len("str"))


def _word_order(word: str) -> tuple[int, str]:
    if word[-1:].isdigit() and not word[0].isdigit():
        return 3, word
    if word[0].isdigit() and not _ORDINAL.fullmatch(word):
        return 0, word
    return (2 if word in _KINDS or word in ("n", "s", "e", "w", "ne", "nw", "se", "sw") else 1), word


def _tokens_of(folded: str, country: str) -> list[str]:
    # Each search costs as much as all that follows, and few lines have what it looks for.
    if _may_name_box(folded):
        folded = _PO_BOX.sub(" pobox ", folded)
    if "." in folded:
        folded = _ITALIAN_ABBREVIATION.sub(lambda found: _ITALIAN_WORDS[(found.lastindex or 1) - 1], folded)
    if "/" in folded:
        folded = _with_units_apart(_SPANISH_STREET.sub("calle ", folded), country)
    if "#" in folded:
        folded = _HASH.sub(" unit ", folded)
    if "-" in folded:
        folded = _DOOR.sub(_with_door_apart, folded)
        folded = _RANGE.sub(_RANGE_MARK, folded)
    tokens = words(folded.replace("&", " and ")).replace(_RANGE_MARK, "-").split()
    return _with_units(_with_directions(_with_ordinals(_with_suffixes_apart(tokens))))


def _with_units_apart(folded: str, country: str) -> str:
    """Write "4/12 high st" as "unit 4 12 high st", and "marszalkowska 5/3" as "marszalkowska 5 unit 3"."""

    def apart(found: re.Match[str]) -> str:
        begins = _LETTER.search(folded, 0, found.start()) is None
        unit_first = begins if country not in HOUSE_FIRST and country not in _UNIT_FIRST else country in _UNIT_FIRST
        return f" unit {found[1]} {found[2]}" if unit_first else f" {found[1]} unit {found[2]} "

    return _UNIT_SLASH.sub(apart, folded)


def _with_door_apart(found: re.Match[str]) -> str:
    """Write "arbat 12-5" as "arbat 12 unit 5", and leave "main st 128-30", which is up to 130."""
    house, door = found[1].rstrip("abcdefghijklmnopqrstuvwxyz"), found[2]
    abbreviated = 1 < len(door) < len(house) and int(house[: -len(door)] + door) > int(house)
    return f"{found[1]} unit {door}" if int(door) < int(house) and not abbreviated else found[0]


def _may_name_box(folded: str) -> bool:
    """Return whether a line has the letters that every way of writing a post office box has."""
    if "p" not in folded:
        return "bag" in folded
    return "b" in folded or "post" in folded or "apartado" in folded


def _with_suffixes_apart(tokens: list[str]) -> list[str]:
    """Split the street kind from German and Dutch street names: ``hauptstr`` is ``haupt`` and ``st``."""
    written: list[str] = []
    for word in tokens:
        found = _STREET_SUFFIX.fullmatch(word) if word.endswith(_SUFFIXES) else None
        written += (found[1], "st") if found else (word,)
    return written


def _with_ordinals(tokens: list[str]) -> list[str]:
    """Write ordinal words as digits: ``fifth`` is ``5th``, ``twenty first`` is ``21st``."""
    written: list[str] = []
    tens = 0
    for word in tokens:
        value = _ORDINAL_VALUES.get(word)
        if value is not None:
            if tens and value < 10:
                written.pop()
                value += tens
            written.append(f"{value}{_ordinal_suffix(value)}")
        else:
            written.append(word)
        tens = _TENS.get(word, 0)
    return written


def _ordinal_suffix(value: int) -> str:
    return "th" if 11 <= value % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")


def _with_directions(tokens: list[str]) -> list[str]:
    """Shorten compass words, and join two that name one direction: ``north east`` is ``ne``."""
    written: list[str] = []
    for word in tokens:
        short = _DIRECTIONS.get(word, word)
        if short in _LONGITUDES and written and written[-1] in _LATITUDES:
            written[-1] += short
        else:
            written.append(short)
    return written


def _with_units(tokens: list[str]) -> list[str]:
    """Join each unit word to its number, house numbers to their letter, and make the other words canonical."""
    written: list[str] = []
    position = 0
    while position < len(tokens):
        word = tokens[position]
        following = tokens[position + 1] if position + 1 < len(tokens) else ""
        unit = "box" if word == "pobox" else _UNITS.get(word)
        if unit and following in _NUMBER_WORDS and position + 2 < len(tokens):
            position += 1
            following = tokens[position + 1]
        if unit == "level" and written and _ORDINAL.fullmatch(written[-1]):
            written[-1] = "level" + written[-1][:-2]  # 5th floor
        elif unit and _is_unit_number(following):
            written.append(unit + following)
            position += 1
        elif word.isdecimal() and _is_house_letter(following) and not _begins_unit(tokens, position):
            written.append(word + following)
            position += 1
        elif word not in _NUMBER_WORDS or not following[:1].isdigit():
            written.append(_CANONICAL.get(word, word))
        position += 1
    return [_CANONICAL.get(word, word) for word in written]


def _begins_unit(tokens: list[str], position: int) -> bool:
    """Return whether a house number is followed by a unit's: "5 m 3"."""
    return tokens[position + 1] in _UNITS and position + 2 < len(tokens) and _is_unit_number(tokens[position + 2])


def _is_unit_number(word: str) -> bool:
    if _ORDINAL.fullmatch(word):
        return False
    return any(map(str.isdigit, word)) or (len(word) == 1 and word.isalpha())


def _is_house_letter(word: str) -> bool:
    return word in ("bis", "ter", "quater") or (len(word) == 1 and word.isalpha() and word not in "nsew")
