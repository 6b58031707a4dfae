"""The API as an ASGI application, for a laptop or a container: what API Gateway would keep off is kept off here.

Bounds come before anything else reads: of the path, the headers, the body as it arrives, and of requests under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

from aws_lambda_powertools.event_handler import HttpResolverLocal
from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent

from producers.events_api.problems import ProblemError
from producers.events_api.routes import BATCH_PATH, add_routes
from producers.events_api.service import EventsApi, HttpAnswer, Request
from producers.events_api.settings import PATH_CHARS_MAX

DRAINED_BYTES_MAX = 8_388_608
"""Of a body that is too large, so much is read and dropped: a sender that still writes would not see the answer."""

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]

_BODY: ContextVar[bytes] = ContextVar("events_api_body", default=b"")
"""The resolver decodes bodies as UTF-8 before anyone can say what is wrong with one that is not."""


class AsgiApp:
    """The ASGI application of an API."""

    def __init__(self, api: EventsApi) -> None:
        """Take the API; its settings bound what is read, and how many requests are under way."""
        self._api = api
        self._settings = api.settings
        self._under_way = 0
        self._pool = ThreadPoolExecutor(self._settings.api_in_flight_max, thread_name_prefix="events-api")
        self._resolver = HttpResolverLocal()
        add_routes(self._resolver, api, _request, self._pool)

    async def __call__(self, scope: AsgiMessage, receive: Receive, send: Send) -> None:
        """Serve one connection's request."""
        if scope["type"] != "http":
            await self._resolver(scope, receive, send)
            return
        if self._under_way >= self._settings.api_in_flight_max:
            await _answer(send, self._api.refusal(ProblemError("unavailable", "too many requests are under way")))
            return
        self._under_way += 1
        try:
            self._require_bounds(scope)
            body = await self._body(scope, receive)
            _BODY.set(body)
            await self._resolver(scope, _nothing_more, send)
        except ProblemError as problem:
            await _answer(send, self._api.refusal(problem), close=True)
        finally:
            self._under_way -= 1

    def _require_bounds(self, scope: AsgiMessage) -> None:
        if len(scope["path"]) > PATH_CHARS_MAX or len(scope.get("query_string", b"")) > PATH_CHARS_MAX:
            raise ProblemError("path_too_long", f"a path has at most {PATH_CHARS_MAX:,} characters")
        headers = scope["headers"]
        if sum(len(name) + len(value) for name, value in headers) > self._settings.api_header_bytes_max:
            raise ProblemError(
                "headers_too_large", f"headers have at most {self._settings.api_header_bytes_max:,} bytes"
            )
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in headers}:
            raise ProblemError("malformed_request", "a body has a Content-Length or a Transfer-Encoding, not both")
        try:
            for name, value in headers:
                name.decode("utf-8")
                value.decode("utf-8")
            scope.get("query_string", b"").decode("utf-8")
        except UnicodeDecodeError:
            raise ProblemError("malformed_request", "a header or the query is not UTF-8") from None

    async def _body(self, scope: AsgiMessage, receive: Receive) -> bytes:
        batch = scope["path"] == BATCH_PATH
        bytes_max = self._settings.api_batch_bytes_max if batch else self._settings.api_event_bytes_max
        too_large = ProblemError("too_large", f"the body of this route has at most {bytes_max:,} bytes")
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > DRAINED_BYTES_MAX:
            raise too_large
        parts, held = [], 0
        try:
            async with asyncio.timeout(self._settings.api_body_timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ProblemError("malformed_body", "the connection ended before the body did")
                    parts.append(message.get("body", b""))
                    held += len(parts[-1])
                    if held > bytes_max:
                        parts.clear()
                    if held > DRAINED_BYTES_MAX or (held > bytes_max and not message.get("more_body", False)):
                        raise too_large
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise ProblemError(
                "body_timeout", f"a body arrives within {self._settings.api_body_timeout_s:g} s"
            ) from None


def _request(event: BaseProxyEvent) -> Request:
    """Return what is asked. There is no context: nothing that a caller sends may pass for what API Gateway says."""
    return Request(dict(event.headers), _BODY.get())


async def _nothing_more() -> AsgiMessage:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _answer(send: Send, answer: HttpAnswer, *, close: bool = False) -> None:
    headers = {"Content-Type": answer.content_type, **answer.headers, "Content-Length": str(len(answer.body))}
    if close:
        headers["Connection"] = "close"  # what is left of the body is not read
    listed = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": listed})
    await send({"type": "http.response.body", "body": answer.body})
