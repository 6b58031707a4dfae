"""The example events are what their README says."""

from pathlib import Path

from mdm_stream.core.model import RecordEvent
from mdm_stream.decode import file_events
from mdm_stream.rules import load_rulesets

EXAMPLES = Path(__file__).parents[2] / "examples"


def events_of(name):
    """(op, reference) of each event of an example; a verdict by its word."""
    rules = load_rulesets([EXAMPLES / "rules" / "company.yaml"])
    found = [event for _, event in file_events(EXAMPLES / "events" / name, None, None, rules)]
    return [(event.op, event.ref) if isinstance(event, RecordEvent) else event.verdict for event in found]


def test_every_example_is_read_without_a_rejection():
    """Each format's file gives the changes that it is there to show, under the company's rule set."""
    web = [
        ("upsert", "web/u-1001"),
        ("patch", "web/u-1001"),
        ("upsert", "web/u-1002"),
        ("delete", "web/u-1002"),
        "link",
    ]
    assert events_of("web.canonical.jsonl") == web
    crm = [("upsert", "crm/42"), ("upsert", "crm/43"), ("upsert", "crm/42"), ("delete", "crm/43")]
    assert events_of("crm.debezium.jsonl") == crm
    shop = [("upsert", "shop/7|0004411223"), ("delete", "shop/7|0004411223"), ("upsert", "shop/9|0004411223")]
    assert events_of("shop.dms.jsonl") == shop
    assert events_of("desk.csv") == [("upsert", "desk/42"), ("upsert", "desk/43")]
