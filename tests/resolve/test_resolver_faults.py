"""Unexpected faults in the consumer: of one event, of every event, while decoding, among waiting records."""

from __future__ import annotations

import pytest
from resolver_world import World, upsert

from mdm_stream.core.model import split_ref
from mdm_stream.dead_letters.quarantine import decode_entry
from mdm_stream.decode import canonical
from mdm_stream.engine import batch as batch_module
from mdm_stream.engine.batch import Engine
from mdm_stream.settings import EngineSettings


class BugError(Exception):
    """What no code of ours raises on purpose."""


def break_on(monkeypatch, *record_ids: str, raised: type[BaseException] = BugError) -> None:
    """Make planning fail for records of the CRM, as a fault in a standardiser would."""
    build = batch_module.build_record

    def broken(rules, ref, state):
        if ref in {f"crm/{each}" for each in record_ids}:
            raise raised("Marker Roth")
        return build(rules, ref, state)

    monkeypatch.setattr(batch_module, "build_record", broken)


def test_a_fault_of_one_event_costs_that_event_alone(world, monkeypatch, tmp_path):
    """It is quarantined with type and place and no value, archived nowhere; the rest of its batch is golden at once."""
    break_on(monkeypatch, "7", "11")
    report = world.handle(*[upsert(str(n), family_name=f"N{n}") for n in range(1, 14)])
    assert (report.first_failed, report.quarantined, report.archived) == (None, 2, 11)
    assert len(report.faults) == 2
    assert all("BugError at" in fault and "Marker" not in fault for fault in report.faults)
    assert {split_ref(ref)[1] for ref in world.index.snapshot().crosswalk} == {
        str(n) for n in range(1, 14) if n not in (7, 11)
    }
    kept = [decode_entry(path.read_bytes()) for path in (tmp_path / "quarantine").rglob("*.json")]
    assert sorted(entry.record_id for entry in kept) == ["11", "7"]
    assert {entry.reasons[0].code for entry in kept} == {"engine_fault"}
    assert not any("Roth" in str(entry.reasons) for entry in kept)
    monkeypatch.undo()
    again = world.resolver.handle([entry.delivery for entry in kept])
    assert (again.quarantined, again.archived) == (0, 2)
    assert len(world.index.snapshot().crosswalk) == 13


def test_a_fault_that_meets_every_event_stops_the_stream(redis_client, tmp_path, monkeypatch):
    """A broken release quarantines no more than the limit, in batches of any size, and nothing is lost after it."""
    world = World(redis_client, tmp_path, EngineSettings(faults_in_a_row_max=5))
    break_on(monkeypatch, *map(str, range(1, 30)))
    report = world.handle(*[upsert(str(n)) for n in range(1, 10)])
    assert (report.first_failed, report.quarantined, report.archived) == (0, 0, 0)
    assert "BugError at" in report.cause
    world = World(redis_client, tmp_path, EngineSettings(faults_in_a_row_max=5))
    outcomes = [world.handle(upsert(str(n))) for n in range(1, 9)]
    assert [each.quarantined for each in outcomes] == [1, 1, 1, 1, 1, 0, 0, 0]
    assert [each.first_failed for each in outcomes] == [None] * 5 + [0] * 3
    monkeypatch.undo()
    assert world.handle(upsert("9")).archived == 1


def test_good_events_between_faulty_ones_keep_the_stream_going(redis_client, tmp_path, monkeypatch):
    """However many hostile events there are, a source that sends good ones among them is never stopped by them."""
    world = World(redis_client, tmp_path, EngineSettings(faults_in_a_row_max=2))
    break_on(monkeypatch, *map(str, range(100, 150)))
    for n in range(20):
        report = world.handle(upsert(str(100 + n)), upsert(str(n), family_name=f"N{n}"))
        assert (report.first_failed, report.quarantined, report.archived) == (None, 1, 1)


@pytest.mark.parametrize("raised", [MemoryError, OSError])
def test_a_fault_of_the_process_is_no_event_s(world, monkeypatch, raised):
    """No memory and a full disk meet any event: nothing is quarantined, and the batch is delivered again."""
    break_on(monkeypatch, "1", raised=raised)
    if raised is OSError:
        with pytest.raises(OSError, match="Marker"):
            world.handle(upsert("1"), upsert("2"))
    else:
        assert world.handle(upsert("1"), upsert("2")).first_failed == 0
    monkeypatch.undo()
    assert world.handle(upsert("1"), upsert("2")).archived == 2


def test_a_fault_while_decoding_is_quarantined_too(world, monkeypatch):
    """A decoder that fails on one event leaves the others; the reason names the place."""

    def broken(*_: object) -> None:
        raise BugError("Marker Roth")

    monkeypatch.setattr(canonical, "_verdict", broken)
    verdict = {"domain": "person", "op": "verdict", "a": {"source": "crm", "record_id": "1"}, "steward": "s"}
    verdict |= {"b": {"source": "erp", "record_id": "1"}, "verdict": "link"}
    report = world.handle(upsert("1"), verdict, upsert("2"))
    assert (report.quarantined, report.archived, report.first_failed) == (1, 2, None)
    assert "BugError at" in report.faults[0]


def test_a_fault_among_waiting_records_leaves_them_waiting_and_is_told(world, monkeypatch):
    """A record that cannot be evaluated stops neither the batch nor the others in the queue."""
    world.handle(*[upsert(str(n), family_name="Lee") for n in range(1, 8)])
    world.resolver.tick()
    attempt = Engine._attempt

    def broken(self, events, queued, *others, first):
        if "crm/1" in queued:
            raise BugError("Marker")
        return attempt(self, events, queued, *others, first=first)

    monkeypatch.setattr(Engine, "_attempt", broken)
    world.index._client.sadd(world.index._epoch.key("pend"), "crm/1", "crm/2", "crm/3")
    report = world.handle(upsert("20", family_name="Quist"))
    assert (report.first_failed, report.archived, len(report.totals.stuck)) == (None, 1, 1)
    assert "Marker" not in report.totals.stuck[0]
    assert world.index.pending(10) == ["crm/1"]
