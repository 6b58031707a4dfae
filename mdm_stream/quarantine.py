"""Where rejected events are kept, with their reasons and their very bytes, until somebody redrives them.

One object an event, named by a digest of its bytes: a redelivery overwrites what the first delivery wrote. An object
is JSON: ``quarantine_id``, ``domain``, ``source``, ``record_id`` (null if they could not be read), ``reasons`` (a list
of ``code``, ``path``, ``message``), ``received_from``, ``quarantined_at``, ``raw_bytes`` (a count) and ``raw_base64``.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import boto3
import orjson
from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws_errors import translated
from mdm_stream.contracts.change import DOMAIN_PATTERN
from mdm_stream.contracts.times import format_time_us
from mdm_stream.errors import ConfigurationError, Reason, TerminalError, TransientError

UNKNOWN_DOMAIN = "unknown"
_S3_PARALLEL_PUTS = 8
"""A batch full of bad events must not wait for one round trip after the other; the SDK's pool has 10 connections."""


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """One rejected event. ``received_from`` says where it came from: ``stream/shard:sequence``, or a file's name.

    ``domain``, ``source`` and ``record_id`` are what the event claims, where that can be read.
    """

    raw: bytes
    reasons: tuple[Reason, ...]
    received_from: str
    quarantined_at_us: int
    domain: str | None = None
    source: str | None = None
    record_id: str | None = None


class QuarantineStore(Protocol):
    """Keeps rejected events. Putting an event again is harmless: it overwrites itself."""

    def put(self, entries: Sequence[QuarantineEntry]) -> list[str]:
        """Keep all entries and return where, in their order: when this returns they are safe.

        ``TransientError`` or ``TerminalError`` if one could not be kept; others may have been.
        """
        ...


def quarantine_id_of(raw: bytes) -> str:
    """Return the id of a rejected event: 32 hex digits that depend on its bytes alone (BLAKE2b-128)."""
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


def object_name(entry: QuarantineEntry) -> str:
    """Return the name of an entry's object in the store: ``domain/id.json``, or ``unknown/id.json``."""
    known = entry.domain is not None and re.fullmatch(DOMAIN_PATTERN.strip("^$"), entry.domain)
    return f"{entry.domain if known else UNKNOWN_DOMAIN}/{quarantine_id_of(entry.raw)}.json"


def encode_entry(entry: QuarantineEntry) -> bytes:
    """Return the JSON object that is kept of an entry."""
    return orjson.dumps({
        "quarantine_id": quarantine_id_of(entry.raw),
        "domain": entry.domain,
        "source": entry.source,
        "record_id": entry.record_id,
        "reasons": [asdict(reason) for reason in entry.reasons],
        "received_from": entry.received_from,
        "quarantined_at": format_time_us(entry.quarantined_at_us),
        "raw_bytes": len(entry.raw),
        "raw_base64": base64.b64encode(entry.raw).decode("ascii"),
    })  # fmt: skip


class FolderQuarantine:
    """Keeps entries as files. Folders are made for the owner alone (0700), files too (0600): the bytes are personal."""

    def __init__(self, path: Path | str) -> None:
        """Take the folder, which is made with the first entry."""
        self._path = Path(path).absolute()

    def put(self, entries: Sequence[QuarantineEntry]) -> list[str]:
        """Keep each entry as a file that is there whole or not at all, and on disk when this returns."""
        try:
            return [str(self._write(entry)) for entry in entries]
        except PermissionError as error:
            raise TerminalError(f"cannot write to quarantine folder {self._path}: no permission") from error
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise TransientError(f"cannot write to quarantine folder {self._path}: {reason}") from error

    def _write(self, entry: QuarantineEntry) -> Path:
        target = self._path / object_name(entry)
        # Each level on its own: mkdir gives the mode to the last folder of a path only.
        for folder in (self._path, target.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=".partial-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(encode_entry(entry))
                file.flush()
                os.fsync(file.fileno())
            Path(partial).replace(target)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
        return target


class S3Quarantine:
    """Keeps entries as S3 objects, encrypted at rest: by the KMS key if one is named, else by S3's own."""

    def __init__(self, client: Any, bucket: str, prefix: str = "", *, kms_key_id: str | None = None) -> None:
        """Take a boto3 S3 client; ``prefix`` has no slash at its ends."""
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._encryption = {"ServerSideEncryption": "AES256"}
        if kms_key_id is not None:
            self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id}

    def put(self, entries: Sequence[QuarantineEntry]) -> list[str]:
        """Keep each entry as an object; a few are written at a time."""
        if not entries:
            return []
        with ThreadPoolExecutor(max_workers=min(_S3_PARALLEL_PUTS, len(entries))) as pool:
            return list(pool.map(self._write, entries))

    def _write(self, entry: QuarantineEntry) -> str:
        key = self._prefix + object_name(entry)
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=encode_entry(entry),
                ContentType="application/json",
                **self._encryption,
            )
        except (BotoCoreError, ClientError) as error:
            raise translated(error, f"write to quarantine bucket {self._bucket}") from error
        return f"s3://{self._bucket}/{key}"


def open_quarantine(url: str, *, s3_client: Any = None, kms_key_id: str | None = None) -> QuarantineStore:
    """Return the store at ``file:///folder`` or ``s3://bucket/prefix``; ``ConfigurationError`` for any other address.

    Without ``s3_client`` one is made from the environment's region and credentials.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path.startswith("/"):
        return FolderQuarantine(unquote(parts.path))
    if parts.scheme == "s3" and parts.netloc:
        client = s3_client if s3_client is not None else boto3.client("s3")
        return S3Quarantine(client, parts.netloc, parts.path.strip("/"), kms_key_id=kms_key_id)
    raise ConfigurationError("the quarantine's address must be file:///folder or s3://bucket/prefix")
