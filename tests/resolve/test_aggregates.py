"""KPL aggregates through the resolve consumer: each user record counts by itself, a failure names the whole record."""

from __future__ import annotations

import orjson
import pytest
from test_resolver import World, upsert

from mdm_stream.contracts.kpl import UserRecord, aggregate_of
from mdm_stream.dead_letters.quarantine import decode_entry
from mdm_stream.decode import Delivery, unpack
from mdm_stream.decode.redrive_envelope import wrap
from mdm_stream.errors import TransientError
from mdm_stream.settings import EngineSettings


@pytest.fixture
def world(redis_client, tmp_path):
    """A fresh world."""
    return World(redis_client, tmp_path)


def aggregate(*events: object) -> bytes:
    """An aggregate of events, under the partition keys that a publisher would give them."""
    return aggregate_of([UserRecord(orjson.dumps(event), f"key-{n}") for n, event in enumerate(events)])


def delivered(world, *raws: bytes):
    """Deliver records of the stream."""
    return world.resolver.handle([Delivery.from_row(raw, n, f"changes/s:{n}") for n, raw in enumerate(raws, 1)])


def test_a_user_record_is_applied_archived_and_rejected_by_itself(world, tmp_path):
    """One bad event among good ones goes to quarantine alone, with its place, and can be sent again as it was."""
    report = delivered(world, aggregate(upsert("1"), {"domain": "planet"}, upsert("2", family_name="Kim")))
    assert (report.records, report.archived, report.quarantined, report.first_failed) == (1, 2, 1, None)
    assert [position for _, position, _ in world.rows()] == ["1".zfill(64), "1".zfill(64) + ".000002"]
    (kept,) = (tmp_path / "quarantine").rglob("*.json")
    entry = decode_entry(kept.read_bytes())
    assert (entry.delivery.raw, entry.delivery.subsequence) == (b'{"domain":"planet"}', 1)
    (again,) = unpack(Delivery.from_row(wrap(entry.delivery), 9))
    assert again.place == entry.delivery.place


def test_the_last_change_of_an_aggregate_stands(world):
    """The newest change of a record counts wherever it stands in its aggregate, delivered twice or redriven."""
    first, last = upsert("1"), upsert("1", version=2, family_name="Kim")
    report = delivered(world, aggregate(last, first), wrap(Delivery.from_row(aggregate(first, last), 1)))
    assert report.first_failed is None
    assert [message["data"]["values"]["family_name"] for message in world.golden.messages] == ["Kim"]


def test_a_failure_within_an_aggregate_reports_the_whole_record(redis_client, tmp_path, monkeypatch):
    """What Lambda is told is the record's number; delivered again, nothing is applied or archived twice."""
    world = World(redis_client, tmp_path, EngineSettings(events_per_plan_max=1))
    commit, calls = world.index.commit, []

    def commit_twice(plans):
        calls.append(plans)
        if len(calls) > 2:
            raise TransientError("Redis does not answer")
        return commit(plans)

    batch = [aggregate(upsert("9", family_name="Roe")), aggregate(upsert("1"), upsert("2", family_name="Kim"))]
    monkeypatch.setattr(world.index, "commit", commit_twice)
    report = delivered(world, *batch)
    assert (report.first_failed, report.archived) == (1, 1)
    monkeypatch.undo()
    report = delivered(world, *batch)
    assert (report.first_failed, report.archived, len(world.rows())) == (None, 2, 3)
    assert world.index.snapshot().crosswalk.keys() == {"crm/1", "crm/2", "crm/9"}


def test_a_damaged_aggregate_is_kept_whole(world, tmp_path):
    """Nothing of it is applied: no neighbour of what was cut off counts for the whole."""
    report = delivered(world, aggregate(upsert("1"), upsert("2"))[:-1])
    assert (report.archived, report.quarantined) == (0, 1)
    (kept,) = (tmp_path / "quarantine").rglob("*.json")
    assert [reason.code for reason in decode_entry(kept.read_bytes()).reasons] == ["bad_aggregate"]
