"""The store at an address."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from mdm_stream.aws.clients import aws_client
from mdm_stream.errors import ConfigurationError
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.objects.s3 import S3Objects
from mdm_stream.objects.store import ObjectStore


def open_object_store(url: str, *, s3_client: Any = None, kms_key_id: str = "") -> ObjectStore:
    """Return the store at ``file:///folder`` or ``s3://bucket/prefix``; ``ConfigurationError`` for any other address.

    Without ``s3_client`` one is made from the environment's region and credentials; without ``kms_key_id`` a bucket's
    own default encrypts what is written.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        return FolderObjects(unquote(parts.path))
    if parts.scheme == "s3" and parts.netloc:
        client = s3_client if s3_client is not None else aws_client("s3")
        return S3Objects(client, parts.netloc, parts.path.strip("/"), kms_key_id=kms_key_id)
    raise ConfigurationError("a store's address must be file:///folder or s3://bucket/prefix")
