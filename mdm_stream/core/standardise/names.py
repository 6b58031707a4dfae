"""Names of people: a given or family name (``name``), and a whole name (``full_name``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from itertools import chain

from nameparser import FAMILY_FIRST, Parser, Policy, Role, locales, parser_for

from mdm_stream.core.memo import remembered
from mdm_stream.core.model import Standardised
from mdm_stream.core.standardise.generations import (
    after_leading_generation,
    generation_in,
    is_generation,
    without_abbreviated_generation,
)
from mdm_stream.core.standardise.scripts import in_latin
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import fold, table_rows, words

_PARSED_NAMES_MAX = 16_384

# A particle is written to the next word, so that "Van der Berg", "VanderBerg" and "vanderberg" agree, and so do
# "O'Brien", "OBrien" and "O Brien". Left out on purpose: "ben", "ap" and "d", which are also given names or initials.
_PARTICLES = frozenset({
    "abd", "abdul", "abou", "abu", "af", "al", "av", "bin", "bint", "da", "das", "de", "degli", "dei", "del", "dela",
    "della", "delle", "dello", "den", "der", "des", "di", "do", "dos", "du", "el", "fitz", "het", "ibn", "la", "las",
    "le", "les", "los", "mac", "mc", "o", "saint", "st", "ste", "t", "te", "ten", "ter", "van", "vande", "vanden",
    "vander", "vom", "von", "zu", "zum", "zur",
})  # fmt: skip
_PARTICLE_SPELLINGS = {"saint": "st", "sainte": "ste"}
_TITLES = frozenset({
    "capt", "dame", "dr", "doctor", "frau", "herr", "lady", "lord", "madam", "mister", "mme", "mr", "mrs", "ms", "miss",
    "mx", "prof", "professor", "rev", "reverend", "sir", "sr", "sra", "srta",
})  # fmt: skip
_SUFFIXES = frozenset({
    "jr", "jnr", "junior", "sr", "snr", "senior", "ii", "iii", "iv", "esq", "phd", "md", "mba", "starshii", "mladshii",
})  # fmt: skip


def standardise_name(text: str, _options: Options) -> Standardised:
    """Standardise one given or family name, or several given names.

    ``match`` has no title, generation or degree unless that is all there is, and particles are joined to what
    follows. Hyphens become spaces: the two halves of a double-barrelled name are words of their own. Letters of
    scripts that spell every sound are romanised.
    """
    return Standardised(text, fold_name(text) or None)


def split_name(text: str, _options: Options) -> Mapping[str, str]:
    """Return the part ``generation`` of a given or family name, if it has one."""
    found = generation_in(text)
    return {"generation": found} if found else {}


def fold_name(text: str) -> str:
    """Return the comparable form of a name; ``""`` if nothing of it can be compared."""
    tokens = words(in_latin(without_abbreviated_generation(fold(text)))).split()
    first, last = 0, len(tokens)
    while last - first > 1 and tokens[last - 1] in _SUFFIXES:
        last -= 1
    while last - first > 1 and tokens[first] in _TITLES:
        first += 1
    return " ".join(_join_particles(tokens[first:last]))


def _join_particles(tokens: list[str]) -> list[str]:
    joined: list[str] = []
    prefix = ""
    for token in tokens:
        if token in _PARTICLES or token in _PARTICLE_SPELLINGS:
            prefix += _PARTICLE_SPELLINGS.get(token, token)
        else:
            joined.append(prefix + token)
            prefix = ""
    return [*joined, prefix] if prefix else joined


_PARSERS = {
    "given_first": parser_for(locales.RU),
    "family_first": Parser(policy=Policy(name_order=FAMILY_FIRST)),
}
NAME_ORDERS = tuple(_PARSERS)


def _words_of_meaning() -> frozenset[str]:
    """Return every word that the parser may take for more than a part of a name: titles, particles, degrees, ..."""
    lexicon = _PARSERS["given_first"].lexicon
    entries = chain.from_iterable(getattr(lexicon, field.name) for field in fields(lexicon))
    texts = (entry if isinstance(entry, str) else " ".join(entry) for entry in entries)
    return frozenset(word for text in texts for word in words(fold(text)).split())


_WORDS_OF_MEANING = _words_of_meaning()
_PLAIN_NAME = re.compile(r"[a-z]{2,}(?: [a-z]{2,}){1,3}")
_ROMAN_DIGITS = frozenset("ivx")
_PATRONYMIC = re.compile(r"(?:ich|vna|chna)$")
_PARTICLE_AFTER_HYPHEN = re.compile(r"(?<=-)(" + "|".join(sorted(_PARTICLES - {"o", "t"})) + r") (?=[^\W\d_]{2})")
_CAPITALS = re.compile(r"[^\W\d_]{3,}(?:[-'][^\W\d_]{2,})*")
_CAPITAL_VOWEL = re.compile("[AEIOUY]")
# Words that the parser takes for titles and that are given names too: alone before a family name they are the name.
_BORNE_TITLES = frozenset({
    "baron", "bishop", "chancellor", "commander", "count", "deacon", "dean", "duke", "earl", "general", "judge",
    "justice", "king", "lady", "lord", "major", "marquess", "marquis", "marshal", "master", "pastor", "pope", "prince",
    "princess", "queen", "raja", "rani", "sargent", "shah", "sheikh", "squire", "sultan", "viscount",
})  # fmt: skip
_HAN_NAME = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\u3005]{2,5}")
_HAN_FAMILY_NAMES = locales.ZH.lexicon.surnames
_JAPANESE_FAMILY_NAMES = frozenset(name for (names,) in table_rows("japanese_surnames.csv") for name in names.split())


def standardise_full_name(text: str, options: Options) -> Standardised:
    """Standardise a whole name: ``match`` is given, middle and family name in that order.

    Titles, generations, degrees and nicknames in brackets are left out of it. A family name in capitals before others
    that are not stands first, and so does that of a name in Chinese characters or Hangul.
    """
    parts = _parts_of(text, str(options["order"]))
    return Standardised(text, fold_name(" ".join(parts)) or fold_name(text) or None)


def split_full_name(text: str, options: Options) -> Mapping[str, str]:
    """Return the parts ``given``, ``middle``, ``family`` and ``generation`` of a whole name, those that it has."""
    parts = (*_parts_of(text, str(options["order"])), generation_in(text))
    return {name: part for name, part in zip(FULL_NAME_PARTS, parts, strict=True) if part}


FULL_NAME_PARTS = ("given", "middle", "family", "generation")


@remembered(_PARSED_NAMES_MAX)
def _parts_of(text: str, order: str) -> tuple[str, str, str]:
    """Return the given, middle and family names as they are spelt in ``text``.

    The parser takes capitals and accents for hints ("Jack MA" holds a degree, "Jack Ma" does not). Sources that write
    in capitals, or without accents, would then disagree with those that do not: so it is shown bare lower-case
    letters, one for each of the text's, and what it finds is cut from the text by position.
    """
    if _HAN_NAME.fullmatch(text):
        return _han_parts(text)
    text = _with_particles_first(after_leading_generation(text))
    bare = text.lower() if text.isascii() else "".join(map(_bare_letter, text))
    order = "family_first" if _is_family_first(text) else order
    if _PLAIN_NAME.fullmatch(bare):
        names = bare.split(" ")
        if not _needs_parser(names):
            return _plain_parts(text.split(" "), order)
    # To the parser "Heijdanus-de Boer" is one word: a hyphen takes the place of the space.
    bare = _PARTICLE_AFTER_HYPHEN.sub(r"\1-", bare)
    found: dict[Role, list[str]] = {role: [] for role in (Role.GIVEN, Role.MIDDLE, Role.FAMILY, Role.TITLE)}
    for token in _PARSERS[order].parse(bare).tokens:
        if token.role in found:
            part = text[token.span.start : token.span.end] if token.span else token.text
            found[token.role].append(part.strip(" ,"))
    names, titles = [*found[Role.GIVEN], *found[Role.FAMILY]], found[Role.TITLE]
    if len(names) == 1 and titles and fold(titles[-1]) in _BORNE_TITLES:
        found[Role.GIVEN], found[Role.FAMILY] = titles[-1:], names
    if found[Role.MIDDLE] and len(found[Role.FAMILY]) == 1 and is_generation(found[Role.FAMILY][0]):
        found[Role.FAMILY].insert(0, found[Role.MIDDLE].pop())  # Barreiros Filho
    if order == "family_first" and found[Role.MIDDLE] and is_generation(found[Role.MIDDLE][-1]):
        found[Role.MIDDLE].pop()  # DUMAS Jean fils
    given, middle, family = (" ".join(found[role]) for role in (Role.GIVEN, Role.MIDDLE, Role.FAMILY))
    return given, middle, family


def _needs_parser(names: list[str]) -> bool:
    """Return whether a name of bare words has one that may be more than a part of a name."""
    if not _WORDS_OF_MEANING.isdisjoint(names) or any(_ROMAN_DIGITS.issuperset(name) for name in names):
        return True
    return is_generation(names[-1]) or any(_PATRONYMIC.search(name) for name in names)


def _is_family_first(text: str) -> bool:
    """Return whether the first word alone is in capitals, as France, Hungary and others mark a family name."""
    first, _, rest = text.partition(" ")
    if not rest or "," in text or not first.isupper() or not _CAPITALS.fullmatch(first):
        return False
    # Initials run together (JRR) have no vowel; "ABEL SMITH" has no word that is not in capitals.
    others = [word for word in rest.split() if len(word.strip(".")) > 1]
    return bool(others) and not any(map(str.isupper, others)) and _CAPITAL_VOWEL.search(fold(first).upper()) is not None


def _with_particles_first(text: str) -> str:
    """Return "Berg, Joris van der" as "van der Berg, Joris"."""
    family, comma, given = text.partition(",")
    if not comma or "," in given:
        return text
    names = given.split()
    place = len(names)
    while place > 1 and names[place - 1] in _PARTICLES:
        place -= 1
    return f"{' '.join(names[place:])} {family}, {' '.join(names[:place])}" if place < len(names) else text


def _han_parts(text: str) -> tuple[str, str, str]:
    """Return the parts of a name in Chinese characters without a space; no list divides all of them.

    A Japanese family name has mostly two characters, a Chinese one has one but for a few known ones.
    """
    of_two = text[:2] in _JAPANESE_FAMILY_NAMES or text[:2] in _HAN_FAMILY_NAMES or text[0] not in _HAN_FAMILY_NAMES
    at = 2 if len(text) > 3 or (len(text) == 3 and of_two) else 1
    return text[at:], "", text[:at]


def _plain_parts(names: list[str], order: str) -> tuple[str, str, str]:
    """Return the parts of a name without any word of meaning, by their places: so does the parser, 50 times slower."""
    if order == "family_first":
        return names[1], " ".join(names[2:]), names[0]
    return names[0], " ".join(names[1:-1]), names[-1]


def _bare_letter(character: str) -> str:
    """Return a letter without case and accent if that is still one character, else without case if that is one."""
    spellings = (fold(character), character.lower()) if character.isalpha() else ()
    return next((bare for bare in spellings if len(bare) == 1), character)
