"""Naive standardisers and measures, right for plain ASCII values of the kinds that the oracle's histories hold.

A standardised single value is ``(value, match, valid)``, or ``None`` where it is missing. An attribute is a list of
such: none where it is missing, one where it has one value. Shares no code with ``mdm_stream``.
"""

from __future__ import annotations

import re
from datetime import date

PLACEHOLDERS = ("", "n/a", "unknown")


def single(attribute, text):
    """Return the standardised form of one delivered text."""
    text = " ".join(text.split())
    if text.lower() in PLACEHOLDERS:
        return None
    value, match, valid = _TYPES[attribute["type"]](text, attribute)
    for listed in attribute.get("placeholders", []):
        if text.lower() == listed.lower() or (match is not None and match == _TYPES[attribute["type"]](listed, {})[1]):
            return None
    if attribute.get("pattern") and not re.fullmatch(attribute["pattern"], value):
        valid = False
    return value, match, valid


def _words(text):
    return " ".join(re.findall("[a-z0-9]+", text.lower().replace("'", "")))


def _category(text, attribute):
    word = _words(text)
    return text, attribute.get("synonyms", {}).get(word, word), True


def _number(text, attribute):
    thousands = "." if attribute.get("decimal_comma") else ","
    if re.fullmatch(f"[0-9]{{1,3}}([{thousands}][0-9]{{3}})+", text):
        text = text.replace(thousands, "")
    text = text.replace(",", ".")
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        return text, None, False
    sign = "-" if text.startswith("-") else ""
    whole, _, part = text.lstrip("+-").partition(".")
    plain = whole.lstrip("0") or "0"
    plain = f"{plain}.{part.rstrip('0')}" if part.strip("0") else plain
    value = plain if plain == "0" else sign + plain
    return value, value, True


def _date(text, attribute):
    written = re.fullmatch("([0-9]{2})/([0-9]{2})/([0-9]{4})", text)
    if written:
        first, second, year = written.groups()
        month, day = (second, first) if attribute.get("day_first") else (first, second)
        text = f"{year}-{month}-{day}"
    try:
        found = date.fromisoformat(text).isoformat()
    except ValueError:
        return text, None, False
    return found, found, True


_TYPES = {
    "text": lambda text, _: (text, _words(text), True),
    "name": lambda text, _: (text, _words(text), True),
    "full_name": lambda text, _: (text, _words(text), True),
    "identifier": lambda text, _: (text, "".join(re.findall("[A-Z0-9]", text.upper())), True),
    "category": _category,
    "number": _number,
    "date": _date,
}


def attribute_values(attribute, cells):
    """Return the values of an attribute from the delivered values of its columns, in their order."""
    lists = [_parts(attribute, _texts(cell)) for cell in cells]
    if attribute.get("multi"):
        return _distinct([found for texts in lists for text in texts if (found := single(attribute, text))])
    usable = [next((text for text in texts if single(attribute, text)), None) for texts in lists]
    present = [text for text in usable if text is not None]
    return [single(attribute, " ".join(present))] if present else []


def _texts(cell):
    items = cell if isinstance(cell, list) else [cell]
    return [str(item) for item in items if item is not None]


def _parts(attribute, texts):
    mark = attribute.get("separators")
    return texts if not mark else [part for text in texts for part in text.split(mark) if part.strip()]


def _distinct(found):
    """Return one value for each match, by match, and then each that has none, by itself; a valid one is preferred."""
    matched = {}
    for value, match, valid in sorted(found, key=lambda each: (not each[2], each[0])):
        if match is not None:
            matched.setdefault(match, (value, match, valid))
    alone = sorted({each for each in found if each[1] is None})
    return [matched[match] for match in sorted(matched)] + alone


def matches(values):
    """Return the texts that blocking and comparisons see."""
    return [match for _, match, _ in values if match]


def holds(condition, a, b):
    """Return whether a condition holds of two records' match texts by attribute."""
    kind, names = condition["kind"], condition["attributes"]
    if kind == "else":
        return True
    if kind == "null":
        return any(not a[name] or not b[name] for name in names)
    (name,) = names
    return any(_HOLDS[kind](x, y, condition.get("threshold")) for x in a[name] for y in b[name])


def similarity(kind, name, a, b):
    """Return the greatest similarity of two records' values, ``None`` where one is missing."""
    return max((_SIMILAR[kind](x, y) for x in a[name] for y in b[name]), default=None)


def edits(a, b):
    """Return Levenshtein's distance, by its definition."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y)))
    return row[-1]


def _prefix(a, b, least):
    return min(len(a), len(b)) >= least and (a.startswith(b) or b.startswith(a))


def _initial(a, b, _=None):
    return (len(a) == 1 and b.startswith(a)) or (len(b) == 1 and a.startswith(b))


def _swapped(a, b, _=None):
    (year, month, day), (other_year, other_month, other_day) = a.split("-"), b.split("-")
    return year == other_year and month == other_day and day == other_month and month != day


_HOLDS = {
    "exact": lambda a, b, _: a == b,
    "intersect": lambda a, b, _: a == b,
    "levenshtein": lambda a, b, most: edits(a, b) <= most,
    "prefix": _prefix,
    "initial": _initial,
    "date_within": lambda a, b, most: abs((date.fromisoformat(a) - date.fromisoformat(b)).days) <= most,
    "date_swap": _swapped,
    "numeric_within": lambda a, b, most: abs(float(a) - float(b)) <= most,
}
_SIMILAR = {
    "exact": lambda a, b: float(a == b),
    "levenshtein": lambda a, b: 1.0 - edits(a, b) / max(len(a), len(b)),
    "initial": lambda a, b: float(_initial(a, b)),
    "date_swap": lambda a, b: float(_swapped(a, b)),
}


def key_texts(function, argument, compared):
    """Return what a function of a blocking expression makes of the texts that an attribute is compared by."""
    return {text for match in compared for text in _KEYS[function](match, argument) if text}


_KEYS = {
    "exact": lambda text, _: [text],
    "first": lambda text, count: [text[:count].strip()],
    "last": lambda text, count: [text[-count:].strip()],
    "token": lambda text, _: text.split(),
    "year": lambda text, _: [text[:4]],
}
