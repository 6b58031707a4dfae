"""The proof of concurrency, in a small form: ``benchmarks/workers.py``, which anybody can run at length.

What its reader reports is only worth something if it would notice: each thing that must never be seen is shown to it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from mdm_stream.core.cluster.golden import golden_id_of

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
KILLS = 4
A, B = golden_id_of("person", "crm/1"), golden_id_of("person", "crm/2")


@pytest.fixture
def watcher(monkeypatch):
    """The module of the reader, which lies beside the proofs."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import watcher  # noqa: PLC0415 - found only now

    return watcher


@pytest.fixture
def good(watcher):
    """A moment at which all is right: two records, each a golden record of its own."""
    golden = {golden_id: watcher.Golden((ref,), ref.encode()) for golden_id, ref in ((A, "crm/1"), (B, "crm/2"))}
    live = frozenset({"crm/1", "crm/2"})
    return watcher.Moment(1, 2, live, {"crm/1": A, "crm/2": B}, golden, ())


def test_killed_workers_make_what_one_worker_makes_and_no_reader_sees_a_wrong_state():
    """Eight processes on four shards, killed at random, end like one that is left alone; each moment is right."""
    command = [sys.executable, str(BENCHMARKS / "workers.py"), "--people", "25", "--kills", str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{KILLS} kills" in done.stdout
    assert "violations 0" in done.stdout
    assert len(set(re.findall(r"^  ([0-9a-f]{16})  ", done.stdout, re.MULTILINE))) == 1


def test_the_reader_finds_nothing_wrong_with_a_right_moment(watcher, good):
    """Records, crosswalk and golden records that agree are no violation."""
    assert list(watcher.violations_of(good)) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"live": frozenset({"crm/1", "crm/2", "crm/3"})}, "a live record is in no golden record"),
        ({"live": frozenset({"crm/1"})}, "a golden record has a member that is not live"),
        ({"crosswalk": {"crm/1": A}}, "a live record is not in the crosswalk"),
        ({"crosswalk": {"crm/1": A, "crm/2": "gone"}}, "the crosswalk names a golden record that is not there"),
        ({"crosswalk": {"crm/1": A, "crm/2": A}}, "the crosswalk names a golden record that does not have the record"),
    ],
)
def test_the_reader_notices_a_wrong_moment(watcher, good, wrong, said):
    """Whatever record or crosswalk entry is out of place is told."""
    assert said in dict(watcher.violations_of(replace(good, **wrong)))


def test_the_reader_notices_a_record_in_two_golden_records(watcher, good):
    """Not even the crosswalk being right hides it."""
    both = {**good.golden, B: watcher.Golden(("crm/1", "crm/2"), b"")}
    assert "a record is in more than one golden record" in dict(watcher.violations_of(replace(good, golden=both)))


def message(sequence: int, **change) -> bytes:
    """Return a message of the feed."""
    said = {"domain": "person", "removed": [], "members": [], "values": {}, "provenance": {}, "anchor": None}
    return orjson.dumps({"type": "mdm.golden", "data": {**said, "sequence": sequence, "op": "upsert", **change}})


def member(record_id: str) -> dict[str, str]:
    """Return a member as the feed names it."""
    return {"source": "crm", "record_id": record_id}


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([(1, {})], "a committed change is neither on the feed nor in the outbox"),
        ([(1, {}), (1, {"rules_version": 2}), (2, {})], "a change was said again in other words"),
        ([(1, {"members": [member("1")]}), (2, {"golden_id": B})], "feed and index differ in a golden record"),
        ([(1, {"members": [member("7")]}), (2, {"golden_id": B})], "feed and index differ in a crosswalk entry"),
        ([(1, {"golden_id": "x", "op": "retire"}), (2, {})], "a redirect dangles"),
        ([(1, {"members": [member("7")]}), (2, {"op": "retire", "anchor": member("7")})], "a redirect dangles"),
    ],
)
def test_the_reader_notices_a_wrong_feed(watcher, good, messages, said):
    """A gap, a change that is restated, a state that was never told, and a redirect to nowhere are told."""
    subscriber = watcher.Subscriber()
    found = []
    for sequence, change in messages:
        found += subscriber.hear(message(sequence, **{"golden_id": A, **change}), published=True)
    found += [*subscriber.advance(good.sequence), *watcher.disagreements(good, subscriber)]
    assert said in dict(found)
