"""Verdicts: a steward's word on two records holds whatever becomes of them, and two that cannot both hold are told."""

from __future__ import annotations

import pytest
from small_world import small_rules
from storyline import ANN, BOB, Story, clusters, delete, golden_id, members, record, same_in_any_order, verdict

from mdm_stream.archive import ArchivedRecord, open_archive
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.reference import resolve
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.run import Rebuild, RebuildOptions
from mdm_stream.steward.review import review_queue

pytestmark = pytest.mark.one_redis

TWINS = [record("crm/1", ANN, day=1), record("erp/2", ANN, day=2)]
SEPARATE = verdict("crm/1", "erp/2", "separate", version=3)
APART = [["crm/1"], ["erp/2"]]


class Unread:
    """A golden feed that nobody reads, and from which a rebuild reads nothing."""

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Take messages."""

    def read(self, state: object) -> None:
        """Apply nothing."""

    finish = read


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([record("crm/1", ANN, day=1)], id="a redelivery"),
        pytest.param([record("crm/1", ANN, version=8, day=9, email=("a@x.org",))], id="an update"),
        pytest.param([delete("erp/2"), record("erp/2", ANN, version=10, day=3)], id="deleted and sent again"),
        pytest.param(
            [record("erp/2", BOB, version=5, day=3), record("erp/2", ANN, version=6, day=4)],
            id="somebody else and back",
        ),
        pytest.param([verdict("crm/1", "erp/2", "link", version=2)], id="an older verdict"),
    ],
)
def test_separate_outlives_what_becomes_of_its_records(story, after):
    """Two records that a steward keeps apart stay apart, however alike they are and however often they come."""
    assert clusters(story.tell(*TWINS)) == [["crm/1", "erp/2"]]
    assert clusters(story.tell(SEPARATE)) == APART
    assert clusters(story.tell(*after)) == APART


def test_separate_in_any_order(redis_client):
    """It may come before either record exists."""
    found = same_in_any_order(redis_client, [*TWINS, SEPARATE, record("erp/2", ANN, version=2, day=4)])
    assert clusters(found) == APART


def test_a_verdict_that_is_withdrawn_leaves_the_evidence(redis_client):
    """After none the pair is what its evidence says; a late copy of the verdict changes nothing."""
    found = same_in_any_order(redis_client, [*TWINS, SEPARATE, verdict("erp/2", "crm/1", "none", version=4)])
    assert members(found) == {golden_id("crm/1"): {"crm/1", "erp/2"}}


def test_verdicts_outlive_new_versions_of_the_rules(redis_client, redis_url, tmp_path):
    """A rebuild under other rules keeps what stewards have separated apart, and what they have linked together."""
    story = Story(redis_client)
    story.tell(*TWINS, SEPARATE, record("web/3", BOB, day=3), verdict("web/3", "erp/2", "link"))
    archive = open_archive((tmp_path / "archive").as_uri())
    reached = story.index.position()
    rows = [
        ArchivedRecord("person", event.refs, f"{n:064}", n, "", encode_event(event), "record")
        for n, event in enumerate(story.events)
    ]
    archive.append("person", rows, reached)
    other = small_rules(max_block_size=9, max_cluster_size=30)
    assert other.digest != story.rules.digest
    Rebuild(
        other,
        redis_url,
        "main",
        archive=archive,
        golden=Unread(),
        published=Unread(),
        options=RebuildOptions(workers=1),
    ).run()
    found = RedisIndex(redis_client, other).snapshot()
    assert found == resolve(other, story.events)
    assert clusters(found) == [["crm/1"], ["erp/2", "web/3"]]


def test_a_separated_pair_is_kept_apart_by_whoever_connects_it(story):
    """A third record that is like both joins one of them, and its link to the other one waits for review."""
    story.tell(*TWINS, SEPARATE)
    found = story.tell(record("web/3", ANN, day=3))
    assert clusters(found) == [["crm/1", "web/3"], ["erp/2"]]
    (item,) = found.review.values()
    assert (item["reason"], item["b"]["record_id"]) == ("separated", "3")


CHAIN = [
    *(
        record(ref, {**BOB, "given_name": name}, day=day)
        for ref, name, day in (("crm/1", "Ann", 1), ("erp/2", "Bob", 2))
    ),
    record("web/3", {"given_name": "Zoe"}, day=3),
    verdict("crm/1", "erp/2", "link", version=1),
    verdict("erp/2", "web/3", "link", version=2),
    verdict("crm/1", "web/3", "separate", version=3),
]


@pytest.mark.parametrize(
    ("withdrawn", "after"),
    [
        pytest.param(verdict("crm/1", "web/3", "none", version=4), [["crm/1", "erp/2", "web/3"]], id="the separate"),
        pytest.param(verdict("crm/1", "erp/2", "none", version=4), [["crm/1"], ["erp/2", "web/3"]], id="one link"),
        pytest.param(
            verdict("erp/2", "web/3", "none", version=4), [["crm/1", "erp/2"], ["web/3"]], id="the other link"
        ),
    ],
)
def test_links_against_a_separate_are_a_contradiction_until_one_is_withdrawn(story, withdrawn, after):
    """It is told first of all, with every verdict in it; withdrawing any one of the three mends it."""
    found = story.tell(*CHAIN)
    assert [item["reason"] for item in found.review.values()] == ["contradiction"]
    (item,) = review_queue(story.index, story.rules, limit=9).document()["items"]
    (separated,) = item["separated"]
    named = [separated, *separated["chain"]]
    assert sorted(each["verdict"]["version"] for each in named) == [1, 2, 3]
    found = story.tell(withdrawn)
    assert clusters(found) == after
    assert not [item for item in found.review.values() if item["reason"] == "contradiction"]


def test_a_contradiction_in_any_order(redis_client):
    """Which of the links is refused depends on the verdicts, and not on when they were made."""
    found = same_in_any_order(redis_client, CHAIN)
    assert [item["reason"] for item in found.review.values()] == ["contradiction"]


def test_a_contradiction_ends_when_a_record_in_it_goes(story):
    """Without one of its records the verdicts on it say nothing; when it is back, they do again."""
    story.tell(*CHAIN)
    found = story.tell(delete("erp/2"))
    assert (clusters(found), found.review) == ([["crm/1"], ["web/3"]], {})
    found = story.tell(record("erp/2", BOB, version=10, day=2))
    assert [item["reason"] for item in found.review.values()] == ["contradiction"]
