"""The Lambda entry point, called with events as Kinesis and the scheduler send them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from feed_messages import upsert

from consumers.warehouse import handler as entry
from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.warehouse import DuckDbWarehouse

CONTEXT = SimpleNamespace(
    function_name="warehouse",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:warehouse",
    aws_request_id="request-1",
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cold start with a DuckDB file of its own."""
    monkeypatch.setenv("MDM_WAREHOUSE_DUCKDB_PATH", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("MDM_WAREHOUSE_IDLE_CLOSE_S", "0")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "1")
    entry.consumer.cache_clear()
    yield tmp_path / "warehouse.duckdb"
    entry.consumer()._warehouse.close()
    entry.consumer.cache_clear()


def event(payloads: Sequence[bytes | FeedEnvelope]) -> dict[str, Any]:
    """A Kinesis event; sequence numbers are 100, 101, ..."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "g",
                    "sequenceNumber": str(100 + position),
                    "data": base64.b64encode(
                        payload if isinstance(payload, bytes) else payload.model_dump_json().encode()
                    ).decode(),
                    "approximateArrivalTimestamp": 1545084650.987,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000006:{100 + position}",
                "eventName": "aws:kinesis:record",
                "awsRegion": "eu-west-1",
                "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/golden",
            }
            for position, payload in enumerate(payloads)
        ]
    }


def stored(path: Path) -> list[tuple[Any, ...]]:
    """The sequences in the history, once the consumer has been told to close."""
    entry.handler({"source": "mdm.schedule"}, CONTEXT)
    reader = DuckDbWarehouse(path, read_only=True)
    rows = reader.query("SELECT sequence FROM golden_history ORDER BY 1")
    reader.close()
    return [row[0] for row in rows]


def test_a_batch_is_applied_and_measured(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Success is an empty list of failures, with the records, each one's time and the statements as metrics."""
    response = entry.handler(event([upsert(1, "g1", ["crm/1"]), upsert(2, "g2", ["crm/2"])]), CONTEXT)
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert response == {"batchItemFailures": []}
    assert metrics[0]["RecordsApplied"] == [2.0]
    assert metrics[0]["RecordsSkipped"] == [0.0]
    assert metrics[0]["BatchesFailed"] == [0.0]
    assert len(metrics[0]["GoldenToWarehouse"]) == 2
    assert min(metrics[0]["GoldenToWarehouse"]) >= 0
    assert metrics[0]["WarehouseStatements"][0] > 0
    assert stored(path) == [1, 2]


def test_a_message_that_cannot_be_read_is_reported_and_holds_back_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands before and behind it is applied, and nothing from it on is claimed done."""
    output = io.StringIO()
    monkeypatch.setattr(entry.logger.registered_handler, "stream", output)
    response = entry.handler(event([upsert(1, "g1", []), b"Jane Doe", upsert(3, "g1", [])]), CONTEXT)
    logs = [line for line in output.getvalue().splitlines() if "batch stopped" in line]
    assert response == {"batchItemFailures": [{"itemIdentifier": "101"}]}
    assert json.loads(logs[0])["correlation_id"] == "shardId-000000000006:100"
    assert "Jane" not in logs[0]
    assert stored(path) == [1, 3]


def test_a_message_that_cannot_be_read_fails_alone(path: Path) -> None:
    """Bisected down to one record, it is still reported, so that it reaches the on-failure destination."""
    for payload in (b"", b"Hello, this is a test.", b"\x00\xff"):
        assert entry.handler(event([payload]), CONTEXT) == {"batchItemFailures": [{"itemIdentifier": "100"}]}


def test_data_that_is_not_base64_is_reported(path: Path) -> None:
    """A damaged record is a failed item and no crash."""
    damaged = event([upsert(1, "g1", [])])
    damaged["Records"][0]["kinesis"]["data"] = "%%%"
    assert entry.handler(damaged, CONTEXT) == {"batchItemFailures": [{"itemIdentifier": "100"}]}


def test_a_warehouse_that_fails_fails_the_whole_batch(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first record is reported, so the event source delivers everything again; then it converges."""
    monkeypatch.setenv("MDM_WAREHOUSE_DUCKDB_PATH", str(path.parent / "missing" / "warehouse.duckdb"))
    batch = event([upsert(1, "g1", []), upsert(2, "g1", []), b"bad"])
    assert entry.handler(batch, CONTEXT) == {"batchItemFailures": [{"itemIdentifier": "100"}]}
    (path.parent / "missing").mkdir()
    assert entry.handler(batch, CONTEXT) == {"batchItemFailures": [{"itemIdentifier": "102"}]}
    assert stored(path.parent / "missing" / "warehouse.duckdb") == [1, 2]


def test_a_schedule_event_on_a_cold_start_does_nothing(path: Path) -> None:
    """A tick neither creates the file nor fails."""
    assert entry.handler({"source": "mdm.schedule"}, CONTEXT) == {"batchItemFailures": []}
    assert not path.exists()


def test_a_redelivered_batch_changes_nothing(path: Path) -> None:
    """At-least-once delivery is harmless."""
    batch = event([upsert(1, "g1", []), upsert(2, "g1", [])])
    assert [entry.handler(batch, CONTEXT) for _ in range(3)] == [{"batchItemFailures": []}] * 3
    assert stored(path) == [1, 2]
