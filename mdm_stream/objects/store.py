"""Named bytes in a folder or an S3 bucket: each object is there whole or not at all, and durable once it is written.

Names are paths with forward slashes (``a/b-1.json``), whatever the store. Objects hold personal values, so folders are
made for their owner alone and S3 objects are encrypted at rest. Every failure of a store is a ``TransientError`` or a
``TerminalError``; neither repeats what an object holds.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.clients import aws_client
from mdm_stream.aws.errors import error_code, translated
from mdm_stream.errors import ConfigurationError, TerminalError

FETCH_AHEAD = 4
"""Objects fetched before they are asked for: hides the round trip, and keeps no more than these in memory."""

_S3_DELETE_MAX = 1_000
"""The most keys that one DeleteObjects request takes."""
_NAME = re.compile(r"(?:[A-Za-z0-9=_][A-Za-z0-9=_.-]*/)*[A-Za-z0-9=_][A-Za-z0-9=_.-]*", re.ASCII)


class MissingObjectError(TerminalError):
    """An object that is not in the store (any more)."""


@dataclass(frozen=True, slots=True, order=True)
class StoredObject:
    """What a listing says of one object."""

    name: str
    size_bytes: int


class ObjectStore(Protocol):
    """Keeps objects by name. What a call has written or removed, every later call sees."""

    def put(self, name: str, content: bytes) -> None:
        """Write an object whole, over one of the same name if there is one; durable on return."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Write an object unless the name is taken, and return whether it holds this very content now.

        Of several that create one name at the same time with different contents, exactly one gets True. Creating
        again what is there already gets True, so a call whose answer was lost may be repeated.
        """
        ...

    def get(self, name: str) -> bytes:
        """Return an object's content; ``MissingObjectError`` if there is none."""
        ...

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects for good, older versions of them included; those that are not there are no error."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects whose names begin with ``prefix``, in name order, without reading further than asked."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the folders directly in ``prefix`` (``""``, or a name that ends in a slash) that hold objects.

        Each is the whole prefix of its objects, with the slash at its end.
        """
        ...

    def sweep(self) -> None:
        """Remove what writers that died in the middle of a write left behind; those that live are not disturbed."""
        ...

    def location(self, name: str) -> str:
        """Return where an object lies, for people."""
        ...


class S3Objects:
    """Keeps objects in a bucket, encrypted by the KMS key if one is named, else by S3's own."""

    def __init__(self, client: Any, bucket: str, prefix: str = "", *, kms_key_id: str | None = None) -> None:
        """Take a boto3 S3 client; ``prefix`` comes before every name."""
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._encryption = {"ServerSideEncryption": "AES256"}
        if kms_key_id is not None:
            self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id}

    def put(self, name: str, content: bytes) -> None:
        """Put the object in one request, which S3 makes visible whole."""
        self._called("write to", lambda: self._put(name, content))

    def create(self, name: str, content: bytes) -> bool:
        """Put the object on the condition that there is none of the name (``If-None-Match``)."""
        try:
            self._put(name, content, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) != "PreconditionFailed":
                raise translated(error, f"write to bucket {self._bucket}") from error
        except BotoCoreError as error:
            raise translated(error, f"write to bucket {self._bucket}") from error
        else:
            return True
        try:
            return self.get(name) == content
        except MissingObjectError:
            return False

    def get(self, name: str) -> bytes:
        """Get the object in one request."""
        try:
            content: bytes = self._client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read()
        except ClientError as error:
            if error_code(error) in {"NoSuchKey", "404"}:
                raise MissingObjectError(f"{self.location(name)} is not there") from error
            raise translated(error, f"read from bucket {self._bucket}") from error
        except BotoCoreError as error:
            raise translated(error, f"read from bucket {self._bucket}") from error
        return content

    def delete(self, names: Sequence[str]) -> None:
        """Remove the objects, a thousand a request; in a bucket with versions, every version of them too."""
        for keys in _pieces([self._key(name) for name in names], _S3_DELETE_MAX):
            answer = self._delete([{"Key": key} for key in keys])
            for each in answer.get("Deleted", ()):
                if each.get("DeleteMarker"):
                    for piece in _pieces(self._versions(each["Key"]), _S3_DELETE_MAX):
                        self._delete(piece)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield from pages of a thousand, each requested when it is needed."""
        for page in self._pages(prefix):
            for item in page.get("Contents", ()):
                yield StoredObject(item["Key"].removeprefix(self._prefix), item["Size"])

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield S3's common prefixes."""
        for page in self._pages(_checked_folder(prefix), Delimiter="/"):
            for item in page.get("CommonPrefixes", ()):
                yield item["Prefix"].removeprefix(self._prefix)

    def sweep(self) -> None:
        """Do nothing: a request that was cut off leaves nothing in S3."""

    def location(self, name: str) -> str:
        """Return ``s3://bucket/key``."""
        return f"s3://{self._bucket}/{self._prefix}{name}"

    def _key(self, name: str) -> str:
        return self._prefix + checked_name(name)

    def _put(self, name: str, content: bytes, **condition: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=content, **self._encryption, **condition)

    def _delete(self, objects: Sequence[dict[str, str]]) -> dict[str, Any]:
        wanted = {"Objects": list(objects)}
        answer: dict[str, Any] = self._called(
            "remove from", lambda: self._client.delete_objects(Bucket=self._bucket, Delete=wanted)
        )
        if answer.get("Errors"):
            failed = ClientError({"Error": {"Code": answer["Errors"][0].get("Code", "Unknown")}}, "DeleteObjects")
            raise translated(failed, f"remove from bucket {self._bucket}") from failed
        return answer

    def _versions(self, key: str) -> Sequence[dict[str, str]]:
        asked = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key)
        pages = self._called("list versions in", lambda: list(asked))
        return [
            {"Key": key, "VersionId": item["VersionId"]}
            for page in pages
            for kind in ("Versions", "DeleteMarkers")
            for item in page.get(kind, ())
            if item["Key"] == key
        ]

    def _pages(self, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
        pages = iter(
            self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + _checked_prefix(prefix), **more
            )
        )
        while (page := self._called("list", lambda: next(pages, None))) is not None:
            yield page

    def _called(self, action: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            raise translated(error, f"{action} bucket {self._bucket}") from error


def open_object_store(url: str, *, s3_client: Any = None, kms_key_id: str | None = None) -> ObjectStore:
    """Return the store at ``file:///folder`` or ``s3://bucket/prefix``; ``ConfigurationError`` for any other address.

    Without ``s3_client`` one is made from the environment's region and credentials.
    """
    from mdm_stream.objects.folder import FolderObjects  # noqa: PLC0415 - it builds on this module

    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        return FolderObjects(unquote(parts.path))
    if parts.scheme == "s3" and parts.netloc:
        client = s3_client if s3_client is not None else aws_client("s3")
        return S3Objects(client, parts.netloc, parts.path.strip("/"), kms_key_id=kms_key_id)
    raise ConfigurationError("a store's address must be file:///folder or s3://bucket/prefix")


def fetch_ahead(store: ObjectStore, names: Iterable[str]) -> Iterator[tuple[str, bytes | MissingObjectError]]:
    """Yield each name with its object's content, in order; for one that is not there, the error itself.

    The next few are fetched meanwhile by threads of their own. Any other failure is raised at its name.
    """
    waiting: deque[tuple[str, Future[bytes]]] = deque()
    remaining = iter(names)
    with ThreadPoolExecutor(max_workers=FETCH_AHEAD) as pool:
        try:
            while True:
                for name in islice(remaining, FETCH_AHEAD - len(waiting)):
                    waiting.append((name, pool.submit(store.get, name)))
                if not waiting:
                    return
                name, future = waiting.popleft()
                try:
                    content: bytes | MissingObjectError = future.result()
                except MissingObjectError as error:
                    content = error
                yield name, content
        finally:
            for _, future in waiting:
                future.cancel()


def checked_name(name: str) -> str:
    """Return the name; ``ValueError`` if it could lead out of the store or hide in it."""
    if not _NAME.fullmatch(name):
        raise ValueError("an object's name is made of letters, digits, = _ . - and single slashes, no dot first")
    return name


def _checked_prefix(prefix: str) -> str:
    checked_name(f"{prefix}x")
    return prefix


def _checked_folder(prefix: str) -> str:
    if prefix and not prefix.endswith("/"):
        raise ValueError("a folder's prefix ends in a slash")
    return _checked_prefix(prefix)


def _pieces(items: Sequence[Any], size: int) -> Iterator[Any]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
