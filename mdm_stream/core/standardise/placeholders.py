"""Texts that stand for 'we do not have it'. A standardiser turns them into a missing value.

What counts depends on the type, since a placeholder of one is a value of another: *Null*, *Test*, *Na*, *Nil* and
*Nan* are names that people bear, *NA* is Namibia, and 22222 is a ZIP code in Virginia. Every test here sees cleaned
text, disregards case and accents, and is false for anything longer than ``PLACEHOLDER_LENGTH_MAX`` characters.
"""

from __future__ import annotations

import re

from mdm_stream.core.standardise.text import alphanumerics, fold, table_rows, words

PLACEHOLDER_LENGTH_MAX = 48
_EMAIL_LENGTH_MAX = 254

_ASCII_DIGITS = frozenset("0123456789")


def _listed(tier: str) -> frozenset[str]:
    """Return the words of many languages that say 'nothing' in a tier of the table."""
    texts = [
        each for kind, _, names in table_rows("placeholder_words.csv") if kind == tier for each in names.split(",")
    ]
    return frozenset(words(fold(text.strip())) for text in texts)


# Compared after punctuation became spaces, so "N/A", "n.a." and "#N/A" are all "n a".
_CLEAR_WORDS = frozenset({
    "n a", "unknown", "unkown", "unk", "none", "not available", "not applicable", "not known", "not provided",
    "not given", "not specified", "not stated", "not supplied", "not recorded", "not disclosed", "no data", "no value",
    "no information", "no info", "undefined", "unspecified", "undisclosed", "tbd", "tba", "tbc", "to be determined",
    "to be advised", "to be announced", "to be confirmed", "missing", "withheld",
}) | _listed("any")  # fmt: skip
_GENERIC_WORDS = (
    _CLEAR_WORDS | {"na", "null", "nil", "nan", "test", "testing", "dummy", "asdf", "qwerty", "blank"} | _listed("text")
)
# Officials write FNU and LNU for a first or last name unknown, NMN and NMI for no middle name or initial.
_NAME_WORDS = _CLEAR_WORDS | {
    "no name", "no first name", "no last name", "no middle name", "name unknown", "fnu", "lnu", "nmn", "nmi",
    "test test", "test user", "anonymous",
}  # fmt: skip
_ADDRESS_WORDS = _GENERIC_WORDS | {"no fixed abode", "no fixed address", "no address", "unknown address", "nfa"}
_COUNTRY_WORDS = _GENERIC_WORDS - {"na"}
assert not any(any(map(str.isdigit, words)) for words in _NAME_WORDS | _ADDRESS_WORDS)  # so _is_one_of may look first
_EMAIL_LOCALS = frozenset({
    "noreply", "donotreply", "none", "noemail", "nomail", "na", "null", "nil", "unknown", "notprovided", "noaddress",
    "notavailable", "test", "xxx", "nobody", "invalid",
}) | _listed("email")  # fmt: skip
_EMAIL_STARTS = ("noreply", "donotreply")
_NUMBERED_LOCAL_MIN = 4

_SAME_DIGIT = re.compile(r"(\d)\1{4,}")
_LETTERED = re.compile(r"[a-z]{0,4}([0-9]{7,})[a-z]?")
_ZIP_FILLER = re.compile(r"0{3,}|9{5}|9{9}")
_DIGIT_SEQUENCES = frozenset({
    "1234567", "12345678", "123456789", "1234567890", "01234567", "012345678", "0123456789", "987654321", "9876543210",
})  # fmt: skip
# Defaults of databases and spreadsheets, and the dates that clerks type when a form insists on one.
DATE_FILLERS = frozenset({
    "0001-01-01", "1111-11-11", "1753-01-01", "1800-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "2999-12-31",
    "9999-01-01", "9999-12-31",
})  # fmt: skip


def _plain(text: str) -> str:
    return words(fold(text)) if len(text) <= PLACEHOLDER_LENGTH_MAX else ""


def _is_one_of(placeholders: frozenset[str], text: str) -> bool:
    if text[:1] in _ASCII_DIGITS:
        return False
    plain = _plain(text)
    return plain in placeholders or (plain.startswith("xxx") and not plain.strip("x"))


def is_word_placeholder(text: str) -> bool:
    """Return whether a text of no particular kind says 'nothing': N/A, none, null, unknown, test, TBD, xxx, ..."""
    return _is_one_of(_GENERIC_WORDS, text)


def is_name_placeholder(text: str) -> bool:
    """Return whether a personal name is one of the clear placeholders (see the module's note on names)."""
    return _is_one_of(_NAME_WORDS, text)


def is_address_placeholder(text: str) -> bool:
    """Return whether a street line says that there is none."""
    return _is_one_of(_ADDRESS_WORDS, text)


def is_country_placeholder(text: str) -> bool:
    """Return whether a country says 'nothing'; the bare letters NA are Namibia, N/A is not."""
    return _is_one_of(_COUNTRY_WORDS, text)


def is_identifier_placeholder(text: str) -> bool:
    """Return whether an identifier is a word placeholder, five or more of one digit, or a digit sequence.

    Letters may stand around seven or more of such digits: DE999999999, 00000000T.
    """
    if is_word_placeholder(text):
        return True
    plain = alphanumerics(_plain(text))
    found = _LETTERED.fullmatch(plain)
    return is_filler_number(plain) or (found is not None and is_filler_number(found[1]))


def is_filler_number(digits: str) -> bool:
    """Return whether digits were typed to fill a field: 0000000, 1111111, 123456789."""
    return digits in _DIGIT_SEQUENCES or (digits[:1] == digits[-1:] and _SAME_DIGIT.fullmatch(digits) is not None)


def is_postcode_placeholder(text: str) -> bool:
    """Return whether a postcode is a word placeholder, all zeros, or 99999; other repeated digits are real ZIPs."""
    return is_word_placeholder(text) or _ZIP_FILLER.fullmatch(alphanumerics(_plain(text))) is not None


def is_date_placeholder(text: str) -> bool:
    """Return whether a date is a word placeholder, all zeros or nines, or a well-known default such as 1900-01-01."""
    if is_word_placeholder(text) or text in DATE_FILLERS:
        return True
    if "1" <= text[:1] <= "8":
        return False
    digits = alphanumerics(_plain(text))
    return (len(digits) >= 5 and not digits.strip("0")) or (len(digits) >= 8 and not digits.strip("9"))


def is_email_placeholder(text: str) -> bool:
    """Return whether an address is nobody's: noreply@..., none@none, x@x, test@test.com, or a word placeholder."""
    if is_word_placeholder(text):
        return True
    local, at, domain = fold(text).rpartition("@") if len(text) <= _EMAIL_LENGTH_MAX else ("", "", "")
    if not at:
        return False
    plain = alphanumerics(local)
    bare = plain.rstrip("0123456789")  # one of none1@, test2@, unknown4711@
    if plain.startswith(_EMAIL_STARTS) or (len(bare) >= _NUMBERED_LOCAL_MIN and bare in _EMAIL_LOCALS):
        return True
    return plain in _EMAIL_LOCALS or (len(plain) <= 4 and plain == alphanumerics(domain))


def is_no_placeholder(_text: str) -> bool:
    """Return False: of a type whose values are compared as they are, none stands for nothing."""
    return False
