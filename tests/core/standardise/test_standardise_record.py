"""Whole records: mapping, joining, lists, patterns, parts."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.model import MISSING, Standardised
from mdm_stream.core.ruleset import Attribute, Match, Ruleset, Source
from mdm_stream.core.standardise import MULTI_VALUES_MAX, STANDARDISERS, standardise_record
from mdm_stream.core.standardise.record_plan import TEXTS_READ_MAX, read_multi

MATCH = Match("fellegi_sunter", prior=0.001, link=0.85, review=0.5, deterministic=(), comparisons=())
FULL_NAME = Attribute(
    "full_name", "full_name", fills={"given": "given_name", "middle": "middle_name", "family": "family_name"}
)
NAMES = (Attribute("given_name", "name"), Attribute("middle_name", "name"), Attribute("family_name", "name"), FULL_NAME)


def rules_of(*attributes, sources=None):
    """Return a rule set of the given attributes."""
    return Ruleset("person", 1, "0", attributes, sources or {}, (), 200, 200, MATCH, ())


def values_of(rules, columns, source="crm"):
    """Return the values of a record, one for each attribute."""
    result = standardise_record(rules, source, columns)
    assert len(result) == len(rules.attributes)
    return [item.value for item in result]


def test_columns_are_mapped_by_their_source():
    """A source's mapping names its columns; a source without one, or not declared, speaks of attributes."""
    rules = rules_of(
        Attribute("street", "address"),
        Attribute("city", "city"),
        sources={"crm": Source("crm", columns={"street": ("no", "line")}), "erp": Source("erp")},
    )
    assert values_of(rules, {"no": "12", "line": "High St", "city": "Hull"}) == ["12 High St", None]
    assert values_of(rules, {"street": "1 Low St", "city": "Hull"}, "erp") == ["1 Low St", "Hull"]
    assert values_of(rules, {"street": "1 Low St", "no": "12"}, "steward") == ["1 Low St", None]


def test_joined_columns_leave_out_what_is_absent():
    """Several columns are joined by one space without nulls, blanks and placeholders."""
    rules = rules_of(
        Attribute("street", "address"), sources={"crm": Source("crm", columns={"street": ("a", "b", "c")})}
    )
    assert values_of(rules, {"a": 12, "b": None, "c": "High St"}) == ["12 High St"]
    assert values_of(rules, {"a": "N/A", "b": " ", "c": "High St"}) == ["High St"]
    assert values_of(rules, {"a": "N/A", "b": None}) == [None]


def test_scalars_become_text():
    """Booleans, integers and floats are written as people write them.

    What is no finite number is missing, and so is a float that has lost its last digits.
    """
    rules = rules_of(Attribute("x", "text"))
    written = {True: "true", 12: "12", -7: "-7"}
    assert {value: values_of(rules, {"x": value})[0] for value in written} == written
    assert values_of(rules, {"x": False}) == ["false"]
    for value, text in ((12.0, "12"), (3.5, "3.5"), (-0.0, "0"), (1e20, None), (1e-7, "0.0000001")):
        assert values_of(rules, {"x": value}) == [text]
    for value in (None, float("nan"), float("inf"), 10**5000):
        assert values_of(rules, {"x": value}) == [None]


def test_a_single_value_takes_the_first_usable_item_of_a_list():
    """Of a list, a single-valued attribute has the first item that is neither null nor a placeholder."""
    rules = rules_of(Attribute("city", "city"))
    assert values_of(rules, {"city": (None, "N/A", "Hull", "Leeds")}) == ["Hull"]
    assert values_of(rules, {"city": ()}) == [None]


def test_multi_values_are_sorted_by_match_and_distinct():
    """A multi-valued attribute has one value for each match, sorted by match, values without a match last."""
    rules = rules_of(
        Attribute("email", "email", multi=True), sources={"crm": Source("crm", columns={"email": ("work", "home")})}
    )
    columns = {"work": ("z@b.com", "A+x@b.com", "n/a", None, "nobody home"), "home": "a@b.com"}
    (result,) = standardise_record(rules, "crm", columns)
    assert result == Standardised(
        ("a+x@b.com", "z@b.com", "nobody home"), ("a@b.com", "z@b.com"), valid=True, invalid=(2,)
    )
    (result,) = standardise_record(rules, "crm", {"home": "nobody home"})
    assert result == Standardised(("nobody home",), None, valid=False)
    assert standardise_record(rules, "crm", {"home": ("n/a",)}) == (MISSING,)


def test_multi_values_are_bounded():
    """No more than the documented number of values is kept, whatever their order of arrival."""
    rules = rules_of(Attribute("tag", "text", multi=True))
    many = tuple(f"tag {number:04}" for number in range(3 * MULTI_VALUES_MAX))
    (kept,) = standardise_record(rules, "crm", {"tag": many})
    assert kept.value == many[:MULTI_VALUES_MAX]
    assert standardise_record(rules, "crm", {"tag": many[::-1]}) == (kept,)


def test_texts_of_a_long_list_are_not_all_read():
    """Of a list of any length a documented number is standardised, each once, whatever their order."""
    read = []
    many = [f"tag {number:04}" for number in range(4 * TEXTS_READ_MAX)]

    def standardise(text):
        read.append(text)
        return Standardised(text, text)

    kept = read_multi(standardise, [*many, *many[::-1]])
    assert read == many[:TEXTS_READ_MAX]
    assert kept == read_multi(standardise, many[::-1])


def test_a_pattern_marks_what_does_not_match_it_invalid():
    """A pattern looks at the whole value; what fails it is kept, also within a multi-valued attribute."""
    rules = rules_of(
        Attribute("id", "identifier", pattern=r"[A-Z]\d{3}"), Attribute("ids", "identifier", pattern=r"\d+", multi=True)
    )
    good, many = standardise_record(rules, "crm", {"id": "A123", "ids": ("x", "12")})
    assert good == Standardised("A123", "A123", valid=True)
    assert many == Standardised(("12", "x"), ("12", "X"), valid=True, invalid=(1,))
    assert standardise_record(rules, "crm", {"id": "A1234"})[0] == Standardised("A1234", "A1234", valid=False)
    assert standardise_record(rules, "crm", {"id": None})[0] is MISSING


def test_a_full_name_fills_the_names_that_are_missing():
    """Parts go where the record has nothing, and only there."""
    rules = rules_of(*NAMES)
    full = "Dr. Maria Luisa dos Santos"
    assert values_of(rules, {"full_name": full}) == ["Maria", "Luisa", "dos Santos", full]
    assert values_of(rules, {"full_name": full, "given_name": "Mia"}) == ["Mia", "Luisa", "dos Santos", full]
    assert values_of(rules, {"full_name": full, "given_name": "N/A"}) == ["Maria", "Luisa", "dos Santos", full]
    assert values_of(rules, {"full_name": "Madonna"}) == ["Madonna", None, None, "Madonna"]
    assert values_of(rules, {"full_name": None, "family_name": "Ray"}) == [None, None, "Ray", None]


def test_two_rule_sets_with_one_digest_are_not_mixed_up():
    """What is remembered belongs to the rule set itself, not to its name, version or digest."""
    one, two = rules_of(Attribute("a", "text")), rules_of(Attribute("b", "text"))
    assert values_of(one, {"a": "x", "b": "y"}) == ["x"]
    assert values_of(two, {"a": "x", "b": "y"}) == ["y"]


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12))


@given(st.dictionaries(st.sampled_from([*STANDARDISERS, "all"]), st.one_of(SCALARS, st.lists(SCALARS).map(tuple))))
def test_any_columns_give_a_record(columns):
    """Whatever the columns hold, every attribute gets a Standardised: texts if single, equal-shaped tuples if multi."""
    types = list(STANDARDISERS)
    rules = rules_of(
        *(Attribute(name, name) for name in types), *(Attribute(f"{name}s", name, multi=True) for name in types)
    )
    result = standardise_record(rules, "crm", {**columns, **{f"{name}s": value for name, value in columns.items()}})
    for item in result[: len(types)]:
        assert item.value is None or isinstance(item.value, str)
    for item in result[len(types) :]:
        assert item == MISSING or isinstance(item.value, tuple)
        assert item.match is None or (
            list(item.match) == sorted(set(item.match)) and len(item.match) <= len(item.value)
        )


def test_importing_the_standardisers_loads_no_input_or_output_library():
    """The core is pure: no client of a network service comes with it."""
    code = "import sys, mdm_stream.core.standardise; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"boto3", "redis", "requests", "urllib3", "socket", "http.client", "pandas", "duckdb"} & set(loaded)
