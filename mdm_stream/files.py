"""Files and folders of one user: written whole, readable by nobody else, and never in a place that others can swap.

Whatever is written is 0600 and whatever is made is 0700, whatever the umask: what this project keeps is personal. A
name that another user may have put there, as a link or as a file of their own, is refused instead of followed.

Cells of CSV files that people open are written so that no spreadsheet runs them as formulas.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import stat
import threading
from contextlib import suppress
from pathlib import Path, PurePath
from typing import IO, Any

FILE_MODE = 0o600
FOLDER_MODE = 0o700
PRIVATE_UMASK = 0o077
"""For processes of which libraries write files by themselves: Redis, DuckDB."""

_LINKS_MAX = 40
"""What Linux follows in one path before it says that there are too many."""

_FORMULA = "-=+@\t\r\n\uff1d\uff0b\uff0d\uff20"
_SEPARATORS = ";\t|"
"""What a spreadsheet of another country may take for the end of a cell, beside the comma, which is quoted."""
_MAY_BEGIN = re.compile(f"(?:^|(?<=[{_SEPARATORS}]))(?='*[{_FORMULA}])")
_BEGINS_MARKED = re.compile(f"(?:^|(?<=[{_SEPARATORS}]))'(?='*[{_FORMULA}])")
_NUMBER = re.compile(r"[+-]?[0-9]{1,64}(?:\.[0-9]{1,64})?")


def spreadsheet_cell(text: str) -> str:
    """Return a text for a CSV file that people open in a spreadsheet, where it is no formula; it loses nothing.

    Where a cell, or a part of it behind another separator, begins with what begins a formula (``=``, ``+``, ``-``,
    ``@``, tab, line end, their wide forms) an apostrophe is put in front, as OWASP advises; one more where the text has
    apostrophes there, so that ``cell_text`` gives it back. Plain numbers are left as they are.
    """
    return text if _NUMBER.fullmatch(text) else _MAY_BEGIN.sub("'", text)


def cell_text(cell: str) -> str:
    """Return the text that ``spreadsheet_cell`` made a cell of; a foreign one that begins so loses its ``'``."""
    return _BEGINS_MARKED.sub("", cell)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by new content; a reader or a crash sees the old or the new, whole.

    Missing folders are made. ``OSError`` if it cannot be written; the old content is then still there.
    """
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    with suppress(FileNotFoundError):
        draft.unlink()  # what a crash has left; O_EXCL below refuses whatever else stands there
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(draft, flags, FILE_MODE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def open_private(path: Path, mode: str, **text: Any) -> IO[Any]:
    """Open a file to be written (``mode`` and ``text`` as in ``open``), which is 0600 from then on.

    ``OSError`` for a link, for what is no plain file, and for a file of another user, who could read what is written.
    """
    return open(path, mode, opener=private_opener, **text)


def private_opener(path: str, flags: int) -> int:
    """Open a descriptor as :func:`open_private` does: the ``opener`` of ``open``."""
    descriptor = os.open(path, (flags & ~os.O_TRUNC) | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, FILE_MODE)
    try:
        _make_private(descriptor, path)
        if flags & os.O_TRUNC:
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each 0700; those that are there stay as they are."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=FOLDER_MODE, exist_ok=True)


def claim_folder(folder: Path) -> tuple[Path, bool]:
    """Make a folder that only its user can enter, or make sure of one; return its resolved path and if it was open.

    One that others could read is closed, with all that is in it. ``PermissionError`` says why a folder is refused: it
    is another user's, others can swap it (see :func:`trusted_path`), or they could write to it and it is not empty.
    """
    path = trusted_path(folder)
    make_folder(path)
    found = _own_folder(path)
    if not found.st_mode & PRIVATE_UMASK:
        return path, False
    path.chmod(FOLDER_MODE)
    if _others_write(found) and any(path.iterdir()):
        path.chmod(stat.S_IMODE(found.st_mode))
        raise PermissionError(
            errno.EPERM,
            "other users can write to it, so what it holds may be theirs: look through it, then chmod 700 it",
            str(path),
        )
    for top, folders, files in os.walk(path):
        for names, mode in ((folders, FOLDER_MODE), (files, FILE_MODE)):
            for each in (Path(top, name) for name in names):
                if not each.is_symlink():
                    each.chmod(mode)
    return path, True


def require_own_folder(folder: Path) -> Path:
    """Return the resolved path of a folder that is this user's and that nobody else can swap or write to.

    ``FileNotFoundError`` if there is none, ``PermissionError`` for any other.
    """
    path = trusted_path(folder)
    if _others_write(_own_folder(path)):
        raise PermissionError(errno.EPERM, "other users can write to the folder", str(path))
    return path


def trusted_path(path: Path) -> Path:
    """Return a path without links, once it is certain that no other user can put something else in its place.

    Every folder above it must be root's or this user's and writable by them alone, or be shared and sticky as ``/tmp``
    is; so must the owner of each link on the way. Root may also work in the folders of others, outside of shared ones.
    What the path ends with need not exist. ``PermissionError`` names the folder that others can change.
    """
    at, waiting, links = Path("/"), list(reversed(path.absolute().parts[1:])), 0
    while waiting:
        name = waiting.pop()
        if name == "..":
            at = at.parent
            continue
        above = at.stat()
        if _others_write(above) and not above.st_mode & stat.S_ISVTX:
            raise PermissionError(errno.EPERM, f"other users can write to {at}, and so put another in its place")
        below = at / name
        try:
            found = below.lstat()
        except FileNotFoundError:
            return below.joinpath(*reversed(waiting))
        linked = stat.S_ISLNK(found.st_mode)
        lenient = os.geteuid() == 0 and not linked and not above.st_mode & stat.S_ISVTX
        if found.st_uid not in {0, os.geteuid()} and not lenient:
            raise PermissionError(errno.EPERM, f"{below} belongs to user {found.st_uid}")
        if not linked:
            at = below
            continue
        links += 1
        if links > _LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        target = PurePath(below.readlink())
        at = Path("/") if target.is_absolute() else at
        waiting += [part for part in reversed(target.parts) if part != "/"]
    return at


def _make_private(descriptor: int, path: str) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file", path)
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"the file belongs to user {found.st_uid}: remove it first", path)
    if found.st_mode & PRIVATE_UMASK:
        os.fchmod(descriptor, FILE_MODE)


def _own_folder(path: Path) -> os.stat_result:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"the folder belongs to user {found.st_uid}", str(path))
    return found


def _others_write(found: os.stat_result) -> bool:
    """Tell whether anybody but the owner may write; a group of the user's own name, or root's, is nobody else."""
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and found.st_gid != 0 and not _is_own_group(found.st_gid)


def _is_own_group(gid: int) -> bool:
    try:
        return grp.getgrgid(gid).gr_name == pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False
