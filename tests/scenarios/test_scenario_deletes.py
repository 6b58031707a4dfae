"""Deletions: what is left is as if the record had never been seen, and every id still leads somewhere or nowhere."""

from __future__ import annotations

import orjson
import pytest
from storyline import (
    ANN,
    ANNE,
    BOB,
    Story,
    clusters,
    delete,
    erasure,
    follow,
    golden_id,
    members,
    override,
    record,
    same_in_any_order,
    verdict,
)

from mdm_stream.index.redis.pages import Page, decode_page

pytestmark = pytest.mark.one_redis

THREE = [
    record("crm/1", ANN, day=1, email=("a@x.org",)),
    record("erp/2", ANN, day=2),
    record("web/3", ANN, day=3, email=("c@x.org",)),
]


def test_a_delete_shrinks_the_golden_record(story):
    """A member that goes takes its values along; id and the other members stay."""
    story.tell(*THREE)
    found = story.tell(delete("web/3"))
    assert members(found) == {golden_id("crm/1"): {"crm/1", "erp/2"}}
    assert found.golden[golden_id("crm/1")]["values"]["email"] == ["a@x.org"]


def test_a_delete_of_the_anchor_gives_the_id_of_the_next_one(story):
    """The golden record is then named after its eldest member; the old id is retired and leads nowhere."""
    story.tell(*THREE)
    found = story.tell(delete("crm/1"))
    assert members(found) == {golden_id("erp/2"): {"erp/2", "web/3"}}
    assert last_change(story, golden_id("crm/1")) == ("retire", None)
    found = story.tell(record("crm/1", ANN, version=10, day=50))
    assert members(found) == {golden_id("crm/1"): {"crm/1", "erp/2", "web/3"}}
    assert last_change(story, golden_id("erp/2")) == ("retire", golden_id("crm/1"))


def test_a_delete_of_the_last_member_retires_the_golden_record(story):
    """Of nobody there is no golden record, and no key in Redis but the tombstone."""
    story.tell(THREE[0])
    found = story.tell(delete("crm/1"))
    assert (found.golden, found.crosswalk, found.review) == ({}, {}, {})
    assert last_change(story, golden_id("crm/1")) == ("retire", None)
    assert story.stored().keys() == {"rec"}


def test_a_redirect_leads_on_when_its_target_is_merged_away(story):
    """Ids that were merged one after the other all lead to the one that is live."""
    found = story.tell(
        record("web/3", ANN, day=30),
        record("erp/2", BOB, day=20),
        record("crm/1", {**ANN, "given_name": "Zoe"}, day=10, birth_date=None),
    )
    assert len(found.golden) == 3
    story.tell(verdict("erp/2", "web/3", "link"))
    found = story.tell(verdict("crm/1", "erp/2", "link"))
    newest = newest_changes(story)
    for ref in ("crm/1", "erp/2", "web/3"):
        assert follow(newest, found.crosswalk, golden_id(ref)) == golden_id("crm/1")


def _without_revisions(stored: bytes) -> Page:
    return decode_page(stored)._replace(revisions=())


WITHOUT = [
    record("crm/1", ANN, day=5, email=("a@x.org",)),
    record("erp/2", BOB, day=6, email=("b@x.org",)),
    record("erp/4", ANNE, day=7),
    verdict("crm/1", "erp/4", "separate"),
]
SEEN = [record("web/3", ANN, day=1, email=("a@x.org", "b@x.org")), record("web/3", ANNE, version=2, day=2)]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param([], id="a record"),
        pytest.param([verdict("web/3", "erp/2", "link")], id="a record under a verdict"),
        pytest.param([override("web/3", given_name="Wilma", expires_day=50)], id="a record with an override"),
    ],
)
def test_a_deleted_record_leaves_nothing_but_its_tombstone(redis_client, more):
    """It was a bridge and an anchor, its names were looked up: Redis is as if it had never been, key for key."""
    seen = Story(redis_client, namespace="seen")
    seen.tell(*WITHOUT[:2], *SEEN, *more, *WITHOUT[2:])
    found = seen.tell(delete("web/3"))
    never = Story(redis_client, namespace="never")
    assert found == never.tell(*WITHOUT)
    left, wanted = seen.stored(), never.stored()
    own = {"web/3", *(ref for event in more for ref in event.refs)}
    assert {ref: held for ref, held in left["rec"].items() if ref not in own} == {
        ref: held for ref, held in wanted["rec"].items() if ref not in own
    }
    assert "web/3" not in wanted["rec"]
    for keys in (left, wanted):
        del keys["rec"]
        # Where a verdict names the deleted record, the other side remembers it, and so is at another revision.
        keys["block"] = {key: sorted(held) for key, held in keys["block"].items()}
        keys["comp"] = {name: _without_revisions(stored) for name, stored in keys["comp"].items()}
    left.pop("exp", None)  # an override comes back with its record, and so does its end
    assert left == wanted


def test_an_erased_record_leaves_a_key_that_says_so_and_nothing_else(redis_client):
    """As after a deletion; and what comes later of the record changes nothing any more."""
    seen = Story(redis_client, namespace="seen")
    seen.tell(*WITHOUT[:2], *SEEN, *WITHOUT[2:])
    found = seen.tell(erasure("web/3"))
    assert found == seen.tell(record("web/3", ANN, version=77))
    never = Story(redis_client, namespace="never")
    assert found == never.tell(*WITHOUT)
    left, wanted = seen.stored(), never.stored()
    tombstone = left["rec"].pop("web/3")
    assert left == wanted
    assert b"Ann" not in tombstone


def test_a_deletion_in_any_order(redis_client):
    """It may come before the record; what is older than it does not bring the record back."""
    events = [*THREE[:2], record("crm/1", ANN, version=5, day=4), delete("crm/1", version=6)]
    assert clusters(same_in_any_order(redis_client, events)) == [["erp/2"]]


def test_a_record_that_comes_back_is_born_when_it_first_was(redis_client):
    """Deleted and sent again, in any order: the same golden record under the same id."""
    events = [*THREE[:2], delete("crm/1", version=6), record("crm/1", ANN, version=7, day=40)]
    found = same_in_any_order(redis_client, events)
    assert members(found) == {golden_id("crm/1"): {"crm/1", "erp/2"}}


def newest_changes(story):
    """Return the last change that the feed was told of each golden id."""
    changes = (orjson.loads(entry.content) for entry in story.index.read(1_000_000))
    return {change["golden_id"]: change for change in changes}


def last_change(story, golden):
    """Return op and redirect of the last change of a golden id."""
    change = newest_changes(story)[golden]
    return change["op"], change.get("merged_into")
