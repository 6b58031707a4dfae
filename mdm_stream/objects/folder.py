"""Objects as files of a folder: written aside, forced to disk, and only then given their name.

A file that is being written lies in ``.partial`` under a lock of its writer. The lock ends with the process, so what a
killed writer left there can be told from what is still being written, and is swept away: no value outlives its write.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mdm_stream.aws.deadline import Deadline
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.objects.store import MissingObjectError, StoredObject, checked_name

PARTIAL_FOLDER = ".partial"

_WRITE_ATTEMPTS_MAX = 100
"""A folder that became empty is removed, perhaps between being made and being filled; each new try means that somebody
else removed the last object of the very folder in that instant."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


class FolderObjects:
    """Keeps objects as files. Folders that it makes are 0700 and files 0600: what they hold is personal."""

    def __init__(self, path: Path | str) -> None:
        """Take the folder, which is made with the first object."""
        self._root = Path(path).absolute()

    def put(self, name: str, content: bytes) -> None:
        """Write the file aside, force it to disk, and move it over the name."""
        self._write(name, content, lambda partial, target: partial.replace(target))

    def create(self, name: str, content: bytes) -> bool:
        """Write the file aside, force it to disk, and link it to the name, which fails if the name is taken."""
        taken = False

        def link(partial: Path, target: Path) -> None:
            nonlocal taken
            try:
                target.hardlink_to(partial)
            except FileExistsError:
                taken = True

        self._write(name, content, link)
        try:
            return not taken or self.get(name) == content
        except MissingObjectError:
            return False

    def get(self, name: str) -> bytes:
        """Read the file."""
        with self._explained("read from"):
            try:
                return self._path(name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise MissingObjectError(f"{self.location(name)} is not there") from None

    def delete(self, names: Sequence[str]) -> None:
        """Remove the files, and the folders that this leaves empty; on disk when this returns."""
        with self._explained("delete from"):
            folders = set()
            for name in names:
                path = self._path(name)
                with suppress(FileNotFoundError, NotADirectoryError):
                    path.unlink()
                    folders.add(path.parent)
            for folder in folders:
                self._settle(folder)

    def purge(self, prefix: str) -> None:
        """Remove the files; a folder keeps no versions."""
        self.delete([stored.name for stored in self.list(prefix)])

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield what the folder of the prefix holds, read at the first step."""
        checked_name(f"{prefix}x")
        top = prefix.rpartition("/")[0]
        with self._explained("list"):
            found = sorted(self._files(self._root / top, prefix))
        yield from found

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the folders that hold a file, at whatever depth."""
        if prefix and not prefix.endswith("/"):
            raise ValueError("a folder's prefix ends in a slash")
        checked_name(f"{prefix}x")
        with self._explained("list"):
            try:
                names = sorted(entry.name for entry in os.scandir(self._root / prefix) if entry.is_dir())
            except FileNotFoundError:
                names = []
            full = [f"{prefix}{name}/" for name in names if not name.startswith(".")]
            yield from [folder for folder in full if any(self._files(self._root / folder, folder))]

    def until(self, deadline: Deadline) -> None:
        """Do nothing: a disk answers."""

    def call_s(self) -> float:
        """Return no time to speak of."""
        return 0.0

    def sweep(self) -> None:
        """Remove the files in ``.partial`` that nobody holds a lock on."""
        with self._explained("delete from"):
            for path in self._root.glob(f"{PARTIAL_FOLDER}/*"):
                with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()

    def location(self, name: str) -> str:
        """Return the file's path."""
        return str(self._root / name)

    def _path(self, name: str) -> Path:
        return self._root / checked_name(name)

    def _write(self, name: str, content: bytes, place: Callable[[Path, Path], object]) -> None:
        target = self._path(name)
        with self._explained("write to"):
            for attempt in range(1, _WRITE_ATTEMPTS_MAX + 1):
                try:
                    self._make(target.parent)
                    self._write_once(target, content, place)
                except FileNotFoundError:
                    if attempt == _WRITE_ATTEMPTS_MAX:
                        raise
                else:
                    return

    def _write_once(self, target: Path, content: bytes, place: Callable[[Path, Path], object]) -> None:
        self._make(self._root / PARTIAL_FOLDER)
        handle, text = tempfile.mkstemp(dir=self._root / PARTIAL_FOLDER)
        partial = Path(text)
        try:
            with os.fdopen(handle, "wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                place(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        # Who has removed the object and its folder already has forced that: it must not come back by another try.
        with suppress(FileNotFoundError):
            _force_folder(target.parent)

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it, each forced to disk: a file is no safer than the names that lead to it."""
        missing = []
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for each in reversed(missing):
            try:
                each.mkdir(mode=0o700, exist_ok=True)
            except FileExistsError as error:
                if each.is_file():
                    raise
                # It was there, and was removed before it could be looked at: like one that vanishes a moment later.
                raise FileNotFoundError(*error.args) from error
            _force_folder(each.parent)

    def _settle(self, folder: Path) -> None:
        """Force a folder's removals to disk, and remove those folders that are empty now."""
        while folder != self._root:
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass  # Somebody else has removed it.
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise
                break
            folder = folder.parent
        with suppress(FileNotFoundError):
            _force_folder(folder)

    def _files(self, folder: Path, prefix: str) -> Iterator[StoredObject]:
        """Yield the visible files in a folder, at any depth, whose names begin with ``prefix``."""
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            name = str(Path(entry.path).relative_to(self._root))
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if f"{name}/".startswith(prefix) or prefix.startswith(f"{name}/"):
                    yield from self._files(Path(entry.path), prefix)
            elif name.startswith(prefix):
                with suppress(FileNotFoundError):
                    yield StoredObject(name, entry.stat().st_size)

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        """Raise what the project raises instead of what the operating system does."""
        try:
            yield
        except PermissionError as error:
            raise TerminalError(f"cannot {action} folder {self._root}: no permission") from error
        except OSError as error:
            if error.errno in _FULL:
                said = "the disk is full; nothing is half-written, free some space and it goes on"
            else:
                said = error.strerror or type(error).__name__
            raise TransientError(f"cannot {action} folder {self._root}: {said}") from error


def _force_folder(folder: Path) -> None:
    """Force a folder's names to disk: without it a power cut may undo a rename that was reported as done."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
