"""Clusters: what bridges them merges them whole, and what no longer does gives them back, ids and all."""

from __future__ import annotations

from itertools import permutations

import pytest
from storyline import (
    ANN,
    ANNE,
    BOB,
    RULES,
    clusters,
    delete,
    digest,
    erasure,
    golden_id,
    members,
    patch,
    record,
    same_in_any_order,
    values,
    verdict,
)

from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.index import RedisIndex

pytestmark = pytest.mark.one_redis

TWO_CLUSTERS = [
    record("crm/1", ANN, day=1, email=("a@x.org",)),
    record("crm/2", ANN, day=2),
    record("web/1", BOB, day=3, email=("b@x.org",)),
    record("web/2", BOB, day=4),
]
BRIDGE = record("erp/9", {}, day=5, email=("a@x.org", "b@x.org"))
APART = {golden_id("crm/1"): {"crm/1", "crm/2"}, golden_id("web/1"): {"web/1", "web/2"}}


def test_a_bridge_merges_all_members_of_both_clusters_under_one_id(story):
    """A record that two clusters share an email with makes them one, with everybody in it, under the elder's id."""
    assert members(story.tell(*TWO_CLUSTERS)) == APART
    found = story.tell(BRIDGE)
    assert members(found) == {golden_id("crm/1"): {"crm/1", "crm/2", "erp/9", "web/1", "web/2"}}


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(delete("erp/9"), id="deleted"),
        pytest.param(erasure("erp/9"), id="erased"),
        pytest.param(record("erp/9", {}, version=2, day=6, email=("c@x.org",)), id="corrected"),
        pytest.param(patch("erp/9", version=2, email=()), id="patched"),
        pytest.param(verdict("erp/9", "web/1", "separate"), id="separated"),
    ],
)
def test_without_its_bridge_a_cluster_falls_into_two_with_their_old_ids(story, end):
    """Correction, deletion, erasure or a verdict: both golden records are back, with ids, members and values."""
    before = story.tell(*TWO_CLUSTERS)
    story.tell(BRIDGE)
    found = story.tell(end)
    for golden, refs in APART.items():
        assert members(found)[golden] - {"erp/9"} == refs
    assert found.golden[golden_id("web/1")] == before.golden[golden_id("web/1")]


def test_a_bridge_in_any_order(redis_client):
    """Whichever of the five comes when, and however often, they are one."""
    found = same_in_any_order(redis_client, [*TWO_CLUSTERS, BRIDGE])
    assert len(members(found)) == 1


def test_a_bridge_that_is_taken_away_in_any_order(redis_client):
    """The correction may come before what it corrects: they are two."""
    correction = record("erp/9", {}, version=2, day=6, email=("b@x.org",))
    found = same_in_any_order(redis_client, [TWO_CLUSTERS[0], TWO_CLUSTERS[2], BRIDGE, correction])
    assert clusters(found) == [["crm/1"], ["erp/9", "web/1"]]


def test_a_golden_record_survives_from_all_its_members(story):
    """A value of a member that shares no key with the last event's record is in the golden record all the same."""
    story.tell(
        record("crm/1", {"given_name": "Maximiliane"}, day=1, email=("a@x.org",)),
        record("erp/2", {}, day=2, email=("a@x.org", "b@x.org")),
        record("web/3", {}, day=3, email=("b@x.org", "c@x.org")),
    )
    found = story.tell(record("web/4", {"birth_date": "1980-01-01"}, day=4, email=("c@x.org",)))
    assert clusters(found) == [["crm/1", "erp/2", "web/3", "web/4"]]
    assert values(found, "web/4") == {
        "given_name": "Maximiliane",
        "birth_date": "1980-01-01",
        "email": ["a@x.org", "b@x.org", "c@x.org"],
    }
    found = story.tell(patch("web/4", version=2, birth_date="1980-01-02"))
    assert (values(found, "crm/1")["given_name"], values(found, "crm/1")["birth_date"]) == ("Maximiliane", "1980-01-02")


def test_a_corrected_record_leaves_its_cluster(story):
    """One that turns out to be somebody else goes, takes its values with it, and becomes somebody of its own."""
    found = story.tell(record("crm/1", ANN, day=1), record("erp/2", ANN, day=2, email=("z@x.org",)))
    assert clusters(found) == [["crm/1", "erp/2"]]
    found = story.tell(record("erp/2", BOB, version=2, day=3))
    assert members(found) == {golden_id("crm/1"): {"crm/1"}, golden_id("erp/2"): {"erp/2"}}
    assert "email" not in values(found, "crm/1")
    found = story.tell(record("web/3", BOB, day=4))
    assert clusters(found) == [["crm/1"], ["erp/2", "web/3"]]


def test_a_correction_in_any_order(redis_client):
    """It may come before what it corrects, and what it corrects may come again."""
    events = [record("crm/1", ANN, day=1), record("erp/2", ANN, day=2), record("erp/2", BOB, version=2, day=3)]
    assert clusters(same_in_any_order(redis_client, [*events, record("web/3", BOB)])) == [["crm/1"], ["erp/2", "web/3"]]


def test_a_doubtful_pair_leaves_the_queue_when_others_make_it_one(story):
    """Two records under review are not any more once a third connects them, and are again when it goes."""
    found = story.tell(
        record("crm/1", ANN, day=1, email=("a@x.org",)), record("web/3", ANNE, day=2, email=("b@x.org",))
    )
    assert [*found.review] == [("crm/1", "web/3")]
    assert story.tell(BRIDGE).review == {}
    assert [*story.tell(delete("erp/9")).review] == [("crm/1", "web/3")]


def test_every_permutation_of_one_history_gives_one_digest(redis_client):
    """All 720 orders of a history with a bridge, a correction, a deletion and a verdict, each with a repetition."""
    events = [
        record("crm/1", ANN, day=1, email=("a@x.org",)),
        record("web/3", BOB, day=2, email=("b@x.org",)),
        BRIDGE,
        record("erp/9", ANNE, version=2, day=6),
        verdict("crm/1", "web/3", "separate"),
        delete("web/3", version=1),
    ]
    digests = {digest(resolve(RULES, events))}
    for number, order in enumerate(permutations(events)):
        redis_client.flushall()
        index = RedisIndex(redis_client, RULES)
        engine = Engine(RULES, index)
        told = [*order, order[number % 6]]
        size = 1 + number % 7
        for start in range(0, 7, size):
            engine.process(told[start : start + size])
        digests.add(digest(index.snapshot()))
    assert len(digests) == 1
