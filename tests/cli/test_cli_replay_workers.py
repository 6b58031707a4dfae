"""How many processes a replay takes where their number is not given."""

from __future__ import annotations

import pytest

from mdm_stream.cli.commands import replay
from mdm_stream.cli.event_inputs import EventInput


def sized(*sizes_bytes):
    """Return inputs of these sizes."""
    return [EventInput("rows.csv", None, "csv", "crm", 0, None, (size, 0)) for size in sizes_bytes]


@pytest.mark.parametrize(
    ("megabytes", "cores", "workers"),
    [((), 8, 1), ((1, 1, 1), 8, 1), ((4, 5), 8, 2), ((9, 9), 1, 1), ((900,), 64, 4), ((900,), 3, 3)],
)
def test_small_files_have_one_process_and_large_ones_no_more_than_cores(monkeypatch, megabytes, cores, workers):
    """One for each 4 MB of all files, one at least; never more than cores, or four."""
    monkeypatch.setattr(replay, "_cores", lambda: cores)
    assert replay._workers_for(sized(*(size * 1024**2 for size in megabytes))) == workers
