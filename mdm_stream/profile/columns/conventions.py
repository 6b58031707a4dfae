"""How a column writes its values: the order of dates, the country of phones, what parts several values in a cell.

Pure. Each answer says how sure it is: what no value of the column decides is a doubt, not a guess in silence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import phonenumbers

from mdm_stream.core.standardise import STANDARDISERS
from mdm_stream.profile.columns.value_forms import forms_of, phone_digits, postcode_country

REGIONS_TRIED = (
    "US", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "AT", "CH", "SE", "NO", "DK", "FI", "PL", "CZ", "SK", "HU", "RO",
    "BG", "GR", "PT",
    "IE", "TR", "RU", "UA", "IL", "SA", "AE", "EG", "IR", "IN", "PK", "CN", "JP", "KR", "TW", "VN", "TH", "ID", "MY",
    "SG", "PH", "AU",
    "NZ", "CA", "MX", "BR", "AR", "CL", "CO", "PE", "ZA", "NG", "KE", "MA", "HR", "RS", "SI", "EE", "LV", "LT", "KH",
)  # fmt: skip
PHONES_TRIED = 150
"""Numbers of a column by which the country of national ones is found."""
PHONES_SCANNED = 40
"""Of them, those that are tried in every country; the likeliest countries are then tried with all."""
REGION_SHARE_MIN = 0.6
SURE_SHARE = 0.9
SEVERAL_SHARE_MIN = 0.005
_THREE = re.compile(r"\s*(\d{1,4})\s*([-/. ])\s*(\d{1,2})\s*[-/. ]\s*(\d{1,4})(?!\d)")
_COMMA_DECIMAL = re.compile(r"[^\d]*\d{1,3}(?:[. ']?\d{3})*,\d{1,2}[^\d,]*|\d+,\d{1,2}\D*")
_DOT_DECIMAL = re.compile(r"[^\d]*\d{1,3}(?:[, ']?\d{3})*\.\d{1,2}[^\d.]*|\d+\.\d{1,2}\D*")
_SEPARATORS = (";", "|", " / ", ", ")


@dataclass(frozen=True, slots=True)
class DateOrder:
    """How the dates of a column are written: ``day_first`` is None where order does not matter (ISO, in words).

    ``proofs`` are the dates that have one reading: with the day first,
    and with the month first. ``ambiguous`` have two.
    ``short_years`` have two digits.
    """

    day_first: bool | None
    day_first_proofs: int
    month_first_proofs: int
    ambiguous: int
    short_years: int

    @property
    def is_proved(self) -> bool:
        """Whether the column itself says how its ambiguous dates are to be read."""
        return not self.ambiguous or (self.day_first_proofs > 0) != (self.month_first_proofs > 0)


def date_order(values: Iterable[str]) -> DateOrder:
    """Return the order of day and month in a column of dates."""
    day = month = ambiguous = short = 0
    for text in values:
        found = _THREE.match(text)
        if found is None or len(found[1]) > 2:
            continue
        first, second = int(found[1]), int(found[3])
        if len(found[4]) <= 2:
            short += 1
            if first > 31:
                continue
        if found[2] == "." or (first > 12 >= second):
            day += 1
        elif second > 12 >= first:
            month += 1
        elif first != second:
            ambiguous += 1
    if not (day or month or ambiguous):
        return DateOrder(None, 0, 0, 0, short)
    return DateOrder(day >= month if day or month else None, day, month, ambiguous, short)


def phone_region(values: Sequence[str], hints: Sequence[str] = ()) -> tuple[str, float]:
    """Return the country (ISO alpha-2) whose numbering plan knows most of a column's national numbers, and what share.

    ``hints`` are countries that other columns name, preferred where plans know as many. Numbers with a plus name their
    country and say nothing, unless there are no others: then their most frequent country is returned.
    """
    phones = [text for text in values if phone_digits(text)]
    national = [text for text in phones if not text.lstrip("( ").startswith(("+", "00"))][:PHONES_TRIED]
    if not national:
        named = Counter(filter(None, map(_region_named, phones[:PHONES_TRIED])))
        return (named.most_common(1)[0][0], 1.0) if named else ("", 0.0)
    named = Counter(filter(None, map(_region_named, phones[:PHONES_TRIED])))
    preferred = [*hints[:3], *(region for region, _ in named.most_common(3))]
    for region in dict.fromkeys(preferred):
        share = _share_of(national, region)
        if share >= SURE_SHARE:
            return region, share
    order = list(dict.fromkeys([*preferred, *REGIONS_TRIED]))
    few = national[:PHONES_SCANNED]
    shares = {region: _share_of(few, region) + 0.1 * (region in preferred) for region in order}
    likely = sorted(order, key=lambda region: (-round(shares[region], 2), order.index(region)))[:3]
    best = max(likely, key=lambda region: (round(_share_of(national, region), 2), -likely.index(region)))
    share = _share_of(national, best)
    return (best, share) if share >= REGION_SHARE_MIN else ("", share)


def _share_of(national: Sequence[str], region: str) -> float:
    return sum(_is_number_of(text, region) for text in national) / len(national)


def _is_number_of(text: str, region: str) -> bool:
    try:
        return bool(phonenumbers.is_valid_number_for_region(phonenumbers.parse(text, region), region))
    except phonenumbers.NumberParseException:
        return False


def _region_named(text: str) -> str | None:
    try:
        number = phonenumbers.parse(text if text.startswith("+") else "+" + text.removeprefix("00"), None)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.region_code_for_number(number)


def countries_named(values: Iterable[tuple[str, int]]) -> list[str]:
    """Return the countries that values name (each with its rows), the most frequent first."""
    found: Counter[str] = Counter()
    for text, rows in values:
        standard = STANDARDISERS["country"](text, {})
        if standard.valid and isinstance(standard.value, str):
            found[standard.value] += rows
    return [country for country, _ in found.most_common()]


def postcode_countries(values: Iterable[str]) -> list[str]:
    """Return the countries that alone write postcodes so, the most frequent first."""
    return [country for country, _ in Counter(filter(None, map(postcode_country, values))).most_common()]


def has_decimal_comma(values: Iterable[str]) -> bool:
    """Return whether more numbers have a comma before their last one or two digits than a dot."""
    texts = list(values)
    commas = sum(_COMMA_DECIMAL.fullmatch(text) is not None for text in texts)
    return commas > sum(_DOT_DECIMAL.fullmatch(text) is not None for text in texts)


def separators_in(values: Sequence[str], form: str) -> str:
    """Return what parts several values of a form in one cell, as the option ``separators`` has it; or ``""``."""
    found = []
    for separator in _SEPARATORS:
        several = 0
        for text in values:
            pieces = [piece.strip() for piece in text.split(separator)]
            several += len(pieces) > 1 and all(form in forms_of(piece) for piece in pieces if piece)
        if several and several >= SEVERAL_SHARE_MIN * len(values):
            found.append(separator.strip())
    return " ".join(found)
