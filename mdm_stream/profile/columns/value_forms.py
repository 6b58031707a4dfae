"""The forms that values have: a date, an email, a legal form at the end of a name. Their meaning: see ``meanings``.

Every test takes one text as it was delivered, without blanks at its ends, and is total and pure. A form says what a
value looks like, in any language; that most values of a column have it is evidence of what the column is about.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from mdm_stream.core.memo import remembered
from mdm_stream.core.standardise import STANDARDISERS
from mdm_stream.core.standardise.organisations import is_legal_form
from mdm_stream.core.standardise.text import alphanumerics, fold, table_rows, words
from mdm_stream.profile.columns.word_tables import (
    family_names,
    firm_words,
    given_names,
    person_titles,
    street_words,
    words_for_sex,
    yes_and_no,
)

FORMS_REMEMBERED = 65_536
"""Values whose forms are remembered: sampled values of several columns, looked at for several questions."""
TEXT_WORDS_MIN = 7
"""Words from which on a value is a sentence or more, and no name."""
CODE_CHARS_MAX = 40
NAME_WORDS_MAX = 6
PHONE_DIGITS = range(7, 16)

_EMAIL = re.compile(r"[^\s@,;<>]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,63}")
_URL = re.compile(r"(?:https?://|www\.)\S+|(?:[a-z0-9-]{1,63}\.)+(?:[a-z]{2,12})(?:/\S*)?", re.IGNORECASE)
_CLOCK = re.compile(
    r"\d[T\s]+\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d{1,9})?)?\s*(?:[AaPp]\.?[Mm]\.?)?\s*(?:Z|UTC|[+-]\d\d:?\d\d)?$"
)
_PHONE = re.compile(
    r"(?:tel\.?:?\s*)?[+(]?\d[\d\s()/.\-\u2013]{4,24}\d(?:\s*(?:x|ext\.?|w\.|kl\.)\s*\d{1,6})?", re.IGNORECASE
)
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:[ .,'\u00a0]\d{3})+|\d+)(?:[.,]\d+)?")
_MONEY = re.compile(
    r"(?:[$£€¥₹₽₩]|\b[A-Z]{3}\b|\bkr\b|\bzł)\s?[-+]?[\d.,' ]+|[-+]?[\d.,' ]+\s?(?:[$£€¥₹₽₩]|[A-Z]{3}\b|kr\b|zł)"
)
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_CODE = re.compile(r"(?=\S*\d)[A-Za-z0-9][A-Za-z0-9_./#:-]*")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_VAT_NUMBERS = (
    r"AT ?U\d{8}", r"BE ?[01]?\d{9}", r"BG ?\d{9,10}", r"CHE[ -]?\d{3}\.?\d{3}\.?\d{3}(?: ?(?:MWST|TVA|IVA))?",
    r"CY ?\d{8}[A-Z]", r"CZ ?\d{8,10}", r"DE ?\d{9}", r"DK ?\d{8}", r"EE ?\d{9}", r"EL ?\d{9}",
    r"ES ?[A-Z0-9]\d{7}[A-Z0-9]", r"FI ?\d{8}", r"FR ?[A-Z0-9]{2} ?\d{9}", r"GB ?\d{9}(?:\d{3})?", r"HR ?\d{11}",
    r"HU ?\d{8}", r"IE ?\d[A-Z0-9+*]\d{5}[A-Z]{1,2}", r"IT ?\d{11}", r"LT ?(?:\d{9}|\d{12})", r"LU ?\d{8}",
    r"LV ?\d{11}", r"MT ?\d{8}", r"NL ?\d{9}B\d{2}", r"PL ?\d{10}", r"PT ?\d{9}", r"RO ?\d{2,10}", r"SE ?\d{12}",
    r"SI ?\d{8}", r"SK ?\d{10}",
)  # fmt: skip
_VAT = re.compile("|".join(_VAT_NUMBERS))
_POSTCODES: Mapping[str, re.Pattern[str]] = MappingProxyType({
    country: re.compile(pattern, re.IGNORECASE)
    for country, pattern in {
        "GB": r"(?:GIR ?0AA|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})", "CA": r"[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d",
        "NL": r"[1-9]\d{3} ?[A-Z]{2}", "IE": r"[AC-FHKNPRTV-Y](?:\d\d|6W) ?[0-9AC-FHKNPRTV-Y]{4}",
        "PL": r"\d{2}-\d{3}", "PT": r"\d{4}-\d{3}", "BR": r"\d{5}-\d{3}", "JP": r"〒? ?\d{3}-\d{4}",
        "US": r"\d{5}-\d{4}", "SE": r"\d{3} \d{2}", "AR": r"[A-HJ-NP-Z]\d{4}[A-Z]{3}", "LV": r"LV-\d{4}",
        "LT": r"LT-\d{5}",
        "IR": r"\d{5}-\d{5}", "": r"(?:[A-Z]{1,2}-)?\d{4,6}",
    }.items()
})  # fmt: skip
_INITIALS = re.compile(r"(?:[^\W\d_]\.?\s?){1,3}")
_NAME_MARKS = frozenset("'.-`\u2019\u2013\u02bc\u200c\u200d\u0640\u00b4\u00b7")
_IDEOGRAPHS = re.compile(r"[\u3005\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u3040-\u30ff ]{2,8}")
_PARENTHESES = re.compile(r"\([^)]*\)")
_HOUSE = re.compile(r"(?:^|\s|,|nr\.? ?|no\.? ?|№ ?|#)\d{1,5}[a-z]?(?:\s?[-/]\s?\d{1,5}[a-z]?)?\b", re.IGNORECASE)
_HOUSE_ALONE = re.compile(
    r"(?:nr\.?|no\.?|№|#)?\s?\d{1,5}\s?[a-z]?(?:\s?[-/.,]\s?(?:\d{1,4}\s?[a-z]?|[a-z]))?", re.IGNORECASE
)
_CJK_ADDRESS = re.compile(r"[省市県府都道区町村郡路街号弄巷段村]|[가-힣]+(?:로|길|동)\s?\d")
_CJK_FIRM = re.compile(
    r"株式会社|有限会社|合同会社|有限公司|股份|集团|集團|公司|주식회사|유한회사|\(주\)|㈜|\uff08株\uff09|\(株\)|財団法人|协会|協会"
)


def is_date(text: str) -> bool:
    """Return whether a text is a date, with or without a time of day: ISO, dotted, slashed, compact, or in words."""
    if not any(map(str.isdigit, text)) or (text.isdigit() and not _is_compact_date(text)):
        return False
    if _PHONE.fullmatch(text) and not re.search(r"\d[./\-]\d", text) and not text.isdigit():
        return False
    return _date_read(text, day_first=True) or _date_read(text, day_first=False)


def _date_read(text: str, *, day_first: bool) -> bool:
    found = STANDARDISERS["date"](text, {"day_first": day_first})
    return found.valid and found.match is not None


def _is_compact_date(digits: str) -> bool:
    if len(digits) not in (8, 14):
        return False
    return "1850" <= digits[:4] <= "2100" and "01" <= digits[4:6] <= "12" and "01" <= digits[6:8] <= "31"


def phone_digits(text: str) -> int:
    """Return how many digits a text has that is written as a phone number is, else 0."""
    if not _PHONE.fullmatch(text) or re.fullmatch(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d\d-\d\d", text):
        return 0
    digits = len(re.sub(r"\D", "", re.sub(r"(?:x|ext|w|kl)\.?\s*\d+$", "", text, flags=re.IGNORECASE)))
    return digits if digits in PHONE_DIGITS else 0


def is_marked_phone(text: str) -> bool:
    """Return whether a text can hardly be anything but a phone number: it has a plus, a trunk zero, or is grouped."""
    if not phone_digits(text) or _is_decimal(text):
        return False
    return text.startswith(("+", "00", "(", "0")) or re.search(r"\d[\s/)-]+\d+[\s/-]?\d", text) is not None


def _is_decimal(text: str) -> bool:
    return re.fullmatch(r"\d+[.,]\d+", text) is not None


def postcode_country(text: str) -> str | None:
    """Return the country whose postcodes alone are written so, ``""`` for four to six digits, None for no postcode."""
    return next((country for country, pattern in _POSTCODES.items() if pattern.fullmatch(text)), None)


def ends_in_legal_form(text: str) -> bool:
    """Return whether a name has a legal form, or a word that organisations alone have, in any of many languages.

    A legal form alone is no name.
    """
    if is_legal_form(text):
        return False
    if _CJK_FIRM.search(text):
        return True
    folded = words(fold(text))
    tokens = folded.split()
    if len(tokens) < 2:
        return False
    if not firm_words().isdisjoint(tokens):
        return True
    standard = STANDARDISERS["organisation"](text, {}).match
    if not isinstance(standard, str):
        return False
    plain = [token for token in tokens if token not in ("the", "and")]
    return len([each for each in standard.split() if each != "and"]) < len(plain) and len(tokens[-1]) > 1


@cache
def _table_words(name: str, column: int) -> frozenset[str]:
    """Return the folded names of a column of one of the standardisers' tables."""
    return frozenset(
        alphanumerics(fold(each)) for row in table_rows(name) for each in row[column].split(",") if each.strip()
    )


def is_country(text: str) -> bool:
    """Return whether a text is a country's name or code."""
    return STANDARDISERS["country"](text, {}).valid


def is_region(text: str) -> bool:
    """Return whether a text is a state or province of the countries whose list is at hand, by code or name."""
    plain = alphanumerics(fold(text))
    return plain in _table_words("regions.csv", 1) or plain in _table_words("regions.csv", 2)


def is_person_name(text: str) -> bool:
    """Return whether a text may be a person's name, or a part of one: a few words of letters, and nothing else."""
    bare = _PARENTHESES.sub("", text).strip()
    if _IDEOGRAPHS.fullmatch(bare):
        return True
    parts = bare.replace(",", " ").split()
    return 0 < len(parts) <= NAME_WORDS_MAX and all(map(_is_word_of_name, parts))


def _is_word_of_name(word: str) -> bool:
    """Return whether a word is of letters, with the marks that scripts put on them, and what stands within names."""
    letters = sum(map(str.isalpha, word))
    return letters > 0 and all(
        character.isalpha() or character in _NAME_MARKS or unicodedata.category(character)[0] == "M"
        for character in word
    )


def name_tokens(text: str) -> list[str]:
    """Return the words of a name, folded."""
    return words(fold(text)).split()


def is_full_name(text: str) -> bool:
    """Return whether a text looks like given and family name together: two words or more, one a known given name."""
    if not is_person_name(text) or ends_in_legal_form(text):
        return False
    tokens = name_tokens(text)
    if _IDEOGRAPHS.fullmatch(text):
        return 2 <= len(text.replace(" ", "")) <= 4 and text[0] in _cjk_surnames()
    if len(tokens) > 1 and tokens[0] in person_titles():
        return True
    return len(tokens) > 1 and any(token in given_names() for token in tokens)


@cache
def _cjk_surnames() -> frozenset[str]:
    return frozenset(name[0] for name in family_names() if not name.isascii() and len(name) <= 2)


def is_street(text: str) -> bool:
    """Return whether a text is a street line: a known word for a street, or words with a house number."""
    if _is_cjk_address(text):
        return True
    tokens = words(fold(text)).split()
    letters = [token for token in tokens if not any(map(str.isdigit, token))]
    if not letters or len(tokens) > 14 or len(text) > 160:
        return False
    named = any(token in street_words() or _has_street_ending(token) for token in letters)
    return named and (len(tokens) > 1 or any(len(each) > 9 for each in letters) or bool(_HOUSE.search(text)))


def _has_street_ending(word: str) -> bool:
    return any(word.endswith(ending) and len(word) > len(ending) + 2 for ending in _STREET_ENDINGS)


def _is_cjk_address(text: str) -> bool:
    places = len(_CJK_ADDRESS.findall(text))
    return places > 1 or (places > 0 and any(map(str.isdecimal, text)))


_STREET_ENDINGS = (
    "strasse", "straat", "str", "weg", "gasse", "platz", "allee", "gatan", "vagen", "gade", "vej", "gata", "veien",
    "katu", "tie",
    "utca", "ulica", "laan", "plein", "ring", "damm", "ufer", "gracht", "kade", "dreef", "singel", "steig", "chaussee",
)  # fmt: skip


def is_whole_address(text: str) -> bool:
    """Return whether one text holds street and town: a house number, and a postcode or two commas."""
    if len(text) < 12 or sum(map(str.isdigit, text)) < 2:
        return False
    pieces = [piece for piece in re.split(r"[,;\n]", text) if piece.strip()]
    coded = any(postcode_country(token.strip(",")) is not None for token in text.split()) or any(
        pattern.search(text) for country, pattern in _POSTCODES.items() if country
    )
    if _is_cjk_address(text):
        return len(text) > 8
    return (len(pieces) > 2 or (len(pieces) > 1 and coded)) and bool(_HOUSE.search(text))


def _luhn_sum(digits: str) -> int:
    doubled = [int(digit) * (2 - position % 2) for position, digit in enumerate(reversed(digits), 1)]
    return sum(each - 9 if each > 9 else each for each in doubled)


def is_gtin(text: str) -> bool:
    """Return whether a text is a trade item's number (GTIN of 8, 12, 13 or 14 digits) with its check digit."""
    digits = re.sub(r"[ -]", "", text)
    if not (digits.isascii() and digits.isdigit() and len(digits) in (8, 12, 13, 14)) or not digits.strip("0"):
        return False
    padded = digits.zfill(14)
    return sum(int(digit) * (3 - 2 * (place % 2)) for place, digit in enumerate(padded)) % 10 == 0


def is_isbn(text: str) -> bool:
    """Return whether a text is a book's number: ISBN-10 or ISBN-13 with its check digit."""
    plain = re.sub(r"[ -]", "", text).upper()
    if re.fullmatch(r"97[89]\d{10}", plain):
        return is_gtin(plain)
    if not re.fullmatch(r"\d{9}[\dX]", plain) or not plain.strip("0"):
        return False
    return sum((10 - place) * (10 if digit == "X" else int(digit)) for place, digit in enumerate(plain)) % 11 == 0


def is_iban(text: str) -> bool:
    """Return whether a text is an account's number with its check digits (ISO 13616)."""
    plain = text.replace(" ", "").upper()
    if not _IBAN.fullmatch(plain):
        return False
    return int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1


def is_number(text: str) -> bool:
    """Return whether a text is a number, with separators of any country, or a sum of money."""
    return bool(_NUMBER.fullmatch(text) or (_MONEY.fullmatch(text) and any(map(str.isdigit, text))))


def _is_text(text: str) -> bool:
    return len(text.split()) >= TEXT_WORDS_MIN or len(text) > 80


VALUE_FORMS: Mapping[str, Callable[[str], bool]] = MappingProxyType({
    "email": lambda text: _EMAIL.fullmatch(text.removeprefix("mailto:")) is not None,
    "url": lambda text: "@" not in text and _URL.fullmatch(text) is not None and not _NUMBER.fullmatch(text),
    "date": is_date,
    "clock": lambda text: _CLOCK.search(text) is not None,
    "epoch": lambda text: text.isdigit() and len(text) in (10, 13, 16) and "09" < text[:2] < "22",
    "phone": lambda text: phone_digits(text) > 0,
    "marked_phone": is_marked_phone,
    "postcode": lambda text: postcode_country(text) is not None,
    "own_postcode": lambda text: bool(postcode_country(text)),
    "iban": is_iban,
    "gtin": is_gtin,
    "isbn": is_isbn,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    "vat": lambda text: _VAT.fullmatch(text.upper()) is not None,
    "integer": lambda text: text.isascii() and text.lstrip("+-").isdigit(),
    "number": is_number,
    "money": lambda text: _MONEY.fullmatch(text) is not None and any(map(str.isdigit, text)),
    "year": lambda text: text.isdigit() and len(text) == 4 and "1400" < text < "2100",
    "code": lambda text: len(text) <= CODE_CHARS_MAX and _CODE.fullmatch(text) is not None,
    "house": lambda text: _HOUSE_ALONE.fullmatch(text) is not None,
    "country": is_country,
    "region": is_region,
    "sex": lambda text: words(fold(text)) in words_for_sex(),
    "yes_no": lambda text: words(fold(text)) in yes_and_no(),
    "initial": lambda text: len(text) <= 6 and _INITIALS.fullmatch(text) is not None and not text.isdigit(),
    "letters": is_person_name,
    "given_name": lambda text: is_person_name(text) and not given_names().isdisjoint(name_tokens(text)[:1]),
    "family_name": lambda text: is_person_name(text) and not family_names().isdisjoint(name_tokens(text)[-1:]),
    "full_name": is_full_name,
    "title": lambda text: bool(name_tokens(text)) and set(name_tokens(text)) <= person_titles(),
    "organisation": ends_in_legal_form,
    "legal_form": is_legal_form,
    "generation": lambda text: str(STANDARDISERS["generation"](text, {}).match).isdigit(),
    "street": is_street,
    "address": is_whole_address,
    "text": _is_text,
    "json": lambda text: text[:1] in "[{" and text[-1:] in "]}" and len(text) > 1,
})  # fmt: skip
"""Name of a form -> its test. A value may have several: digits are an integer, a code, and at times a postcode."""


@remembered(FORMS_REMEMBERED)
def forms_of(text: str) -> frozenset[str]:
    """Return the forms that a text has."""
    return frozenset(name for name, has_form in VALUE_FORMS.items() if has_form(text))


def form_shares(values: Sequence[str]) -> dict[str, float]:
    """Return the share of the values that have each form, those of none left out. No value: nothing."""
    counts: dict[str, int] = {}
    for text in values:
        for name in forms_of(text):
            counts[name] = counts.get(name, 0) + 1
    return {name: count / len(values) for name, count in sorted(counts.items())}


def shape_of(text: str) -> str:
    """Return how a text is written, without what it says: ``A9-99`` for ``K7-01``, long runs cut short.

    A run of one to five digits keeps its length, so that codes can be told apart; letters are one ``a`` or ``A`` a run.
    """
    shape = re.sub(r"[^\W\d_]+", lambda run: "A" if run[0][:1].isupper() else "a", text)
    return re.sub(r"\d+", lambda run: "9" * len(run[0]) if len(run[0]) <= 5 else f"9{{{len(run[0])}}}", shape)[:40]
