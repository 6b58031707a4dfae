"""How far the index had come is found by a few requests, whatever the archive holds, and whoever wrote it."""

from __future__ import annotations

from collections import Counter

import pytest
from archived import DAY_US, record
from object_stores import BUCKET

from mdm_stream.archive import Archive
from mdm_stream.archive import archive as archive_module
from mdm_stream.archive.object_names import encode_witness
from mdm_stream.archive.segment import encode_segment
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.objects.s3 import S3Objects

DAYS = 400
REQUESTS = 3
"""The folders of segments, the first segment, the first witness that was kept."""


def name_by_day(domain: str, kind: str, day: str, witness: EpochPosition, content_bytes: int) -> str:
    """The name that earlier releases gave a segment."""
    assert kind == "segment"
    tail = f"{encode_witness(witness)}-{content_bytes:013d}-{witness.clock:016x}.ndjson.gz"
    return f"domain={domain}/segments/day={day}/segment-{tail}"


@pytest.fixture
def requests(bucket):
    """How often S3 was asked for each thing."""
    counted: Counter[str] = Counter()

    def count(model, **_):
        counted[model.name] += 1

    bucket.meta.events.register("before-call.s3", count)
    yield counted
    bucket.meta.events.unregister("before-call.s3", count)


def test_a_witness_costs_three_requests_after_400_days(bucket, requests):
    """And no object is read. A year of days has no more than the first."""
    clock_us = [0]
    archive = Archive(S3Objects(bucket, BUCKET), now_us=lambda: clock_us[0])
    for day in range(DAYS):
        clock_us[0] = day * DAY_US
        archive.append("person", [record(day)], EpochPosition(1, day, day))
        if day in {0, DAYS - 1}:
            requests.clear()
            assert archive.witness("person") == EpochPosition(1, day, day)
            assert requests == {"ListObjectsV2": REQUESTS}


@pytest.mark.parametrize("compacted", [False, True])
def test_days_of_an_earlier_release_count_until_they_are_compacted(store, monkeypatch, compacted):
    """What it has filed by day is read, counted and compacted as ever, and a segment of either kind may be the newest.

    Both releases may write at the same time, as they do while one takes the other's place.
    """
    clock_us = [0]
    archive = Archive(store, now_us=lambda: clock_us[0])
    rows = [record(number) for number in range(6)]
    newest = None
    for number, row in enumerate(rows):
        clock_us[0] = number * DAY_US
        with monkeypatch.context() as patched:
            if number % 2:
                patched.setattr(archive_module, "new_name", name_by_day)
            newest = EpochPosition(1, number, number)
            archive.append("person", [row], newest)
        assert archive.witness("person") == newest
        if compacted:
            archive.compact("person", before_day=f"1970-01-0{number + 1}")
    assert sorted(archive.read_new("person", set()), key=lambda row: row.position) == rows
    assert [found.day for found in sorted(archive.objects("person"), key=lambda found: found.day)] == [
        f"1970-01-0{number + 1}" for number in range(6)
    ]
    archive.compact("person")
    assert archive.witness("person") == newest
    assert {found.kind for found in archive.objects("person")} == {"part"}


def test_compaction_takes_the_days_of_an_earlier_release_away(bucket, requests):
    """Then the archive costs what a new one does; before, a request a day."""
    store = S3Objects(bucket, BUCKET)
    for day in range(1, 8):
        witness = EpochPosition(1, day, day)
        store.put(name_by_day("person", "segment", f"2026-01-0{day}", witness, 9), encode_segment([record(day)]))
    archive = Archive(store)
    requests.clear()
    assert archive.witness("person") == EpochPosition(1, 7, 7)
    assert requests["ListObjectsV2"] == 7 + 2
    archive.compact("person")
    archive.append("person", [record(9)], EpochPosition(1, 9, 9))
    requests.clear()
    assert archive.witness("person") == EpochPosition(1, 9, 9)
    assert requests == {"ListObjectsV2": REQUESTS}
