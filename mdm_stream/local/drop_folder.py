"""A folder that is watched as a drop bucket: each file that is complete is put to S3 under its path in the folder.

A file is complete when it has not changed for a second; one that is moved in whole is complete at once after that.
Names that begin with a dot, or end as those of unfinished transfers do, are left alone; links are not followed.

The time of a load is the file's modification time, sent as ``x-amz-meta-as-of``, so older exports may be put in later
and in any order. A file with the content that its folder got last is a second delivery of the same load, whatever its
time. What was put is remembered in a file beside the folder's state: nothing is put twice by a restart, unless the
stack, whose S3 is gone with it, had not taken it up.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import translated
from mdm_stream.errors import ConfigurationError, TerminalError
from mdm_stream.files import make_folder, require_own_folder, write_atomically

UNCHANGED_S = 1.0
"""A file that has not changed for so long is complete."""
UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", "~")
"""What names of files that are still being written end with."""
REFUSED_WAIT_S = 60.0
"""Until a file is tried again that S3 has refused."""
PART_BYTES = 8 * 1024 * 1024
"""A larger file is put in parts of this size."""
KEY_BYTES_MAX = 1_024
"""The longest key that S3 takes."""

_LOG = logging.getLogger(__name__)

Fingerprint = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PutSettings:
    """How an object is to be put, so that its source's rules take it; ``declare_as_of``: unless its name says it."""

    tags: Mapping[str, str] = field(default_factory=dict)
    encryption: str = "AES256"
    declare_as_of: bool = True


@dataclass(frozen=True, slots=True)
class FilePut:
    """A file that was put: its key, its ETag, and the time that was declared for it, if one was."""

    key: str
    etag: str
    as_of: str | None


class DropFolder:
    """Watches one folder. ``look`` puts what has become complete; call it every half second or so."""

    def __init__(
        self,
        folder: Path,
        client: Any,
        bucket: str,
        memory: Path,
        settings_of: Callable[[str], PutSettings] = lambda _key: PutSettings(),
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the folder if it is not there. ``ConfigurationError`` if other users can write to it.

        ``memory`` is a file that keeps what was put; ``settings_of`` says how the object of a key is to be put.
        """
        self.folder = folder
        self._client, self._bucket = client, bucket
        self._memory_file = memory
        self._settings_of = settings_of
        self._clock_s = clock_s
        self._seen: dict[str, tuple[Fingerprint, float]] = {}
        self._told: set[str] = set()
        try:
            make_folder(folder)
            require_own_folder(folder)
        except OSError as error:
            raise ConfigurationError(
                f"the drop folder {folder} is refused: {error.strerror}; choose another one with --drop"
            ) from error
        self._put, self._latest = self._remembered()

    def look(self) -> list[FilePut]:
        """Put every file that has become complete, the oldest first; ``TransientError`` if S3 takes none now."""
        found = []
        now_s = self._clock_s()
        present = dict(self._files())
        for key, fingerprint in sorted(present.items(), key=lambda item: (item[1][1], item[0])):
            if self._put.get(key, (None, ""))[0] == fingerprint:
                continue
            seen = self._seen.get(key)
            if seen is None or seen[0] != fingerprint:
                self._seen[key] = (fingerprint, now_s)
            elif now_s - seen[1] >= UNCHANGED_S:
                found += self._try_to_put(key, fingerprint)
        self._seen = {key: seen for key, seen in self._seen.items() if key in present}
        self._put = {key: put for key, put in self._put.items() if key in present}
        return found

    def forget_unless(self, taken_up: Callable[[str, str], bool]) -> int:
        """Put those files again that were put and not taken up, by key and ETag; return how many.

        Call it after a start: what S3 held in memory is gone.
        """
        lost = [key for key, (_, etag) in self._put.items() if not taken_up(key, etag)]
        for key in lost:
            del self._put[key]
        return len(lost)

    def _files(self) -> Iterator[tuple[str, Fingerprint]]:
        for top, folders, names in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in names:
                path = Path(top, name)
                key = path.relative_to(self.folder).as_posix()
                if name.startswith(".") or name.lower().endswith(UNFINISHED):
                    continue
                try:
                    found = path.lstat()
                except OSError:
                    continue
                if self._is_puttable(key, found):
                    yield key, _fingerprint(found)

    def _is_puttable(self, key: str, found: os.stat_result) -> bool:
        try:
            fits = len(key.encode()) <= KEY_BYTES_MAX and key.isprintable()
        except UnicodeEncodeError:
            fits = False
        if fits and stat.S_ISREG(found.st_mode):
            return True
        if key not in self._told:
            self._told.add(key)
            why = "it is no plain file" if fits else f"its name is no UTF-8 text of up to {KEY_BYTES_MAX} bytes"
            _LOG.warning("a file in the drop folder is left alone: %s (%s)", why, ascii(key))
        return False

    def _try_to_put(self, key: str, fingerprint: Fingerprint) -> list[FilePut]:
        """Put one file. What S3 refuses for good, such as a wrong tag, keeps no other file back."""
        try:
            put = self._put_file(key, fingerprint)
        except TerminalError as error:
            _LOG.warning("%s: %s; trying again in %g s", ascii(key), error, REFUSED_WAIT_S)
            self._seen[key] = (fingerprint, self._clock_s() + REFUSED_WAIT_S)
            return []
        return [] if put is None else [put]

    def _put_file(self, key: str, fingerprint: Fingerprint) -> FilePut | None:
        """Put one file; None if it has changed meanwhile, or is gone."""
        try:
            descriptor = os.open(self.folder / key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            settings = self._settings_of(key)
            as_of = self._as_of(key, digest, fingerprint) if settings.declare_as_of else None
            try:
                etag = self._upload(file, key, as_of, settings, fingerprint)
            except ClientError as error:  # an answer about this file: others may fare better
                raise TerminalError(f"{translated(error, 'put a file to the drop bucket')}") from error
            except BotoCoreError as error:
                raise translated(error, "put a file to the drop bucket") from error
        if etag is None:
            return None
        self._put[key] = (fingerprint, etag)
        if as_of is not None:
            self._latest[_prefix(key)] = (digest, as_of)
        self._remember()
        return FilePut(key, etag, as_of)

    def _as_of(self, key: str, digest: str, fingerprint: Fingerprint) -> str:
        latest, as_of = self._latest.get(_prefix(key), ("", ""))
        if latest == digest:
            return as_of
        moment = datetime.fromtimestamp(fingerprint[1] / 1e9, UTC)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _upload(
        self, file: Any, key: str, as_of: str | None, settings: PutSettings, fingerprint: Fingerprint
    ) -> str | None:
        """Upload a file; return its ETag, or None if the file has changed since it was complete."""
        named = {"Bucket": self._bucket, "Key": key}
        said: dict[str, Any] = {
            "ServerSideEncryption": settings.encryption,
            "Metadata": {} if as_of is None else {"as-of": as_of},
            "Tagging": "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in settings.tags.items()),
        }
        file.seek(0)
        if fingerprint[0] <= PART_BYTES:
            content = file.read()
            if _fingerprint(os.fstat(file.fileno())) != fingerprint:
                return None
            return str(self._client.put_object(**named, **said, Body=content)["ETag"]).strip('"')
        upload = self._client.create_multipart_upload(**named, **said)["UploadId"]
        parts: list[dict[str, Any]] = []
        while piece := file.read(PART_BYTES):
            number = len(parts) + 1
            answer = self._client.upload_part(**named, UploadId=upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        if _fingerprint(os.fstat(file.fileno())) != fingerprint:
            self._client.abort_multipart_upload(**named, UploadId=upload)
            return None
        whole = self._client.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": parts})
        return str(whole["ETag"]).strip('"')

    def _remembered(self) -> tuple[dict[str, tuple[Fingerprint, str]], dict[str, tuple[str, str]]]:
        try:
            kept = orjson.loads(self._memory_file.read_bytes())
            put = {key: ((*map(int, each[0]),), str(each[1])) for key, each in kept["put"].items()}
            return put, {prefix: (str(each[0]), str(each[1])) for prefix, each in kept["latest"].items()}  # type: ignore[return-value]
        except FileNotFoundError:
            return {}, {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError):
            _LOG.warning("%s is damaged: the files in the drop folder are put again, as second deliveries",
                         self._memory_file)  # fmt: skip
            return {}, {}

    def _remember(self) -> None:
        write_atomically(self._memory_file, orjson.dumps({"put": self._put, "latest": self._latest}))


def _fingerprint(found: os.stat_result) -> Fingerprint:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _prefix(key: str) -> str:
    return key.rpartition("/")[0]


def _quoted(text: str) -> str:
    return quote(text, safe="")
