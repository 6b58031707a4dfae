"""The on-failure destination: records that were given up, with their payload, where redrive finds them.

The document and the object's key are those that Lambda writes to an S3 destination of a Kinesis event source. The
payload is the event of the discarded records, as JSON in a text.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.loopback import ACCOUNT_ID, REGION
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.files import write_atomically
from mdm_stream.local.event_source.lanes import Discard
from mdm_stream.local.event_source.mapping import kinesis_event

Put = Callable[[str, bytes], None]
"""Store a document under a key; ``TransientError`` if that failed."""


class OnFailure:
    """Writes discards. A crash between writing and checkpointing writes one again, under another key."""

    def __init__(self, put: Put, *, function_name: str, stream_arn: str, mapping_id: str | None = None) -> None:
        """``mapping_id`` names the event source in the keys; by default it is derived from function and stream."""
        self._put = put
        self._function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{function_name}"
        self._stream_arn = stream_arn
        self._mapping_id = mapping_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._function_arn} {stream_arn}"))

    def write(self, discard: Discard, shard_id: str, now_s: float) -> None:
        """Write one document; return once it is stored. ``TransientError`` if it is not."""
        now = dt.datetime.fromtimestamp(now_s, dt.UTC)
        file_name = f"{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        key = f"aws/lambda/{self._mapping_id}/{shard_id}/{now:%Y/%m/%d}/{file_name}"
        self._put(key, orjson.dumps(self._document(discard, shard_id, now)))

    def _document(self, discard: Discard, shard_id: str, now: dt.datetime) -> dict[str, Any]:
        first, last = discard.records[0], discard.records[-1]
        payload = orjson.dumps(kinesis_event(discard.records, shard_id, self._stream_arn)).decode()
        return {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": self._function_arn,
                "condition": discard.condition,
                "approximateInvokeCount": discard.invocations,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": _iso(now),
            "KinesisBatchInfo": {
                "shardId": shard_id,
                "startSequenceNumber": first.sequence,
                "endSequenceNumber": last.sequence,
                "approximateArrivalOfFirstRecord": _iso(dt.datetime.fromtimestamp(first.arrived_s, dt.UTC)),
                "approximateArrivalOfLastRecord": _iso(dt.datetime.fromtimestamp(last.arrived_s, dt.UTC)),
                "batchSize": len(discard.records),
                "streamArn": self._stream_arn,
            },
            "payload": payload,
        }


def put_into(url: str, s3_client: Callable[[], Any]) -> Put:
    """Return the ``Put`` for a folder or an ``s3://bucket/prefix``; the client is made only for the latter."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        if not parts.netloc:
            raise ConfigurationError("an S3 on-failure destination needs a bucket: s3://bucket or s3://bucket/prefix")
        return _put_into_bucket(s3_client(), parts.netloc, parts.path.strip("/"))
    if parts.scheme not in ("", "file"):
        raise ConfigurationError(f"on-failure destinations are a folder or s3://bucket/prefix, not {parts.scheme}://")
    return _put_into_folder(Path(parts.path if parts.scheme else url))


def _put_into_folder(folder: Path) -> Put:
    def put(key: str, document: bytes) -> None:
        try:
            write_atomically(folder / f"{key}.json", document)
        except OSError as error:
            raise TransientError(f"the on-failure folder cannot be written: {error.strerror}") from error

    return put


def _put_into_bucket(client: Any, bucket: str, prefix: str) -> Put:
    def put(key: str, document: bytes) -> None:
        try:
            client.put_object(Bucket=bucket, Key=f"{prefix}/{key}" if prefix else key, Body=document)
        except (ClientError, BotoCoreError) as error:
            raise TransientError(f"the on-failure bucket cannot be written: {type(error).__name__}") from error

    return put


def _iso(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
