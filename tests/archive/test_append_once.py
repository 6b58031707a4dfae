"""Rows are appended once by one process, whatever fails between, and the witness is always kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from archived import record

from mdm_stream.archive import AppendOnce, Archive
from mdm_stream.archive import archive as archive_module
from mdm_stream.archive import once as once_module
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.errors import TransientError
from mdm_stream.objects.folder import FolderObjects


def rows_in(archive: Archive) -> list[str]:
    """The positions of all rows in the archive, each as often as it is there."""
    return sorted(row.position for row in archive.read_new("person", set()))


@pytest.fixture
def archive(tmp_path) -> Archive:
    """An empty archive."""
    return Archive(FolderObjects(tmp_path))


def test_rows_are_appended_once_and_each_witness_is_kept(archive):
    """The same rows again add a witness and nothing else; the same witness again adds nothing at all."""
    once = AppendOnce(archive)
    rows = [record(n) for n in range(4)]
    assert once.append("person", rows, EpochPosition(1, 1, 1)) == 4
    assert once.append("person", rows, EpochPosition(1, 2, 1)) == 0
    assert archive.witness("person") == EpochPosition(1, 2, 1)
    before = archive.objects("person")
    assert once.append("person", rows, EpochPosition(1, 2, 1)) == 0
    assert archive.objects("person") == before
    assert once.append("person", [*rows, record(9)], EpochPosition(1, 2, 1)) == 1
    assert len(rows_in(archive)) == 5


def test_a_row_that_differs_in_anything_is_another_row(archive):
    """What is skipped is in the archive to the last byte: a row of other bytes, place or kind is appended."""
    once = AppendOnce(archive)
    row = record(1)
    others = [
        replace(row, raw=b"{}"),
        replace(row, position="00000002"),
        replace(row, origin="elsewhere"),
        replace(row, arrival_time_us=2),
        replace(row, kind="override"),
        replace(row, refs=("crm/1", "crm/2")),
    ]
    assert once.append("person", [row], EpochPosition(1, 1, 1)) == 1
    assert once.append("person", [row, *others], EpochPosition(1, 1, 1)) == len(others)


def test_what_a_failed_append_has_kept_is_not_kept_again(archive, monkeypatch):
    """Of a batch that became several segments only those are written again that were not written."""
    monkeypatch.setattr(archive_module, "SEGMENT_CONTENT_BYTES", 1)
    once, append, calls = AppendOnce(archive), archive.append, []

    def fail_third(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise TransientError("no room")
        append(*arguments)

    monkeypatch.setattr(archive, "append", fail_third)
    rows = [record(n) for n in range(5)]
    with pytest.raises(TransientError):
        once.append("person", rows, EpochPosition(1, 1, 1))
    assert once.append("person", rows, EpochPosition(1, 2, 1)) == 3
    assert rows_in(archive) == [row.position for row in rows]


def test_memory_is_bounded_and_forgetting_only_repeats(archive, monkeypatch):
    """Rows that are no longer remembered are appended again, which compaction puts right."""
    monkeypatch.setattr(once_module, "ROWS_REMEMBERED_MAX", 2)
    once = AppendOnce(archive)
    for number in (1, 2, 3, 1):
        assert once.append("person", [record(number)], EpochPosition(1, number, 1)) == 1
    assert once.append("person", [record(1)], EpochPosition(1, 9, 1)) == 0
    assert len(rows_in(archive)) == 4
    archive.compact("person")
    assert len(rows_in(archive)) == 3
