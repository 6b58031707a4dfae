"""Objects in an S3 bucket, encrypted at rest: by a KMS key that is named, else as the bucket's own default says.

S3 encrypts every object: without a word in the request by the bucket's default key, and where it has none by its own
(``AES256``). A request that asked for ``AES256`` would pass over the default of a bucket whose owner wants another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.deadline import NEVER, Deadline, call_s_of
from mdm_stream.aws.errors import error_code, translated
from mdm_stream.objects.store import MissingObjectError, StoredObject, checked_name

_S3_DELETE_MAX = 1_000
"""The most keys that one DeleteObjects request takes."""


class S3Objects:
    """Keeps objects in a bucket, encrypted by the KMS key if one is named, else by the bucket's default."""

    def __init__(self, client: Any, bucket: str, prefix: str = "", *, kms_key_id: str = "") -> None:
        """Take a boto3 S3 client; ``prefix`` comes before every name."""
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._deadline = NEVER
        self._encryption: dict[str, Any] = {}
        if kms_key_id:
            # With a bucket key S3 asks KMS for one key a while, and not for one an object: there is one a batch.
            self._encryption = {
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": kms_key_id,
                "BucketKeyEnabled": True,
            }

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
        self._require_time()
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

    def purge(self, prefix: str) -> None:
        """Remove every version, a page of a thousand at a time; a bucket without versions has one of each object."""
        for page in self._paged("list_object_versions", _checked_prefix(prefix)):
            found = [
                {"Key": item["Key"], "VersionId": item["VersionId"]}
                for kind in ("Versions", "DeleteMarkers")
                for item in page.get(kind, ())
            ]
            for piece in _pieces(found, _S3_DELETE_MAX):
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

    def until(self, deadline: Deadline) -> None:
        """Begin no request from now on that might not end by then."""
        self._deadline = deadline

    def call_s(self) -> float:
        """Return the time-outs of the client, over all its attempts."""
        return call_s_of(self._client)

    def sweep(self) -> None:
        """Do nothing: a request that was cut off leaves nothing in S3."""

    def location(self, name: str) -> str:
        """Return ``s3://bucket/key``."""
        return f"s3://{self._bucket}/{self._prefix}{name}"

    def _key(self, name: str) -> str:
        return self._prefix + checked_name(name)

    def _require_time(self) -> None:
        if self._deadline is not NEVER:
            self._deadline.require(self.call_s(), "S3")

    def _put(self, name: str, content: bytes, **condition: str) -> None:
        self._require_time()
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
        return self._paged("list_objects_v2", _checked_prefix(prefix), **more)

    def _paged(self, what: str, prefix: str, **more: str) -> Iterator[dict[str, Any]]:
        asked = self._client.get_paginator(what)
        pages = iter(asked.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix, **more))
        while (page := self._called("list", lambda: next(pages, None))) is not None:
            yield page

    def _called(self, action: str, call: Callable[[], Any]) -> Any:
        self._require_time()
        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            raise translated(error, f"{action} bucket {self._bucket}") from error


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
