"""What else of a record is compared as an attribute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.record import Record, build_record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import RulesError
from mdm_stream.index.redis.codec import decode_record, encode_record
from mdm_stream.rules import load_ruleset

ALSO = ["[unheard]", "[other_names.street]", "[phone.area]", "[family_name]"]
NAMES = st.lists(st.sampled_from(["Falk", "Elin Marsh", "Ann Bo Jr", "王小明", "", "Q"]), max_size=4)


def built(rules: Ruleset, **values: object) -> Record:
    """Return a record of some values."""
    event = RecordEvent(rules.domain, "crm", "1", "upsert", 1, 0, values)
    return build_record(rules, event.ref, fold(EMPTY, event, event.ref).state)


def compared(record: Record, rules: Ruleset, name: str) -> object:
    """Return what a record is compared by as an attribute."""
    return record.match[rules.index_of(name)]


@pytest.fixture(scope="module")
def person() -> Ruleset:
    """The pack."""
    return load_ruleset("person")


def test_other_names_are_compared_and_not_golden(person):
    """A maiden name and an alias are compared as names; the value stays the name in use."""
    record = built(
        person, given_name="Elin", family_name="Marsh", other_family_names=("Falk",), other_names=("Lin Bo",)
    )
    assert compared(record, person, "family_name") == ("bo", "falk", "marsh")
    assert compared(record, person, "given_name") == ("elin", "lin")
    assert record.values[person.index_of("family_name")].value == "Marsh"


def test_a_generation_is_found_wherever_it_is_written(person):
    """In a family name, a given name, a whole name or a column of its own."""
    for values in (
        {"family_name": "Dunmore Jr."},
        {"given_name": "Walter, Jr"},
        {"full_name": "Walter Dunmore II"},
        {"generation": "junior"},
    ):
        assert compared(built(person, **values), person, "generation") == "2"
    assert compared(built(person, family_name="Dunmore"), person, "generation") is None


@given(NAMES, NAMES)
def test_an_index_holds_what_is_compared(first, second):
    """A record is read from the index as it was written, with all that it is compared by."""
    rules = load_ruleset("person")
    record = built(rules, given_name=" ".join(first), other_names=tuple(second), other_family_names=tuple(first))
    assert decode_record(record.ref, encode_record(record)) == record


@pytest.mark.parametrize("also", ALSO)
def test_what_also_cannot_name_is_an_error(tmp_path, also):
    """An attribute that does not exist, a part that its type does not have, and the attribute itself are errors."""
    path = tmp_path / "rules.yaml"
    path.write_text(f"extends: person\nversion: 1\nattributes:\n  family_name: {{also: {also}}}\n")
    with pytest.raises(RulesError, match=r"no attribute|has no part|itself"):
        load_ruleset(path)
