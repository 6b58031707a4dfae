"""The folder of a command's job on Spark, which holds personal values."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from mdm_stream.cli.spark_job import work_folder
from mdm_stream.errors import ConfigurationError, DeclinedError, TransientError


def _leave(named: Path | None, error: Exception | None) -> Path:
    """Return the folder of a job that wrote a table and ended so."""
    with work_folder(named, "rebuild") as folder:
        (folder / "table").write_text("Jane Doe")
        try:
            if error is not None:
                raise error
        finally:
            assert folder.stat().st_mode & 0o077 == 0
    return folder


@pytest.mark.parametrize("error", [None, DeclinedError("no"), TransientError("Redis is away")], ids=str)
def test_only_a_job_that_can_go_on_leaves_its_tables(tmp_path: Path, error: Exception | None) -> None:
    """In the folder that was named, where it failed: not where it was done, nor where the answer was no."""
    with nullcontext() if error is None else pytest.raises(type(error)):
        _leave(tmp_path, error)
    left = (tmp_path / "mdm-rebuild" / "table").exists()
    assert left == isinstance(error, TransientError)


def test_a_folder_of_its_own_is_removed_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could name it to go on in it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(TransientError):
        _leave(None, TransientError("Redis is away"))
    assert list(tmp_path.iterdir()) == []


def test_two_jobs_of_one_command_do_not_share_a_folder(tmp_path: Path) -> None:
    """They would write the same tables; jobs of two commands have two folders."""
    with work_folder(tmp_path, "rebuild"):
        with (
            pytest.raises(ConfigurationError, match=r"another job works in .*mdm-rebuild"),
            work_folder(tmp_path, "rebuild"),
        ):
            pytest.fail("the folder is another's")
        with work_folder(tmp_path, "bootstrap"):
            pass
