"""Compaction changes what objects there are, and never what is in them, whatever happens beside it or to it."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
from archived import DAY_US, InterruptedStore, KilledError, kill, record
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.archive import IN_BULK, Archive, ArchiveObject, Compaction, is_written_in_bulk
from mdm_stream.archive import replace as replace_module
from mdm_stream.archive.compact import INPUTS_MAX, plan_groups
from mdm_stream.archive.object_names import new_name, witness_folder
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.objects.folder import FolderObjects

LIMIT = 300


def rows_of(store):
    """How often each row is in the archive."""
    return Counter(Archive(store).read_new("person", set()))


@pytest.fixture
def quick_disk(monkeypatch):
    """Forcing to disk takes its time and matters to nobody who does not pull the plug."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def folder(tmp_path, quick_disk):
    """A folder with three days of segments, duplicates within and across them among these."""
    store = FolderObjects(tmp_path / "store")
    for day in range(3):
        archive = Archive(store, now_us=lambda day=day: day * DAY_US)
        for batch in range(3):
            rows = [record(10 * day + batch), record(10 * day + batch + 1), record(5, "crm/5", "erp/5")]
            archive.append("person", rows, EpochPosition(1, 10 * day + batch, batch))
    return store


def test_compaction_keeps_every_row_once(store):
    """Parts hold each row once, sorted by reference and position, under the day and greatest witness of their rows."""
    archive = Archive(store, now_us=lambda: DAY_US)
    archive.append("person", [record(3), record(1, "crm/9")], EpochPosition(1, 5, 2))
    archive.append("person", [record(3), record(2, "crm/9")], EpochPosition(1, 4, 2))
    archive.append("person", [], EpochPosition(1, 6, 2))
    assert archive.compact("person") == Compaction(3, 1, 3, 1, 0, 0)
    (part,) = archive.objects("person")
    assert (part.kind, part.day, part.witness) == ("part", "1970-01-02", EpochPosition(1, 6, 2))
    assert list(archive.read([part])) == [record(3), record(1, "crm/9"), record(2, "crm/9")]
    assert archive.witness("person") == EpochPosition(1, 6, 2)
    assert archive.compact("person") == Compaction()


def test_origin_alone_makes_no_other_row(store):
    """A record that was sent again from elsewhere is the same if its bytes, place and time are."""
    archive = Archive(store)
    archive.append(
        "person", [record(1), replace(record(1), origin="z"), replace(record(1), raw=b"2")], EpochPosition(1, 1, 1)
    )
    archive.compact("person")
    assert sorted(row.raw for row in archive.read_new("person", set())) == sorted([record(1).raw, b"2"])


def test_only_finished_days_are_compacted_if_asked(folder):
    """Days from ``before_day`` on are left as they are."""
    archive = Archive(folder)
    archive.compact("person", before_day="1970-01-03")
    kinds = {found.day: found.kind for found in archive.objects("person")}
    assert kinds == {"1970-01-01": "part", "1970-01-02": "part", "1970-01-03": "segment"}


def test_small_parts_grow_together(folder):
    """What comes day after day, or late, ends in few parts of about the size wanted, and a full one is left alone."""
    archive = Archive(folder, now_us=lambda: 0)
    before = rows_of(folder)
    for number in range(100, 140):
        archive.append("person", [record(number)], EpochPosition(1, number, 0))
        before[record(number)] += 1
        archive.compact("person", part_content_bytes=LIMIT)
    sizes = [found.content_bytes for found in archive.objects("person") if found.day == "1970-01-01"]
    assert sum(size * 2 < LIMIT for size in sizes) <= 1
    assert max(sizes) <= LIMIT
    assert set(rows_of(folder)) == set(before)
    names = [found.name for found in archive.objects("person")]
    assert archive.compact("person", part_content_bytes=LIMIT) == Compaction()
    assert [found.name for found in archive.objects("person")] == names


objects = st.lists(
    st.builds(
        lambda kind, day, content: ArchiveObject(
            new_name("person", kind, f"2026-01-0{day}", EpochPosition(1, 1, 1), content),
            50,
            kind,
            f"2026-01-0{day}",
            EpochPosition(1, 1, 1),
            content,
        ),
        st.sampled_from(["segment", "part"]),
        st.integers(min_value=1, max_value=3),
        st.integers(min_value=0, max_value=500),
    ),
    max_size=30,
)


@given(objects, st.integers(min_value=1, max_value=400))
def test_groups_are_bounded_and_make_progress(found, limit):
    """Every segment is in one group; a group is of one day and bounded; planning again and again comes to an end."""
    groups = plan_groups(found, limit)
    grouped = [each for group in groups for each in group]
    assert len(grouped) == len(set(grouped))
    assert {each for each in found if each.kind == "segment"} <= set(grouped)
    for group in groups:
        assert len({each.day for each in group}) == 1
        assert len(group) == 1 or sum(each.content_bytes for each in group) <= limit
    for _ in range(6):
        if not groups:
            return
        left = [each for each in found if each not in {each for group in groups for each in group}]
        found = left + [
            ArchiveObject(
                new_name(
                    "person", "part", group[0].day, EpochPosition(1, 1, 1), sum(each.content_bytes for each in group)
                ),
                50,
                "part",
                group[0].day,
                EpochPosition(1, 1, 1),
                sum(each.content_bytes for each in group),
            )
            for group in groups
        ]
        groups = plan_groups(found, limit)
    assert groups == []


def test_what_was_archived_in_bulk_stays_apart(store):
    """An index that is kept may lack it, which is told by the object's name: so is that of what is made of it."""
    archive = Archive(store, now_us=lambda: 0)
    for number, witness in enumerate([IN_BULK, EpochPosition(1, 1, 1), IN_BULK, EpochPosition(1, 2, 2)]):
        archive.append("person", [record(number)], witness)
    archive.compact("person")
    found = {each.name: len(list(archive.read([each]))) for each in archive.objects("person")}
    assert sorted((is_written_in_bulk(name), rows) for name, rows in found.items()) == [(False, 2), (True, 2)]
    archive.compact("person")
    assert {each.name for each in archive.objects("person")} == set(found)


def test_a_group_has_a_bounded_number_of_objects():
    """Very many empty segments do not make one endless description."""
    found = [
        ArchiveObject(new_name("person", "segment", day, witness, 0), 50, "segment", day, witness, 0)
        for day, witness in (("2026-01-01", EpochPosition(1, n, 1)) for n in range(INPUTS_MAX + 1))
    ]
    assert [len(group) for group in plan_groups(found, 100)] == [INPUTS_MAX, 1]
    with pytest.raises(ValueError, match="byte"):
        plan_groups([], 0)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_killed_compaction_loses_nothing_and_the_next_one_repairs(tmp_path, quick_disk, after):
    """Killed at any call, before it or after its effect: all rows are there; the next run leaves each once a day."""
    died = number = 0
    while True:
        number += 1
        store = FolderObjects(tmp_path / f"store-{after}-{number}")
        archive = Archive(store, now_us=lambda: 0)
        for batch in range(4):
            archive.append("person", [record(batch), record(batch + 1)], EpochPosition(1, batch, 0))
        # One part that is full: it will not be compacted again, so duplicates beside it would stay.
        limit = sum(found.content_bytes for found in archive.objects("person"))
        dying = InterruptedStore(store, number, kill, after=after)
        try:
            Archive(dying).compact("person", part_content_bytes=limit)
        except KilledError:
            died += 1
        assert set(rows_of(store)) == {record(batch) for batch in range(5)}
        assert archive.witness("person") == EpochPosition(1, 3, 0)
        archive.compact("person", part_content_bytes=limit)
        assert rows_of(store) == dict.fromkeys(map(record, range(5)), 1)
        assert archive.witness("person") == EpochPosition(1, 3, 0)
        assert archive.verify("person").unfinished == 0
        assert archive.compact("person", part_content_bytes=limit) == Compaction()
        if not dying.happened:
            break
    assert died > 15


def test_a_compaction_beside_another(folder):
    """Whenever a second compaction runs in the middle of a first: no row is lost, and a third leaves nothing open."""
    before, number = set(rows_of(folder)), 0
    overtaken = 0
    while True:
        number += 1
        Archive(folder).append("person", [record(number + 100)], EpochPosition(2, number, 0))
        before.add(record(number + 100))
        other = Archive(folder)
        store = InterruptedStore(folder, number, partial(other.compact, "person", part_content_bytes=LIMIT))
        overtaken += Archive(store).compact("person", part_content_bytes=LIMIT).overtaken
        assert set(rows_of(folder)) == before
        assert other.witness("person") == EpochPosition(2, number, 0)
        other.compact("person", part_content_bytes=LIMIT)
        assert other.verify("person").unfinished == 0
        if not store.happened:
            break
    assert number > 10
    assert overtaken


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_reader_beside_compaction_misses_nothing(folder, after):
    """Whenever a whole compaction runs in the middle of a reading, every row is read at least once."""
    before, number = set(rows_of(folder)), 0
    while True:
        number += 1
        Archive(folder).append("person", [record(number + 100)], EpochPosition(2, number, 0))
        before.add(record(number + 100))
        other = Archive(folder)
        store = InterruptedStore(
            folder, number, partial(other.compact, "person", part_content_bytes=100 * LIMIT), after=after
        )
        assert set(Archive(store).read_new("person", set())) == before
        if not store.happened:
            break
    assert number > 4


def test_a_rare_listing_is_not_torn(folder, monkeypatch):
    """A listing that passes over a part just as it is merged into one that sorts before still finds its rows."""
    archive = Archive(folder, now_us=lambda: 0)
    for number in range(3):
        archive.append("person", [record(number + 50)], EpochPosition(3, number, 0))
        archive.compact("person", part_content_bytes=(number + 1) * 10)
    before = set(rows_of(folder))
    listed, merged = folder.list, []

    def torn(prefix):
        first = list(listed(prefix))
        if "parts" in prefix and first and not merged:
            merged.append(True)
            Archive(folder).compact("person", part_content_bytes=100_000)
            gone = {stored.name for stored in first} - {stored.name for stored in listed(prefix)}
            first = [stored for stored in first if stored.name not in gone]
        return iter(first)

    monkeypatch.setattr(folder, "list", torn)
    assert set(Archive(folder).read_new("person", set())) == before
    assert merged


def test_writers_and_readers_beside_compactions(tmp_path, quick_disk):
    """Threads append, compact and read at the same time: every row is there, and was read by the one who went on."""
    store = FolderObjects(tmp_path)
    done, failures = threading.Event(), []
    written, seen, read = [], set(), set()

    def guarded(work):
        def run():
            try:
                work()
            except Exception as error:  # noqa: BLE001 - shown by the assertion
                failures.append(error)

        return threading.Thread(target=run)

    def append(start):
        for number in range(start, start + 60):
            Archive(store).append("person", [record(number)], EpochPosition(1, number, 0))
            written.append(record(number))

    def compact():
        while not done.is_set():
            Archive(store).compact("person", part_content_bytes=LIMIT)

    def follow():
        while not done.is_set():
            read.update(Archive(store).read_new("person", seen))

    writers = [guarded(lambda start=start: append(start)) for start in (0, 1000)]
    others = [guarded(compact), guarded(compact), guarded(follow)]
    for thread in writers + others:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in others:
        thread.join()
    assert failures == []
    read.update(Archive(store).read_new("person", seen))
    assert read == set(written) == set(rows_of(store))
    assert Archive(store).witness("person") == EpochPosition(1, 1059, 0)


def test_kept_witnesses_do_not_pile_up(folder):
    """However often it is compacted, a few witnesses are kept, and the greatest among them."""
    archive = Archive(folder)
    for number in range(20):
        archive.append("person", [], EpochPosition(2, number % 7, number))
        archive.compact("person")
    assert archive.witness("person") == EpochPosition(2, 6, 13)
    kept = list(folder.list(witness_folder("person")))
    assert 1 <= len(kept) <= replace_module.WITNESSES_KEPT
