"""The review queue as stewards read it from an index on Redis."""

from __future__ import annotations

import random

import orjson
import pytest
from small_world import small_rules
from torture.world import World, history

from mdm_stream.cli.commands.review import print_queue
from mdm_stream.core.cluster.golden import key_of
from mdm_stream.core.cluster.review_order import REASONS, ordered_review
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.steward import review
from mdm_stream.steward.review import review_queue

RULES = small_rules(max_block_size=50, max_cluster_size=4)


def person(ref, **attributes):
    """Return an upsert of one record."""
    source, record_id = ref.split("/")
    return RecordEvent("person", source, record_id, "upsert", 1, 0, attributes)


def verdict(a, b, word, version=1):
    """Return a verdict of a steward."""
    return VerdictEvent("person", *sorted((a, b)), word, version, 0, "steward-1")


def filled(redis_client, events, rules=RULES):
    """Return an index that holds what the events say, opened for reading."""
    index = RedisIndex(redis_client, rules)
    engine = Engine(rules, index)
    assert not engine.process(events).failed
    engine.drain()
    return RedisIndex(redis_client, rules, create=False)


@pytest.mark.one_redis
@pytest.mark.parametrize("seed", range(6))
def test_the_index_gives_the_order_of_the_reference(redis_client, seed, monkeypatch):
    """Read in pages from Redis, the queue has the items of F in the order of F, worth and clusters included."""
    monkeypatch.setattr(review, "PAGE_ITEMS", 1 + seed)
    world = World(records_per_source=5)
    events = history(world, random.Random(seed), 80)
    index = filled(redis_client, events)
    expected = resolve(RULES, events)
    entries = ordered_review(expected.crosswalk, expected.review)
    found = review_queue(index, RULES, limit=len(entries) + 1).document()
    assert found["total"] == len(entries) == sum(found["by_reason"].values())
    shown = [(item["a"], item["b"], item["expected_pairs"]) for item in found["items"]]
    assert shown == [
        (
            *(
                {**key_of(ref), "golden_id": golden_id, "members": size}
                for ref, golden_id, size in zip(each.pair, each.golden_ids, each.sizes, strict=True)
            ),
            round(each.expected_pairs, 6),
        )
        for each in entries
    ]
    assert review_queue(index, RULES, limit=3).document()["items"] == found["items"][:3]


def test_only_the_reasons_that_are_asked_for(redis_client):
    """With a reason the queue has its items alone, and counts them alone; the reasons are those of the results."""
    index = filled(redis_client, history(World(records_per_source=6), random.Random(3), 120))
    whole = review_queue(index, RULES, limit=1_000).document()
    assert set(whole["by_reason"]) <= set(REASONS)
    assert len(whole["by_reason"]) > 1
    for reason, count in whole["by_reason"].items():
        found = review_queue(index, RULES, limit=1_000, reasons=[reason]).document()
        assert (found["total"], found["by_reason"]) == (count, {reason: count})
        assert {item["reason"] for item in found["items"]} == {reason}


def test_a_contradiction_names_every_verdict_in_it(redis_client):
    """LINK verdicts in a chain against a SEPARATE one: all of them are named, with who said what and when."""
    events = [person(ref, given_name=name) for ref, name in (("crm/1", "Ann"), ("crm/2", "Bob"), ("web/3", "Zoe"))]
    events += [
        verdict("crm/1", "crm/2", "link", 5),
        verdict("crm/2", "web/3", "link", 6),
        verdict("crm/1", "web/3", "separate", 7),
    ]
    (item,) = review_queue(filled(redis_client, events), RULES, limit=5).document()["items"]
    assert item["reason"] == "contradiction"
    (separated,) = item["separated"]
    assert (separated["a"], separated["b"]) == (key_of("crm/1"), key_of("web/3"))
    assert (separated["verdict"]["verdict"], separated["verdict"]["version"]) == ("separate", 7)
    chain = [
        (link["a"]["record_id"], link["b"]["record_id"], link["verdict"]["version"]) for link in separated["chain"]
    ]
    assert chain == [("1", "2", 5), ("2", "3", 6)]
    assert {link["verdict"]["steward"] for link in separated["chain"]} == {"steward-1"}


def test_refused_links_between_two_golden_records_are_one_line(redis_client, capsys):
    """It says how many more there are, and after a SEPARATE between the two that one stands, behind what is open."""
    ann = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01"}
    events = [person(f"crm/{n}", **ann) for n in range(1, 10)]
    index = filled(redis_client, events)
    found = review_queue(index, RULES, limit=9).document()
    assert [(item["a"]["record_id"], item["b"]["record_id"], item["refused_links"]) for item in found["items"]] == [
        ("1", "5", 16),
        ("1", "9", 4),
        ("5", "9", 4),
    ]
    print_queue(found)
    out = capsys.readouterr().out
    assert "crm/1 crm/5: and 15 more links between the same two golden records" in out
    assert "SEPARATE" not in out
    Engine(RULES, RedisIndex(redis_client, RULES)).process([verdict("crm/1", "crm/5", "separate")])
    found = review_queue(index, RULES, limit=9).document()
    assert [(item["refused_links"], item["answered"]) for item in found["items"]] == [
        (4, False),
        (4, False),
        (15, True),
    ]
    print_queue(found)
    said = "a SEPARATE verdict stands between other members of the two golden records"
    assert f"crm/1 crm/6: {said}" in capsys.readouterr().out


def test_verdicts_that_are_not_listed_are_counted(redis_client, capsys, monkeypatch):
    """A LINK against more SEPARATE verdicts than an item lists shows the first of them and how many more there are."""
    monkeypatch.setattr("mdm_stream.core.cluster.clustering.SEPARATED_LISTED_MAX", 1)
    events = [person(ref, given_name=ref) for ref in ("crm/1", "crm/2", "erp/3", "web/4")]
    events += [verdict(a, b, "link") for a, b in (("crm/1", "crm/2"), ("crm/2", "erp/3"), ("erp/3", "web/4"))]
    events += [verdict(ref, "web/4", "separate") for ref in ("crm/1", "crm/2")]
    found = review_queue(filled(redis_client, events), RULES, limit=9).document()
    (item,) = found["items"]
    assert [each["a"]["record_id"] for each in item["separated"]] == ["1"]
    assert (item["reason"], item["separated_count"]) == ("contradiction", 2)
    print_queue(found)
    assert "erp/3 web/4: and 1 more SEPARATE verdict\n" in capsys.readouterr().out


def test_no_value_of_a_record_is_in_it(redis_client):
    """Keys, ids, evidence and verdicts, and nothing that a record says."""
    events = [
        person("crm/1", given_name="Wilhelmina", family_name="Lee", birth_date="1980-01-01"),
        person("web/3", given_name="Wilhelmine", family_name="Lee", birth_date="1980-01-02"),
    ]
    found = review_queue(filled(redis_client, events), RULES, limit=5).document()
    assert found["total"] == 1
    text = orjson.dumps(found).decode()
    assert not [value for value in ("Wilhelm", "Lee", "1980") if value in text]


def test_what_is_settled_while_the_queue_is_read_is_left_out(redis_client, monkeypatch):
    """An item whose records are one by the time that their clusters are read is not shown."""
    events = [
        person("crm/1", given_name="Ann", family_name="Lee", birth_date="1980-01-01"),
        person("web/3", given_name="Anne", family_name="Lee", birth_date="1980-01-02"),
    ]
    index = filled(redis_client, events)
    before = index.review_page()
    assert len(before.items) == 1
    Engine(RULES, RedisIndex(redis_client, RULES)).process([verdict("crm/1", "web/3", "link")])
    monkeypatch.setattr(index, "review_page", lambda _cursor, _size: before)
    assert review_queue(index, RULES, limit=5).document()["items"] == []
