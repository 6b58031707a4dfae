"""How a replay parts events among its workers: neighbours together, and a record's events never out of their order."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.model import RecordEvent
from mdm_stream.replay.schedule import LaneBatches

KEPT = 3


def event(record, version):
    """Return one version of a record."""
    return RecordEvent("person", "crm", str(record), "upsert", version, version, {"given_name": "Ada"})


def parted(events, lanes, size):
    """Return (lane, batch) in the order in which workers are given them."""
    batches = LaneBatches(lanes, size, KEPT)
    return [*filter(None, map(batches.add, events)), *batches.rest()]


@given(st.lists(st.integers(0, 30), max_size=120), st.integers(1, 4), st.integers(1, 5))
def test_a_record_goes_elsewhere_only_once_its_worker_is_done_with_it(records, lanes, size):
    """Each event goes to one worker; to another than the one before it of its record only after ``kept`` batches."""
    events = [event(record, place) for place, record in enumerate(records)]
    given_out = parted(events, lanes, size)
    assert sorted(each.version for _, batch in given_out for each in batch) == list(range(len(events)))
    assert all(0 < len(batch) <= size for _, batch in given_out)
    places: dict[str, list[tuple[int, int, int]]] = {}
    numbers = [0] * lanes
    for at, (lane, batch) in enumerate(given_out):
        numbers[lane] += 1
        for each in batch:
            places.setdefault(each.ref, []).append((each.version, lane, at))
    for found in places.values():
        found.sort()
        for (_, lane, at), (_, other, later) in pairwise(found):
            between = sum(each == lane for each, _ in given_out[at + 1 : later])
            assert (other == lane and at <= later) or between >= KEPT


def test_rows_that_stand_together_go_to_one_worker():
    """Batches are runs of the input, and workers take turns."""
    found = parted([event(record, 1) for record in range(10)], 2, 3)
    assert [(lane, [each.record_id for each in batch]) for lane, batch in found] == [
        (0, ["0", "1", "2"]),
        (1, ["3", "4", "5"]),
        (0, ["6", "7", "8"]),
        (1, ["9"]),
    ]
