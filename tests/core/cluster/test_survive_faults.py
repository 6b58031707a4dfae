"""Survivorship where a strategy's plain meaning was missed: one test a fault, and its kin."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from survive_world import golden, record, rules_of, strategies, survivors

from mdm_stream.core.cluster.survive import survive
from mdm_stream.core.model import Standardised
from mdm_stream.core.ruleset import Attribute
from mdm_stream.index.redis.codec import decode_record, encode_record
from mdm_stream.rules import load_ruleset

EMAIL = Attribute("email", "email", multi=True)
CODES = Attribute("code", "identifier", pattern="[A-Z][0-9]+", multi=True)
TEXT = Attribute("text", "text")
NUMBER = Attribute("number", "text")
ADDRESS = tuple(Attribute(name, "text") for name in ("street", "city", "postcode"))
UNION = strategies("valid_only", "union")


def test_a_union_of_valid_values_has_no_invalid_one():
    """A record with a valid and an invalid email gives the valid one, alone in its cluster and among others."""
    rules = rules_of(EMAIL, by=UNION)
    mixed = {"crm/1": (0, {"email": ("a@x.org", "not an email")})}
    assert golden(rules, mixed) == {"email": ("a@x.org",)}
    assert golden(rules, mixed | {"erp/1": (0, {"email": ("b@x.org",)})}) == {"email": ("a@x.org", "b@x.org")}
    assert golden(rules, {"crm/1": (0, {"email": ("not an email",)})}) == {}


def test_valid_only_drops_single_values_before_any_strategy():
    """What was dropped neither survives nor decides, whichever strategy comes next; no origin is left over."""
    for by in ("most_recent", "longest", "most_frequent", "max", "most_complete"):
        rules = rules_of(CODES, by=strategies("valid_only", by))
        kept = survivors(rules, {"crm/1": (1, {"code": ("A1", "???", "zz")}), "erp/1": (0, {"code": ("A1",)})})
        assert kept["code"].value == ("A1",)
    rules = rules_of(CODES, by=UNION)
    (kept,) = survivors(rules, {"crm/1": (1, {"code": ("A1", "B2", "zz")})}).values()
    assert len(kept.value) == len(kept.origins) == 2


def test_valid_only_keeps_a_group_whole():
    """In a group a record with an invalid value is left out; a multi-valued attribute only loses single values."""
    rules = rules_of(Attribute("id", "identifier", pattern="[0-9]+"), CODES, by=strategies("valid_only", "most_recent"))
    good = {"id": "1", "code": ("A1", "zz")}
    assert golden(rules, {"crm/1": (0, good), "erp/1": (9, {"id": "x", "code": ("B1",)})}) == {
        "id": "1",
        "code": ("A1",),
    }
    assert golden(rules, {"crm/1": (0, good), "erp/1": (9, {"id": "2", "code": ("zz",)})})["id"] == "1"


def test_which_values_are_invalid_is_stored():
    """A record read from an index is the record that was written, invalid single values included."""
    rules = rules_of(CODES, by=UNION)
    for values in (("A1", "zz"), ("zz", "yy"), ("A1", "B2")):
        held = record(rules, "crm/1", {"code": values})
        assert decode_record("crm/1", encode_record(held)) == held
    assert record(rules, "crm/1", {"code": ("A1", "zz")}).values[0] == Standardised(
        ("A1", "zz"), ("A1", "ZZ"), valid=True, invalid=(1,)
    )


def test_an_unmatchable_value_does_not_change_how_others_are_told_apart():
    """Two spellings of one email are one value of a union, also where a record has something without a match value."""
    rules = rules_of(EMAIL, by=strategies("union"))
    members = {
        "crm/1": (0, {"email": ("Ann+news@x.org", "call her")}),
        "erp/1": (0, {"email": ("ann@x.org", "call her")}),
    }
    assert golden(rules, members) == {"email": ("ann+news@x.org", "call her")}


def test_a_value_without_a_match_form_is_not_taken_for_anothers_match_form():
    """It stands for itself: it is told apart from every match value, and comes after all values that have one."""
    rules = rules_of(EMAIL, by=strategies("union"))
    plain = replace(record(rules, "crm/1", {}), values=(Standardised(("A", "b"), ("a",)),))
    other = replace(record(rules, "erp/1", {}), values=(Standardised(("B",), ("b",)),))
    assert survive(rules, [plain, other])["email"].value == ("A", "B", "b")


def test_the_most_frequent_set_counts_unmatchable_values():
    """Two sets of values are equal only if what has no match value is equal too."""
    rules = rules_of(EMAIL, by=strategies("most_frequent"))
    members = {
        "crm/1": (0, {"email": ("a@x.org", "one")}),
        "crm/2": (0, {"email": ("a@x.org", "two")}),
        "erp/1": (0, {"email": ("b@x.org",)}),
        "erp/2": (0, {"email": ("b@x.org",)}),
    }
    assert golden(rules, members) == {"email": ("b@x.org",)}


@pytest.mark.parametrize(
    ("strategy", "texts", "kept"),
    [
        ("min", ("Infinity Ltd", "Acme"), "Acme"),
        ("max", ("inf", "acme"), "inf"),
        ("min", ("inf", "5"), "5"),
        ("min", ("1e3", "2000"), "2000"),
        ("min", ("1_0", "20"), "20"),
        ("min", ("٣", "4"), "4"),
        ("max", ("9007199254740992", "9007199254740993"), "9007199254740993"),
        ("min", ("0.1", "0.09999999999999999999"), "0.09999999999999999999"),
        ("min", ("9", "10"), "9"),
        ("min", ("-9", "-10"), "-10"),
        ("min", (".5", "+1."), ".5"),
    ],
)
def test_plain_decimal_numbers_compare_exactly_and_all_else_as_text(strategy, texts, kept):
    """No word is a number, and no number is rounded; the order of the records does not matter."""
    for first, second in permutations(texts):
        rules = rules_of(NUMBER, by=strategies(strategy))
        assert golden(rules, {"crm/1": (0, {"number": first}), "erp/1": (0, {"number": second})}) == {"number": kept}


@pytest.mark.parametrize(("strategy", "kept"), [("min", "Ann"), ("max", "Nan")])
def test_a_person_called_nan_is_not_lost(strategy, kept):
    """Nan is a given name: it is neither a number nor unequal to itself."""
    rules = rules_of(Attribute("name", "name"), by=strategies(strategy))
    assert golden(rules, {"crm/1": (0, {"name": "Nan"}), "erp/1": (0, {"name": "Ann"})}) == {"name": kept}
    assert golden(rules, {"crm/1": (0, {"name": "Nan"}), "erp/1": (0, {"name": "Nan"})}) == {"name": "Nan"}


def test_equal_numbers_tie():
    """Two spellings of one number are equal, so the next strategy decides."""
    rules = rules_of(NUMBER, by=strategies("min", "most_recent"))
    members = {"crm/1": (0, {"number": "1.0"}), "erp/1": (1, {"number": "1"}), "web/1": (9, {"number": "2"})}
    assert golden(rules, members) == {"number": "1"}


@pytest.mark.parametrize("strategy", ["min", "max"])
def test_who_lacks_an_attribute_of_a_group_loses_on_it(strategy):
    """In min and max, a record that has the attribute goes before one that does not, whatever comes after."""
    rules = rules_of(*ADDRESS, by=strategies(strategy))
    members = {"crm/1": (0, {"city": "Z", "postcode": "9"}), "erp/1": (0, {"street": "M"})}
    assert golden(rules, members) == {"street": "M"}
    members = {"crm/1": (0, {"street": "M", "postcode": "9"}), "erp/1": (0, {"street": "M", "city": "C"})}
    assert golden(rules, members) == {"street": "M", "city": "C"}


def test_min_and_max_look_at_each_attribute_by_itself():
    """How many values one attribute of a group has does not shift the next one."""
    rules = rules_of(Attribute("tag", "text", multi=True), TEXT, by=strategies("max"))
    members = {"crm/1": (0, {"tag": ("a", "b"), "text": "a"}), "erp/1": (0, {"tag": ("b",), "text": "z"})}
    assert golden(rules, members) == {"tag": ("a", "b"), "text": "a"}


def test_max_of_several_values_is_the_greatest_of_them():
    """It is not the record whose least value is greatest."""
    rules = rules_of(Attribute("tag", "text", multi=True), by=strategies("max"))
    assert golden(rules, {"crm/1": (0, {"tag": ("a", "z")}), "erp/1": (0, {"tag": ("b", "c")})}) == {"tag": ("a", "z")}


def half_life(days):
    """Return trust that halves every so many days, and what decides after it."""
    return strategies(("trust", {"half_life_days": days}), "longest")


def test_trust_ties_within_a_half_life():
    """Equal sources tie until a value is one whole half-life old; then the newer one wins, not the longer."""
    rules = rules_of(TEXT, by=half_life(10.0))
    for age, kept in ((0, "longer"), (1, "longer"), (9.999, "longer"), (10, "new"), (25, "new")):
        members = {"crm/1": (100 - age, {"text": "longer"}), "erp/1": (100, {"text": "new"})}
        assert golden(rules, members) == {"text": kept}


def test_trust_halved_is_the_trust_that_is_half():
    """0.8 halved once is 0.4 exactly: the two tie, and once more it is less."""
    rules = rules_of(TEXT, by=half_life(10.0))
    for age, kept in ((9, "a"), (10, "longer"), (19, "longer"), (20, "longer"), (30, "longer")):
        members = {"crm/1": (100 - age, {"text": "a"}), "web/1": (100, {"text": "longer"})}
        assert golden(rules, members) == {"text": kept}
    members = {"crm/1": (90, {"text": "longer"}), "web/1": (100, {"text": "b"})}
    assert golden(rules, members) == {"text": "longer"}
    members = {"crm/1": (80, {"text": "longer"}), "web/1": (100, {"text": "b"})}
    assert golden(rules, members) == {"text": "b"}


def test_trust_never_runs_out():
    """However often it was halved, the trust of a newer value is above that of an older one, and above none."""
    rules = rules_of(TEXT, by=half_life(0.001))
    members = {
        "crm/1": (0.5, {"text": "newer"}),
        "erp/1": (0, {"text": "older and longer"}),
        "old/1": (20_000, {"text": "of a source that is not trusted"}),
    }
    assert golden(rules, members) == {"text": "newer"}


def test_a_source_listed_first_is_first():
    """A hand-made rule that lists a source twice means its first place."""
    rules = rules_of(TEXT, by=strategies(("source_priority", {"sources": ("crm", "web", "crm")})))
    assert golden(rules, {"crm/1": (0, {"text": "a"}), "web/1": (9, {"text": "b"})}) == {"text": "a"}


@pytest.mark.parametrize("pack", ["person", "organisation"])
@pytest.mark.parametrize("newer", [{"country": "GB"}, {"postcode": "YO1 7HH"}, {"region": "Kent"}, {"city": "York"}])
@pytest.mark.parametrize("later", [0.001, 400, 4000])
def test_a_sparse_newer_address_takes_nothing_away(pack, newer, later):
    """A country, region, postcode or city alone leaves the address whole, whenever and by whomever it was sent."""
    rules = load_ruleset(pack)
    full = {"street": "14 Kirkgate", "city": "Leeds", "postcode": "LS1 4AB"}
    line = {"full_address": "14 Kirkgate, Leeds, LS1 4AB"}
    assert golden(rules, {"crm/1": (0, full), "erp/1": (later, newer)}) == full | line


@pytest.mark.parametrize("pack", ["person", "organisation"])
def test_a_newer_address_that_is_as_complete_wins(pack):
    """Somebody moved: also within the half-life, and against two who say otherwise."""
    rules = load_ruleset(pack)
    old = {"street": "14 Kirkgate", "city": "Leeds", "postcode": "LS1 4AB"}
    new = {"street": "2 Stonegate", "city": "York", "postcode": "YO1 8AS"}
    assert golden(rules, {"crm/1": (0, old), "crm/2": (0, old), "web/1": (1, new)}) == new | {
        "full_address": "2 Stonegate, York, YO1 8AS"
    }


def test_equally_trusted_values_within_a_half_life_go_to_the_newest():
    """Where sources tie and each value is said once, the packs take the newest, not the longest."""
    members = {"crm/1": (0, {"gender": "female", "birth_date": "1980-02-03"}), "erp/1": (1, {"gender": "x"})}
    assert golden(load_ruleset("person"), members)["gender"] == "x"
