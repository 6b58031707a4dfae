"""Names of people: a given or family name (``name``), a whole name (``full_name``), and nicknames."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from itertools import chain

from nameparser import FAMILY_FIRST, Parser, Policy, Role

from mdm_stream.core.memo import remembered
from mdm_stream.core.model import Standardised
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
_SUFFIXES = frozenset({"jr", "jnr", "junior", "sr", "snr", "senior", "ii", "iii", "iv", "esq", "phd", "md", "mba"})


def standardise_name(text: str, _options: Options) -> Standardised:
    """Standardise one given or family name, or several given names.

    ``match`` has no title, generation or degree unless that is all there is, and particles are joined to what
    follows. Hyphens become spaces: the two halves of a double-barrelled name are words of their own.
    """
    return Standardised(text, fold_name(text) or None)


def fold_name(text: str) -> str:
    """Return the comparable form of a name; ``""`` if nothing of it can be compared."""
    tokens = words(fold(text)).split()
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


_PARSERS = {"given_first": Parser(), "family_first": Parser(policy=Policy(name_order=FAMILY_FIRST))}
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


def standardise_full_name(text: str, options: Options) -> Standardised:
    """Standardise a whole name: ``match`` is given, middle and family name in that order.

    Titles, generations, degrees and nicknames in brackets are left out of it.
    """
    parts = _parts_of(text, str(options["order"]))
    return Standardised(text, fold_name(" ".join(parts)) or fold_name(text) or None)


def split_full_name(text: str, options: Options) -> Mapping[str, str]:
    """Return the parts ``given``, ``middle`` and ``family`` of a whole name, those that it has."""
    parts = _parts_of(text, str(options["order"]))
    return {name: part for name, part in zip(("given", "middle", "family"), parts, strict=True) if part}


@remembered(_PARSED_NAMES_MAX)
def _parts_of(text: str, order: str) -> tuple[str, str, str]:
    """Return the given, middle and family names as they are spelt in ``text``.

    The parser takes capitals and accents for hints ("Jack MA" holds a degree, "Jack Ma" does not). Sources that write
    in capitals, or without accents, would then disagree with those that do not: so it is shown bare lower-case
    letters, one for each of the text's, and what it finds is cut from the text by position.
    """
    bare = text.lower() if text.isascii() else "".join(map(_bare_letter, text))
    if _PLAIN_NAME.fullmatch(bare):
        names = bare.split(" ")
        if _WORDS_OF_MEANING.isdisjoint(names) and not any(_ROMAN_DIGITS.issuperset(name) for name in names):
            return _plain_parts(text.split(" "), order)
    found: dict[Role, list[str]] = {Role.GIVEN: [], Role.MIDDLE: [], Role.FAMILY: []}
    for token in _PARSERS[order].parse(bare).tokens:
        if token.role in found:
            part = text[token.span.start : token.span.end] if token.span else token.text
            found[token.role].append(part.strip(" ,"))
    given, middle, family = (" ".join(found[role]) for role in (Role.GIVEN, Role.MIDDLE, Role.FAMILY))
    return given, middle, family


def _plain_parts(names: list[str], order: str) -> tuple[str, str, str]:
    """Return the parts of a name without any word of meaning, by their places: so does the parser, 50 times slower."""
    if order == "family_first":
        return names[1], " ".join(names[2:]), names[0]
    return names[0], " ".join(names[1:-1]), names[-1]


def _bare_letter(character: str) -> str:
    """Return a letter without case and accent if that is still one character, else without case if that is one."""
    spellings = (fold(character), character.lower()) if character.isalpha() else ()
    return next((bare for bare in spellings if len(bare) == 1), character)


def _roots_by_nickname() -> dict[str, str]:
    return {nickname: root for root, nicknames in table_rows("nicknames.csv") for nickname in nicknames.split()}


_ROOTS = _roots_by_nickname()


def nickname_root(name_match: str) -> str:
    """Return a name's ``match`` with each word that is a nickname or a variant replaced by its root.

    ``bill``, ``will`` and ``billy`` give ``william``; an unknown word stays. English names, from general knowledge.
    A nickname of several names has the root that most of its bearers have (``alex`` is ``alexander``), because to
    make all its names equal would make ``alexander`` equal ``alexandra``, who may be his sister. Idempotent.
    """
    if " " not in name_match:
        return _ROOTS.get(name_match, name_match)
    return " ".join(_ROOTS.get(word, word) for word in name_match.split(" "))
