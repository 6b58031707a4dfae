"""Tables that the driver writes: the same in a folder and on S3, in files of bounded size, whole or not there."""

from __future__ import annotations

import io
import tracemalloc

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from mdm_stream.errors import TransientError
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.objects.store import ObjectStore
from mdm_stream.reconcile import table_files
from mdm_stream.reconcile.table_files import TableFiles

SCHEMAS = {"people": {"ref": "string", "keys": "strings", "state": "binary"}, "nobody": {"ref": "string"}}


def rows(store: ObjectStore, table: str) -> list[dict[str, object]]:
    """Return what a reader of the table gets."""
    files = [store.get(each.name) for each in store.list(f"{table}/")]
    return pa.concat_tables([pq.read_table(io.BytesIO(content)) for content in files]).to_pylist()


def names(store: ObjectStore) -> list[str]:
    """Return all objects."""
    return [each.name for each in store.list("")]


def test_rows_are_read_as_they_were_written(store):
    """A table without rows is there, with its columns, and has none."""
    with TableFiles(store, SCHEMAS) as tables:
        assert tables.add("people", [("crm/1", ["a", "b"], b"1"), ("crm/2", [], b"")]) == 2
        assert tables.add("people", [("crm/3", ["c"], None)]) == 1
    assert [row["ref"] for row in rows(store, "people")] == ["crm/1", "crm/2", "crm/3"]
    assert rows(store, "people")[0] == {"ref": "crm/1", "keys": ["a", "b"], "state": b"1"}
    assert rows(store, "nobody") == []


def test_a_large_table_is_several_files(store, monkeypatch):
    """Each is one task's work, and none is larger than its bound and a portion."""
    monkeypatch.setattr(table_files, "FILE_BYTES", 10_000)
    monkeypatch.setattr(table_files, "PORTION_BYTES", 1_000)
    with TableFiles(store, SCHEMAS) as tables:
        tables.add("people", ((f"crm/{n}", [], n.to_bytes(100)) for n in range(1_000)))
    assert len([name for name in names(store) if name.startswith("people/")]) >= 10
    assert {row["ref"] for row in rows(store, "people")} == {f"crm/{n}" for n in range(1_000)}


def test_a_writer_that_fails_leaves_nothing(store, monkeypatch):
    """Also of the files that were whole by then."""
    monkeypatch.setattr(table_files, "FILE_BYTES", 1_000)
    monkeypatch.setattr(table_files, "PORTION_BYTES", 100)
    written = []

    def people():
        yield from ((f"crm/{n}", [], b"x" * 100) for n in range(100))
        written.extend(names(store))
        raise TransientError("the index is away")

    with pytest.raises(TransientError), TableFiles(store, SCHEMAS) as tables:
        tables.add("people", people())
    assert written
    assert names(store) == []


def test_a_store_that_fails_at_the_end_leaves_nothing(store, monkeypatch):
    """The last file of the last table cannot be written: the tables before it go, too."""
    put = type(store).put

    def refused(self: ObjectStore, name: str, content: bytes) -> None:
        if name.startswith("nobody/"):
            raise TransientError("the bucket is away")
        put(self, name, content)

    monkeypatch.setattr(type(store), "put", refused)
    with pytest.raises(TransientError, match="bucket is away"), TableFiles(store, SCHEMAS) as tables:
        tables.add("people", [("crm/1", [], b"")])
    assert names(store) == []


def test_what_a_killed_writer_left_is_not_read(store):
    """A job that begins anew writes fewer files than there are."""
    for number in range(3):
        store.put(f"people/{number:05}.parquet", b"of another run")
    store.put("other/00000.parquet", b"")
    with TableFiles(store, SCHEMAS) as tables:
        tables.add("people", [("crm/1", [], b"")])
    assert names(store) == ["nobody/00000.parquet", "other/00000.parquet", "people/00000.parquet"]
    assert len(rows(store, "people")) == 1


def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    """Ten times the rows are written in the same memory."""
    store = FolderObjects(tmp_path)
    monkeypatch.setattr(table_files, "FILE_BYTES", 256 * 1024)
    monkeypatch.setattr(table_files, "PORTION_BYTES", 64 * 1024)
    peaks = []
    for count in (2_000, 20_000):
        tracemalloc.start()
        with TableFiles(store, {"people": SCHEMAS["people"]}) as tables:
            tables.add("people", ((f"crm/{n}", [], n.to_bytes(200)) for n in range(count)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        store.delete(names(store))
    assert peaks[1] < 2 * peaks[0] + 1_000_000
