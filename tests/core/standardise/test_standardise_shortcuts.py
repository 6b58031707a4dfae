"""Shortcuts in the standardisers change how fast they are, and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nameparser import Role

from mdm_stream.core.standardise import addresses, contacts, names
from mdm_stream.core.standardise.text import fold

ORDERS = st.sampled_from(names.NAME_ORDERS)
NAME_WORDS = st.one_of(
    st.sampled_from(["ann", "Anna", "SMITH", "jones", "Ivanovich", "aliyev", "oglu", "ph", "xi", "vi", "ma", "jo"]),
    st.sampled_from(sorted(names._WORDS_OF_MEANING)),
    st.text("abeimovx", min_size=1, max_size=6),
)
DIGITS = st.text("0123456789", min_size=1, max_size=6)
SEPARATORS = st.sampled_from([" ", "-", ".", ") ", ")", " (", "-("])


def parsed(text: str, order: str) -> tuple[str, ...]:
    """Return a name's parts by the parser alone."""
    roles = (Role.GIVEN, Role.MIDDLE, Role.FAMILY)
    tokens = names._PARSERS[order].parse(text.lower()).tokens
    found = [
        [text[token.span.start : token.span.end].strip(" ,") for token in tokens if token.role is r] for r in roles
    ]
    return tuple(" ".join(part) for part in found)


@settings(max_examples=300, deadline=None)
@given(st.lists(NAME_WORDS.filter(str.isascii), min_size=2, max_size=4).map(" ".join), ORDERS)
def test_plain_names_have_the_parts_that_the_parser_finds(text: str, order: str) -> None:
    """A name read by its words' places has the parts that the parser finds, unless a word may mean more."""
    text = text.lower()
    if names._PLAIN_NAME.fullmatch(text) and not names._needs_parser(text.split(" ")):
        assert names._parts_of(text, order) == parsed(text, order)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["", "+", "("]),
    st.lists(DIGITS, min_size=1, max_size=5),
    st.lists(SEPARATORS, min_size=4, max_size=4),
    st.sampled_from(["US", "GB", "DE", "IT", "AU", "RU", "BR", "MX"]),
)
def test_phones_are_parsed_alike_without_separators(first: str, groups: list, between: list, region: str) -> None:
    """Of a number whose groups have separators, its digits alone are parsed: the whole text gives the same."""
    text = first + groups[0] + "".join(mark + group for mark, group in zip(between, groups[1:], strict=False))
    digits = contacts._digits_of(text)
    if len(digits) >= contacts.PHONE_DIGITS_MIN and contacts._SEPARATED.fullmatch(text):
        compact = "+" + digits if first == "+" else digits
        assert contacts._parse(compact, region) == contacts._parse(text, region)


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789", min_size=5, max_size=14), st.sampled_from([*"17", "44", "39", "49", "52", "55", "61"]))
def test_a_number_that_keeps_its_digits_is_read_again_as_itself(digits: str, country: str) -> None:
    """Where no trunk prefix may be lost, the E.164 form of a valid number is read as the same number."""
    number = contacts._number(f"+{country}{digits}", None)
    if number is not None and contacts.phonenumbers.is_valid_number(number):
        e164, stable, national = contacts._described(number, valid=True)
        assert stable == (contacts._number(e164, None) == number), national


@pytest.mark.parametrize(
    "text",
    [
        *(
            "PO Box 12",
            "p.o. box 7",
            "GPO Box 1",
            "pob 3",
            "p o b 4",
            "Postal Box 5",
            "post office box 6",
            "Postfach 7",
        ),
        *(
            "Postbus 8",
            "boite postale 9",
            "b.p. 10",
            "bp 11",
            "apartado 12",
            "apartado postal 13",
            "casella postale 14",
        ),
        *("locked bag 15", "private bag no. 16"),
    ],
)
def test_every_way_of_writing_a_post_office_box_is_looked_for(text: str) -> None:
    """The cheap look at a line's letters passes over no form of a post office box."""
    assert addresses._PO_BOX.search(fold(text))
    assert addresses._may_name_box(fold(text))


WRAPPING = re.compile(r"^(?:.*<\s*)?(?:mailto:)?\s*([^<>]*?)\s*(?:>.*)?[;,.\s]*$")
"""What may stand around an address, as a regular expression, which takes time that grows with the square of it."""


@given(st.lists(st.sampled_from(["ann", "@", "b.de", "<", ">", "mailto:", ";", ",", ".", " ", "+", "-"]), max_size=12))
def test_an_address_is_found_in_what_stands_around_it(pieces: list[str]) -> None:
    """What is taken off an address in one pass is what the regular expression takes off."""
    text = " ".join("".join(pieces).split())
    found = WRAPPING.match(text)
    assert found is not None
    assert contacts._inside(text) == found[1]
    if contacts._BARE_EMAIL.fullmatch(text):
        assert found[1] == text == contacts._unwrapped_email(text)
