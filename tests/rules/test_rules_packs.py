"""What the packs decide on pairs that every data set of their kind has. The values are invented, the cases general."""

import functools

import pytest

from mdm_stream.core.blocking.keys import blocking_keys
from mdm_stream.core.match.score import score_pair
from mdm_stream.core.standardise import standardise_record
from mdm_stream.rules import load_ruleset

PERSON = {
    "given_name": "Katherine",
    "family_name": "Osborne",
    "birth_date": "1984-05-17",
    "email": "kosborne@example.com",
    "phone": "+1 212 555 2143",
    "street": "48 Linden Avenue",
    "city": "Hartford",
    "postcode": "06103",
}
COMPANY = {
    "name": "Tollgate Precision Castings Ltd",
    "street": "Unit 4, 12 Foundry Lane",
    "city": "Leeds",
    "postcode": "LS9 8AB",
    "phone": "+44 113 496 0217",
    "website": "https://www.tollgatecastings.example",
    "registration_no": "07316482",
}


@functools.cache
def _rules(pack):
    return load_ruleset(pack)


def _match(pack, record):
    return tuple(value.match for value in standardise_record(_rules(pack), "any", record))


def _decide(pack, a, b):
    """Return link, review or none; a pair that shares no blocking key is none."""
    left, right = _match(pack, a), _match(pack, b)
    if not set(blocking_keys(_rules(pack), left)) & set(blocking_keys(_rules(pack), right)):
        return "none"
    score = score_pair(_rules(pack), left, right)
    return "none" if score is None else ("link" if score.link else "review")


def _changed(record, **changes):
    return {key: value for key, value in {**record, **changes}.items() if value is not None}


SAME_PERSON = {
    "nothing changed": {},
    "nickname": {"given_name": "Kate"},
    "initial": {"given_name": "K"},
    "slip in the given name": {"given_name": "Kathreine"},
    "slip in the family name": {"family_name": "Osbourne"},
    "names exchanged": {"given_name": "Osborne", "family_name": "Katherine"},
    "one full name": {"given_name": None, "family_name": None, "full_name": "Osborne, Katherine"},
    "married": {"family_name": "Delacroix"},
    "one digit of the birth date": {"birth_date": "1984-05-11"},
    "another birth date entirely, moved": {"birth_date": "1979-11-02", "street": "9 Quay Road", "postcode": "06511"},
    "moved": {"street": "9 Quay Road", "city": "New Haven", "postcode": "06511"},
    "moved and new phone": {"street": "9 Quay Road", "city": "New Haven", "postcode": "06511", "phone": "2035552188"},
    "new email and phone": {"email": "kate84@example.org", "phone": "2035552188"},
    "phone written otherwise": {"phone": "(212) 555-2143"},
    "only name and email": dict.fromkeys(("birth_date", "phone", "street", "city", "postcode")),
    "only name and birth date": dict.fromkeys(("email", "phone", "street", "city", "postcode")),
    "only name and phone": dict.fromkeys(("birth_date", "email", "street", "city", "postcode")),
    "only name and address": dict.fromkeys(("birth_date", "email", "phone")),
    "no given name": {"given_name": None},
    "no family name": {"family_name": None},
    "no names": {"given_name": None, "family_name": None},
    "given name and birth date": dict.fromkeys(("family_name", "email", "phone", "street", "city", "postcode")),
    "family name and email": dict.fromkeys(("given_name", "birth_date", "phone", "street", "city", "postcode")),
    "one half of a double name": {"family_name": "Osborne Delacroix"},
    "a few days off": {"birth_date": "1984-06-02"},
    "only the year of birth": {"birth_date": "1984-01-01"},
    "flat left out": {"street": "48 Linden Avenue, Flat 3"},
    "street abbreviated": {"street": "48 Linden Ave."},
}


@pytest.mark.parametrize("changes", SAME_PERSON.values(), ids=SAME_PERSON)
def test_one_person_is_linked_through_an_ordinary_change(changes):
    """A slip, a move, a marriage or missing fields do not part a person's records."""
    assert _decide("person", PERSON, _changed(PERSON, **changes)) == "link"


def test_a_birth_date_with_day_and_month_exchanged_does_not_part_a_person():
    """The commonest confusion of dates costs a little evidence, not the link."""
    record = _changed(PERSON, birth_date="1984-05-12", email=None, phone=None)
    assert _decide("person", record, _changed(record, birth_date="1984-12-05")) == "link"


ANOTHER_PERSON = {
    "spouse": {"given_name": "Matthew", "birth_date": "1981-02-23", "email": "mosborne@example.com"},
    "spouse with one email": {"given_name": "Matthew", "birth_date": "1981-02-23"},
    "spouse, no birth date": {"given_name": "Matthew", "birth_date": None, "email": None},
    "sibling": {"given_name": "Ruth", "birth_date": "1987-09-30", "email": None},
    "twin": {"given_name": "Ruth", "email": "ruth@example.com"},
    "twin with one email": {"given_name": "Ruth"},
    "child of another name": {"given_name": "Oliver", "birth_date": "2011-07-04", "email": None, "phone": None},
    "namesake elsewhere": {
        "birth_date": "1962-10-29",
        "email": "kath62@example.net",
        "phone": "+1 415 555 2172",
        "street": "7 Harbor Street",
        "city": "Oakland",
        "postcode": "94607",
    },
    "household, no given name": dict.fromkeys(("given_name", "birth_date", "email")),
    "household of two family names, no given name": {
        **dict.fromkeys(("given_name", "birth_date", "email")),
        "family_name": "Whitlock",
    },
    "namesake in one house, no birth date": {
        "birth_date": None,
        "email": "kath62@example.net",
        "phone": "+1 860 555 2172",
    },
    "namesake in one city": dict.fromkeys(("birth_date", "email", "phone", "street", "postcode")),
    "one email and nothing else": dict.fromkeys(
        ("given_name", "family_name", "birth_date", "phone", "street", "city", "postcode")
    ),
    "namesake of whom no more is known": dict.fromkeys(("birth_date", "email", "phone", "street", "city", "postcode")),
    "neighbour": {
        "given_name": "Simon",
        "family_name": "Whitlock",
        "birth_date": "1950-01-19",
        "email": None,
        "phone": None,
    },
    "colleague at one switchboard": {
        "given_name": "Simon",
        "family_name": "Whitlock",
        "birth_date": None,
        "email": None,
        "street": None,
        "postcode": None,
    },
}


@pytest.mark.parametrize("changes", ANOTHER_PERSON.values(), ids=ANOTHER_PERSON)
def test_another_person_is_never_linked_for_what_a_household_shares(changes):
    """Family name, dwelling, phone and even email together do not make one person of two."""
    assert _decide("person", PERSON, _changed(PERSON, **changes)) != "link"


@pytest.mark.parametrize("shared", [("phone",), ()], ids=["one phone", "own phones"])
def test_a_father_and_son_of_one_name_are_not_linked(shared):
    """The same name in the same house with birth dates a generation apart is at most a question for a person."""
    son = _changed(PERSON, birth_date="1952-08-01", email=None)
    if "phone" not in shared:
        son["phone"] = "+1 860 555 2119"
    assert _decide("person", PERSON, son) != "link"


def test_an_official_number_with_the_birth_date_outweighs_the_names():
    """A change of both names is recognised by number and birth date."""
    a = {"given_name": "Yevgeniya", "family_name": "Sorokina", "birth_date": "1990-03-08", "national_id": "AB481516"}
    b = {**a, "given_name": "Jane", "family_name": "Holloway"}
    assert _decide("person", a, b) == "link"


SAME_COMPANY = {
    "nothing changed": {},
    "another legal form": {"name": "Tollgate Precision Castings PLC"},
    "words reordered": {"name": "Castings, Tollgate Precision", "registration_no": None},
    "name shortened": {"name": "Tollgate Precision", "registration_no": None},
    "acronym": {"name": "TPC Ltd", "registration_no": None, "phone": None},
    "acronym at one street": {"name": "TPC", "registration_no": None, "phone": None, "website": None},
    "slip in the name": {"name": "Tollgate Precison Castings Ltd", "registration_no": None, "website": None},
    "trading name": {"name": "Northgate Metalworks"},
    "moved": {"street": "80 Canal Road", "postcode": "LS12 2QP", "phone": None},
    "only name and address": dict.fromkeys(("phone", "website", "registration_no")),
    "only name and number": dict.fromkeys(("street", "city", "postcode", "phone", "website")),
    "only name and phone": dict.fromkeys(("street", "city", "postcode", "website", "registration_no")),
}


@pytest.mark.parametrize("changes", SAME_COMPANY.values(), ids=SAME_COMPANY)
def test_one_organisation_is_linked_through_an_ordinary_change(changes):
    """Legal forms, word order, shortened names and missing fields do not part an organisation's records."""
    assert _decide("organisation", COMPANY, _changed(COMPANY, **changes)) == "link"


ANOTHER_COMPANY = {
    "tenant of the same house": {
        "name": "Birchwood Legal Services",
        "phone": None,
        "website": None,
        "registration_no": None,
    },
    "sister with its own number": {"name": "Tollgate Packaging Ltd", "registration_no": "09924417", "phone": None},
    "sister at the head office": {"name": "Tollgate Packaging Ltd", "registration_no": None},
    "branch in town": {
        "street": "3 Dock Street",
        "postcode": "LS2 1AA",
        "phone": "+44 113 496 0621",
        "registration_no": None,
    },
    "name and city": dict.fromkeys(("street", "postcode", "phone", "website", "registration_no")),
    "branch elsewhere": {
        "street": "3 Dock Street",
        "city": "Hull",
        "postcode": "HU1 1AA",
        "phone": "+44 1482 496021",
        "registration_no": None,
    },
    "name alone": dict.fromkeys(("street", "city", "postcode", "phone", "website", "registration_no")),
}


@pytest.mark.parametrize("changes", ANOTHER_COMPANY.values(), ids=ANOTHER_COMPANY)
def test_another_organisation_is_not_linked_for_what_a_group_or_house_shares(changes):
    """A shared house, website or part of a name does not make one organisation of two."""
    assert _decide("organisation", COMPANY, _changed(COMPANY, **changes)) != "link"


@pytest.mark.parametrize("pack", ["person", "organisation"])
def test_a_record_gets_few_keys_and_none_from_an_empty_one(pack):
    """Indexing a record is cheap (those that refine others counted), and records without values never meet."""
    record = PERSON if pack == "person" else COMPANY
    assert 4 <= len(blocking_keys(_rules(pack), _match(pack, record))) <= 26
    assert blocking_keys(_rules(pack), _match(pack, {})) == ()


@pytest.mark.parametrize("pack", ["person", "organisation"])
@pytest.mark.parametrize("dropped", ["one", "two"])
def test_copies_meet_whichever_one_or_two_fields_are_missing(pack, dropped):
    """Blocking has several independent ways to bring two records together."""
    record = PERSON if pack == "person" else COMPANY
    for first in record:
        for second in record if dropped == "two" else [first]:
            assert _decide(pack, record, {k: v for k, v in record.items() if k not in (first, second)}) == "link"
