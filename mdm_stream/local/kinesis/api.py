"""The WSGI application of the local AWS APIs: moto, with accepted writes to streams journalled before the answer."""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Response

from mdm_stream.aws.loopback import PROOF_PATH, REGION, TRIM_PATH, LoopbackKeys
from mdm_stream.aws.put_records import RECORD_BYTES_MAX
from mdm_stream.local.kinesis.gate import KINESIS_TARGET
from mdm_stream.local.kinesis.store import KinesisStore

_JOURNALLED = frozenset({"CreateStream", "DeleteStream", "PutRecord", "PutRecords"})
_REFUSED = frozenset({"SplitShard", "MergeShards", "UpdateShardCount"})
_CONTENT_TYPE = "application/x-amz-json-1.1"
_EXIT_JOURNAL_LOST = 74
"""EX_IOERR of sysexits.h."""

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class JournalledApi:
    """The application. Writes to streams go through one at a time; reads and other services straight to moto.

    Resharding is refused: moto moves a parent's records under new numbers, which no checkpoint survives.
    Streams of another region than the local one are refused too, because they would not be journalled. A record over
    1 MiB, which is what a stream takes unless its limit is raised, makes Kinesis refuse the call that it is in; moto
    does so for PutRecords, and this class for PutRecord.
    S3 objects, queues and topics live in memory and are gone after a restart. It asks for no keys: ``Gate`` stands
    before it.
    """

    def __init__(self, store: KinesisStore, keys: LoopbackKeys) -> None:
        self._store = store
        self._keys = keys
        self._moto: WsgiApp = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        return self._route(environ)(environ, start_response)

    def _route(self, environ: Environ) -> WsgiApp:
        target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
        action = target.removeprefix(KINESIS_TARGET)
        if environ.get("PATH_INFO") == TRIM_PATH:
            answer: WsgiApp = self._trim(environ)
        elif environ.get("PATH_INFO") == PROOF_PATH:
            answer = Response(self._keys.proof(_body(environ)), content_type="text/plain")
        elif action == target:
            answer = self._moto  # S3, SQS, SNS, EventBridge
        elif f"/{REGION}/" not in str(environ.get("HTTP_AUTHORIZATION", "")):
            answer = _refusal(f"the local streams are in region {REGION}: use it")
        elif action in _REFUSED:
            answer = _refusal(f"{action} is not available locally: create the stream with more shards")
        elif action == "GetRecords":
            answer = self._read(environ)
        elif action == "PutRecord" and (fault := _record_fault(body := _body(environ))) is not None:
            answer = _refusal(fault)
        elif action == "PutRecord":
            answer = self._write(action, environ, body)
        elif action in _JOURNALLED:
            answer = self._write(action, environ)
        else:
            answer = self._moto
        return answer

    def _read(self, environ: Environ) -> WsgiApp:
        """Answer GetRecords. moto's serialiser takes 0.1 ms a record, ten times what everything else here does."""
        body = _body(environ)
        found = self._store.read(orjson.loads(body))
        if found is None:  # moto words the errors
            environ["wsgi.input"] = io.BytesIO(body)
            return self._moto
        return Response(orjson.dumps(found), content_type=_CONTENT_TYPE)

    def _write(self, action: str, environ: Environ, body: bytes | None = None) -> Response:
        body = _body(environ) if body is None else body
        environ["wsgi.input"] = io.BytesIO(body)
        with self._store.writing:
            response = Response.from_app(self._moto, environ, buffered=True)
            if response.status_code == 200:
                try:
                    self._record(action, orjson.loads(body))
                except OSError as error:
                    # The records are in moto but not in the journal. Going on would show them to readers and lose
                    # them at the next start, so the server stops; the writer, unanswered, sends them again.
                    sys.stderr.write(f"the journal cannot be written ({error.strerror}): stopping\n")
                    sys.stderr.flush()
                    os._exit(_EXIT_JOURNAL_LOST)
        return response

    def _record(self, action: str, request: dict[str, Any]) -> None:
        stream = request.get("StreamName") or str(request["StreamARN"]).rpartition("/")[2]
        match action:
            case "CreateStream":
                self._store.created(stream)
            case "DeleteStream":
                self._store.deleted(stream)
            case _:
                self._store.accepted(stream)

    def _trim(self, environ: Environ) -> Response:
        request = orjson.loads(_body(environ))
        through = {shard_id: int(number) for shard_id, number in request["through"].items()}
        dropped = self._store.trim(
            request["stream"], through, int(request["keep_records"]), on_disk=bool(request["on_disk"])
        )
        return Response(orjson.dumps({"dropped": dropped}), content_type="application/json")


def _body(environ: Environ) -> bytes:
    return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def _record_fault(body: bytes) -> str | None:
    """Return what is wrong with the record of a PutRecord request, in AWS's words; moto takes any."""
    record = orjson.loads(body)
    size_bytes = len(base64.b64decode(record.get("Data", ""))) + len(str(record.get("PartitionKey", "")).encode())
    if size_bytes <= RECORD_BYTES_MAX:
        return None
    return (
        "1 validation error detected: Value at 'data' failed to satisfy constraint: "
        f"Member must have length less than or equal to {RECORD_BYTES_MAX}"
    )


def _refusal(message: str) -> Response:
    answer = {"__type": "ValidationException", "message": message}
    return Response(orjson.dumps(answer), status=400, content_type=_CONTENT_TYPE)
