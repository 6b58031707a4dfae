"""The gate before the local AWS APIs: what is not signed by the stack's user goes no further.

A port on loopback is open to every user of the machine and to every page in their browsers. Neither may read, write or
reset anything, so a request is answered only with the stack's keys. What a browser sends is refused on top of that, by
its ``Origin`` and, against names that are made to mean this machine, by its ``Host``; no answer ever allows another
origin to read it.
"""

from __future__ import annotations

import io
import re
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import orjson
from werkzeug.wrappers import Response

from mdm_stream.aws.loopback import ACCOUNT_ID, CONTROL_SERVICE, JSON_TYPE, PROOF_PATH, TRIM_PATH, LoopbackKeys
from mdm_stream.local.kinesis.signature import claimed, is_of, verifies

REQUEST_BYTES_MAX = 16 * 1024 * 1024
"""The largest body of a request: 10 MiB of records in base64 (PutRecords), or a document of the on-failure folder."""

KINESIS_TARGET = "Kinesis_20131202."
_TARGETS = {"kinesis": KINESIS_TARGET, "sqs": "AmazonSQS.", "events": "AWSEvents."}
"""Services that name the action in a header, and how all of their actions begin."""
_QUEUE_PATH = re.compile(rf"/(?:{ACCOUNT_ID}/[\w-]+)?", re.ASCII)
"""An SQS client asks at the root, or at the queue's own address."""
_FORM_TYPE = "application/x-www-form-urlencoded"
_OWN_PATHS = frozenset({TRIM_PATH, PROOF_PATH})
_MOTO_PATHS = ("/moto-api", "/latest/", "/favicon.ico", "/v20180820/", "/static/")
"""What moto answers apart from S3: its dashboard and reset, the instance's metadata, S3 Control."""

_HINT = "this stack answers its user's programs alone; they take its keys from `mdm-stream env`"
_DISCARDED_BYTES_MAX = 1024 * 1024
"""A refused body up to here is let in and dropped, so that its sender hears the refusal; the rest is cut off."""

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class Gate:
    """A WSGI application before another one, which gets only requests that are signed, and each with its whole body."""

    def __init__(self, application: WsgiApp, keys: LoopbackKeys, clock: Callable[[], float] = time.time) -> None:
        self._application = application
        self._keys = keys
        self._clock = clock

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: 403 without keys, before anything of its body is looked at."""
        refusal = self._refusal(environ)
        if refusal is None:
            return self._application(environ, _closed(start_response))
        size = _body_bytes(environ)
        if size is None or size > _DISCARDED_BYTES_MAX:
            _stop_reading(environ)
        return refusal(environ, _closed(start_response))

    def _refusal(self, environ: Environ) -> Response | None:
        """Return the answer to a request that goes no further; put the body of any other into its environment."""
        if _is_from_a_page(environ) or not _is_for_this_server(environ):
            return _refused(403, "no page of a browser and no other name of this machine is answered")
        signed = claimed(environ)
        if signed is None or not is_of(signed, self._keys):
            return _refused(403, _HINT)
        size = _body_bytes(environ)
        if size is None or size > REQUEST_BYTES_MAX:
            return _refused(413, f"a body has a Content-Length of at most {REQUEST_BYTES_MAX}")
        body = environ["wsgi.input"].read(size)
        if not verifies(signed, environ, body, self._keys, self._clock()):
            return _refused(403, f"the signature is not that of the stack's keys, or too old; {_HINT}")
        if not _is_served(signed.service, environ):
            return _refused(403, "the stack has APIs of Kinesis, S3, SQS, SNS and EventBridge, and no other")
        environ["wsgi.input"] = io.BytesIO(body)
        return None


def _is_from_a_page(environ: Environ) -> bool:
    return "HTTP_ORIGIN" in environ or any(name.startswith("HTTP_SEC_FETCH_") for name in environ)


def _is_for_this_server(environ: Environ) -> bool:
    port = environ["SERVER_PORT"]
    return environ.get("HTTP_HOST") in {f"127.0.0.1:{port}", f"localhost:{port}"}


def _is_served(service: str, environ: Environ) -> bool:
    """Tell whether a signed request is for what is meant to be served, whatever else moto would answer."""
    path, target = str(environ.get("PATH_INFO", "")), str(environ.get("HTTP_X_AMZ_TARGET", ""))
    match service:
        case "kinesis" | "events":
            return path == "/" and target.startswith(_TARGETS[service])
        case "sqs":
            return bool(_QUEUE_PATH.fullmatch(path)) and target.startswith(_TARGETS[service])
        case "sns":
            is_form = str(environ.get("CONTENT_TYPE", "")).partition(";")[0] == _FORM_TYPE
            return environ.get("REQUEST_METHOD") == "POST" and path == "/" and not target and is_form
        case "s3":
            return not target and not path.startswith(_MOTO_PATHS)
        case _:
            is_json = environ.get("REQUEST_METHOD") == "POST" and environ.get("CONTENT_TYPE") == JSON_TYPE
            return service == CONTROL_SERVICE and path in _OWN_PATHS and is_json


def _body_bytes(environ: Environ) -> int | None:
    """Return how long the body is by its own account; None if that cannot be known."""
    said = str(environ.get("CONTENT_LENGTH") or "0")
    return int(said) if "HTTP_TRANSFER_ENCODING" not in environ and said.isascii() and said.isdecimal() else None


def _stop_reading(environ: Environ) -> None:
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RD)


def _refused(status: int, message: str) -> Response:
    answer = {"__type": "AccessDeniedException", "message": message}
    return Response(orjson.dumps(answer), status=status, content_type="application/x-amz-json-1.1")


def _closed(start_response: StartResponse) -> StartResponse:
    """Return a ``start_response`` that takes off what would let pages of other origins read an answer, as moto does."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        kept = [(name, value) for name, value in headers if not name.lower().startswith("access-control-")]
        kept += [("Cross-Origin-Resource-Policy", "same-origin"), ("X-Content-Type-Options", "nosniff")]
        return start_response(status, kept, *rest)

    return start
