"""Golden names and addresses are built from their surviving parts, whatever records and stewards have of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from survive_world import DAY_US, golden, record, rules_of, strategies, survivors

from mdm_stream.core.cluster.compose import wholes_of
from mdm_stream.core.cluster.golden import golden_record
from mdm_stream.core.cluster.survive import survive
from mdm_stream.core.fold import fold
from mdm_stream.core.model import OverrideEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.ruleset import Attribute, Source
from mdm_stream.core.standardise import STANDARDISERS, part_values
from mdm_stream.rules import load_ruleset
from mdm_stream.rules.findings import RuleFindingsError

RULES = load_ruleset("person")
ORGANISATIONS = load_ruleset("organisation")


def full_name(columns, rules=RULES):
    """Return the golden full name of one record."""
    return golden(rules, {"crm/1": (0, columns)}).get("full_name")


def names(given_name, family_name, full=None, **others):
    """Return the columns of a name."""
    return {"given_name": given_name, "family_name": family_name, **({"full_name": full} if full else {}), **others}


def overridden(columns, *overrides, rules=RULES):
    """Return what survives of one record after overrides of the days given."""
    state = record(rules, "crm/1", columns).state
    for day, values in overrides:
        state = fold(state, OverrideEvent(rules.domain, "crm/1", day, day * DAY_US, "s-1", values), "crm/1").state
    return survive(rules, [build_record(rules, "crm/1", state)])


@pytest.mark.parametrize(
    "whole",
    ["Dr. Ann Lee", "LEE, Ann", "Ann Lee", "Lee Ann", "Ann (Annie) Lee", "Mrs Ann Lee PhD"],
)
def test_a_whole_that_says_what_the_parts_say_stands_as_it_is(whole):
    """Its titles, its order and its spelling are more than its parts, and are kept."""
    family = "LEE" if "LEE" in whole else "Lee"
    assert full_name(names("Ann", family, whole)) == whole


@pytest.mark.parametrize("whole", ["Bob Kim", "Ann Smith", "Ann Leigh", "A. Lee", "ann lee", "Ann Lee-Smith", None])
def test_any_other_whole_is_built_from_the_parts(whole):
    """Another person, another spelling, an initial or nothing at all: the golden full name is that of the parts."""
    assert full_name(names("Ann", "Lee", whole)) == "Ann Lee"


def test_a_whole_says_every_part_that_survived():
    """A middle name and a generation in columns of their own are in the whole; those that it has alone stay."""
    assert full_name(names("Ann", "Lee", "Ann Lee", middle_name="Marie")) == "Ann Marie Lee"
    assert full_name(names("Ann", "Lee", "Dr. Ann Marie Lee", middle_name="Marie")) == "Dr. Ann Marie Lee"
    assert full_name(names("John", "Lee", "John Lee", generation="Jr")) == "John Lee Jr"
    assert full_name(names("John", "Lee", "Mr John Lee Jr.", generation="Jr")) == "Mr John Lee Jr."
    assert full_name(names("John", "Lee", "John Lee Jr")) == "John Lee Jr"
    assert full_name(names("János", "Kovács", "Kovács Pál", generation="ifj.")) == "ifj. Kovács János"


def test_where_parts_are_missing_the_whole_that_survives_stays():
    """A name of one word is no given and family name; a part alone makes no whole."""
    assert golden(RULES, {"crm/1": (0, {"full_name": "Madonna"})})["full_name"] == "Madonna"
    assert full_name({"full_name": "Madonna", "family_name": "Madonna"}) == "Madonna"
    assert full_name({"family_name": "Lee"}) is None
    assert full_name({"middle_name": "Marie", "family_name": "Lee"}) is None


@pytest.mark.parametrize(
    ("columns", "whole"),
    [
        (names("明", "王"), "王明"),
        (names("太郎", "山田", "山田 太郎"), "山田 太郎"),
        (names("太郎", "山田", "山田花子"), "山田太郎"),
        (names("민수", "김"), "김민수"),
        (names("Min-su", "김"), "Min-su 김"),
        (names("Anna", "Kovács", "Kovács Éva"), "Kovács Anna"),
        (names("Anna", "Kovács", "Éva Kovács"), "Anna Kovács"),
        (names("Anna", "Kovács", "Kovács, Éva"), "Anna Kovács"),
        (names("Joris", "van der Berg", "Jan van der Berg"), "Joris van der Berg"),
    ],
)
def test_the_order_is_that_of_the_script_and_of_the_record(columns, whole):
    """The family name comes first in Chinese characters and Hangul, and where the record's own whole begins with it."""
    assert full_name(columns) == whole


def test_the_order_is_that_of_the_source_where_it_says_so():
    """A Hungarian source has its family names first, with a full name and without."""
    sources = {"hu": Source("hu", options={"full_name": {"order": "family_first"}})}
    rules = replace(RULES, digest="hu", sources=sources)
    assert golden(rules, {"hu/1": (0, names("Anna", "Kovács"))})["full_name"] == "Kovács Anna"
    assert golden(rules, {"hu/1": (0, {"full_name": "Kovács Anna"})})["full_name"] == "Kovács Anna"
    assert golden(rules, {"crm/1": (0, names("Anna", "Kovács"))})["full_name"] == "Anna Kovács"


def test_an_override_of_a_part_reaches_the_whole_and_one_of_the_whole_wins():
    """The whole has the steward's given name in the record's order; a whole that a steward writes stands as written."""
    kept = overridden({"full_name": "Dr. Ann Lee"}, (1, {"given_name": "Eve"}))
    assert kept["full_name"].value == "Eve Lee"
    assert [(origin.ref, origin.strategy) for origin in kept["full_name"].origins] == [
        ("steward/crm/1", "compose(given_name)"),
        ("crm/1", "compose(family_name)"),
    ]
    family_first = overridden(names("Anna", "Kovács", "Kovács Anna"), (1, {"given_name": "Éva"}))
    assert family_first["full_name"].value == "Kovács Éva"
    settled = overridden(names("Ann", "Lee"), (1, {"full_name": "Dame Ann Lee, DBE"}))
    assert settled["full_name"].value == "Dame Ann Lee, DBE"
    assert settled["full_name"].origins[0].strategy == "override"
    assert overridden({"full_name": "Prince"}, (1, {"given_name": "Bob"}))["full_name"].value == "Bob"
    assert overridden({"full_name": "Ann Lee"}, (1, {"given_name": "Ann"}))["full_name"].value == "Ann Lee"
    back = overridden({"full_name": "Dr. Ann Lee"}, (1, {"given_name": "Eve"}), (2, {"given_name": None}))
    assert back["full_name"].value == "Dr. Ann Lee"


def test_provenance_names_the_parts_and_the_records_that_they_come_from():
    """One origin for each write, with the parts that it gave; so an erasure finds every record that is in the whole."""
    kept = survivors(RULES, {"crm/1": (3, names("Ann", "Lee"))})["full_name"]
    (origin,) = kept.origins
    assert (origin.ref, origin.event_time_us) == ("crm/1", 3 * DAY_US)
    assert origin.strategy == "compose(given_name, family_name)"
    content = golden_record(RULES, [record(RULES, "crm/1", names("Ann", "Lee"))]).content.decode()
    assert '"strategy":"compose(given_name, family_name)"' in content


ADDRESS = {"street": "14 Kirkgate", "city": "Leeds", "postcode": "LS1 4AB"}


@pytest.mark.parametrize("rules", [RULES, ORGANISATIONS], ids=["person", "organisation"])
@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (ADDRESS, "14 Kirkgate, Leeds, LS1 4AB"),
        (ADDRESS | {"full_address": "14 Kirkgate, LEEDS, LS1 4AB"}, "14 Kirkgate, Leeds, LS1 4AB"),
        (ADDRESS | {"full_address": "3 Foss Bank, York, YO1 7AA"}, "14 Kirkgate, Leeds, LS1 4AB"),
        ({"full_address": "14 Kirkgate, Leeds LS1 4AB"}, "14 Kirkgate, Leeds LS1 4AB"),
        (
            {"street": "Hauptstraße 5", "city": "Berlin", "postcode": "10115", "country": "DE"},
            "Hauptstraße 5, 10115 Berlin, DE",
        ),
        (
            {"street": "12 Elm St", "city": "Springfield", "region": "IL", "postcode": "62704", "country": "US"},
            "12 Elm St, Springfield, IL 62704, US",
        ),
        (
            {"street": "千代田1-1", "city": "千代田区", "region": "東京都", "postcode": "100-0001"},
            "100-0001 東京都千代田区千代田1-1",
        ),
        ({"city": "Leeds", "postcode": "LS1 4AB"}, None),
    ],
)
def test_an_address_on_one_line_is_that_of_its_parts(rules, columns, line):
    """Street and city at least make one, in the order of the country; one that says the same stands as it is."""
    assert golden(rules, {"crm/1": (0, columns)}).get("full_address") == line


def test_only_valid_wholes_are_built_where_the_rule_asks_for_them():
    """A pattern that the built name does not match leaves none, rather than an invalid one."""
    parts = Attribute("given", "name"), Attribute("family", "name")
    whole = Attribute("whole", "full_name", pattern="[A-Z ]+", fills={"given": "given", "family": "family"})
    columns = {"given": "Ann", "family": "Lee"}
    assert "whole" not in golden(
        rules_of(*parts, whole, by=strategies("valid_only", "compose")), {"crm/1": (0, columns)}
    )
    by = strategies("most_recent", "compose")
    assert golden(rules_of(*parts, whole, by=by), {"crm/1": (0, columns)})["whole"] == "Ann Lee"


NAMES = st.fixed_dictionaries(
    {},
    optional={
        "given_name": st.sampled_from(["Ann", "Bob", "n/a", "明"]),
        "middle_name": st.sampled_from(["Marie", "J"]),
        "family_name": st.sampled_from(["Lee", "Kim", "王"]),
        "full_name": st.sampled_from(["Ann Lee", "Dr Bob J Kim", "Lee, Ann", "Ann", "王明", "Lee Bob"]),
    },
)


@given(
    st.lists(st.tuples(st.sampled_from(["crm", "erp"]), st.integers(0, 900), NAMES), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), NAMES), max_size=2),
)
def test_no_golden_whole_contradicts_a_golden_part(drawn, overrides):
    """Whatever records and stewards say, in any order: each golden part can be read in the golden full name."""
    members = []
    for i, (source, day, columns) in enumerate(drawn):
        ref = f"{source}/{i}"
        state = record(RULES, ref, columns, day).state
        for version, (which, said) in enumerate(overrides):
            values = {name: value for name, value in said.items() if value != "n/a"}
            if which == i and values:
                event = OverrideEvent("person", ref, version, version * DAY_US, "s-1", values)
                state = fold(state, event, ref).state
        members.append(build_record(RULES, ref, state))
    kept = survive(RULES, members)
    for other in permutations(members):
        assert survive(RULES, other) == kept
    shown = {name: survivor.value for name, survivor in kept.items()}
    if {"given_name", "family_name"} <= shown.keys():
        assert "full_name" in shown
    if "full_name" in shown and kept["full_name"].origins[0].strategy != "override":
        (whole,) = [each for each in wholes_of(RULES) if RULES.attributes[each.position].name == "full_name"]
        said = part_values(RULES, "crm", whole.position, shown["full_name"], whole.parts)
        words = shown["full_name"].replace(",", " ").split()
        for part, place in whole.parts.items():
            text = shown.get(RULES.attributes[place].name)
            if text is not None:
                assert text in words or said[part].value == text


def test_a_whole_of_sensitive_parts_is_sensitive(tmp_path):
    """What hides a family name hides the full name that is built from it."""
    path = tmp_path / "rules.yaml"
    path.write_text("extends: person\nversion: 1\nattributes: {family_name: {sensitive: true}}\n")
    rules = load_ruleset(path)
    assert rules.attributes[rules.index_of("full_name")].sensitive
    assert not RULES.attributes[RULES.index_of("full_name")].sensitive


@pytest.mark.parametrize(
    ("survivorship", "message"),
    [
        ("{default: [most_recent, compose]}", "'compose' cannot be a default"),
        ("{rules: {birth_date: [most_recent, compose]}}", "'compose' has nothing to build"),
        ("{rules: {email: [compose, union]}}", "expected it last, without 'union'"),
        ("{rules: {name: {strategies: [compose, longest]}}}", "expected it last, without 'union'"),
    ],
)
def test_a_rule_that_cannot_build_anything_is_refused(survivorship, message, tmp_path):
    """The message says what was expected."""
    path = tmp_path / "rules.yaml"
    path.write_text(f"extends: person\nversion: 1\nsurvivorship: {survivorship}\n")
    with pytest.raises(RuleFindingsError, match=message):
        load_ruleset(path)


def test_a_built_name_is_standardised():
    """A golden value is one that its type gives: read again, it is itself."""
    text = full_name(names("Ann", "Lee"))
    assert STANDARDISERS["full_name"](text, {}).value == text
