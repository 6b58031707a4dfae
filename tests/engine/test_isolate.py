"""Faults of single items are found by halves, and told apart from those of the process."""

from __future__ import annotations

import queue
import signal
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import small_rules

from mdm_stream.core.faults import EngineFault, as_rejection, is_of_the_process
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine import batch as batch_module
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.engine.faults import FaultCircuit, TooManyFaultsError
from mdm_stream.engine.isolate import isolated
from mdm_stream.engine.worker import work
from mdm_stream.engine.worker_pool import _how_it_ended
from mdm_stream.errors import ConfigurationError, RefusedCallError, TransientError
from mdm_stream.index.redis.index import RedisIndex

RULES = small_rules()


@given(size=st.integers(0, 70), bad=st.sets(st.integers(0, 69), max_size=8), failing=st.none() | st.integers(0, 69))
def test_all_but_the_faulty_are_applied_in_bounded_calls(size: int, bad: set[int], failing: int | None) -> None:
    """Whatever is faulty, the rest is applied, up to what fails for now, and the number of calls has a bound."""
    applied: set[int] = set()
    calls = 0

    def apply(items: Sequence[int]) -> BatchReport:
        nonlocal calls
        calls += 1
        if bad.intersection(items):
            raise KeyError("a value")
        if failing in items:
            applied.update(items[: items.index(failing)])
            return BatchReport(failed=[items.index(failing)], cause="later")
        applied.update(items)
        return BatchReport(events=len(items))

    bad &= set(range(size))
    if failing in bad:
        failing = None
    outcome = isolated(range(size), apply)
    if failing is None or failing >= size:
        assert applied == set(range(size)) - bad
        assert outcome.faults.keys() == bad
        assert not outcome.report.failed
    else:
        assert failing in outcome.report.failed
        assert outcome.faults.keys() <= bad
        assert all(place in applied or place in bad for place in range(min(outcome.report.failed)))
    assert calls <= min(1 + 2 * len(bad) * max(1, size.bit_length()), 2 * size + 1)


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "full"), TransientError("x"), ConfigurationError("x")])
def test_a_fault_of_the_process_is_raised(error: Exception) -> None:
    """No item is blamed for what would meet every other one too."""

    def apply(_: Sequence[int]) -> BatchReport:
        raise error

    assert is_of_the_process(error)
    with pytest.raises(type(error)):
        isolated([1, 2], apply)
    with pytest.raises(type(error)):
        as_rejection(error)


def test_what_is_said_of_a_fault_is_its_type_and_place() -> None:
    """The text of an exception may hold values, and is never repeated; a refused call is an event's own fault."""
    try:
        small_rules().sources["Marker"]
    except KeyError as error:
        said = str(EngineFault.of(error)), as_rejection(error).reasons[0]
    assert said[0].startswith("KeyError at test_isolate:")
    assert said[1].code == "engine_fault"
    assert "Marker" not in said[0] + said[1].message
    assert not is_of_the_process(RefusedCallError("one value is too large"))


def test_the_circuit_counts_distinct_events_in_a_row() -> None:
    """One event again and again is one; a batch half of which went through starts the count anew."""
    circuit = FaultCircuit(2)
    for _ in range(10):
        circuit.note(1, ["a"], "X at y")
    circuit.note(1, ["b"], "X at y")
    circuit.note(4, ["c", "d"], "X at y")
    circuit.note(2, ["e", "f"], "X at y")
    with pytest.raises(TooManyFaultsError, match="X at y"):
        circuit.note(1, ["g"], "X at y")


def event(n: int) -> RecordEvent:
    """A record of its own."""
    return RecordEvent("person", "crm", str(n), "upsert", 1, 0, {"given_name": f"N{n}", "family_name": f"Q{n}x"})


@pytest.mark.one_redis
def test_a_worker_reports_what_it_left_out(redis_client, redis_url, monkeypatch):
    """A replay and a rebuild go on without it: everything else is F, and the worker does not fail."""
    build = batch_module.build_record

    def broken(rules, ref, state):
        if ref == "crm/5":
            raise IndexError("Marker")
        return build(rules, ref, state)

    batches, done = queue.Queue(), queue.Queue()
    events = [event(n) for n in range(10)]
    for item in (events, None):
        batches.put(item)
    monkeypatch.setattr(batch_module, "build_record", broken)
    work(batches, done, redis_url, {"person": RULES}, "main")
    *_, report = list(done.queue)
    assert report.failure == ""
    assert [(each.ref, fault.kind) for each, fault in report.faulty] == [("crm/5", "IndexError")]
    assert RedisIndex(redis_client, RULES).snapshot() == resolve(RULES, events[:5] + events[6:])


@pytest.mark.one_redis
@pytest.mark.parametrize(("raised", "said"), [(MemoryError, "no memory"), (OSError, "OSError at")])
def test_a_worker_that_cannot_go_on_says_why(redis_client, redis_url, monkeypatch, raised, said):
    """A fault of the process ends the run with its kind and place; only a lack of memory is called one."""
    del redis_client

    def broken(*_: object) -> None:
        raise raised("Marker")

    batches, done = queue.Queue(), queue.Queue()
    batches.put([event(1)])
    monkeypatch.setattr(batch_module, "build_record", broken)
    work(batches, done, redis_url, {"person": RULES}, "main")
    *_, report = list(done.queue)
    assert said in report.failure
    assert "Marker" not in report.failure
    assert ("memory" in report.failure) == (raised is MemoryError)


def test_only_a_killed_process_may_have_lacked_memory() -> None:
    """An exit code is no lack of memory."""
    assert "memory" in _how_it_ended(-signal.SIGKILL)
    assert "memory" not in _how_it_ended(1) + _how_it_ended(-signal.SIGSEGV)
