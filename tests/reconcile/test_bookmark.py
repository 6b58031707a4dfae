"""A bookmark: what a clean run leaves, and what makes it worth nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from reconcile_world import RULES, people, rows_of

from mdm_stream.archive import open_archive
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.reconcile.bookmark import bookmark_of, is_unchanged
from mdm_stream.reconcile.compare import Reconciliation

POSITION = EpochPosition(1, 9, 7)


@pytest.fixture
def archive(tmp_path):
    """An archive of three records."""
    archive = open_archive((tmp_path / "archive").as_uri())
    archive.append("person", rows_of(people(1), 1), POSITION)
    return archive


def run_of(archive, **found):
    """Return a run that has read the archive, and found what is said."""
    compared = Reconciliation("person", POSITION, POSITION, 3, 4, tables=None)
    for name, value in found.items():
        setattr(compared, name, value)
    return SimpleNamespace(
        rules_digest=RULES.digest,
        witness=archive.witness("person"),
        exclusions=archive.sources("person").read().exclusions,
        computed=SimpleNamespace(objects=tuple(each.name for each in archive.objects("person"))),
        found=compared,
        after=None,
        repaired=None,
    )


def kept(run):
    """Return the report of a run, as far as it matters."""
    return {"bookmark": bookmark_of(run)}


def test_nothing_has_changed(archive):
    """The report may have been written and read in between: it is JSON."""
    assert is_unchanged(kept(run_of(archive)), RULES, archive, POSITION, warehouse=False)
    assert not is_unchanged(None, RULES, archive, POSITION, warehouse=False)
    assert not is_unchanged({}, RULES, archive, POSITION, warehouse=False)


@pytest.mark.parametrize(
    "found",
    [{"drift": {"lost_record": 1}}, {"touched": 1}, {"warehouse_behind": True}],
    ids=["drift", "changed meanwhile", "warehouse behind"],
)
def test_a_run_that_left_something_out_has_none(archive, found):
    """The next run has something to compare."""
    assert bookmark_of(run_of(archive, **found)) is None


def test_a_run_that_repaired_has_none(archive):
    """What it has told was not compared."""
    run = run_of(archive, drift={"lost_record": 1})
    run.repaired, run.after = SimpleNamespace(), run_of(archive).found
    assert bookmark_of(run) is None


def test_whatever_moves_is_seen(archive):
    """Rules, index, warehouse, rows that move no clock, and rows in other objects."""
    report = kept(run_of(archive))
    assert not is_unchanged(report, replace(RULES, digest="other"), archive, POSITION, warehouse=False)
    assert not is_unchanged(report, RULES, archive, POSITION, warehouse=True)
    for moved in (replace(POSITION, clock=10), replace(POSITION, epoch=2), replace(POSITION, sequence=8)):
        assert not is_unchanged(report, RULES, archive, moved, warehouse=False)
    archive.append("person", rows_of(people(1, first=1), 4), POSITION)
    assert not is_unchanged(report, RULES, archive, POSITION, warehouse=False)


def test_what_was_excluded_since_is_seen(archive):
    """It is no object with rows, and yet another input of F."""
    report = kept(run_of(archive))
    archive.sources("person").exclude("crm", 0, 10, 20)
    assert not is_unchanged(report, RULES, archive, POSITION, warehouse=False)
    assert is_unchanged(kept(run_of(archive)), RULES, archive, POSITION, warehouse=False)
