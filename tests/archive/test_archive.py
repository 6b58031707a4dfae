"""The archive keeps what it was given, knows how far the index had come, and tells damage."""

from __future__ import annotations

import gzip
import subprocess
import sys
from dataclasses import replace

import orjson
import pytest
from archived import DAY_US, record
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mdm_stream.archive import (
    Archive,
    ArchivedRecord,
    DamagedObjectError,
    MissingObjectError,
    open_archive,
)
from mdm_stream.archive import archive as archive_module
from mdm_stream.archive.object_names import encode_witness, new_name, parse_object, witness_in
from mdm_stream.archive.part import decode_part, decode_part_refs, encode_part
from mdm_stream.archive.record import ARCHIVE_FORMAT, UnknownFormatError
from mdm_stream.archive.segment import decode_segment, encode_segment
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.errors import TerminalError
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.objects.store import StoredObject

ODD = [
    record(1, raw=b""),
    record(2, raw=b"\xff\x00\xfe"),
    record(3, raw="Müller\n\u2028 \U0001f600".encode()),
    record(4, "crm/4", "erp/4"),
    record(5, "crm/Käthe", "erp/5", kind="verdict"),
    record(6, kind="override"),
    record(7, kind="erase"),
    replace(record(8), arrival_time_us=-(2**62), origin="", position=""),
]

numbers = st.integers(min_value=0, max_value=10**16 - 1)
witnesses = st.builds(EpochPosition, st.integers(min_value=0, max_value=10**10 - 1), numbers, numbers)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
records = st.builds(
    ArchivedRecord,
    st.just("person"),
    st.lists(texts, min_size=1, max_size=3).map(tuple),
    texts,
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    texts,
    st.binary(max_size=30) | texts.map(str.encode),
    st.sampled_from(["record", "verdict", "override", "erase"]),
)


def test_what_is_appended_is_read(store):
    """Every field of every record comes back, from segments and from parts, in another process's archive too."""
    Archive(store).append("person", ODD, EpochPosition(1, 2, 3))
    assert list(Archive(store).read_new("person", set())) == ODD
    archive = Archive(store)
    done = archive.compact("person")
    assert (done.objects_replaced, done.parts_written, done.rows_kept) == (1, 1, len(ODD))
    assert sorted(archive.read_new("person", set()), key=lambda row: row.raw) == sorted(ODD, key=lambda row: row.raw)
    assert [found.kind for found in archive.objects("person")] == ["part"]


@given(st.lists(records, max_size=5))
@settings(deadline=None)
def test_both_forms_keep_every_record(rows):
    """Segments and parts are two ways to write the same rows, whatever texts and bytes they hold."""
    assert list(decode_segment("s", encode_segment(rows))) == rows
    assert encode_segment(rows) == encode_segment(rows)
    content = encode_part(rows)
    assert list(decode_part("p", content)) == rows
    assert list(decode_part_refs("p", content)) == [(row.kind, row.refs) for row in rows]


@given(witnesses, witnesses)
def test_names_are_ordered_newest_first(one, other):
    """The text of a greater witness sorts lower, and the numbers are read back from it."""
    assert (encode_witness(one) < encode_witness(other)) == (one > other)
    name = new_name("person", "part", "2026-01-31", one, 77)
    found = parse_object(StoredObject(name, 5))
    assert (found.witness, found.day, found.kind, found.content_bytes) == (one, "2026-01-31", "part", 77)
    assert witness_in(name) == one


@pytest.mark.parametrize("numbers", [(-1, 0, 0), (10**10, 0, 0), (0, 10**16, 0), (0, 0, -1)])
def test_a_witness_out_of_range_is_refused(numbers):
    """A number that would not keep its place in the order of names is a programmer's mistake."""
    with pytest.raises(ValueError, match="digits"):
        encode_witness(EpochPosition(*numbers))


def test_the_greatest_witness_is_found_on_whatever_day_it_lies(store):
    """Neither the order of writing nor the writers' clocks matter, and the epoch counts before all else."""
    clock_us = [20 * DAY_US]
    archive = Archive(store, now_us=lambda: clock_us[0])
    assert archive.witness("person") is None
    greatest = EpochPosition(0, 0, 0)
    for day, numbers in [(20, (1, 9, 4)), (21, (1, 8, 3)), (3, (1, 10, 5)), (99, (1, 7, 2)), (22, (2, 1, 1))]:
        clock_us[0] = day * DAY_US
        archive.append("person", [record(day)], EpochPosition(*numbers))
        greatest = max(greatest, EpochPosition(*numbers))
        assert archive.witness("person") == greatest
    assert archive.witness("company") is None


def test_a_witness_needs_no_records(store):
    """A bare witness counts, holds no rows, and is not forgotten by compaction."""
    archive = Archive(store)
    archive.append("person", [], EpochPosition(3, 2, 1))
    assert archive.witness("person") == EpochPosition(3, 2, 1)
    assert list(archive.read_new("person", set())) == []
    archive.compact("person")
    assert archive.witness("person") == EpochPosition(3, 2, 1)
    assert list(archive.read_new("person", set())) == []


def test_asking_for_the_witness_reads_few_names(tmp_path, monkeypatch):
    """One name a day with segments, and one more, however many segments and parts there are."""
    folder = FolderObjects(tmp_path)
    archive = Archive(folder, now_us=lambda: 20 * DAY_US)
    for number in range(30):
        archive.append("person", [record(number)], EpochPosition(1, number, 0))
    taken = []

    def counted(prefix):
        for stored in listed(prefix):
            taken.append(stored.name)
            yield stored

    listed = folder.list
    monkeypatch.setattr(folder, "list", counted)
    assert archive.witness("person") == EpochPosition(1, 29, 0)
    assert len(taken) == 1


def test_domains_are_apart(store):
    """What is appended to one domain is seen in that one alone; a record cannot be filed under another."""
    archive = Archive(store)
    company = replace(record(1), domain="company")
    archive.append("person", [record(1)], EpochPosition(1, 1, 1))
    archive.append("company", [company], EpochPosition(2, 2, 2))
    assert archive.domains() == ["company", "person"]
    assert list(archive.read_new("company", set())) == [company]
    assert archive.witness("person") == EpochPosition(1, 1, 1)
    with pytest.raises(ValueError, match="own domain"):
        archive.append("person", [company], EpochPosition(1, 1, 1))
    for name in ("", "../person", "Person", "person/"):
        with pytest.raises(ValueError, match="domain"):
            archive.append(name, [], EpochPosition(1, 1, 1))
    assert archive.location("person").endswith("/domain=person")


def test_a_large_batch_becomes_several_segments(store, monkeypatch):
    """A segment has a bounded size unless one record is larger; none of the records is left out."""
    monkeypatch.setattr(archive_module, "SEGMENT_CONTENT_BYTES", 100)
    rows = [record(number, raw=b"x" * (500 if number == 3 else 30)) for number in range(10)]
    archive = Archive(store)
    archive.append("person", rows, EpochPosition(1, 1, 1))
    assert sorted(archive.read_new("person", set()), key=lambda row: row.position) == rows
    sizes = [found.content_bytes for found in archive.objects("person")]
    assert max(sizes) > 500
    assert all(size <= 100 for size in sorted(sizes)[:-1])


def test_reading_goes_on_where_it_stopped(store):
    """What was seen is not read again; what came since is."""
    archive = Archive(store)
    seen: set[str] = set()
    archive.append("person", [record(1)], EpochPosition(1, 1, 1))
    assert list(archive.read_new("person", seen)) == [record(1)]
    archive.append("person", [record(2)], EpochPosition(1, 2, 1))
    assert list(archive.read_new("person", seen)) == [record(2)]
    assert list(archive.read_new("person", seen)) == []


def test_an_object_that_was_replaced_is_reported(store):
    """Who reads an old listing is told that an object of it is gone."""
    archive = Archive(store)
    archive.append("person", [record(1)], EpochPosition(1, 1, 1))
    objects = archive.objects("person")
    archive.compact("person")
    with pytest.raises(MissingObjectError):
        list(archive.read(objects))
    assert list(archive.read(archive.objects("person"))) == [record(1)]


def test_a_newer_releases_form_is_refused_by_name(tmp_path):
    """An object of a format that this release does not know is no damage: it says which release can read it."""
    archive = open_archive(tmp_path.as_uri())
    archive.append("person", [record(1)], EpochPosition(1, 1, 0))
    (segment,) = tmp_path.rglob("segment-*")
    line = orjson.loads(gzip.decompress(segment.read_bytes()))
    assert line["format"] == 1
    segment.write_bytes(gzip.compress(orjson.dumps({**line, "format": ARCHIVE_FORMAT + 1})))
    with pytest.raises(UnknownFormatError, match=f"{segment.name} has format {ARCHIVE_FORMAT + 1}"):
        list(archive.read_new("person", set()))
    del line["format"]  # as releases wrote it before formats had numbers
    segment.write_bytes(gzip.compress(orjson.dumps(line)))
    assert list(archive.read_new("person", set())) == [record(1)]
    archive.compact("person")
    (part,) = tmp_path.rglob("part-*")
    table = parquet.read_table(part)
    for claimed in (str(ARCHIVE_FORMAT + 1), "0", "x"):
        parquet.write_table(table.replace_schema_metadata({"mdm_stream.archive_format": claimed}), part)
        with pytest.raises(UnknownFormatError, match="the release that wrote it, or a later one"):
            list(archive.read_new("person", set()))
    parquet.write_table(table.replace_schema_metadata(None), part)
    assert list(archive.read_new("person", set())) == [record(1)]


def test_damage_is_told_and_nothing_goes_on_over_it(tmp_path):
    """A cut, changed or foreign object is named; compaction and erasure leave it and its neighbours as they are."""
    archive = open_archive(tmp_path.as_uri())
    for number in range(3):
        archive.append("person", [record(number), record(number + 10)], EpochPosition(1, number, 0))
    segments = sorted(tmp_path.rglob("segment-*"))
    whole = segments[1].read_bytes()
    for bad in (
        whole[:-9],
        b"",
        whole[:5] + b"\xff" * 10 + whole[15:],
        gzip.compress(b"{}\n"),
        gzip.compress(b"[1]\n"),
        gzip.compress(b'{"kind":"record","raw":7}\n'),
        gzip.compress(b"no json\n"),
    ):
        segments[1].write_bytes(bad)
        with pytest.raises(DamagedObjectError, match=segments[1].name):
            list(archive.read_new("person", set()))
        for act in (lambda: archive.compact("person"), lambda: archive.erase("person", "crm/1", lambda _: [])):
            with pytest.raises(DamagedObjectError):
                act()
        found = archive.verify("person")
        assert (found.objects, found.rows, len(found.damaged), found.unfinished) == (3, 4, 1, 0)
        assert sorted(tmp_path.rglob("segment-*")) == segments
    segments[1].write_bytes(whole)
    archive.compact("person")
    (part,) = tmp_path.rglob("part-*")
    content = part.read_bytes()
    part.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    assert len(archive.verify("person").damaged) == 1
    part.write_bytes(content[:-20])
    with pytest.raises(DamagedObjectError, match="Parquet"):
        list(archive.read_new("person", set()))


def test_a_foreign_name_is_not_passed_over(tmp_path):
    """An object that was renamed could hide its records: listing says so instead of leaving it out."""
    archive = open_archive(tmp_path.as_uri())
    archive.append("person", [record(1)], EpochPosition(1, 1, 1))
    (segment,) = tmp_path.rglob("segment-*")
    segment.rename(segment.with_name("renamed.ndjson.gz"))
    with pytest.raises(TerminalError, match=r"renamed\.ndjson\.gz"):
        archive.objects("person")


def test_a_record_must_say_what_it_is():
    """A record of an unknown kind, or one that names nothing, could not be erased and is refused."""
    for fields in ({"kind": "other"}, {"refs": ()}):
        with pytest.raises(ValueError, match="archived record"):
            replace(record(1), **fields)


APPEND_WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from mdm_stream.archive import ArchivedRecord, open_archive
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.errors import ConfigurationError
archive = open_archive(sys.argv[1])
row = ArchivedRecord("person", ("crm/1",), "1", 1, "here", b"{}", "record")
archive.append("person", [row], EpochPosition(1, 1, 1))
assert archive.witness("person") == EpochPosition(1, 1, 1)
assert list(archive.read_new("person", set())) == [row]
try:
    archive.compact("person")
except ConfigurationError as error:
    print(error)
"""


def test_a_consumer_needs_no_pyarrow(tmp_path):
    """Appending, the witness and reading segments work in a base install; compaction says what to install."""
    command = [sys.executable, "-c", APPEND_WITHOUT_PYARROW, tmp_path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "mdm-stream[archive]" in done.stdout
    assert open_archive(tmp_path.as_uri()).verify("person").unfinished == 0


def test_who_said_it_is_archived(tmp_path):
    """A row that was signed or redriven says so, in a segment and in a part; all others are as releases before read
    them, part by part.
    """
    archive = open_archive(tmp_path.as_uri())
    told = replace(record(2), redriven_on="mdm-steward", key_id="shop-2026")
    archive.append("person", [record(1)], EpochPosition(1, 1, 0))
    archive.compact("person")
    (part,) = tmp_path.rglob("part-*")
    table = parquet.read_table(part)
    assert (table.schema.metadata[b"mdm_stream.archive_format"], "key_id" in table.column_names) == (b"1", False)
    archive.append("person", [record(1), told], EpochPosition(1, 2, 0))
    (segment,) = tmp_path.rglob("segment-*")
    lines = [orjson.loads(line) for line in gzip.decompress(segment.read_bytes()).splitlines()]
    assert [line["format"] for line in lines] == [1, ARCHIVE_FORMAT]
    archive.compact("person", part_content_bytes=10_000)
    assert set(archive.read_new("person", set())) == {record(1), told}
