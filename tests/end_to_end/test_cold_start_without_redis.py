"""A function that starts while its cache is away: its batches end in a partial response, and its start in no error."""

from __future__ import annotations

import base64
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_state import stream_records

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.local.event_source.mapping import FunctionContext
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.local.stack import GOLDEN_STREAM

SAMPLE = Path(__file__).parents[1] / "fixtures" / "lambda" / "kinesisStreamEvent.json"
MODULE = "consumers.resolve.handler"
ANSWER_S_MAX = 10


def event_of(*bodies: bytes) -> dict[str, Any]:
    """Return the sample event with other records in it."""
    template = json.loads(SAMPLE.read_text())["Records"][0]
    records = []
    for number, body in enumerate(bodies, start=1):
        kinesis = template["kinesis"] | {"sequenceNumber": str(number), "data": base64.b64encode(body).decode()}
        records.append(template | {"eventID": f"shardId-000000000006:{number}", "kinesis": kinesis})
    return {"Records": records}


def upsert(number: int) -> bytes:
    """Return a change event."""
    event = {"domain": "person", "source": "crm", "record_id": str(number), "op": "upsert", "version": 1}
    return orjson.dumps(event | {"attributes": {"given_name": "Ann", "family_name": "Lee"}})


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_function_that_starts_without_its_cache_fails_its_batches_in_part() -> None:
    """It is built, says in time that all of the batch is to be delivered again, and does it once the cache is back."""
    with (
        tempfile.TemporaryDirectory(prefix="mdm-cold-") as short,
        KinesisServer() as kinesis,
        pytest.MonkeyPatch.context() as patch,
    ):
        kinesis.client().create_stream(StreamName=GOLDEN_STREAM, ShardCount=1)
        settings = {
            "MDM_RULES": "person",
            "MDM_REDIS_URL": f"unix://{short}/redis.sock",
            "MDM_REDIS_TIMEOUT_S": "1",
            "MDM_GOLDEN_STREAM": GOLDEN_STREAM,
            "MDM_KINESIS_ENDPOINT_URL": kinesis.endpoint_url,
            "MDM_ARCHIVE_URL": f"file://{short}/archive",
            "MDM_CHANGES_STREAM": "mdm-changes",
            "MDM_QUARANTINE_URL": f"file://{short}/quarantine",
        }
        for name, value in (loopback_environment(kinesis.endpoint_url, kinesis.keys, {}) | settings).items():
            patch.setenv(name, value)
        sys.modules.pop(MODULE, None)
        try:
            handler = importlib.import_module(MODULE).handler
            began_s = time.monotonic()
            response = handler(event_of(upsert(1), upsert(2)), FunctionContext("resolve"))
            assert response == {"batchItemFailures": [{"itemIdentifier": "1"}]}
            assert time.monotonic() - began_s < ANSWER_S_MAX
            with RedisServer(socket_path=Path(short) / "redis.sock"):
                response = handler(event_of(upsert(1), upsert(2)), FunctionContext("resolve"))
                assert response == {"batchItemFailures": []}
            golden = [orjson.loads(record["Data"]) for record in stream_records(kinesis.client(), GOLDEN_STREAM)]
            assert len(golden) >= 1
        finally:
            sys.modules.pop(MODULE, None)
