"""Files and folders: written whole, and their user's alone."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.files import (
    cell_text,
    claim_folder,
    open_private,
    require_own_folder,
    spreadsheet_cell,
    trusted_path,
    write_atomically,
)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """Folders are made, the newest content is there, and nothing else is left in the folder."""
    path = tmp_path / "a" / "b.json"
    for content in (b"first, which is longer", b"second"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture(params=[0o000, 0o022, 0o077])
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """A umask that the user has, from the most open one on."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.usefixtures("any_umask")
def test_what_is_written_is_its_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    """Files are 0600 and folders 0700 from the first byte on, also where open ones stood before."""
    path, opened = tmp_path / "a" / "b" / "stack.json", tmp_path / "a" / "result.csv"
    for _ in range(2):
        write_atomically(path, b"{}")
        with open_private(opened, "w", encoding="utf-8") as file:
            file.write("new")
            assert mode_of(opened) == 0o600
        assert opened.read_text() == "new"
        assert mode_of(path) == 0o600
        path.chmod(0o644)
        opened.chmod(0o666)
        opened.write_text("old, and longer")
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a" / "b") == 0o700


def test_a_name_that_another_may_have_put_there_is_not_followed(tmp_path: Path) -> None:
    """A link, a pipe and a file of another user are refused, and what they lead to stays as it was."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(elsewhere)
    os.mkfifo(pipe)
    for name in (link, pipe):
        with pytest.raises(OSError), open_private(name, "w"):  # noqa: PT011 - which one the system decides
            pass
    assert elsewhere.read_text() == "kept"
    draft = tmp_path / f".new.json.{os.getpid()}.{threading.get_ident()}.new"
    draft.symlink_to(elsewhere)
    write_atomically(tmp_path / "new.json", b"{}")
    assert elsewhere.read_text() == "kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_written_to(tmp_path: Path) -> None:
    """They could read what is written, whatever its mode says."""
    theirs = tmp_path / "golden.jsonl"
    theirs.write_text("theirs")
    os.chown(theirs, 65534, 65534)
    with pytest.raises(PermissionError, match="belongs to user 65534"), open_private(theirs, "wb"):
        pass
    assert theirs.read_text() == "theirs"


def test_an_open_folder_is_closed_with_all_that_is_in_it(tmp_path: Path) -> None:
    """What others could read, and not write, is mended; a link in it is left alone."""
    state = tmp_path / "state"
    (state / "archive").mkdir(parents=True)
    (state / "archive" / "part").write_text("x")
    outside = tmp_path / "outside"
    outside.write_text("")
    outside.chmod(0o644)
    (state / "link").symlink_to(outside)
    for path, mode in ((state, 0o755), (state / "archive", 0o755), (state / "archive" / "part", 0o644)):
        path.chmod(mode)
    assert claim_folder(state) == (state, True)
    assert [mode_of(p) for p in (state, state / "archive", state / "archive" / "part")] == [0o700, 0o700, 0o600]
    assert mode_of(outside) == 0o644
    assert claim_folder(state) == (state, False)


def test_a_folder_that_others_could_fill_is_taken_only_if_it_is_empty(tmp_path: Path) -> None:
    """What lies in it may be anybody's; a folder that is not there yet, or empty, is made the user's alone."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    assert claim_folder(state) == (state, True)
    (state / "x").write_text("")
    state.chmod(0o777)
    with pytest.raises(PermissionError, match="look through it"):
        claim_folder(state)
    assert mode_of(state) == 0o777
    with pytest.raises(PermissionError, match="can write"):
        require_own_folder(state)


def test_a_folder_in_a_place_that_others_can_swap_is_refused(tmp_path: Path) -> None:
    """Above it everything is the user's or root's, or shared and sticky; links of the user are followed."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for check in (claim_folder, require_own_folder):
        with pytest.raises(PermissionError, match="put another in its place"):
            check(shared / "state")
    shared.chmod(0o1777)
    assert claim_folder(shared / "state") == (shared / "state", False)
    (tmp_path / "link").symlink_to("shared/../shared")
    assert require_own_folder(tmp_path / "link" / "state") == shared / "state"
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError, match=r"(?i)symbolic links"):
        trusted_path(tmp_path / "round" / "state")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_folders_and_links_of_another_user_are_refused(tmp_path: Path) -> None:
    """In a shared place whoever came first decides what stands there: it is not used."""
    tmp_path.chmod(0o1777)
    theirs, link = tmp_path / "state", tmp_path / "link"
    theirs.mkdir(mode=0o700)
    link.symlink_to("own")
    (tmp_path / "own").mkdir(mode=0o700)
    for path in (theirs, link):
        os.chown(path, 65534, 65534, follow_symlinks=False)
        for place in (path, path / "state"):
            with pytest.raises(PermissionError, match="belongs to user 65534"):
                claim_folder(place)
    assert list(theirs.iterdir()) == []


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


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("a;=1+1", "a;'=1+1"),
        ("a\t@x", "a\t'@x"),
        ("\uff1d1", "'\uff1d1"),
        ("'=1", "''=1"),
        ("a;''+b+c", "a;'''+b+c"),
        ("'", "'"),
        ("'a", "'a"),
        ("-5", "-5"),
        ("+4915112345678", "+4915112345678"),
        ("-3.50", "-3.50"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_no_cell_begins_a_formula(text: str, cell: str) -> None:
    """What would begin a formula, also behind a separator of another country, has an apostrophe; numbers stay."""
    assert spreadsheet_cell(text) == cell
    assert cell_text(cell) == text


@given(st.text(st.sampled_from("=+-@'\t\r\n;|ab1.\uff0b"), max_size=10))
def test_a_cell_gives_its_text_back(text: str) -> None:
    """Whatever the text: nothing is lost, and no part of the cell begins a formula unless all of it is a number."""
    cell = spreadsheet_cell(text)
    assert cell_text(cell) == text
    parts = cell.replace("\t", ";").replace("|", ";").split(";")
    formulas = [part for part in parts if part[:1] and part[0] in "=+-@\r\n\uff0b"]
    assert not formulas or cell.lstrip("+-").replace(".", "", 1).isdigit()
