"""What a batch kept as delivered and could not use is counted by attribute and reason, without the values."""

from collections import Counter

from mdm_stream.core.model import OverrideEvent, RecordEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.rules import load_ruleset
from mdm_stream.steward.describe import describe_record


def test_values_that_count_for_nothing_are_counted_by_attribute_and_reason():
    """A cell of two values, a rounded number and a placeholder are each told; a value that is read is not."""
    rules = load_ruleset("person")
    attributes = {
        "given_name": "Ann",
        "email": "ann@x.example; ann.lee@work.example",
        "national_id": "1.91431E+18",
        "birth_date": "1970-01-01",
        "phone": "+44 20 7946 0123",
    }
    event = RecordEvent("person", "crm", "1", "upsert", 1, 0, attributes)
    report = Engine(rules, MemoryIndex(rules)).process([event])
    assert report.set_aside == {
        "email: several_values": 1,
        "national_id: scientific_notation": 1,
        "birth_date: placeholder": 1,
    }


def test_overrides_that_count_for_nothing_are_counted_apart():
    """A placeholder as an override changes no golden record; it is counted under its own name, without the value."""
    rules = load_ruleset("person")
    columns = {"given_name": "Ann", "birth_date": "1961-04-03", "email": "ann@x.example", "phone": "+44 20 7946 0123"}
    event = RecordEvent("person", "crm", "1", "upsert", 1, 0, columns)
    overrides = {"birth_date": "1970-01-01", "national_id": "1.91431E+18", "given_name": "Anne"}
    index = MemoryIndex(rules)
    report = Engine(rules, index).process([event, OverrideEvent("person", "crm/1", 1, 0, "s", overrides)])
    assert report.set_aside == {
        "override of birth_date: placeholder": 1,
        "override of national_id: scientific_notation": 1,
    }
    described = describe_record(rules, index.read_records(["crm/1"])["crm/1"], Counter(), reveal=False)
    assert described.overrides_set_aside == {"birth_date": "placeholder", "national_id": "scientific_notation"}
    assert [applied.value.value for applied in index.read_records(["crm/1"])["crm/1"].overrides] == ["Anne"]
