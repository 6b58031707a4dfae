"""How people and machines spoil a value: slips of the keyboard, swapped letters, scanning, spelling by ear, gaps.

Every function takes the generator of random numbers first and is a pure function of it and the text.
"""

from __future__ import annotations

import re
from random import Random

MISSPELLING_TRIES_MAX = 4

_NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol",
    "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "hukm", "k": "jil", "l": "kop",
    "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
    "0": "9", "1": "2", "2": "13", "3": "24", "4": "35", "5": "46", "6": "57", "7": "68", "8": "79", "9": "80",
}  # fmt: skip
_LOOKALIKES = (
    ("rn", "m"), ("m", "rn"), ("cl", "d"), ("l", "1"), ("o", "0"), ("i", "l"), ("s", "5"), ("b", "6"), ("vv", "w"),
    ("h", "b"), ("e", "c"), ("0", "o"), ("1", "l"), ("5", "s"), ("8", "b"), ("u", "v"),
)  # fmt: skip
_SOUNDALIKES = (
    ("ph", "f"), ("f", "ph"), ("ck", "k"), ("c", "k"), ("k", "c"), ("ie", "y"), ("y", "i"), ("ll", "l"), ("tt", "t"),
    ("nn", "n"), ("ss", "s"), ("z", "s"), ("s", "z"), ("ei", "ie"), ("ea", "ee"), ("sch", "sh"), ("th", "t"),
    ("wh", "w"), ("gh", "g"), ("au", "o"), ("ou", "u"), ("w", "v"), ("x", "ks"), ("qu", "kw"), ("e", "a"),
)  # fmt: skip
_DIGIT = re.compile(r"\d")

PLACEHOLDERS = {
    "name": ("N/A", "unknown", "-"),
    "birth": ("1900-01-01",),
    "email": ("noreply@example.com", "none", "n/a"),
    "phone": ("0000000000", "n/a", "000-000-0000"),
    "address": ("unknown", "N/A", "-"),
}
"""What people type where a value is demanded that they do not have, by aspect."""


def misspell(random: Random, text: str) -> str:
    """Return ``text`` with one error of a writer, a scanner or an ear. Texts under three characters stay."""
    if len(text) < 3:
        return text
    for _ in range(MISSPELLING_TRIES_MAX):
        spoilt = random.choice(_KINDS)(random, text)
        if spoilt != text:
            return spoilt
    return text


def mistype_digit(random: Random, text: str) -> str:
    """Return ``text`` with two neighbouring digits swapped or one digit replaced by another."""
    places = [match.start() for match in _DIGIT.finditer(text)]
    if not places:
        return text
    at = random.choice(places)
    if random.random() < 0.5 and at + 1 < len(text) and text[at + 1].isdigit() and text[at] != text[at + 1]:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    replacement = str((int(text[at]) + random.randrange(1, 10)) % 10)
    return text[:at] + replacement + text[at + 1 :]


def _keyboard(random: Random, text: str) -> str:
    at = random.randrange(len(text))
    near = _NEIGHBOURS.get(text[at].lower())
    if near is None:
        return text
    key = random.choice(near)
    return text[:at] + (key.upper() if text[at].isupper() else key) + text[at + 1 :]


def _transpose(random: Random, text: str) -> str:
    at = random.randrange(1, len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _omit(random: Random, text: str) -> str:
    at = random.randrange(1, len(text))
    return text[:at] + text[at + 1 :]


def _repeat(random: Random, text: str) -> str:
    at = random.randrange(1, len(text))
    return text[:at] + text[at - 1] + text[at:]


def _scan(random: Random, text: str) -> str:
    return _substitute(random, text, _LOOKALIKES)


def _hear(random: Random, text: str) -> str:
    return _substitute(random, text, _SOUNDALIKES)


def _substitute(random: Random, text: str, table: tuple[tuple[str, str], ...]) -> str:
    """Replace the first place, after the initial, of one entry of ``table`` that occurs in ``text``."""
    found = [pair for pair in table if pair[0] in text[1:]]
    if not found:
        return text
    old, new = random.choice(found)
    return text[0] + text[1:].replace(old, new, 1)


_KINDS = (_keyboard, _keyboard, _transpose, _omit, _repeat, _scan, _hear)
