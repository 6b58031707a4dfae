"""The slips of records that are written twice: what invented files of several kinds have in common."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from random import Random

Row = dict[str, str]


def slip(random: Random, text: str) -> str:
    """Return a text with two letters exchanged, one left out, or one twice."""
    if len(text) < 4:
        return text
    at = random.randrange(1, len(text) - 2)
    kind = random.randrange(3)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :] if kind == 1 else text[:at] + text[at] + text[at:]


def bare(text: str) -> str:
    """Return a text without diacritics, as a system writes that lacks them."""
    spelt = text.translate(str.maketrans("łŁıİøØđĐ", "lLiIoOdD"))
    return "".join(each for each in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(each))


def maybe(random: Random, share: float, change: Callable[[str], str], text: str) -> str:
    """Return a text that is changed at a rate."""
    return change(text) if random.random() < share else text


def copies(random: Random) -> int:
    """Return how many records an entity has."""
    return random.choices((1, 2, 3), (60, 30, 10))[0]


def digits(random: Random, count: int) -> str:
    """Return so many digits."""
    return "".join(str(random.randrange(10)) for _ in range(count))


def varied(random: Random, row: Row, changes: Mapping[str, tuple[float, Callable[[str], str]]], blank: float) -> Row:
    """Return a copy of a row, each of some columns changed or blank at its rate."""
    made = dict(row)
    for column, (share, change) in changes.items():
        made[column] = "" if random.random() < blank else maybe(random, share, change, made[column])
    return made
