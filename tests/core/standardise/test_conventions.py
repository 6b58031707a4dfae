"""Conventions of a source and of a record's own country: options, separators, dots in dates, digits that were lost."""

import pytest

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import MISSING, OverrideEvent, RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.ruleset import Attribute, Match, Ruleset, Source
from mdm_stream.core.standardise import STANDARDISERS, standardise_record, why_invalid
from mdm_stream.core.standardise.registry import freeze_options

MATCH = Match("fellegi_sunter", prior=0.001, link=0.85, review=0.5, deterministic=(), comparisons=())
PHONE = Attribute("phone", "phone", options={"region": "GB"}, multi=True, country="country")
PLACE = (PHONE, Attribute("postcode", "postcode", country="country"), Attribute("country", "country"))


def rules_of(*attributes, **sources):
    """Return a rule set of these attributes, and of sources by name."""
    declared = {name: Source(name, **given) for name, given in sources.items()}
    return Ruleset("person", 1, "0", attributes, declared, (), 200, 200, MATCH, ())


def one(rules, columns, source="crm"):
    """Return what the first attribute of a record is."""
    return standardise_record(rules, source, columns)[0]


def test_a_sources_options_go_above_the_attributes():
    """Each source reads by its own options, and by the attribute's where it has none; undeclared ones by those too."""
    rules = rules_of(PHONE, Attribute("country", "country"), de={"options": {"phone": {"region": "DE"}}}, uk={})
    assert one(rules, {"phone": "030 901820"}, "de").match == ("+4930901820",)
    for source in ("uk", "other"):
        assert one(rules, {"phone": "020 7946 0123"}, source).match == ("+442079460123",)


@pytest.mark.parametrize(
    ("kind", "options", "text", "default", "own"),
    [
        ("date", {"day_first": True}, "3/4/2020", "2020-03-04", "2020-04-03"),
        ("number", {"decimal_comma": True}, "1.234", "1.234", "1234"),
        ("full_name", {"order": "family_first"}, "Nagy Anna", "nagy anna", "anna nagy"),
        ("postcode", {"country": "DE"}, "1067", "1067", "01067"),
        ("category", {"synonyms": "w=f"}, "w", "w", "f"),
        ("text", {"separators": ";"}, "a; b", "a b", "a"),
    ],
)
def test_every_option_may_be_a_sources_own(kind, options, text, default, own):
    """Date order, decimal comma, name order, codes, synonyms and separators: one source's are not another's."""
    rules = rules_of(Attribute("x", kind), crm={}, erp={"options": {"x": options}})
    assert one(rules, {"x": text}).match == default
    assert one(rules, {"x": text}, "erp").match == own


def test_parts_of_a_full_name_follow_the_order_of_the_source():
    """A name that fills others is cut as its source writes names."""
    full = Attribute("full", "full_name", fills={"given": "given", "family": "family"})
    rules = rules_of(Attribute("given", "name"), Attribute("family", "name"), full, hu={
        "options": {"full": {"order": "family_first"}}, "columns": {"full": ("nev",)}
    })  # fmt: skip
    assert [each.match for each in standardise_record(rules, "hu", {"nev": "Nagy Anna"})[:2]] == ["anna", "nagy"]
    assert [each.match for each in standardise_record(rules, "web", {"full": "Anna Nagy"})[:2]] == ["anna", "nagy"]


def test_a_records_own_country_reads_its_national_numbers():
    """Numbers without a country code are of the record's country, whatever the attribute or the source says."""
    rules = rules_of(*PLACE, de={"columns": {"phone": ("tel",), "country": ("land",)}})
    read = {
        land: one(rules, {"tel": "030 901820", "land": land}, "de").match for land in ("DE", "Germany", "Deutschland")
    }
    assert set(read.values()) == {("+4930901820",)}
    assert one(rules, {"tel": ("030 901820", "+44 20 7946 0123"), "land": "DE"}, "de").match == (
        "+442079460123",
        "+4930901820",
    )
    for unknown in (None, "Atlantis", "AQ", "N/A"):
        assert one(rules, {"tel": "020 7946 0123", "land": unknown}, "de").match == ("+442079460123",)


def test_a_records_own_country_restores_the_zeros_of_its_postal_code():
    """A spreadsheet drops leading zeros; the country says how many digits there were, also against an option."""
    rules = rules_of(
        Attribute("code", "postcode", options={"country": "US"}, country="land"), Attribute("land", "country")
    )
    codes = {"DE": "01067", "NO": "0150", "US": "02134", "JP": "0600000", "FR": "01000", None: "02134"}
    for country, code in codes.items():
        assert one(rules, {"code": code.lstrip("0"), "land": country}).match == code
    assert one(rules, {"code": "1067", "land": "AT"}).match == "1067"


def test_a_country_of_its_own_is_remembered_apart():
    """The same text in two countries is two numbers, however often each is read, and in any order."""
    rules = rules_of(*PLACE)
    for _ in range(2):
        for country, match in (("DE", "+492034567890"), ("GB", "+442034567890"), ("DE", "+492034567890")):
            assert one(rules, {"phone": "0203 456 7890", "country": country}).match == (match,)


def test_an_override_is_read_as_of_the_records_country():
    """A steward who writes a national number of a record with a country means one of that country."""
    rules = rules_of(*PLACE)
    event = RecordEvent("person", "crm", "1", "upsert", 1, 0, {"country": "DE"})
    override = OverrideEvent("person", "crm/1", 1, 0, "kim", {"phone": "030 901820"})
    state = fold(fold(EMPTY, event, "crm/1").state, override, "crm/1").state
    (standing,) = build_record(rules, "crm/1", state).overrides
    assert standing.value.match == ("+4930901820",)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("03.04.2020", "2020-04-03"),
        ("3. 4. 20", "2020-04-03"),
        ("04.25.2020", "2020-04-25"),
        ("2020.04.03", "2020-04-03"),
        ("03.04.2020 12:30", "2020-04-03"),
        ("03/04/2020", "2020-03-04"),
        ("03-04-2020", "2020-03-04"),
    ],
)
def test_dots_say_that_the_day_comes_first(text, iso):
    """Dates with dots are read day first without being told so; other marks say nothing."""
    assert STANDARDISERS["date"](text, {}).value == iso


@pytest.mark.parametrize("separators", ["; /", ";  newline /", "/ ; |"])
def test_declared_separators_part_a_cell(separators):
    """Each part of a cell is a value of its own, as if they had been delivered as a list."""
    rules = rules_of(Attribute("phone", "phone", options={"region": "GB", "separators": separators}, multi=True))
    found = one(rules, {"phone": "020 7946 0123 / 020 7946 0999;"})
    assert found == one(rules, {"phone": ("020 7946 0123", "020 7946 0999")})
    assert found.match == ("+442079460123", "+442079460999")
    assert one(rules, {"phone": " ; / "}) is MISSING


def test_separators_part_joined_columns_and_lists_too():
    """Wherever a text stands, it is parted; a single-valued attribute takes the first usable part."""
    rules = rules_of(
        Attribute("city", "city", options={"separators": "newline |"}),
        crm={"columns": {"city": ("a", "b")}},
    )
    assert one(rules, {"a": "N/A|Hull", "b": "Leeds\nYork"}).value == "Hull Leeds"
    assert one(rules, {"city": "n/a\nHull"}, "web").value == "Hull"
    assert one(rules, {"city": ("|", "x|y")}, "web").value == "x"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "ann@x.example; ann.lee@work.example"),
        ("email", "ann@x.example ann.lee@work.example"),
        ("phone", "020 7946 0123 / 020 7946 0999"),
        ("phone", "5551234;5559876"),
        ("phone", "020 7946 0123 or 07700 900123"),
        ("phone", "020 7946 0123\n020 7946 0999"),
        ("identifier", "AB123456; CD987654"),
        ("identifier", "123456780,987654322"),
        ("date", "1980-01-02 / 1981-03-04"),
        ("country", "DE; AT"),
        ("url", "a.example, b.example"),
    ],
)
def test_an_undeclared_separator_is_told_and_is_no_evidence(kind, text):
    """A cell of two values is invalid and whole, says why, and never meets another record as one joined value."""
    found = STANDARDISERS[kind](text, {"region": "GB"})
    assert not found.valid
    assert found.match is None or kind == "country"
    assert why_invalid(kind, found.value, freeze_options(kind, {"region": "GB"})) == "several_values"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("phone", "030/9018200"),
        ("phone", "030 901820/21"),
        ("identifier", "181/815/08155"),
        ("email", "ann@@x.example"),
    ],
)
def test_one_value_with_a_mark_in_it_stays_one(kind, text):
    """An area code, a range of extensions, a register's number and a slip of the pen are not two values."""
    assert STANDARDISERS[kind](text, {"region": "DE"}).match


@pytest.mark.parametrize("kind", sorted(set(STANDARDISERS) - {"number", "verbatim"}))
@pytest.mark.parametrize("text", ["1.91431E+18", "4.479E+11", "7.700900123E9", "1E+15", "9,91214E+15"])
def test_scientific_notation_has_lost_its_digits(kind, text):
    """What a spreadsheet rounded is no value: it neither matches nor survives, and says why."""
    assert STANDARDISERS[kind](text, {}) == MISSING
    assert why_invalid(kind, text) == "scientific_notation"


@pytest.mark.parametrize("text", ["12E5", "1E5", "E12", "1e", "1.5E", "3.5.E+2"])
def test_codes_with_an_e_are_codes(text):
    """A product code that happens to hold an E between digits is not a number in scientific notation."""
    assert STANDARDISERS["identifier"](text, {}).valid


def test_a_float_beyond_what_floats_hold_has_lost_its_digits():
    """An integer of 17 digits that came as a float may be another's; as a number it still is what it is."""
    rules = rules_of(Attribute("id", "identifier"), Attribute("amount", "number"))
    found, amount = standardise_record(rules, "crm", {"id": 1.9143112345678e18, "amount": 1.5e18})
    assert found == MISSING
    assert amount.value == "1500000000000000000"
    assert one(rules, {"id": 1914311234567890123}).match == "1914311234567890123"


def test_scientific_notation_of_a_number_is_that_number():
    """An amount may be rounded: it is not somebody else's."""
    assert STANDARDISERS["number"]("1.5E+3", {}).value == "1500"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("07700 900123", "wrong_form"), ("0207946 0123 / 07700 900123", "several_values")],
)
def test_half_a_number_is_no_second_value(text, reason):
    """A number of no plan that is written with a space is one; two numbers of which one is of no plan are two."""
    assert why_invalid("phone", text, freeze_options("phone", {"region": "GB"})) == reason
