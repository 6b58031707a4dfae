"""What a batch kept as delivered and could not use is counted by attribute and reason, without the values."""

from mdm_stream.core.model import RecordEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.rules import load_ruleset


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
