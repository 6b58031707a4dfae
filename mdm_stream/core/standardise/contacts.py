"""Phone numbers, email addresses and web addresses."""

from __future__ import annotations

import re
from unicodedata import normalize

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from mdm_stream.core.memo import remembered
from mdm_stream.core.model import MISSING, Standardised
from mdm_stream.core.standardise.placeholders import is_filler_number
from mdm_stream.core.standardise.several import holds_two_emails, holds_two_phones
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import fold, without_float_tail

PHONE_DIGITS_MIN = 7
"""Digits that an unparseable number needs to be matched on: fewer are an extension or a fragment."""

PHONE_DIGITS_MAX = 20
"""Digits beyond which a text is no single phone number (E.164 allows 15, and a trunk prefix may stand before)."""

_NATIONAL_DIGITS_MAX = 10  # longer ones may begin with a country code
_PARSED_PHONES_MAX = 32_768
_NOT_DIGITS = re.compile(r"[^0-9]+")
_SEPARATED = re.compile(r"(?:\+|\()?[0-9]+(?:(?:[ .-]|\) ?|[ -]\()[0-9]+)*")


def standardise_phone(text: str, options: Options) -> Standardised:
    """Standardise a phone number to E.164, read as from ``region`` unless it names its country.

    A number of a possible length that no numbering plan knows is invalid: its ``value`` is as delivered, for the
    region may be the wrong one, and ``match`` the E.164 form, so that it still meets itself written otherwise. Of
    anything else ``match`` is the digits, if there are 7 to 20. Two numbers in one text have none.
    Extensions are dropped from E.164. Numbers of one repeated digit and 1234567890 are placeholders.
    """
    plain = without_float_tail(text)
    digits = _digits_of(plain)
    if is_filler_number(digits):
        return MISSING
    if len(digits) >= 2 * PHONE_DIGITS_MIN and holds_two_phones(plain):
        return Standardised(text, None, valid=False)
    # People write one number in many ways; those that differ in nothing but separators are parsed once.
    if len(digits) >= PHONE_DIGITS_MIN and _SEPARATED.fullmatch(plain):
        plain = "+" + digits if plain[0] == "+" else digits
    e164, valid, national = _parse(plain, str(options["region"]))
    if e164 is None:
        return Standardised(text, digits if PHONE_DIGITS_MIN <= len(digits) <= PHONE_DIGITS_MAX else None, valid=False)
    if is_filler_number(national):
        return MISSING
    return Standardised(e164 if valid else text, e164, valid)


def _digits_of(text: str) -> str:
    return _NOT_DIGITS.sub("", fold(text))


@remembered(_PARSED_PHONES_MAX)
def _parse(text: str, region: str) -> tuple[str | None, bool, str]:
    """Return the E.164 form (``None`` if the number cannot be one), whether a plan knows it, and its national part."""
    number = _number(text, region)
    if number is not None and phonenumbers.is_valid_number(number):
        return _described(number, valid=True)
    # Exports lose the plus of an international number, or write it as the 00 that most of the world dials.
    digits = _digits_of(text)
    if len(digits) > _NATIONAL_DIGITS_MAX:
        international = _number("+" + digits.removeprefix("00"), region)
        if international is not None and phonenumbers.is_valid_number(international):
            return _described(international, valid=True)
    if number is None or not phonenumbers.is_possible_number(number):
        return None, False, ""
    return _described(number, valid=False)


def _described(number: PhoneNumber, *, valid: bool) -> tuple[str, bool, str]:
    e164 = str(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    national = str(phonenumbers.national_significant_number(number))
    # A valid number's value is its E.164 form, so that must be read as the same number: reading may strip a trunk
    # prefix that the first reading left.
    stable = valid and (not _may_lose_prefix(number, national) or _number(e164, None) == number)
    return e164, stable, national


def _may_lose_prefix(number: PhoneNumber, national: str) -> bool:
    """Return whether a reading may take the first digits of a national part for a trunk prefix."""
    country = int(number.country_code or 0)
    region = phonenumbers.region_code_for_country_code(country)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(country, region)
    prefix = metadata.national_prefix_for_parsing if metadata else None
    return metadata is None or bool(prefix and re.match(prefix, national))


def _number(text: str, region: str | None) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    number.extension = None
    return number


_BARE_EMAIL = re.compile(r"[a-zA-Z0-9@._+-]*[a-zA-Z0-9_@+-]")  # has nothing to unwrap
_EMAIL = re.compile(r"([^\s@\"(),:;<>\[\]\\]{1,64})@((?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_])")
_EMAIL_LENGTH_MAX = 254  # RFC 5321 with erratum 1690
_GMAIL_DOMAINS = frozenset({"gmail.com", "googlemail.com"})


def standardise_email(text: str, _options: Options) -> Standardised:
    """Standardise an email address: lower case, a display name, brackets and ``mailto:`` taken off.

    ``match`` is without a +tag, and for Gmail without the dots that it ignores. An address of wrong syntax is invalid;
    its text is still matched on if it holds an @, since a slip of the pen is as good evidence as any other.
    Two addresses in one text have no match.
    """
    value = _unwrapped_email(text)
    address = normalize("NFKC", value.casefold())
    if len(address) > _EMAIL_LENGTH_MAX:
        return Standardised(value, None, valid=False)
    if not (found := _EMAIL.fullmatch(address)) or ".." in address or address.startswith(".") or ".@" in address:
        return Standardised(value, address if "@" in address and not holds_two_emails(address) else None, valid=False)
    local, domain = found[1], found[2]
    local = local.partition("+")[0] or local
    if domain in _GMAIL_DOMAINS:
        local, domain = local.replace(".", "") or local, "gmail.com"
    return Standardised(value, f"{local}@{domain}")


def _unwrapped_email(text: str) -> str:
    if _BARE_EMAIL.fullmatch(text):
        return text.lower()
    lowered = normalize("NFC", text.lower())
    while "@" in (inner := _inside(lowered)) and inner != lowered:
        lowered = inner
    return "@".join(part.strip() for part in " ".join(lowered.split()).split("@"))


def _inside(text: str) -> str:
    """Return what stands in the last angle brackets of a text, else the text without the marks that end a sentence."""
    inner = text.rpartition("<")[2]
    inner = (inner if inner == text else inner.lstrip()).removeprefix("mailto:").lstrip()
    address, bracket, _ = inner.partition(">")
    return address.rstrip() if bracket else address.rstrip(";,. ")


_URL = re.compile(
    r"(?:[a-z][a-z0-9+.-]{0,20}:)?(?://)?(?:[^/?#@]{0,256}@)?"
    r"((?:[\w-]{1,63}\.){1,32}[\w-]{2,63}|(?:\d{1,3}\.){3}\d{1,3})\.?(?::\d{0,5})?(?:[/?#].*)?"
)
_WWW = re.compile(r"^www\d?\.(?=.*\.)")


def standardise_url(text: str, _options: Options) -> Standardised:
    """Standardise a web address; ``match`` is its host without ``www.``: scheme, port and path are not looked at.

    A text that holds no host name with a dot is invalid and has no match.
    """
    folded = normalize("NFKC", text.casefold()).replace(" ", "")
    found = _URL.fullmatch(folded)
    return Standardised(text, _WWW.sub("", found[1])) if found else Standardised(text, None, valid=False)
