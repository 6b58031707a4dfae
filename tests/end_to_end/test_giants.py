"""Golden records that no stream record can hold, on the whole local stack: ``benchmarks/giants.py``."""

from __future__ import annotations

from pathlib import Path

import pytest
from bytes_of_state import places_with

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """What a run has shown."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        from giants import three_giants  # noqa: PLC0415 - found only now

        state = tmp_path_factory.mktemp("giants") / "state"
        return three_giants(state, lambda folder, needles: list(places_with(folder, needles)))


def test_each_giant_reaches_feed_and_warehouse(figures):
    """Whole, by claim check, whatever made it large: two events that link, one event, two hundred members."""
    assert [(giant.name, giant.arrived(), giant.by_claim_check) for giant in figures.giants] == [
        (giant.name, True, True) for giant in figures.giants
    ]
    assert [giant.members for giant in figures.giants] == [2, 1, 200]


def test_nothing_behind_a_giant_is_delayed(figures):
    """No batch fails, so every event behind one is done with the batch that it came in."""
    assert figures.failed_batches == 0
    assert figures.behind_on_feed == figures.behind == 30


def test_every_event_is_archived_once(figures):
    """The archive has as many rows as there were events."""
    assert figures.archived_rows == figures.events


def test_a_rebuild_reads_what_was_published_through_claim_checks(figures):
    """It finds on feed and in warehouse what the index has, giants included: there is nothing to tell."""
    assert figures.told_by_rebuild == 0


def test_nothing_is_left_of_an_erased_part_of_a_giant(figures):
    """Neither the search nor any byte under the state folder, packed or not, has a value of the erased record."""
    assert (figures.erase_exit_code, figures.verify_exit_code, figures.left) == (0, 0, [])
