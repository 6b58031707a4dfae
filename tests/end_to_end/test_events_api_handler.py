"""The events API's Lambda entry point, called as API Gateway calls it, on a real Redis and a real Kinesis API."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from end_state import stream_records
from events_api_world import upsert
from function_servers import function_servers

from mdm_stream.local.event_source.mapping import FunctionContext
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer

STREAM = "changes"
MODULE = "producers.events_api.handler"


@dataclass(slots=True)
class World:
    """A warm function and what it is connected to."""

    module: Any
    redis: RedisServer
    kinesis: KinesisServer

    def call(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Invoke the function."""
        answer = self.module.handler(event, FunctionContext("events-api", 30.0))
        return answer["statusCode"], orjson.loads(answer["body"])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A cold start."""
    with function_servers(STREAM) as servers:
        key = servers.folder / "events-api"
        key.write_bytes(base64.b64encode(b"k" * 32))
        key.chmod(0o600)
        module = servers.start(MODULE, {"MDM_CHANGES_STREAM": STREAM, "MDM_API_ID_KEYS": str(servers.folder)})
        yield World(module, servers.redis, servers.kinesis)


def rest(method: str, path: str, body: bytes = b"", **changes: Any) -> dict[str, Any]:
    """A request as a REST API hands it over (payload 1.0), with a Cognito authorizer's claims."""
    return {
        "httpMethod": method,
        "path": path,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "requestContext": {"stage": "prod", "authorizer": {"claims": {"mdm_sources": "crm", "sub": "app"}}},
        "body": body.decode(),
        "isBase64Encoded": False,
    } | changes


def http(method: str, path: str, body: bytes = b"", **changes: Any) -> dict[str, Any]:
    """A request as an HTTP API hands it over (payload 2.0), with a JWT authorizer's claims, the body in base64."""
    claims = {"mdm_sources": "[crm]", "sub": "app"}
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "stage": "$default",
            "http": {"method": method, "path": path},
            "authorizer": {"jwt": {"claims": claims, "scopes": None}},
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    } | changes


@pytest.mark.parametrize("request_of", [rest, http])
def test_both_payloads_of_api_gateway_are_served(world: World, request_of: Any) -> None:
    """Posted with the caller's claims, refused without them, and every route answers."""
    before = len(list(stream_records(world.kinesis.client(), STREAM)))
    body = orjson.dumps(upsert())
    status, accepted = world.call(request_of("POST", "/v1/events", body))
    assert (status, accepted["state"]) == (202, "accepted")
    assert world.call(request_of("POST", "/v1/events:batch", b'{"events": [' + body + b"]}"))[0] == 202
    assert [record["Data"] for record in stream_records(world.kinesis.client(), STREAM)][before:] == [body, body]
    assert world.call(request_of("POST", "/v1/events", orjson.dumps(upsert(source="erp"))))[0] == 403
    nobody = {"stage": "$default", "http": {"method": "POST", "path": "/v1/events"}}
    assert world.call(request_of("POST", "/v1/events", body, requestContext=nobody))[0] == 401
    assert world.call(request_of("GET", "/v1/events/nothing"))[0] == 404
    assert world.call(request_of("PUT", "/v1/events", body))[0] == 405


def test_events_are_taken_while_redis_is_away(world: World) -> None:
    """Outcomes and keys wait for it, events do not; afterwards all is well without a new start."""
    body = orjson.dumps(upsert("away"))
    world.redis.stop()
    status, accepted = world.call(rest("POST", "/v1/events", body))
    assert status == 202
    keyed = rest("POST", "/v1/events", body, headers={"Content-Type": "application/json", "Idempotency-Key": "k"})
    assert (world.call(keyed)[0], world.call(rest("GET", f"/v1/events/{accepted['id']}"))[0]) == (503, 503)
    world.redis.start()
    assert world.call(keyed)[0] == 202
