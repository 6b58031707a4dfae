"""The routes on Powertools' resolvers: API Gateway's REST and HTTP APIs on Lambda, ASGI on a laptop.

A resolver matches paths and writes answers. Bodies are not given to it: they are judged as bytes, by what the consumer
judges with, and a second reader of JSON would say other things of the same event.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent

from mdm_stream.contracts.invocation import is_tick, unknown_invocation
from mdm_stream.core.faults import without_values
from producers.events_api.problems import ProblemError
from producers.events_api.service import EVENTS_PATH, EventsApi, HttpAnswer, Request

BATCH_PATH = f"{EVENTS_PATH}:batch"
EVENT_PATH = f"{EVENTS_PATH}/<event_id>"
_METHODS = {EVENTS_PATH: "POST", BATCH_PATH: "POST"}

RequestOf = Callable[[BaseProxyEvent], Request]
Documented = Callable[[str], Mapping[str, Any]]
"""Returns what a resolver is to be told of a route beside its path, by the name of its function."""


def add_routes(
    app: ApiGatewayResolver,
    api: EventsApi,
    request_of: RequestOf,
    pool: Executor | None = None,
    documented: Documented = lambda _: {},
) -> None:
    """Add the routes of an API to a resolver. With ``pool`` they are coroutines, which work on its threads."""

    def respond(answer: HttpAnswer) -> Response[str]:
        return Response(answer.status, answer.content_type, answer.body.decode(), dict(answer.headers))

    def post_event() -> Response[str]:
        return respond(api.post_event(request_of(app.current_event)))

    def post_batch() -> Response[str]:
        return respond(api.post_batch(request_of(app.current_event)))

    def get_event(event_id: str) -> Response[str]:
        return respond(api.get_event(request_of(app.current_event), event_id))

    def refuse(_: NotFoundError) -> Response[str]:
        return respond(api.refusal(unrouted(app.current_event.http_method, app.current_event.path)))

    if pool is None:
        posts_one, posts_many, gets = post_event, post_batch, get_event
    else:
        posts_one, posts_many, gets = (_threaded(pool, each) for each in (post_event, post_batch, get_event))
    app.post(EVENTS_PATH, **documented("post_event"))(posts_one)
    app.post(BATCH_PATH, **documented("post_batch"))(posts_many)
    app.get(EVENT_PATH, **documented("get_event"))(gets)
    app.not_found(refuse)


def serve(event: dict[str, Any], answer: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Answer one invocation: a request, or a schedule's tick; ``UnknownInvocationError`` for anything else."""
    if is_tick(event):
        return {}
    if "requestContext" not in event:
        raise unknown_invocation("requests of API Gateway")
    with without_values():
        return answer(event)


def unrouted(method: str, path: str) -> ProblemError:
    """Return the problem of a request that no route takes: its path is wrong, its id, or its method alone."""
    below = path.removeprefix(f"{EVENTS_PATH}/")
    is_event = below not in ("", path) and "/" not in below
    allowed = "GET" if is_event else _METHODS.get(path)
    if is_event and method.upper() == allowed:
        return ProblemError("unknown_event", "no event of this API has this id")
    if allowed is None:
        return ProblemError("not_found", f"there are {EVENTS_PATH}, {BATCH_PATH} and {EVENTS_PATH}/ID")
    return ProblemError("method_not_allowed", f"this route takes {allowed}", headers={"Allow": allowed})


def lambda_request(event: BaseProxyEvent) -> Request:
    """Return what API Gateway's event asks; ``ProblemError`` never: a body that is no base64 is taken as it is."""
    text = event.get("body") or ""
    body = text.encode("utf-8", "surrogatepass")
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error:
            body = b"\0"  # what API Gateway has not written is binary data, and is refused as such
    headers = {name.lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    return Request(headers, body, event.get("requestContext") or {})


def _threaded(pool: Executor, work: Callable[..., Response[str]]) -> Callable[..., Any]:
    """Return a coroutine that does the work on a thread, in the request's own context."""
    import contextvars  # noqa: PLC0415 - Lambda has no need of it
    import functools  # noqa: PLC0415

    @functools.wraps(work)
    async def threaded(**arguments: str) -> Response[str]:
        run = functools.partial(contextvars.copy_context().run, work, **arguments)
        return await asyncio.get_running_loop().run_in_executor(pool, run)

    return threaded
