"""An object in S3 that was dropped: what S3 says of it, and its bytes as a stream.

What is read is pinned to the version, or the ETag, that was asked for first: an object that is overwritten while it is
read is never mixed, and the new one has an event of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import error_code, translated
from mdm_stream.contracts.file_manifest import FileObject
from mdm_stream.errors import TerminalError
from producers.files.events import Drop

PIECE_BYTES = 1_048_576
READ_ATTEMPTS_MAX = 5
"""Times that the reading of one object goes on where its connection broke."""

_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "412", "PreconditionFailed", "405", "MethodNotAllowed"})


class DropGoneError(TerminalError):
    """The object is not there any more, or was overwritten: nothing of it can be read."""


@dataclass(frozen=True, slots=True)
class DroppedObject:
    """What S3 says of an object: user metadata with names in lower case, tags, and how it is encrypted, if it is."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    size_bytes: int
    modified_at_us: int
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    encryption: str | None = None

    @classmethod
    def of(cls, known: FileObject) -> Self:
        """Return an object that was looked at before, to be read again."""
        return cls(known.bucket, known.key, known.version_id, known.etag, known.size_bytes, 0)


class DropBucket:
    """Reads objects that were dropped. Errors are those of ``mdm_stream.aws.errors``, and ``DropGoneError``."""

    def __init__(self, client: Any) -> None:
        """Take a boto3 S3 client."""
        self._client = client

    def look(self, drop: Drop) -> DroppedObject:
        """Return what S3 says of an object, its tags included."""
        named = _named(drop.bucket, drop.key, drop.version_id)
        # Tags first: what a HEAD is refused for has no code that tells a bucket from an object.
        tags = self._asked(drop.bucket, lambda: self._client.get_object_tagging(**named))
        head = self._asked(drop.bucket, lambda: self._client.head_object(**named))
        modified: datetime = head["LastModified"]
        return DroppedObject(
            drop.bucket,
            drop.key,
            drop.version_id,
            str(head["ETag"]).strip('"'),
            int(head["ContentLength"]),
            round(modified.astimezone(UTC).timestamp()) * 1_000_000,
            {str(name).lower(): str(value) for name, value in head.get("Metadata", {}).items()},
            {each["Key"]: each["Value"] for each in tags.get("TagSet", ())},
            head.get("ServerSideEncryption"),
        )

    def read(self, dropped: DroppedObject) -> Iterator[bytes]:
        """Yield the object's bytes in pieces; goes on where a connection broke."""
        read_bytes = attempts = 0
        while read_bytes < dropped.size_bytes:
            try:
                for piece in self._pieces(dropped, read_bytes):
                    read_bytes += len(piece)
                    yield piece
            except BotoCoreError as error:
                attempts += 1
                if attempts >= READ_ATTEMPTS_MAX:
                    raise translated(error, f"read from bucket {dropped.bucket}") from error
            else:
                return

    def digest(self, dropped: DroppedObject) -> str:
        """Return the SHA-256 of the object's bytes, in hex."""
        found = sha256()
        for piece in self.read(dropped):
            found.update(piece)
        return found.hexdigest()

    def _pieces(self, dropped: DroppedObject, start: int) -> Iterator[bytes]:
        named = _named(dropped.bucket, dropped.key, dropped.version_id)
        wanted = {"IfMatch": f'"{dropped.etag}"', **({"Range": f"bytes={start}-"} if start else {})}
        answer = self._asked(dropped.bucket, lambda: self._client.get_object(**named, **wanted))
        body = answer["Body"]
        try:
            yield from body.iter_chunks(PIECE_BYTES)
        finally:
            body.close()

    def _asked(self, bucket: str, call: Any) -> Any:
        try:
            return call()
        except ClientError as error:
            if error_code(error) in _GONE:
                gone = f"an object of bucket {bucket} was removed or overwritten before it was read"
                raise DropGoneError(gone) from error
            raise translated(error, f"read from bucket {bucket}") from error
        except BotoCoreError as error:
            raise translated(error, f"read from bucket {bucket}") from error


def _named(bucket: str, key: str, version_id: str | None) -> dict[str, str]:
    named = {"Bucket": bucket, "Key": key}
    return named if version_id is None else {**named, "VersionId": version_id}
