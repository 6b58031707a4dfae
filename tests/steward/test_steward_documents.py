"""What stewards see as JSON: which fields, in which order, and that it is what the contract says."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError
from small_world import small_rules

from mdm_stream.contracts.schema import contract_schema
from mdm_stream.contracts.steward import Explanation, Lookup, ReviewQueue
from mdm_stream.core.match.score import explain_pair
from mdm_stream.core.model import RecordEvent, VerdictEvent, make_ref
from mdm_stream.core.ruleset import Comparison
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.steward.explain import _SCORE
from mdm_stream.steward.inspect import explain_names, show
from mdm_stream.steward.review import review_queue

RULES = small_rules(max_block_size=50)
SEPARATE = VerdictEvent("person", "crm/1", "erp/4", "separate", 7, 9, "steward-1")


def person(source: str, record_id: str, **changes: object) -> RecordEvent:
    """One source record."""
    attributes = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01", **changes}
    return RecordEvent("person", source, record_id, "upsert", 1, 0, attributes)


@pytest.fixture(scope="module")
def index():
    """Two records that are one, one in the queue with them, and one that a verdict keeps apart."""
    index = MemoryIndex(RULES)
    engine = Engine(RULES, index)
    events = [person("crm", "1"), person("crm", "2"), SEPARATE, person("erp", "4")]
    events += [person("web", "3", given_name="Anne", birth_date="1980-01-02")]
    assert not engine.process(events).failed
    engine.drain()
    return index


def test_a_lookup_is_written_as_it_always_was(index):
    """Golden content with its nested names sorted, as in the stored canonical JSON; a source record as for people."""
    found = show(index, RULES, "crm/2").document()
    assert list(found) == ["domain", "redirected_from", "golden", "record"]
    golden, record = found["golden"], found["record"]
    stored = index.golden_record(golden["golden_id"])
    assert list(golden) == list(stored) == ["domain", "golden_id", "members", "provenance", "values"]
    assert orjson.dumps(golden["members"]) == orjson.dumps(stored["members"])
    assert list(golden["values"]) == list(golden["provenance"]) == ["given_name", "family_name", "birth_date"]
    for name, origins in golden["provenance"].items():
        assert orjson.dumps(origins) == orjson.dumps(stored["provenance"][name])
    assert list(record) == [
        *("source", "record_id", "status", "born_at", "last_whole_write", "attributes", "blocking_keys", "verdicts")
    ]
    assert list(record["attributes"]["given_name"]) == ["value", "valid", "version", "event_time"]
    (verdict,) = show(index, RULES, "crm/1").document()["record"]["verdicts"]
    assert list(verdict) == ["other", "verdict", "version", "event_time", "steward"]


def test_an_explanation_has_its_fields_in_order_and_only_those_asked_for(index):
    """Keys and values are in it with ``values`` alone; without them their fields are not there at all."""
    with_values = explain_names(index, RULES, ("crm/1", "crm/2"), values=True).document()
    without = explain_names(index, RULES, ("crm/1", "crm/2")).document()
    assert list(without) == [
        *("domain", "rules_version", "a", "b", "together", "decision", "decided_by", "verdict", "shared_keys"),
        *("score", "link", "path", "conclusion", "balance"),
    ]
    assert list(with_values) == [*without, "values", "agreement"]
    assert list(without["shared_keys"][0]) == ["expression", "size", "suspended"]
    assert list(with_values["shared_keys"][0]) == ["expression", "key", "size", "suspended"]
    assert list(without["link"]) == ["a", "b", "confidence", "weight_bits", "decided_by", "refused"]
    apart = explain_names(index, RULES, ("crm/1", "erp/4")).document()
    assert (apart["conclusion"], apart["verdict"]["steward"]) == ("separated", "steward-1")


def test_the_queue_has_its_fields_in_order(index):
    """What the index holds of an item stays as it is; both sides and the worth are added to it."""
    queue = review_queue(index, RULES, limit=5).document()
    assert list(queue) == ["domain", "rules_version", "held", "total", "by_reason", "items"]
    assert queue["items"]
    for item in queue["items"]:
        pair = tuple(make_ref(side["source"], side["record_id"]) for side in (item["a"], item["b"]))
        held = index.review_page().items[pair]
        assert list(item) == [*held, "expected_pairs"]
        assert {name: item[name] for name in ("reason", "confidence", "evidence")} == {
            name: held[name] for name in ("reason", "confidence", "evidence")
        }
        assert list(item["a"]) == ["source", "record_id", "golden_id", "members"]


def test_a_refused_item_names_the_verdict_in_its_way(index):
    """A pair under a SEPARATE verdict is in the queue with the verdict, and no chain where there is none."""
    items = review_queue(index, RULES, limit=5, reasons=["separated"]).items
    assert items
    assert {(each.verdict.version, len(each.chain)) for item in items for each in item.separated} == {(7, 0)}


def test_a_weighted_mean_is_explained_by_similarities():
    """Whole numbers of the rules stay whole, and what could not be compared is null."""
    comparison = Comparison("given", (0,), (), "jaro_winkler", 2)
    rules = replace(
        RULES, match=replace(RULES.match, method="weighted_mean", comparisons=(comparison,), deterministic=())
    )
    nothing = (None, None, None, ())
    for a, b in ((("ann", None, None, ()), ("anne", None, None, ())), (nothing, nothing)):
        raw = explain_pair(rules, a, b)
        assert orjson.dumps(_SCORE.validate_python(raw).model_dump(mode="json")) == orjson.dumps(raw)


@pytest.mark.parametrize(
    ("name", "model", "document"),
    [
        ("lookup", Lookup, lambda index: show(index, RULES, "crm/1")),
        ("explanation", Explanation, lambda index: explain_names(index, RULES, ("crm/1", "web/3"), values=True)),
        ("review", ReviewQueue, lambda index: review_queue(index, RULES, limit=5)),
    ],
)
def test_what_is_written_is_what_the_contract_says(index, name, model, document):
    """A document reads back as the model that it was, its names are those of the schema, and others are refused."""
    found = document(index)
    written = orjson.loads(orjson.dumps(found.document()))
    assert TypeAdapter(model).validate_python(written) == found
    assert set(written) == set(contract_schema(name)["properties"])
    with pytest.raises(ValidationError):
        model.model_validate({**written, "unheard_of": 1})
