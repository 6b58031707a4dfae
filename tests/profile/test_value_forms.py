"""The forms of values: what a text looks like, in any language, whatever column it stands in."""

# ruff: noqa: RUF001 - values in the scripts that they are written in

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.profile.columns.value_forms import VALUE_FORMS, form_shares, forms_of, shape_of

HAVE = [
    ("email", "j.dvořák@příklad.example"), ("email", "mailto:info@firma.example"),
    ("url", "https://www.firma.example/kontakt"), ("url", "firma.example"),
    ("date", "1980-04-03"), ("date", "03.04.1980"), ("date", "4/3/80"), ("date", "3 avril 1980"), ("date", "19800403"),
    ("clock", "2024-05-06T07:08:09Z"), ("clock", "06.05.2024 07:08"),
    ("marked_phone", "+49 30 1234567"), ("marked_phone", "(02) 9876 5432"), ("marked_phone", "310/246-1501"),
    ("phone", "4930123456"),
    ("own_postcode", "SW1A 1AA"), ("own_postcode", "00-950"), ("own_postcode", "1012 AB"), ("postcode", "10115"),
    ("iban", "DE89 3704 0044 0532 0130 00"), ("gtin", "4006381333931"), ("isbn", "0-306-40615-2"),
    ("isbn", "978-3-16-148410-0"), ("vat", "DE123456789"), ("uuid", "0b2f7d4e-6f0e-4a7e-9d6e-0c3b2a1f0e9d"),
    ("number", "1.234,50"), ("number", "1 234.5"), ("money", "€ 12,90"), ("money", "$329.00"),
    ("country", "Deutschland"), ("sex", "weiblich"), ("sex", "Ж"), ("sex", "女"),
    ("given_name", "Ольга"), ("family_name", "佐藤"),
    ("full_name", "佐藤 翔太"), ("full_name", "Смирнова Ольга"), ("full_name", "María Hinojosa"), ("letters", "सुनीता"),
    ("letters", "O’Brien-Smith"), ("letters", "محمد"),
    ("organisation", "Dornbusch GmbH & Co. KG"), ("organisation", "ООО Ромашка"), ("organisation", "株式会社さくら"),
    ("organisation", "Isard Transports SARL"), ("organisation", "Ilgaz Tekstil Ltd. Şti."),
    ("street", "Gartenstr. 12"), ("street", "ул. Садовая 5"), ("street", "Calle Mayor 3"),
    ("street", "12 North High Street"),
    ("street", "東京都港区芝公園4-2-8"), ("address", "Gartenstr. 12, 10115 Berlin"),
    ("text", "a text of more than a handful of words"),
]  # fmt: skip
LACK = [
    ("date", "12345"), ("date", "030 901820"), ("date", "12"), ("email", "a@b"), ("gtin", "4006381333932"),
    ("gtin", "0000000000000"),
    ("iban", "DE88 3704 0044 0532 0130 00"), ("isbn", "0-306-40615-3"), ("url", "12.50"), ("marked_phone", "12345678"),
    ("marked_phone", "1980-04-03"), ("organisation", "Anna Maria"), ("letters", "K7 01"),
    ("full_name", "Dornbusch GmbH"),
    ("street", "中村"), ("postcode", "abc"), ("number", "12a"), ("uuid", "not-a-uuid"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "text"), HAVE)
def test_a_value_has_its_form(form, text):
    """A value is known for what it is, in its own language and script."""
    assert form in forms_of(text)


@pytest.mark.parametrize(("form", "text"), LACK)
def test_a_value_has_no_form_that_it_only_resembles(form, text):
    """A wrong check digit, a number or a name is not taken for what it is not."""
    assert form not in forms_of(text)


@given(st.text(max_size=120))
def test_every_text_has_some_forms(text):
    """Any text whatever can be looked at, and says the same each time."""
    assert forms_of(text) <= VALUE_FORMS.keys()
    assert forms_of(text) == forms_of(text)


@given(st.lists(st.text(min_size=1, max_size=20), max_size=20))
def test_shares_are_shares(values):
    """The share of a form is above nothing, and of all values at most; their order does not matter."""
    found = form_shares(values)
    assert all(0 < share <= 1 for share in found.values())
    assert found == form_shares(values[::-1])


@given(st.text(max_size=60))
def test_a_shape_keeps_no_letter_and_no_digit(text):
    """A shape says how a value is written: it has no other letters than a and A, no other digit than 9 and a count."""
    shape = shape_of(text)
    assert len(shape) <= 40
    assert all(character in "aA" for character in shape if character.isascii() and character.isalpha())
