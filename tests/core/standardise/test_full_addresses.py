"""Addresses on one line: their parts, which are those of the same address in columns."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.standardise import STANDARDISERS
from mdm_stream.core.standardise.registry import freeze_options, split_text

PARTS = ("street", "city", "region", "postcode", "country")


def parts(text: str) -> dict[str, str]:
    """Return the parts of an address."""
    return dict(split_text("full_address", freeze_options("full_address", {}), text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Flat 4, 12 High Street, Leeds LS1 4AB, UK", ("Flat 4, 12 High Street", "Leeds", "", "LS1 4AB", "UK")),
        ("12 High Street Leeds LS1 4AB", ("12 High Street", "Leeds", "", "LS1 4AB", "")),
        (
            "12 High Street, Leeds, West Yorkshire, LS1 4AB",
            ("12 High Street", "Leeds", "West Yorkshire", "LS1 4AB", ""),
        ),
        ("Hauptstr. 5, 80331 München, Deutschland", ("Hauptstr. 5", "München", "", "80331", "Deutschland")),
        ("Hauptstr. 5 80331 München", ("Hauptstr. 5", "München", "", "80331", "")),
        ("Keizersgracht 12, 1015 AB Amsterdam, NL", ("Keizersgracht 12", "Amsterdam", "", "1015 AB", "NL")),
        ("ul. Marszałkowska 5/3, 00-624 Warszawa", ("ul. Marszałkowska 5/3", "Warszawa", "", "00-624", "")),
        ("Via Roma 1, 00100 Roma RM, Italia", ("Via Roma 1", "Roma", "RM", "00100", "Italia")),
        (
            "120 N Main St Apt 3B, Springfield, IL 62701-1234, USA",
            ("120 N Main St Apt 3B", "Springfield", "IL", "62701-1234", "USA"),
        ),
        ("120 N Main St Springfield IL 62701", ("120 N Main St", "Springfield", "IL", "62701", "")),
        ("12345 Main Street, Denver, CO 80202", ("12345 Main Street", "Denver", "CO", "80202", "")),
        ("5/3 Beach Road, Perth WA 6000, Australia", ("5/3 Beach Road", "Perth", "WA", "6000", "Australia")),
        ("1 Main St, Toronto, ON M5V 2T6, Canada", ("1 Main St", "Toronto", "ON", "M5V 2T6", "Canada")),
        ("12 MG Road, Mumbai 400001, India", ("12 MG Road", "Mumbai", "", "400001", "India")),
        ("The Old Mill, York", ("The Old Mill", "York", "", "", "")),
        ("somewhere", ("somewhere", "", "", "", "")),
    ],
)
def test_parts_of_an_address(text: str, expected: tuple[str, ...]) -> None:
    """A postcode and commas tell the parts, after the city, after the state or before the city."""
    found = parts(text)
    assert tuple(found.get(part, "") for part in PARTS) == expected


@given(st.text(st.sampled_from("ab 12,;-/RdStLS1AB Köln"), max_size=40))
def test_parts_are_taken_from_the_address(text: str) -> None:
    """Whatever the line, no part holds a word that it does not."""
    known = words_of(text)
    for part in parts(text).values():
        assert words_of(part) <= known


def words_of(text: str) -> set[str]:
    """The words of a line: what stands between blanks and the marks that a part may be cut off at."""
    return set(re.split(r"[\s,;/-]+", text)) - {""}


@pytest.mark.parametrize(
    ("text", "country", "match"),
    [
        ("5/3 Beach Road", "AU", "3 beach rd unit5"),
        ("5/3 Beach Road", "", "3 beach rd unit5"),
        ("Unit 5, 3 Beach Road", "AU", "3 beach rd unit5"),
        ("Marszałkowska 5/3", "PL", "5 marszalkowska unit3"),
        ("Marszałkowska 5/3", "", "5 marszalkowska unit3"),
        ("Marszałkowska 5 m. 3", "PL", "5 marszalkowska unit3"),
        ("ул. Ленина 5, кв. 3", "RU", "5 lenina ul unit3"),
        ("ul Lenina 5/3", "RU", "5 lenina ul unit3"),
    ],
)
def test_which_of_two_numbers_is_the_house(text: str, country: str, match: str) -> None:
    """The country says it, and where it is not known, on which side of the street's name the numbers stand."""
    assert STANDARDISERS["address"](text, {"country": country}).match == match
