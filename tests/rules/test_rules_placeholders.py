"""Placeholders of the packs and of a company's own list: kept as delivered, no evidence, never a golden value."""

from pathlib import Path

import pytest

from mdm_stream.core.model import MISSING, RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.core.standardise import set_aside, standardise_record
from mdm_stream.errors import RulesError
from mdm_stream.rules import load_ruleset

ROOT = Path(__file__).resolve().parents[2]
PERSON, ORGANISATION = load_ruleset("person"), load_ruleset("organisation")

PLACEHOLDERS = [
    ("birth_date", "1970-01-01"), ("birth_date", "01.01.1970"), ("birth_date", "1970-01-01T00:00:00Z"),
    ("birth_date", "1969-12-31 19:00:00"), ("birth_date", "1900-01-01"), ("birth_date", "9999-12-31"),
    ("birth_date", "4712-12-31"), ("birth_date", "0000-00-00"), ("birth_date", "unbekannt"),
    ("given_name", "Baby Boy"), ("given_name", "BABY GIRL B"), ("given_name", "b/o Smith"), ("given_name", "Newborn"),
    ("given_name", "Recién nacido"), ("given_name", "Twin A"), ("given_name", "Unbekannt"), ("given_name", "不详"),
    ("email", "no-reply@shop.example"), ("email", "noreply-crm@shop.example"), ("email", "notgiven@hospital.example"),
    ("email", "anonymous@x.example"), ("email", "keine.email@x.example"), ("email", "unknown4711@x.example"),
    ("email", "brak@x.example"), ("email", "sin-correo@x.example"),
    ("phone", "512-555-0101"), ("phone", "+1 (212) 555-0199"), ("phone", "555-0123"), ("phone", "999-999-9999"),
    ("phone", "+44 0000000000"), ("phone", "1-555-123-4567"),
    ("tax_id", "DE999999999"), ("tax_id", "00000000T"), ("tax_id", "999-99-9999"), ("national_id", "123-45-6789"),
    ("national_id", "078 05 1120"), ("tax_id", "12.345.678-9"), ("national_id", "keine Angabe"),
    ("city", "ninguna"), ("city", "нет"), ("street", "keine"), ("city", "なし"), ("city", "غير معروف"),
]  # fmt: skip
VALUES = [
    ("birth_date", "1970-01-02"), ("birth_date", "1980-01-01"), ("given_name", "Babette"), ("given_name", "Twinkle"),
    ("given_name", "Ingen"), ("family_name", "Brak"), ("family_name", "Boy"), ("given_name", "Null"),
    ("email", "nora@x.example"), ("email", "brakman@x.example"), ("email", "na1985@x.example"),
    ("phone", "512-555-2101"), ("phone", "+44 20 7946 0123"), ("phone", "+49 69 910 00"),
    ("tax_id", "DE999999998"), ("national_id", "AB111112"), ("region", "NC"), ("region", "N.D."), ("region", "S.D."),
]  # fmt: skip


def standardised(attribute, text):
    """One attribute of a record that holds nothing else."""
    return standardise_record(PERSON, "any", {attribute: text})[PERSON.index_of(attribute)]


@pytest.mark.parametrize(("attribute", "text"), PLACEHOLDERS)
def test_a_known_placeholder_is_no_value(attribute, text):
    """What public lists name as a default, a test value or a way to say nothing counts as absent, and is told."""
    assert standardised(attribute, text) is MISSING
    columns = {attribute: text}
    told = list(set_aside(PERSON, "any", columns, standardise_record(PERSON, "any", columns)))
    assert told == [(PERSON.index_of(attribute), "placeholder")]


@pytest.mark.parametrize(("attribute", "text"), VALUES)
def test_what_only_looks_like_a_placeholder_is_a_value(attribute, text):
    """Real names, dates beside the defaults, codes of states and ordinary numbers keep their match."""
    assert standardised(attribute, text).match


def test_the_organisation_pack_knows_test_numbers_too():
    """A company's fictional phone is as little evidence as a person's."""
    phone = ORGANISATION.index_of("phone")
    assert standardise_record(ORGANISATION, "any", {"phone": "512-555-0177"})[phone] is MISSING


def state_of(rules, *records):
    """F of some records, each one whole write of the source ``crm``."""
    events = [
        RecordEvent("person", "crm", str(number), "upsert", 1, number, attributes)
        for number, attributes in enumerate(records)
    ]
    return resolve(rules, events)


def test_two_strangers_with_a_zero_date_stay_two():
    """One name and a date that a database wrote for none make no person of two, and no golden record shows the date."""
    maria = {"given_name": "Maria", "family_name": "Garcia", "birth_date": "1970-01-01"}
    found = state_of(PERSON, {**maria, "city": "Austin"}, {**maria, "city": "Newark"})
    assert len(found.golden) == 2
    assert not any("birth_date" in each["values"] for each in found.golden.values())


def test_a_real_value_survives_beside_a_placeholder():
    """However new and trusted its record is, a placeholder takes no real value's place, in no strategy."""
    same = {"given_name": "Maria", "family_name": "Garcia", "email": "mgarcia77@x.example", "street": "1 Elm St"}
    found = state_of(PERSON, {**same, "birth_date": "1980-02-03"}, {**same, "birth_date": "1970-01-01"})
    (golden,) = found.golden.values()
    assert (len(golden["members"]), golden["values"]["birth_date"]) == (2, "1980-02-03")


OWN = """\
extends: person
version: 1
placeholders:
  desk: {attributes: email, values: reception@clinic.example, patterns: "ward[0-9]+@clinic\\\\.example"}
  zero_dates: {remove: true}
"""


def test_a_list_of_its_own_adds_and_takes_away(tmp_path):
    """A company names its own placeholders, exact or by pattern, and may take a list of the pack away."""
    path = tmp_path / "rules.yaml"
    path.write_text(OWN)
    rules = load_ruleset(path)
    email, born = rules.index_of("email"), rules.index_of("birth_date")
    for text in ("reception@clinic.example", "Reception@Clinic.Example", "ward12@clinic.example"):
        assert standardise_record(rules, "any", {"email": text})[email] is MISSING
    kept = standardise_record(rules, "any", {"email": ("ward12@clinic.example", "a.lee@clinic.example")})[email]
    assert kept.match == ("a.lee@clinic.example",)
    assert standardise_record(rules, "any", {"birth_date": "1970-01-01"})[born].match == "1970-01-01"


def test_a_rule_set_without_an_attribute_has_the_rest_of_its_packs_lists():
    """A company that takes an attribute of the pack away has not to take it out of the pack's lists as well."""
    company = load_ruleset(ROOT / "examples" / "rules" / "company.yaml")
    assert "tax_id" not in [attribute.name for attribute in company.attributes]
    (known,) = (each for each in company.placeholders if "078-05-1120" in each.values)
    assert known.attributes == (company.index_of("national_id"),)


@pytest.mark.parametrize("pattern", ["", ".*", "a?", "x|"])
def test_a_pattern_that_an_empty_text_matches_is_refused(pattern, tmp_path):
    """It would match every value, or none: the error names the line, before values vanish from golden records."""
    path = tmp_path / "rules.yaml"
    path.write_text(f"extends: person\nversion: 1\nplaceholders:\n  x:\n    type: email\n    patterns: ['{pattern}']\n")
    with pytest.raises(RulesError, match=r"rules\.yaml:6: the pattern matches an empty text"):
        load_ruleset(path)
