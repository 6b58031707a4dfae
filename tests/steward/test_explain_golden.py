"""The explanation of a golden record: its links, what was refused, why values survived; text, page and JSON."""

from __future__ import annotations

import re
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from small_world import HISTORIES, small_rules
from test_pair_page import ELEMENTS, EVIL, UNSAFE, Elements

from mdm_stream.contracts.golden_explanation import GoldenExplanation
from mdm_stream.contracts.schema import contract_schema
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.model import OverrideEvent, RecordEvent, VerdictEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import ConfigurationError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.rules import load_ruleset
from mdm_stream.steward.golden_page import golden_page
from mdm_stream.steward.inspect import NotFoundError, explain_golden_name, explain_names, show
from mdm_stream.steward.wording import built_text, weakest_sentence

RULES = small_rules(max_block_size=50, max_cluster_size=20)


def person(ref, day=0, **attributes):
    """One source record; ``day`` is when it was set."""
    source, record_id = ref.split("/")
    return RecordEvent("person", source, record_id, "upsert", 1, day * 86_400_000_000, attributes)


def settled(rules, events):
    """Return an index that has been given events and has nothing left to do."""
    index = MemoryIndex(rules)
    engine = Engine(rules, index, sleep=lambda _: None)
    assert not engine.process(events).failed
    engine.drain()
    return index


ANN = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01"}


@pytest.fixture(scope="module")
def chain():
    """Three records, the last held by its mail alone, and a fourth that a verdict keeps apart."""
    return settled(
        RULES,
        [
            person("crm/1", 1, **ANN, email=("a@x.org",)),
            person("erp/2", 2, **{**ANN, "given_name": "Anne"}),
            person("web/3", 3, given_name="Bob", email=("a@x.org",)),
            person("web/4", 4, **{**ANN, "given_name": "Anne"}),
            VerdictEvent("person", "erp/2", "web/4", "separate", 7, 9, "steward-1"),
            OverrideEvent("person", "crm/1", 9, 5, "s-1", {"birth_date": "1981-01-01"}),
        ],
    )


def test_it_tells_how_the_cluster_came_together(chain):
    """Strongest first; the weakest link is the one without which it parts, and what parts is named."""
    document = explain_golden_name(chain, RULES, "erp/2").document()
    joins = [(each["a"]["record_id"], each["b"]["record_id"], each["decided_by"]) for each in document["joins"]]
    assert joins == [("1", "3", "same_email"), ("1", "2", "score")]
    assert document["weakest"] == 2
    assert document["anchor"] == {"source": "crm", "record_id": "1"}
    assert document["joins"][1]["evidence"] == {"given_name": "near", "family_name": "exact", "birth_date": "exact"}
    assert "parts into 2 and 1 (erp/2)" in weakest_sentence(document)
    (apart,) = document["kept_apart"]
    assert apart["strongest"]["refused"]["reason"] == "separated"
    assert apart["answered"]
    assert apart["golden_id"] == explain_golden_name(chain, RULES, "web/4").golden_id


def test_it_tells_why_each_value_survived(chain):
    """Each rule with its strategies, its competitors and what each lost by; an override above them."""
    document = explain_golden_name(chain, RULES, "crm/1").document()
    names, birth, mail = document["survival"]
    assert (names["attributes"], names["decided_by"]) == (["given_name", "family_name"], "most_recent")
    assert [(each["record_id"], each["lost_by"]) for each in names["competitors"]] == [
        ("2", None),
        ("1", "most_recent"),
        ("3", "most_complete"),
    ]
    assert birth["overridden"] == ["birth_date"]
    assert birth["strategies"] == ["trust (half_life_days: 1)"]
    assert mail["decided_by"] == "union"
    assert "values" not in document
    assert "Lee" not in orjson.dumps(document).decode()
    shown = explain_golden_name(chain, RULES, "crm/1", values=True).document()
    assert shown["values"]["birth_date"] == "1981-01-01"
    assert shown["survival"][0]["competitors"][2]["values"] == {"given_name": "Bob"}


def test_names_that_lead_nowhere_are_told(chain):
    """An id that merged leads on; an unknown name, and a record that is deleted, are errors."""
    gone = RecordEvent("person", "web", "9", "delete", 1, 0)
    merged = settled(RULES, [person("crm/1", 1, **ANN), person("erp/2", 2, **ANN), gone])
    found = explain_golden_name(merged, RULES, golden_id_of("person", "erp/2"))
    assert found.redirected_from == golden_id_of("person", "erp/2")
    assert explain_golden_name(merged, RULES, found.golden_id).redirected_from is None
    with pytest.raises(NotFoundError, match="in no golden record now"):
        explain_golden_name(merged, RULES, "web/9")
    with pytest.raises(ConfigurationError, match="neither"):
        explain_golden_name(merged, RULES, "nonsense")


@given(history=HISTORIES)
@settings(max_examples=60, deadline=None)
def test_every_golden_record_is_explained_as_it_is(history):
    """Members and values are those of the index; joins connect all members; a refused link is refused in a pair too."""
    rules = small_rules(max_cluster_size=3)
    index = settled(rules, history)
    for golden_id, golden in index.snapshot().golden.items():
        found = explain_golden_name(index, rules, golden_id, values=True)
        members = {(each["source"], each["record_id"]) for each in golden["members"]}
        assert {(key.source, key.record_id) for key in found.members} == members
        assert found.values == golden["values"]
        assert len(found.joins) == len(found.members) - 1
        for kept in found.kept_apart:
            ends = tuple(f"{end.source}/{end.record_id}" for end in (kept.strongest.a, kept.strongest.b))
            pair = explain_names(index, rules, ends)
            assert pair.link is not None
            assert pair.link.refused == kept.strongest.refused
        orjson.dumps(found.document())


def test_sensitive_values_are_masked_until_revealed(chain):
    """Competitors' values are masked as golden ones are."""
    attributes = tuple(replace(each, sensitive=each.name == "birth_date") for each in RULES.attributes)
    rules = replace(RULES, attributes=attributes)
    masked = orjson.dumps(explain_golden_name(chain, rules, "crm/1", values=True).document()).decode()
    assert "1980-01-01" not in masked
    assert "1981-01-01" not in masked
    revealed = explain_golden_name(chain, rules, "crm/1", values=True, reveal=True).document()
    assert revealed["values"] == show(chain, RULES, "crm/1").document()["golden"]["values"]


def test_the_document_is_what_the_contract_says(chain):
    """It reads back as the model that it was, and its names are those of the schema."""
    found = explain_golden_name(chain, RULES, "crm/1", values=True)
    written = orjson.loads(orjson.dumps(found.document()))
    assert GoldenExplanation.model_validate(written) == found
    assert set(written) == set(contract_schema("golden_explanation")["properties"])


def test_a_page_is_harmless_and_has_the_tree():
    """Hostile names and values are text; the tree has a fork for each join, dashed where the cluster parts."""
    names = {"given_name": f"Ann{EVIL}", "family_name": "Lee", "birth_date": "1980-01-01"}
    index = settled(
        RULES,
        [RecordEvent("person", "crm", f"{number}{EVIL}", "upsert", 1, number, names) for number in (1, 2, 3)],
    )
    (golden_id,) = index.snapshot().golden
    page = golden_page(explain_golden_name(index, RULES, golden_id, values=True).document())
    found = Elements()
    found.feed(page)
    assert found.elements <= {*ELEMENTS, "path", "br"}
    assert not UNSAFE.search(page)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("src", "href")]
    assert len(re.findall("<path ", page)) == 2
    assert "No single link parts the cluster" in page
    assert page.count("&lt;script") > 3


def test_it_tells_what_a_built_whole_comes_from():
    """The parts of a full name that no record has so, each with its record, on the terminal's page and in JSON."""
    rules = load_ruleset("person")
    names = {"given_name": "Ann", "family_name": "Lee", "full_name": "A. Lee"}
    eve = OverrideEvent("person", "crm/1", 2, 5, "s-1", {"given_name": "Eve"})
    index = settled(rules, [person("crm/1", 1, **names), eve])
    document = explain_golden_name(index, rules, "crm/1", values=True).document()
    (built,) = document["survival"][0]["built"]
    assert built == {
        "attribute": "full_name",
        "parts": {
            "given_name": {"source": "steward", "record_id": "crm/1"},
            "family_name": {"source": "crm", "record_id": "1"},
        },
    }
    assert document["values"]["full_name"] == "Eve Lee"
    assert built_text(built) == "built from given_name of steward/crm/1; family_name of crm/1 (compose)"
    assert built_text(built) in str(golden_page(document))
