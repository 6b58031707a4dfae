"""Overrides: a steward's value stands above all others, for as long as its record and its time last."""

from __future__ import annotations

import pytest
from storyline import (
    ANN,
    BOB,
    DAY_US,
    clusters,
    delete,
    erasure,
    expiry,
    golden_id,
    override,
    patch,
    record,
    same_in_any_order,
    values,
    verdict,
)

from mdm_stream.core.overrides import expiries_due

pytestmark = pytest.mark.one_redis

ONE = record("crm/1", ANN, day=1)
TWO = record("erp/2", ANN, day=2)
WILMA = override("erp/2", version=5, expires_day=60, given_name="Wilma")


def test_an_override_outranks_every_rule_and_every_source(story):
    """Its value is the golden one, and provenance names the steward; the rest of its group stays as it was."""
    story.tell(ONE, TWO)
    found = story.tell(WILMA)
    golden = found.golden[golden_id("crm/1")]
    assert (golden["values"]["given_name"], golden["values"]["family_name"]) == ("Wilma", "Lee")
    (origin,) = golden["provenance"]["given_name"]
    assert (origin["source"], origin["record_id"], origin["strategy"]) == ("steward", "erp/2", "override")


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(record("erp/2", {**ANN, "given_name": "Ulla"}, version=8, day=30), id="a whole write"),
        pytest.param(patch("erp/2", version=9, given_name="Ulla"), id="a patch"),
        pytest.param(record("web/9", {**ANN, "given_name": "Ulla"}, day=40), id="another member"),
        pytest.param(override("erp/2", version=4, given_name="Ulla"), id="an older override"),
    ],
)
def test_an_override_survives_what_is_sent_after_it(story, after):
    """Newer values of its record and of others do not end it."""
    story.tell(ONE, TWO, WILMA)
    assert values(story.tell(after), "erp/2")["given_name"] == "Wilma"


def test_an_override_does_not_match(story):
    """It changes what is shown, and not who is together with whom."""
    story.tell(ONE, record("web/3", BOB, day=3))
    found = story.tell(override("web/3", version=1, **ANN))
    assert clusters(found) == [["crm/1"], ["web/3"]]
    assert values(found, "web/3")["given_name"] == "Ann"


def test_an_override_ends_whichever_of_it_and_its_expiry_comes_first(redis_client):
    """After both there is no override, in any order, with any repetition."""
    found = same_in_any_order(redis_client, [ONE, TWO, WILMA, expiry(WILMA)])
    assert values(found, "crm/1")["given_name"] == "Ann"


def test_an_expiry_ends_nothing_but_its_own_override(redis_client):
    """One that was made anew in the meantime stands, whatever comes when."""
    renewed = override("erp/2", version=6, given_name="Ulla")
    found = same_in_any_order(redis_client, [TWO, WILMA, expiry(WILMA), renewed])
    assert values(found, "erp/2")["given_name"] == "Ulla"


def test_an_override_is_taken_back_by_null(redis_client):
    """Then survivorship decides again."""
    back = override("erp/2", version=6, given_name=None)
    found = same_in_any_order(redis_client, [ONE, TWO, WILMA, back])
    assert values(found, "erp/2")["given_name"] == "Ann"


def test_an_override_follows_its_record_into_another_cluster(story):
    """It is a word on one record: where that goes, it goes, and nothing of it stays behind."""
    story.tell(ONE, TWO, WILMA, record("web/3", BOB, day=3))
    found = story.tell(record("erp/2", BOB, version=7, day=9))
    assert clusters(found) == [["crm/1"], ["erp/2", "web/3"]]
    assert (values(found, "crm/1")["given_name"], values(found, "web/3")["given_name"]) == ("Ann", "Wilma")
    found = story.tell(verdict("erp/2", "web/3", "separate"))
    assert (values(found, "web/3")["given_name"], values(found, "erp/2")["given_name"]) == ("Bob", "Wilma")


def test_an_override_goes_when_its_record_goes(story):
    """Deleted, its record takes it along, and brings it back; erased, it takes it along for good."""
    story.tell(ONE, TWO, WILMA)
    assert values(story.tell(delete("erp/2")), "crm/1")["given_name"] == "Ann"
    assert values(story.tell(record("erp/2", ANN, version=10, day=2)), "crm/1")["given_name"] == "Wilma"
    assert values(story.tell(erasure("erp/2")), "crm/1")["given_name"] == "Ann"
    assert values(story.tell(record("erp/2", ANN, version=11), WILMA), "crm/1")["given_name"] == "Ann"


def test_of_two_members_overrides_the_newer_one_is_shown(redis_client):
    """The time of the decision decides, not that of the delivery, and not the version, which is the record's own."""
    older, newer = (
        override("crm/1", version=9, day=10, given_name="Ulla"),
        override("erp/2", day=20, given_name="Wilma"),
    )
    assert values(same_in_any_order(redis_client, [ONE, TWO, older, newer]), "crm/1")["given_name"] == "Wilma"


def test_due_overrides_are_found_until_they_have_ended(story):
    """The index knows which records have an override whose time has come; what ends it is told once more until then."""
    story.tell(ONE, TWO, WILMA, override("crm/1", version=3, expires_day=50, given_name="Ulla", family_name="Berg"))
    assert story.index.due(49 * DAY_US, 9) == []
    assert story.index.due(60 * DAY_US, 9) == ["crm/1", "erp/2"]
    assert story.index.due(60 * DAY_US, 1) == ["crm/1"]
    states = {ref: held.state for ref, held in story.index.read_records(["crm/1", "erp/2"]).items()}
    ends = [event for ref, state in states.items() for event in expiries_due("person", ref, state, 60 * DAY_US)]
    assert {(event.ref, *sorted(event.attributes)) for event in ends} == {
        ("crm/1", "family_name", "given_name"),
        ("erp/2", "given_name"),
    }
    assert values(story.tell(*ends), "crm/1")["given_name"] == "Ann"
    assert story.index.due(60 * DAY_US, 9) == []
    assert "exp" not in story.stored()
