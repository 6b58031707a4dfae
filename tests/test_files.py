"""Files that are replaced whole."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mdm_stream.files import write_atomically


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """Folders are made, the newest content is there, and nothing else is left in the folder."""
    path = tmp_path / "a" / "b.json"
    for content in (b"first, which is longer", b"second"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    """The mode is that of the file from its first byte on, also where a public one stood."""
    path = tmp_path / "stack.json"
    write_atomically(path, b"{}")
    write_atomically(path, b"{}", mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_write_that_fails_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails before the replacement, readers go on with what was there."""
    path = tmp_path / "positions.json"
    write_atomically(path, b"old")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
