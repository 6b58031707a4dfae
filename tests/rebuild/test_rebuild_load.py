"""What a rebuild holds in memory is bounded by bytes, and cut into portions it is the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rebuild_world import OPTIONS, RULES, World, events_of, rows_of

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import fold_events, resolve
from mdm_stream.decode import Decoder
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild import fill as fill_module
from mdm_stream.rebuild import load as load_module
from mdm_stream.rebuild.load import LoadCounters, states_of
from mdm_stream.rebuild.run import Rebuild

DECODER = Decoder({"person": RULES}, archived=True)


def large(number: int) -> RecordEvent:
    """A record of some twenty kilobytes."""
    return RecordEvent("person", "crm", f"large-{number}", "upsert", 1, 0, {"given_name": f"{number}" + "x" * 20_000})


def test_large_records_make_small_portions(monkeypatch):
    """Some hundred kilobytes are folded together, however many record keys are allowed; small records as before."""
    monkeypatch.setattr(load_module, "PORTION_BYTES_MAX", 100_000)
    counters = LoadCounters()
    portions = list(states_of(rows_of([large(n) for n in range(23)]), "person", DECODER, counters, 1_000))
    assert [len(portion) for portion in portions] == [5, 5, 5, 5, 3]
    assert [each.ref for portion in portions for each in portion] == [f"crm/large-{n}" for n in range(23)]
    assert (counters.rows, counters.states) == (23, 23)
    events = events_of(3)
    portions = list(states_of(rows_of(events), "person", DECODER, LoadCounters(), 1_000))
    assert [{each.ref: each.state for each in portion} for portion in portions] == [fold_events(events)]


@pytest.mark.one_redis
def test_workers_are_given_large_records_a_few_at_a_time(redis_client, redis_url, tmp_path, monkeypatch):
    """No batch holds more than one portion does, and the new epoch is F."""
    monkeypatch.setattr(load_module, "PORTION_BYTES_MAX", 100_000)
    world = World(redis_client, redis_url, tmp_path)
    events = [*(large(n) for n in range(23)), *events_of(3)]
    world.deliver(events)
    put, sizes = fill_module.WorkerPool.put, []

    def noted(pool, lane, some):
        sizes.append(sum("large" in each.ref for each in some or ()))
        put(pool, lane, some)

    monkeypatch.setattr(fill_module.WorkerPool, "put", noted)
    options = replace(OPTIONS, batch_size=1_000, states_max=1_000)
    places = {"archive": world.archive, "golden": world.feed, "published": world.feed}
    Rebuild(RULES, redis_url, "main", options=options, **places).run()
    assert (sum(sizes), max(sizes)) == (23, 5)
    assert RedisIndex(redis_client, RULES).snapshot() == resolve(RULES, events)


def test_a_faulty_record_of_the_archive_stops_no_rebuild(monkeypatch):
    """It is counted as ``engine_fault`` with type and place and no value; every other record has its state."""
    fold = load_module.fold

    def broken(state, event, ref):
        if ref == "crm/large-1":
            raise ArithmeticError("Marker")
        return fold(state, event, ref)

    monkeypatch.setattr(load_module, "fold", broken)
    counters = LoadCounters()
    [states] = states_of(rows_of([large(n) for n in range(4)]), "person", DECODER, counters, 1_000)
    assert [each.ref for each in states] == ["crm/large-0", "crm/large-2", "crm/large-3"]
    assert counters.rejected == {"engine_fault": 1}
    [told] = counters.faults
    assert "ArithmeticError at" in told
    assert "Marker" not in told
