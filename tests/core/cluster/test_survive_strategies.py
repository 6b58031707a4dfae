"""What each survivorship strategy keeps: a table each, with ties, missing values, several values and groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.cluster.survive import Origin, survive
from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import OverrideEvent, RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.ruleset import Attribute, Match, Ruleset, Source, Strategy, SurvivorshipRule

DAY_US = 86_400_000_000
ATTRIBUTES = (
    Attribute("note", "text"),
    Attribute("born", "date"),
    Attribute("amount", "number"),
    Attribute("street", "text"),
    Attribute("city", "text"),
    Attribute("country", "text"),
    Attribute("codes", "identifier", multi=True),
    Attribute("sums", "number", multi=True),
)
NAMES = tuple(attribute.name for attribute in ATTRIBUTES)
GROUP = ("street", "city", "country")
SOURCES = {"crm": Source("crm", trust=0.8), "erp": Source("erp", trust=0.4), "web": Source("web", trust=0.1)}
KEY = "record_key"


def rules_for(names, *strategies):
    """Return rules by which some attributes survive, together if they are several, and no others."""
    steps = tuple(Strategy(each) if isinstance(each, str) else Strategy(*each) for each in strategies)
    match = Match("fellegi_sunter", 0.5, 0.85, 0.5, (), ())
    rule = SurvivorshipRule(tuple(map(NAMES.index, names)), steps)
    return Ruleset("person", 1, "strategies", ATTRIBUTES, SOURCES, (), 9, 9, match, (rule,))


def member(rules, ref, day, values, *later):
    """Return a record that was upserted on a day, and changed by later events."""
    source, _, record_id = ref.partition("/")
    state = EMPTY
    for event in (RecordEvent("person", source, record_id, "upsert", 1, round(day * DAY_US), values), *later):
        state = fold(state, event, ref).state
    return build_record(rules, ref, state)


def survivor(names, strategies, *members):
    """Return value, record and strategy by attribute, which are the same whatever order the members come in."""
    rules = rules_for(names, *strategies)
    records = [member(rules, *each) for each in members]
    found = survive(rules, records)
    assert survive(rules, records[::-1]) == found
    assert survive(rules, records[1:] + records[:1]) == found
    return {name: (each.value, each.origins[0].ref, each.origins[0].strategy) for name, each in found.items()}


def one(name, strategies, *members):
    """Return what survives of one attribute; a member is ``(ref, day, value)``."""
    found = survivor((name,), strategies, *((ref, day, {name: value}) for ref, day, value in members))
    return found.get(name)


@pytest.mark.parametrize(
    ("strategies", "members", "expected"),
    [
        ([], [("erp/1", 5, "b"), ("crm/2", 1, "a")], ("a", "crm/2", KEY)),
        ([], [("crm/10", 5, "b"), ("crm/2", 1, "a")], ("b", "crm/10", KEY)),
        ([], [("crm/1", 5, None), ("erp/1", 1, "a"), ("web/1", 1, "N/A")], ("a", "erp/1", KEY)),
        (["source_priority"], [("web/1", 9, "w"), ("crm/1", 0, "c")], ("c", "crm/1", "source_priority")),
        (["source_priority"], [("web/1", 9, "w"), ("new/1", 1, "n")], ("w", "web/1", "source_priority")),
        (["source_priority"], [("crm/2", 9, "b"), ("crm/1", 1, "a")], ("a", "crm/1", KEY)),
        (
            [("source_priority", {"sources": ("web", "erp")})],
            [("crm/1", 0, "c"), ("erp/1", 1, "e"), ("web/1", 9, "w")],
            ("w", "web/1", "source_priority"),
        ),
        (
            [("source_priority", {"sources": ("web",)}), "most_recent"],
            [("crm/1", 0, "c"), ("erp/1", 1, "e"), ("new/1", 2, "n")],
            ("n", "new/1", "most_recent"),
        ),
        (["most_recent"], [("crm/1", 1, "a"), ("erp/1", 2, "b")], ("b", "erp/1", "most_recent")),
        (["most_recent"], [("crm/1", 9, None), ("erp/1", 2, "b")], ("b", "erp/1", KEY)),
        (["most_recent"], [("erp/1", 2, "b"), ("crm/1", 2, "a"), ("aaa/1", 1, "x")], ("a", "crm/1", "most_recent")),
        (["longest"], [("crm/1", 1, "aa"), ("erp/1", 2, "bbb")], ("bbb", "erp/1", "longest")),
        (["longest"], [("crm/1", 1, "a  b"), ("erp/1", 2, "bbb")], ("a b", "crm/1", KEY)),
        (["longest", "most_recent"], [("crm/1", 1, "aa"), ("erp/1", 2, "bb")], ("bb", "erp/1", "most_recent")),
        (
            ["most_frequent"],
            [("crm/1", 9, "x"), ("erp/1", 1, "Blue-Car"), ("web/1", 2, "blue car")],
            ("Blue-Car", "erp/1", "most_frequent"),
        ),
        (
            ["most_frequent"],
            [("crm/1", 9, "y"), ("erp/1", 1, "x"), ("erp/2", 1, None), ("erp/3", 1, None), ("web/1", 1, "x")],
            ("x", "erp/1", "most_frequent"),
        ),
        (["most_frequent", "longest"], [("crm/1", 9, "y"), ("erp/1", 1, "xx")], ("xx", "erp/1", "longest")),
        (
            ["most_recent", "longest"],
            [("crm/1", 2, "a"), ("erp/1", 2, "bb"), ("web/1", 1, "ccc")],
            ("bb", "erp/1", "longest"),
        ),
    ],
)  # fmt: skip
def test_strategies_on_one_value(strategies, members, expected):
    """Each narrows what the one before it left; provenance names the last that did, or the record key."""
    assert one("note", strategies, *members) == expected


@pytest.mark.parametrize(
    ("strategy", "values", "winner"),
    [
        ("min", ["9", "10"], "9"),
        ("max", ["9", "10"], "10"),
        ("min", ["-1", "+1", "0.5"], "-1"),
        ("max", ["-1", "+1", "0.5"], "+1"),
        ("min", ["b", "9", "a"], "9"),
        ("max", ["b", "9", "a"], "b"),
        ("min", ["9007199254740993", "9007199254740992"], "9007199254740992"),
        ("max", ["9007199254740992", "9007199254740993"], "9007199254740993"),
        ("max", ["0.1000000000000000001", "0.1000000000000000002"], "0.1000000000000000002"),
        ("min", ["1e3", "2000"], "2000"),
        ("max", ["1e3", "2000"], "1e3"),
        ("min", ["infinity", "5"], "5"),
        ("max", ["1_000", "2000"], "1_000"),
        ("min", ["1980-02-01", "1979-12-31"], "1979-12-31"),
        ("max", [".5", "0.25"], ".5"),
    ],
)
def test_min_and_max_of_one_value(strategy, values, winner):
    """Plain decimal numbers compare exactly and sort below all texts; what only looks like a number is a text."""
    members = [(f"crm/{place}", place, value) for place, value in enumerate(values)]
    value, _, decided = one("note", [strategy], *members)
    assert (value, decided) == (winner, strategy)
    assert one("note", [strategy], *[(ref, 9 - day, value) for ref, day, value in members])[0] == winner


@pytest.mark.parametrize("strategy", ["min", "max"])
def test_min_and_max_of_equal_numbers_tie(strategy):
    """Two ways to write one number are equal: the next strategy decides. A missing value is no candidate."""
    members = [("crm/1", 1, "5.0"), ("erp/1", 2, "5"), ("web/1", 9, None)]
    assert one("note", [strategy, "most_recent"], *members) == ("5", "erp/1", "most_recent")
    assert one("note", [strategy], *members) == ("5.0", "crm/1", KEY)


@pytest.mark.parametrize("strategy", ["min", "max"])
def test_min_and_max_of_a_name_that_looks_like_no_number(strategy):
    """Nan is a name like any other."""
    names = ["Ann", "Nan", "Zoe"]
    for turn in range(3):
        members = [(f"crm/{place}", 1, names[(place + turn) % 3]) for place in range(3)]
        rules = Ruleset(
            "person", 1, "names", (Attribute("name", "name"),), {}, (), 9, 9,
            Match("fellegi_sunter", 0.5, 0.85, 0.5, (), ()), (SurvivorshipRule((0,), (Strategy(strategy),)),),
        )  # fmt: skip
        records = [member(rules, ref, day, {"name": name}) for ref, day, name in members]
        assert survive(rules, records)["name"].value == {"min": "Ann", "max": "Zoe"}[strategy]


@pytest.mark.parametrize(
    ("half_life_days", "members", "winner"),
    [
        (10, [("crm/1", 0, "c"), ("erp/1", 9, "e")], ("c", "trust")),
        (10, [("crm/1", 0, "c"), ("erp/1", 10, "e"), ("erp/0", 0, "x")], ("c", "trust")),
        (10, [("crm/1", 0, "c"), ("erp/1", 20, "e")], ("e", "trust")),
        (10, [("crm/1", 0, "c"), ("erp/1", 19.9, "e")], ("c", KEY)),
        (10, [("erp/1", 5, "a"), ("erp/2", 14, "b")], ("a", KEY)),
        (10, [("erp/1", 4, "a"), ("erp/2", 14, "b")], ("b", "trust")),
        (10, [("web/1", 50, "w"), ("new/1", 50, "n")], ("n", "trust")),
        (0.5, [("crm/1", 0, "c"), ("erp/1", 0.5, "e")], ("c", KEY)),
        (1, [("crm/1", 0, "c"), ("crm/2", 10_000, "d")], ("d", "trust")),
        (1, [("crm/1", 0, "c"), ("erp/1", 0, "e"), ("web/1", 100_000, None)], ("c", "trust")),
    ],
)
def test_trust_halves_in_whole_steps(half_life_days, members, winner):
    """Trust halves once for each whole half-life behind the newest candidate; equal trusts tie; 0.5 is undeclared."""
    value, _, decided = one("note", [("trust", {"half_life_days": half_life_days})], *members)
    assert (value, decided) == winner


def test_what_ties_in_trust_is_decided_by_what_comes_next():
    """Two values of equal sources within a half-life tie, so that a later strategy has something to say."""
    members = [("crm/1", 1, "older"), ("crm/2", 5, "new")]
    trust = ("trust", {"half_life_days": 30})
    assert one("note", [trust, "most_recent"], *members) == ("new", "crm/2", "most_recent")
    assert one("note", [trust, "longest"], *members) == ("older", "crm/1", "longest")


def test_most_complete_of_one_attribute_looks_at_the_whole_record():
    """Of a single attribute the record with most attributes wins, of a group the one with most of the group."""
    full = ("web/1", 1, {"note": "w", "born": "1980-01-01", "city": "York"})
    thin = ("crm/1", 1, {"note": "c", "born": "N/A", "city": None})
    assert survivor(("note",), ["most_complete"], thin, full)["note"] == ("w", "web/1", "most_complete")
    assert survivor(("note", "amount"), ["most_complete"], thin, full)["note"] == ("c", "crm/1", KEY)


def test_a_group_survives_from_one_record():
    """What the chosen record lacks is taken from no other one; records that have nothing of it are no candidates."""
    whole = ("erp/1", 1, {"street": "High St 1", "city": "York"})
    country = ("crm/1", 9, {"country": "GB"})
    nothing = ("aaa/1", 99, {"note": "x"})
    assert survivor(GROUP, ["most_recent"], whole, country, nothing) == {"country": ("GB", "crm/1", "most_recent")}
    assert survivor(GROUP, ["most_complete"], whole, country, nothing) == {
        "street": ("High St 1", "erp/1", "most_complete"),
        "city": ("York", "erp/1", "most_complete"),
    }


def test_a_newer_record_with_a_country_alone_takes_no_address_away():
    """Trust first, then completeness, then recency: within a step of trust the fuller address stays."""
    order = [("trust", {"half_life_days": 365}), "most_complete", "most_recent"]
    address = {"street": "High St 1", "city": "York"}
    old, country = ("crm/1", 1, address), ("crm/2", 9, {"country": "GB"})
    assert survivor(GROUP, order, old, country)["street"] == ("High St 1", "crm/1", "most_complete")
    moved = ("crm/3", 5, {"street": "Low St 2", "city": "Hull"})
    assert survivor(GROUP, order, old, country, moved)["city"] == ("Hull", "crm/3", "most_recent")


def test_the_newest_value_of_a_group_counts():
    """A group is as old as the newest of its values, whichever was changed last; a null is no value."""
    rules = rules_for(GROUP, "most_recent")
    patched = RecordEvent("person", "crm", "1", "patch", 2, 8 * DAY_US, {"city": "Hull"})
    cleared = RecordEvent("person", "crm", "1", "patch", 3, 99 * DAY_US, {"street": None})
    first = member(rules, "crm/1", 1, {"street": "High St 1", "city": "York"}, patched, cleared)
    second = member(rules, "erp/1", 7, {"city": "Leeds"})
    found = survive(rules, [first, second])
    assert found["city"].value == "Hull"
    assert found["city"].origins == (Origin("crm/1", 2, 8 * DAY_US, "most_recent"),)
    assert set(found) == {"city"}


@pytest.mark.parametrize(
    ("strategy", "members", "winner"),
    [
        ("longest", [{"street": "aaa"}, {"street": "a", "city": "bbb"}], 1),
        ("most_frequent", [{"street": "a", "city": "b"}, {"street": "x"}, {"street": "X"}], 1),
        ("min", [{"street": "a"}, {"street": "a", "city": "b"}], 1),
        ("max", [{"street": "a"}, {"street": "a", "city": "b"}], 1),
        ("min", [{"city": "a"}, {"street": "z"}], 1),
        ("max", [{"city": "z"}, {"street": "a"}], 1),
        ("min", [{"street": "10", "city": "a"}, {"street": "9", "city": "z"}], 1),
        ("max", [{"street": "9", "city": "z"}, {"street": "10", "city": "a"}], 1),
        ("min", [{"street": "x", "city": "20"}, {"street": "x", "city": "3"}], 1),
        ("max", [{"street": "x", "city": "3"}, {"street": "x", "city": "20"}], 1),
    ],
)
def test_strategies_on_a_group(strategy, members, winner):
    """Attributes are compared in order, and a record that lacks one loses on it to one that has it."""
    found = survivor(GROUP, [strategy], *((f"crm/{place}", 1, values) for place, values in enumerate(members)))
    assert {(ref, decided) for _, ref, decided in found.values()} == {(f"crm/{winner}", strategy)}
    assert {name: value for name, (value, _, _) in found.items()} == members[winner]


@pytest.mark.parametrize(
    ("name", "members", "expected"),
    [
        ("born", [("crm/1", 9, "1980-02-30"), ("erp/1", 1, "1980-02-03")], ("1980-02-03", "erp/1", "valid_only")),
        ("born", [("crm/1", 9, "1980-02-30"), ("erp/1", 1, None)], None),
        ("born", [("crm/1", 9, "1980-02-30")], None),
        ("born", [("crm/1", 9, "1980-02-03")], ("1980-02-03", "crm/1", KEY)),
        ("sums", [("crm/1", 9, ("x", "7", "12.0"))], (("12", "7"), "crm/1", KEY)),
        ("sums", [("crm/1", 9, ("x", "7")), ("erp/1", 1, ("1", "2"))], (("7",), "crm/1", KEY)),
        ("sums", [("crm/1", 9, ("x", "y")), ("erp/1", 1, "1")], (("1",), "erp/1", "valid_only")),
        ("sums", [("crm/1", 9, ("x", "y")), ("erp/1", 1, ())], None),
    ],
)
def test_valid_only(name, members, expected):
    """Invalid values are dropped, also the only one; of several values each by itself, and a record with none left."""
    assert one(name, ["valid_only"], *members) == expected


def test_valid_only_comes_before_what_follows_it():
    """What was dropped neither counts as recent, nor as frequent, nor as long."""
    invalid = [("crm/1", 9, "1980-02-30"), ("crm/2", 9, "1980-02-30")]
    valid = [("erp/1", 1, "1980-02-03"), ("erp/2", 2, "1980-03-03")]
    for strategy in ("most_recent", "most_frequent", "longest"):
        assert one("born", ["valid_only", strategy], *invalid, *valid)[1].startswith("erp/")
    assert one("born", ["valid_only", "most_recent"], *invalid, *valid) == ("1980-03-03", "erp/2", "most_recent")


def unions(strategies, *members):
    """Return ``(value, record)`` of each value of a union; a member is ``(ref, values)``."""
    rules = rules_for(("sums",), *strategies)
    records = [member(rules, ref, 1, {"sums": values}) for ref, values in members]
    found = survive(rules, records).get("sums")
    assert survive(rules, records[::-1]).get("sums") == found
    if found is None:
        return []
    assert {origin.strategy for origin in found.origins} == {"union"}
    return list(zip(found.value, [origin.ref for origin in found.origins], strict=True))


@pytest.mark.parametrize(
    ("strategies", "members", "expected"),
    [
        (["union"], [("crm/1", ("3", "1"))], [("1", "crm/1"), ("3", "crm/1")]),
        (["union"], [("crm/1", "5")], [("5", "crm/1")]),
        (["union"], [("erp/1", ("3", "1")), ("crm/1", ("1.0", "2"))], [("1", "crm/1"), ("2", "crm/1"), ("3", "erp/1")]),
        (["union"], [("crm/1", ("1", "x")), ("erp/1", ("1.0",))], [("1", "crm/1"), ("x", "crm/1")]),
        (["union"], [("crm/1", ("1",)), ("erp/1", ("1.0", "x"))], [("1", "crm/1"), ("x", "erp/1")]),
        (["union"], [("crm/1", ("x", "1")), ("erp/1", ("1", "y"))], [("1", "crm/1"), ("x", "crm/1"), ("y", "erp/1")]),
        (["union"], [("crm/1", ()), ("erp/1", None)], []),
        (["valid_only", "union"], [("crm/1", ("x", "1")), ("erp/1", ("2", "y"))], [("1", "crm/1"), ("2", "erp/1")]),
        (["valid_only", "union"], [("crm/1", ("x",)), ("erp/1", ("2", "y"))], [("2", "erp/1")]),
        (["valid_only", "union"], [("crm/1", ("x", "1"))], [("1", "crm/1")]),
        (["valid_only", "union"], [("crm/1", ("x", "y"))], []),
        (["source_priority", "union"], [("crm/1", "1"), ("web/1", "2")], [("1", "crm/1")]),
    ],
)  # fmt: skip
def test_union(strategies, members, expected):
    """One value for each match value, from the first record in key order; one without stands for itself."""
    assert unions(strategies, *members) == expected


@given(st.lists(st.lists(st.sampled_from(["1", "1.0", "2", "x", "y"]), max_size=4).map(tuple), min_size=1, max_size=4))
def test_a_union_holds_each_value_once(lists):
    """Whatever the records hold, every value is there once, and an invalid one beside it changes nothing of that."""
    found = unions(["union"], *((f"crm/{place}", values) for place, values in enumerate(lists)))
    plain = {value.removesuffix(".0") for values in lists for value in values}
    assert sorted(value for value, _ in found) == sorted(plain)
    for value, ref in found:
        holders = [i for i, values in enumerate(lists) if value in {each.removesuffix(".0") for each in values}]
        assert ref == f"crm/{holders[0]}"
    numbers = [value for value in sorted(plain) if value.isdigit()]
    valid = unions(["valid_only", "union"], *((f"crm/{place}", values) for place, values in enumerate(lists)))
    assert [value for value, _ in valid] == numbers


@pytest.mark.parametrize(
    ("strategy", "members", "winner"),
    [
        ("longest", [("aa",), ("a", "bb")], 1),
        ("most_frequent", [("a", "b"), ("c",), ("C",)], 1),
        ("most_recent", [("a", "b"), ("c",)], 1),
    ],
)
def test_several_values_of_one_record_survive_together(strategy, members, winner):
    """Without a union a multi-valued attribute has the values of one record, sorted, with one origin."""
    rules = rules_for(("codes",), strategy)
    records = [member(rules, f"crm/{place}", place, {"codes": values}) for place, values in enumerate(members)]
    found = survive(rules, records)["codes"]
    assert found.value == members[winner]
    assert [origin.ref for origin in found.origins] == [f"crm/{winner}"]


def override(ref, day, version=1, *, expired=False, **attributes):
    """Return a steward's override, or its expiry."""
    return OverrideEvent("person", ref, version, day * DAY_US, "s-1", attributes, expired=expired)


def test_an_override_stands_above_all_strategies():
    """The newest of the members' overrides is shown, attribute by attribute, within a group too; ties by record key."""
    rules = rules_for(GROUP, "most_complete")
    address = {"street": "High St 1", "city": "York"}
    older = member(rules, "crm/1", 1, {}, override("crm/1", 3, city="Hull", country="GB"))
    newer = member(rules, "erp/1", 1, address, override("erp/1", 4, city="Leeds"))
    found = survive(rules, [older, newer])
    assert {name: each.value for name, each in found.items()} == {
        "street": "High St 1",
        "city": "Leeds",
        "country": "GB",
    }
    assert found["city"].origins == (Origin("steward/erp/1", 1, 4 * DAY_US, "override"),)
    tied = member(rules, "aaa/1", 1, {}, override("aaa/1", 4, city="Bath"))
    assert survive(rules, [newer, tied])["city"].value == "Bath"


def test_an_override_that_ended_or_is_unusable_stands_no_more():
    """Expired, taken back, a placeholder, or of an attribute that the rules do not know: what survives is shown."""
    rules = rules_for(("note",), "most_recent")
    set_ = override("crm/1", 3, note="steward's")
    assert survive(rules, [member(rules, "crm/1", 1, {"note": "own"}, set_)])["note"].value == "steward's"
    for ends in (
        [set_, override("crm/1", 9, expired=True, note=None)],
        [set_, override("crm/1", 4, 2, note=None)],
        [override("crm/1", 3, note="N/A")],
        [override("crm/1", 3, other="x")],
    ):
        assert survive(rules, [member(rules, "crm/1", 1, {"note": "own"}, *ends)])["note"].value == "own"


def test_an_override_of_a_union_replaces_all_of_it():
    """A steward's values are the only ones, each with the steward as its origin."""
    rules = rules_for(("codes",), "union")
    record = member(rules, "crm/1", 1, {"codes": ("A1", "B2")}, override("crm/1", 3, codes=("Z9", "Y8")))
    found = survive(rules, [record, member(rules, "erp/1", 1, {"codes": ("C3",)})])["codes"]
    assert found.value == ("Y8", "Z9")
    assert [origin.ref for origin in found.origins] == ["steward/crm/1"] * 2
