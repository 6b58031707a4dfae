"""Erasure leaves no value of a record, loses nothing of any other, and stays done, whatever happens beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from functools import partial

import pytest
from archived import DAY_US, InterruptedStore, KilledError, erased, kill, record, without
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mdm_stream.archive import Archive, ErasedRows
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.errors import TransientError
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.objects.store import StoredObject

REF, OTHER = "crm/7", "crm/8"
VALUE = f'"value of {REF}"'.encode()
ROWS = [
    record(1, REF),
    record(2, OTHER),
    record(3, REF, "crm/9"),
    record(5, REF, kind="override"),
    record(4, REF, OTHER, kind="verdict", raw=b"a verdict"),
    record(6, REF, kind="erase", raw=b"an erasure"),
    record(7, "crm/70", "erp/7"),
]


@pytest.fixture
def quick_disk(monkeypatch):
    """Forcing to disk takes its time and matters to nobody who does not pull the plug."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def fill(store):
    """Put the rows into segments and a part of two days, and return the set of them."""
    for day in (1, 2):
        archive = Archive(store, now_us=lambda day=day: day * DAY_US)
        for number in range(2):
            archive.append("person", [record(100 + number), *ROWS[number::2]], EpochPosition(1, number, day))
        archive.compact("person", before_day="1970-01-03")
    return {*ROWS, *(record(100 + number) for number in range(2))}


def rows_of(store):
    """The rows in the archive."""
    return set(Archive(store).read_new("person", set()))


def plaintext(store):
    """What the archive holds, uncompressed, as a scan of the whole store finds it."""
    return b"".join(row.raw for row in Archive(store).read_new("person", set()))


def test_no_value_is_left_and_nothing_else_is_lost(store):
    """Rows with values go, from segments and parts; verdicts, erase events and all others stay; so does the witness."""
    before = fill(store)
    archive = Archive(store)
    witness = archive.witness("person")
    assert len(archive.holds("person", REF)) == 3
    done = archive.erase("person", REF, without(REF))
    assert done == ErasedRows(rows_removed=6, rows_divided=2, objects_rewritten=3)
    assert rows_of(store) == erased(before, REF)
    assert {record(4, REF, OTHER, kind="verdict", raw=b"a verdict"), ROWS[5]} <= rows_of(store)
    assert VALUE not in plaintext(store)
    assert archive.holds("person", REF) == archive.search("person", [VALUE]) == []
    assert archive.witness("person") == witness
    assert archive.erase("person", REF, without(REF)) == ErasedRows()
    archive.compact("person")
    assert rows_of(store) == erased(before, REF)
    assert archive.witness("person") == witness


def test_another_record_whose_name_begins_alike_is_not_touched(store):
    """References are compared whole."""
    archive = Archive(store)
    archive.append("person", [record(1, "crm/70"), record(2, "crm/"), record(3, "xcrm/7")], EpochPosition(1, 1, 1))
    assert archive.erase("person", REF, without(REF)) == ErasedRows()
    assert archive.holds("person", "crm/70")


@pytest.mark.parametrize(
    "rest",
    [
        lambda row: [],
        lambda row: [row],
        lambda row: [record(1, REF), record(2, "crm/9")],
        lambda row: [record(1, "crm/9"), record(2, "crm/10")],
    ],
    ids=["loses", "leaves", "leaves-a-part", "invents"],
)
def test_a_wrong_rest_changes_nothing(tmp_path, rest):
    """What takes a divided row's place must name the others, all of them and nobody else, or all stays as it was."""
    archive = Archive(FolderObjects(tmp_path))
    archive.append("person", [ROWS[2]], EpochPosition(1, 1, 1))
    with pytest.raises(ValueError, match="divided row"):
        archive.erase("person", REF, rest)
    assert list(archive.read_new("person", set())) == [ROWS[2]]
    assert archive.verify("person").unfinished == 0


def test_a_search_finds_escaped_texts(store):
    """A value is found in the bytes, in JSON that writes it with escapes, and in the columns beside."""
    archive = Archive(store)
    archive.append("person", [record(1, raw=b'{"name":"M\\u00fcller","deep":[{"x\\ty":1}]}')], EpochPosition(1, 1, 1))
    archive.append("person", [record(2, raw=b"no json \\ at all"), record(3, "crm/needle")], EpochPosition(1, 1, 1))
    for needle, found in [("Müller", 1), ("x\ty", 1), ("at all", 1), ("needle", 1), ("changes/", 2), ("Meier", 0)]:
        assert len(archive.search("person", [needle.encode(), b"\x00\x01"])) == found
    archive.compact("person")
    assert len(archive.search("person", ["Müller".encode()])) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_killed_erasure_loses_nothing_and_the_next_one_ends_it(tmp_path, quick_disk, after):
    """Killed at any call: other rows are all there; repeated, no value is left, in objects or half-written files."""
    filled, died, number = tmp_path / "filled", 0, 0
    before = fill(FolderObjects(filled))
    while True:
        number += 1
        store = FolderObjects(shutil.copytree(filled, tmp_path / f"store-{number}"))
        dying = InterruptedStore(store, number, kill, after=after)
        try:
            Archive(dying).erase("person", REF, without(REF))
        except KilledError:
            died += 1
        assert erased(before, REF) - rows_of(store) <= set(without(REF)(ROWS[2]))
        assert rows_of(store) <= before | erased(before, REF)
        archive = Archive(store)
        archive.erase("person", REF, without(REF))
        assert rows_of(store) == erased(before, REF)
        assert archive.verify("person").unfinished == 0
        assert archive.witness("person") == EpochPosition(1, 1, 2)
        if not dying.happened:
            break
    assert died > 20


def compacting(store):
    """Compact everything."""
    Archive(store).compact("person")


def erasing(store, ref):
    """Erase one record."""
    Archive(store).erase("person", ref, without(ref))


@pytest.mark.parametrize("outer", ["compact", "erase"])
@pytest.mark.parametrize("inner", ["compact", "erase", "erase-other", "killed-compact", "killed-erase-other"])
def test_whatever_runs_in_the_middle_of_whatever(tmp_path, quick_disk, outer, inner):
    """At every point of a compaction or erasure, a whole other one may run, or begin and die: nothing is lost.

    Once an erasure has returned, its values are gone for good, though a compaction that read them before goes on.
    """
    filled, number = tmp_path / "filled", 0
    before = fill(FolderObjects(filled))
    while True:
        number += 2 if inner.startswith("killed") else 1
        store = FolderObjects(shutil.copytree(filled, tmp_path / f"store-{number}"))
        dying = InterruptedStore(store, 3 + number % 12, kill)

        def intrude(store=store, dying=dying):
            if inner == "compact":
                compacting(store)
            elif inner == "erase":
                erasing(store, REF)
            elif inner == "erase-other":
                erasing(store, OTHER)
            else:
                with suppress(KilledError):
                    compacting(dying) if inner == "killed-compact" else erasing(dying, OTHER)

        interrupted = InterruptedStore(store, number, intrude)
        compacting(interrupted) if outer == "compact" else erasing(interrupted, REF)
        expected = before
        if "erase" in (inner, outer):
            expected = erased(expected, REF)
        if inner in ("erase-other", "killed-erase-other") and interrupted.happened:
            if inner == "killed-erase-other":
                erasing(store, OTHER)
            expected = erased(expected, OTHER)
        if not interrupted.happened and outer == "compact":
            expected = before
        assert rows_of(store) == expected
        compacting(store)
        assert rows_of(store) == expected
        assert Archive(store).verify("person").unfinished == 0
        assert Archive(store).witness("person") == EpochPosition(1, 1, 2)
        if not interrupted.happened:
            break
    assert number > 12


def test_an_erasure_that_is_never_let_through_says_so(tmp_path, quick_disk, monkeypatch):
    """Somebody who replaces objects all the time makes it a transient error, not an endless one."""
    store = FolderObjects(tmp_path)
    fill(store)
    monkeypatch.setattr("mdm_stream.archive.erase.replace", lambda *_: False)
    with pytest.raises(TransientError, match="not complete"):
        erasing(store, REF)


@given(st.binary(max_size=30), st.binary(min_size=1, max_size=3))
@settings(max_examples=50, deadline=None)
def test_a_search_misses_no_bytes(raw, needle):
    """Whatever the bytes are, the rows that hold the needle are found, and no damage is seen in the others."""
    row = record(1, "a/b", raw=raw)
    store = _OneSegment(row)
    found = Archive(store).search("person", [needle])
    texts = (raw, row.position.encode(), row.origin.encode(), b"a/b")
    assert not any(needle in text for text in texts) or found


class _OneSegment:
    """A store that has been given one row."""

    def __init__(self, row):
        """Keep what an archive writes."""
        self._kept = {}
        Archive(self).append("person", [row], EpochPosition(1, 1, 1))

    def put(self, name, content):
        """Keep an object."""
        self._kept[name] = content

    def get(self, name):
        """Return an object."""
        return self._kept[name]

    def list(self, prefix):
        """List objects."""
        return iter([StoredObject(n, len(c)) for n, c in sorted(self._kept.items()) if n.startswith(prefix)])


class ArchiveMachine(RuleBasedStateMachine):
    """Any history of appending, compacting, erasing and dying on one archive, against the set of rows it must hold."""

    @initialize()
    def begin(self):
        """Start with an empty folder."""
        self.folder = tempfile.TemporaryDirectory()
        self.store = FolderObjects(self.folder.name)
        self.rows, self.greatest, self.day = set(), None, 0

    def teardown(self):
        """Remove the folder."""
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def archive(self, store=None):
        """Return the archive as a process opens it today."""
        return Archive(store or self.store, now_us=lambda: self.day * DAY_US)

    refs = st.sampled_from(["crm/1", "crm/2", "erp/1"])
    kinds = st.sampled_from(["record", "record", "override", "verdict", "erase"])
    batches = st.lists(
        st.tuples(st.integers(0, 9), st.lists(refs, min_size=1, max_size=2, unique=True), kinds), max_size=4
    )
    small = st.builds(EpochPosition, st.integers(0, 2), st.integers(0, 9), st.integers(0, 9))

    @rule(batch=batches, witness=small, day=st.integers(0, 2))
    def append(self, batch, witness, day):
        """A consumer archives a batch, which may be one that was archived before."""
        self.day = day
        rows = [record(number, *refs, kind=kind) for number, refs, kind in batch]
        self.archive().append("person", rows, witness)
        self.rows.update(rows)
        self.greatest = witness if self.greatest is None else max(self.greatest, witness)

    @rule(limit=st.sampled_from([1, 100, 300, 10_000]), before=st.sampled_from([None, "1970-01-02"]))
    def compact(self, limit, before):
        """Somebody compacts."""
        self.archive().compact("person", before_day=before, part_content_bytes=limit)

    @rule(ref=refs)
    def erase(self, ref):
        """A record is erased."""
        self.archive().erase("person", ref, without(ref))
        self.rows = erased(self.rows, ref)

    @rule(at=st.integers(1, 25), after=st.booleans(), limit=st.sampled_from([100, 10_000]))
    def compact_and_die(self, at, after, limit):
        """A compaction is killed."""
        store = InterruptedStore(self.store, at, kill, after=after)
        with suppress(KilledError):
            self.archive(store).compact("person", part_content_bytes=limit)

    @rule(at=st.integers(1, 25), after=st.booleans(), ref=refs)
    def erase_and_die_and_erase(self, at, after, ref):
        """An erasure is killed, and repeated."""
        store = InterruptedStore(self.store, at, kill, after=after)
        with suppress(KilledError):
            self.archive(store).erase("person", ref, without(ref))
        self.erase(ref)

    @rule(at=st.integers(1, 25), ref=refs)
    def erase_in_the_middle_of_compaction(self, at, ref):
        """A record is erased while a compaction has begun and goes on after."""
        store = InterruptedStore(self.store, at, partial(self.erase, ref))
        self.archive(store).compact("person")

    @invariant()
    def holds_what_it_should(self):
        """Exactly the rows that were appended and not erased, and the greatest witness."""
        if hasattr(self, "store"):
            assert set(self.archive().read_new("person", set())) == self.rows
            assert self.archive().witness("person") == self.greatest


class TestArchiveHistories(ArchiveMachine.TestCase):
    """Histories that Hypothesis invents."""

    settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
