"""Every path of both runtimes, which the test and `make show-aws` go: good, bad, erased, crashed, and failed over."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from canary_events import (
    bad_events,
    bad_file_messages,
    bad_messages,
    erasures,
    event,
    files,
    good_events,
    stewards_events,
)
from canary_runtimes import Function, ShardRuntime
from canary_values import ATTRIBUTES, EMAIL, GIVEN, PHONE
from canary_world import ARN, LOADS, World, drop, world_in
from multilang_daemon import record_of

from mdm_stream.local.event_source.mapping import schedule_event
from mdm_stream.local.file_places import DROP_BUCKET
from mdm_stream.local.stack import CHANGES_STREAM, STEWARD_STREAM

CRASH_LEFT_S = 9.5
"""What a function has left while something fails: a second more than a batch needs to begin."""
LASTING = ("redis is gone", "resolver faults")
"""Faults that a shard's process is to end of."""


def journey(folder: Path) -> World:
    """Go every path, look at all that was written, and return the world with what was found."""
    with world_in(folder) as world:
        with world.function("resolve", "consumers.resolve.handler") as resolve:
            _resolve(world, resolve)
        _shard(world)
        _warehouse(world)
        _files(world)
        _events_api(world)
        world.discard([*good_events().values(), *bad_events().values()])
        world.look_at_stores()
    return world


def _tick() -> dict[str, Any]:
    return schedule_event(f"{ARN}/{CHANGES_STREAM}", time.time())


def _resolve(world: World, function: Function) -> None:
    good, bad = good_events(), bad_events()
    for name, raw in good.items():
        function.call(f"good: {name}", world.batch(raw))
    for name, raw in stewards_events("r-0", "r-1").items():
        function.call(f"steward: {name}", world.batch(raw, stream=STEWARD_STREAM))
    function.call("tick", _tick())
    for name, raw in bad.items():
        function.call(f"bad: {name}", world.batch(raw))
    whole = world.batch(*good.values(), *bad.values())
    function.call("all in one batch", whole)
    function.call("redelivered", whole)
    for name, raw in erasures("r-2").items():
        function.call(f"erased: {name}", world.batch(raw, stream=STEWARD_STREAM))
    for name, invocation in _bad_invocations(whole).items():
        function.call(f"bad invocation: {name}", invocation)
    for number, fault in enumerate(function.faults):
        batch = world.batch(*good_events(100 + 10 * number).values(), *list(bad.values())[:2])
        function.call(f"crashed: {fault}", batch, fault=fault, left_s=CRASH_LEFT_S)
        function.call(f"tick while {fault}", _tick(), fault=fault, left_s=CRASH_LEFT_S)
    function.call("out of time", world.batch(*good_events(900).values()), left_s=0.6)
    function.call("out of time, tick", _tick(), left_s=0.1)
    for how in _failovers(world, "resolve"):
        function.call(f"failed over: {how}", world.batch(*good_events(1_000).values()), left_s=CRASH_LEFT_S)
        function.call(f"failed over: {how}, tick", _tick(), left_s=CRASH_LEFT_S)


def _bad_invocations(whole: Mapping[str, Any]) -> dict[str, Any]:
    record = whole["Records"][0]
    return {
        "another service's": {"source": GIVEN, "detail-type": EMAIL, "detail": ATTRIBUTES},
        "another source's": {"Records": [{**record, "eventSource": EMAIL}]},
        "no list": {"Records": GIVEN},
        "data that are not base64": {"Records": [{**record, "kinesis": {**record["kinesis"], "data": GIVEN}}]},
        "no sequence number": {"Records": [{**record, "kinesis": {**record["kinesis"], "sequenceNumber": PHONE}}]},
        "no arrival": {"Records": [{**record, "kinesis": {**record["kinesis"], "approximateArrivalTimestamp": EMAIL}}]},
        "no place": {"Records": [{**record, "eventID": GIVEN, "eventSourceARN": EMAIL}]},
        "no record": {"Records": [{"eventSource": "aws:kinesis", "kinesis": GIVEN}]},
    }


def _shard(world: World) -> None:
    health = {"MDM_KCL_HEALTH_FOLDER": str(world.folder / "health"), "MDM_KCL_TIMEOUT_S": "600"}
    quick = {"MDM_KCL_BACKOFF_MS_BASE": "10", "MDM_KCL_BACKOFF_MS_MAX": "50", "MDM_KCL_TICK_S": "1"}
    numbers = iter(range(100_000))

    def records(*raws: bytes) -> list[dict[str, Any]]:
        return [record_of(raw, next(numbers)) | {"partitionKey": EMAIL} for raw in raws]

    with world.shard(**health, **quick, MDM_KCL_RETRY_S_MAX="300") as shard:
        _shard_paths(world, shard, records)
    lasting = {**health, **quick, "MDM_KCL_TIMEOUT_S": "2", "MDM_KCL_RETRY_S_MAX": "1"}
    with world.shard(**lasting) as shard:
        first = records(*good_events(2_000).values())[0]
        shard.hand("bad record of the protocol", [{**first, "data": GIVEN}])
        for number, fault in enumerate(LASTING):
            raws = good_events(2_000 + 10 * number).values()
            shard.hand(f"crashed for good: {fault}", records(*raws), fault=fault, lasts=True)
        for how in _failovers(world, "kcl"):
            shard.hand(f"failed over: {how}", records(*good_events(3_000).values()))


def _shard_paths(world: World, shard: ShardRuntime, records: Any) -> None:
    good, bad = good_events(), bad_events()
    for name, raw in good.items():
        shard.hand(f"good: {name}", records(raw))
    for name, raw in stewards_events("r-0", "r-1").items():
        shard.hand(f"steward: {name}", records(raw))
    for name, raw in bad.items():
        shard.hand(f"bad: {name}", records(raw))
    shard.hand("all in one batch", records(*good.values(), *bad.values()))
    for name, raw in erasures("r-2").items():
        shard.hand(f"erased: {name}", records(raw))
    for number, fault in enumerate(shard.faults):
        raws = [*good_events(100 + 10 * number).values(), *list(bad.values())[:2]]
        shard.hand(f"crashed: {fault}", records(*raws), fault=fault)
    shard.act("shutdownRequested", checkpoint=None)


def _failovers(world: World, namespace: str) -> Iterator[str]:
    """Do to the cache what failovers do, and yield what has happened; in the end the index is in doubt."""
    with world.redis.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        yield "the primary became a replica"
        client.execute_command("REPLICAOF", "NO", "ONE")
        yield "the primary is back"
        world.look_at_redis()
        for key in list(client.scan_iter(f"mdm:{{{namespace}:*", count=1_000)):
            client.delete(key)
        yield "the index is lost, and in doubt"


def _warehouse(world: World) -> None:
    feed = world.feed()
    upserted = next(raw for raw in feed if b'"mdm.golden.upserted"' in raw)
    claims = (world.folder / "claims").as_uri()
    duckdb = {"MDM_WAREHOUSE_DUCKDB_PATH": str(world.folder / "warehouse.duckdb"), "MDM_WAREHOUSE_CLAIMS_URL": claims}
    with world.function("warehouse", "consumers.warehouse.handler", **duckdb) as function:
        function.call("good: the whole feed", world.batch(*feed[:400]))
        function.call("tick", _tick())
        for name, raw in bad_messages(upserted).items():
            function.call(f"bad: {name}", world.batch(raw))
        function.call("all in one batch", world.batch(*bad_messages(upserted).values(), upserted))
        for name, invocation in _bad_invocations(world.batch(upserted)).items():
            function.call(f"bad invocation: {name}", invocation)
        for fault in function.faults:
            function.call(f"crashed: {fault}", world.batch(*feed[:5]), fault=fault)
            time.sleep(0.01)
            function.call(f"tick while {fault}", _tick(), fault=fault)
    key = world.folder / "snowflake.pem"
    snowflake = {f"MDM_WAREHOUSE_SNOWFLAKE_{name}": "mdm" for name in ("ACCOUNT", "USER", "DATABASE", "SCHEMA")}
    snowflake |= {"MDM_WAREHOUSE_KIND": "snowflake", "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_PATH": str(key)}
    with world.function("snowflake", "consumers.warehouse.handler", **snowflake) as function:
        for fault in function.faults:
            function.call(f"crashed: {fault}", world.batch(*feed[:5]), fault=fault)


def _files(world: World) -> None:
    places = world.places
    settings = {
        "MDM_FILES_URL": f"s3://{LOADS}/prefix",
        "MDM_FILES_QUEUE_URL": places.chunks_queue_url,
        "MDM_FILES_TOPIC_ARN": places.topic_arn,
        "MDM_FILES_ENDPOINT_URL": world.kinesis.endpoint_url,
        "MDM_FILES_CHUNK_ROWS": "10",
        "MDM_FILES_DIRECT_BYTES_MAX": "500",
    }
    with (
        world.function("files", "producers.files.gatekeeper_handler", **settings) as gatekeeper,
        world.function("files-worker", "producers.files.worker_handler", **settings) as worker,
    ):
        for key, content in files().items():
            drop(world, key, content)
            _work(world, gatekeeper, worker, f"dropped: {key}")
        gatekeeper.call("tick", _tick())
        for function in (gatekeeper, worker):
            for name, body in bad_file_messages(DROP_BUCKET).items():
                function.call(f"bad: {name}", {"Records": [_message(body)]})
                function.call(f"bad, directly: {name}", _directly(body))
            for number, fault in enumerate(function.faults):
                drop(world, f"person/vendor/fault {function.name} {number}.csv", _another_file(number))
                _work(world, gatekeeper, worker, f"crashed: {fault}", fault)


def _another_file(number: int) -> bytes:
    return next(iter(files().values())).replace(b"v", b"f%d" % number)


def _directly(body: str) -> dict[str, Any]:
    """Return an invocation without a queue."""
    try:
        found = orjson.loads(body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"source": GIVEN, "detail": body}


def _message(body: str) -> dict[str, Any]:
    return {"messageId": "1", "body": body, "eventSource": "aws:sqs", "attributes": {}}


def _work(world: World, gatekeeper: Function, worker: Function, path: str, fault: str = "") -> None:
    """Have what waits in both queues done; a message that fails is taken off, as its dead-letter queue does it."""
    sqs = world.kinesis.client("sqs")
    places = world.places
    for function, url in ((gatekeeper, places.files_queue_url), (worker, places.chunks_queue_url)):
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            messages = [{**_message(each["Body"]), "messageId": each["MessageId"]} for each in found]
            function.call(path, {"Records": messages}, fault=fault)
            for each in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])


def _events_api(world: World) -> None:
    keys = world.folder / "keys"
    keys.mkdir()
    (keys / "events-api").write_bytes(base64.b64encode(b"k" * 32))
    (keys / "events-api").chmod(0o600)
    with world.function("events-api", "producers.events_api.handler", MDM_API_ID_KEYS=str(keys)) as function:
        whole = orjson.dumps(event())
        for name, raw in {**good_events(5_000), **erasures("r-0"), **bad_events()}.items():
            function.call(f"posted: {name}", _request("POST", "/v1/events", raw))
            function.call(f"batch: {name}", _request("POST", "/v1/events:batch", b'{"events": [' + raw + b"]}"))
        for name, request in {
            "id of an event": _request("GET", f"/v1/events/{EMAIL}"),
            "path": _request("GET", f"/{GIVEN}/{EMAIL}"),
            "method": _request(GIVEN, "/v1/events"),
            "query": _request("POST", "/v1/events", whole, queryStringParameters={GIVEN: EMAIL}),
            "header": _request("POST", "/v1/events", whole, {"Content-Type": EMAIL}),
            "Idempotency-Key": _request("POST", "/v1/events", whole, {"Idempotency-Key": EMAIL}),
            "Idempotency-Key reused": _request("POST", "/v1/events", whole[:-1] + b" }", {"Idempotency-Key": EMAIL}),
            "token": _request("POST", "/v1/events", whole, {"Authorization": f"Bearer {GIVEN}"}, claims=None),
            "claims": _request("POST", "/v1/events", whole, claims={"mdm_sources": GIVEN, "sub": EMAIL}),
            "base64": {**_request("POST", "/v1/events", whole), "isBase64Encoded": True},
            "no request": {GIVEN: EMAIL},
        }.items():
            function.call(f"bad request: {name}", request)
        for fault in function.faults:
            function.call(f"crashed: {fault}", _request("POST", "/v1/events", whole), fault=fault)
            keyed = _request("POST", "/v1/events", whole, {"Idempotency-Key": f"{GIVEN} {fault}"})
            function.call(f"crashed, with a key: {fault}", keyed, fault=fault)


def _request(
    method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, **changed: Any
) -> dict[str, Any]:
    """Return a request as a REST API hands it over."""
    claims = changed.pop("claims", {"mdm_sources": "web form crm erp", "sub": GIVEN})
    named = {"Content-Type": "application/json", **(headers or {})}
    return {
        "httpMethod": method,
        "path": path,
        "headers": named,
        "multiValueHeaders": {name: [value] for name, value in named.items()},
        "queryStringParameters": None,
        "requestContext": {"stage": "prod", "authorizer": {"claims": claims} if claims else {}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    } | changed
