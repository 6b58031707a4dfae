"""Lineage of batches: what a server that takes OpenLineage gets, and that none of it holds back or fails a batch."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from feed_messages import erase, rejected, upsert

from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.decode import Delivery
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.warehouse import Applied, DuckDbWarehouse, WarehouseConsumer, WarehouseSettings
from mdm_stream.warehouse.dictionary import RELATIONS
from mdm_stream.warehouse.lineage import batch, lineage_of
from mdm_stream.warehouse.lineage.tables import TableNames, rows_written

pytest.importorskip("openlineage.client", reason="openlineage-python is not installed (extra: lineage)")

FACET = {
    "type": "object",
    "required": ["_producer", "_schemaURL"],
    "properties": {"_producer": {"type": "string", "format": "uri"}, "_schemaURL": {"type": "string", "format": "uri"}},
}
FACETS = {"type": "object", "additionalProperties": FACET}
DATASET = {
    "type": "object",
    "required": ["namespace", "name"],
    "additionalProperties": False,
    "properties": {
        "namespace": {"type": "string", "minLength": 1},
        "name": {"type": "string", "minLength": 1},
        "facets": FACETS,
        "inputFacets": FACETS,
        "outputFacets": FACETS,
    },
}
RUN_EVENT = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "additionalProperties": False,
    "properties": {
        "eventType": {"enum": ["START", "COMPLETE", "FAIL"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {"pattern": r"^https://openlineage\.io/spec/2-0-2/OpenLineage\.json#/\$defs/RunEvent$"},
        "run": {
            "type": "object",
            "required": ["runId"],
            "properties": {"runId": {"type": "string", "format": "uuid"}, "facets": FACETS},
        },
        "job": {
            "type": "object",
            "required": ["namespace", "name"],
            "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS},
        },
        "inputs": {"type": "array", "items": DATASET},
        "outputs": {"type": "array", "items": DATASET},
    },
}
"""What version 2-0-2 of OpenLineage asks of a run event, as far as our events go: the package ships no schema."""


@dataclass
class Received:
    """A server on this machine that takes events. ``status`` is what it answers; it may wait before it does."""

    url: str
    status: int = 201
    wait_s: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Received]:
    """Listens on a free port."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.paths.append(self.path)
            received.headers.append(dict(self.headers))
            received.events.append(json.loads(body))
            released.wait(received.wait_s)
            self.send_response(received.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Received(f"http://127.0.0.1:{listening.server_address[1]}")
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield received
    released.set()
    listening.shutdown()
    thread.join()
    listening.server_close()


def deliveries(messages: list[FeedEnvelope | bytes], first: int = 100) -> list[Delivery]:
    """Return them as records of one shard of the stream ``golden``."""
    return [
        Delivery.from_kinesis(
            message if isinstance(message, bytes) else message.model_dump_json().encode(),
            str(first + place),
            1_545_084_650.0,
            f"golden/shardId-000000000006:{first + place}",
        )
        for place, message in enumerate(messages)
    ]


def consumer_of(
    url: str, path: Path | str = ":memory:", **variables: str
) -> tuple[WarehouseConsumer, batch.BatchLineage]:
    """Return a consumer of a DuckDB file whose lineage goes to an address, and what tells that."""
    settings = WarehouseSettings(duckdb_path=str(path))
    lineage = lineage_of({"MDM_LINEAGE_URL": url, **variables}, settings)
    assert lineage is not None
    return WarehouseConsumer(DuckDbWarehouse(path), idle_close_s=0, observer=lineage), lineage


BATCH = [
    upsert(1, "g1", ["crm/1"], values={"phone": "+442071234567"}),
    upsert(2, "g2", ["crm/2"], values={"phone": "+442079999999"}),
    erase(3, "crm/9"),
    rejected("q1"),
]


def test_a_batch_is_a_run_with_what_it_read_and_wrote(server: Received, tmp_path: Path) -> None:
    """START before it, COMPLETE after it: the stream with its shard range, each table with columns and rows."""
    path = tmp_path / "w.duckdb"
    consumer, lineage = consumer_of(server.url, path, MDM_LINEAGE_NAMESPACE="acme", MDM_LINEAGE_JOB="golden-to-duckdb")
    assert consumer.apply_records(deliveries(BATCH)).error is None
    consumer.close_when_idle()
    started, complete = server.events
    for event in server.events:
        jsonschema.validate(event, RUN_EVENT, format_checker=jsonschema.FormatChecker())
        assert (event["job"]["namespace"], event["job"]["name"]) == ("acme", "golden-to-duckdb")
        assert datetime.fromisoformat(event["eventTime"]).utcoffset() is not None
        [read] = event["inputs"]
        assert (read["namespace"], read["name"]) == ("kinesis", "golden")
        facet = read["inputFacets"]["mdmStream_shardRange"]
        assert facet["records"] == 4
        assert facet["shards"] == [{"shard": "shardId-000000000006", "first": "100", "last": "103", "records": 4}]
    assert (started["eventType"], started["outputs"], complete["eventType"]) == ("START", [], "COMPLETE")
    assert started["run"]["runId"] == complete["run"]["runId"]
    written = {each["name"]: each for each in complete["outputs"]}
    assert {name: each["outputFacets"]["outputStatistics"]["rowCount"] for name, each in written.items()} == {
        "main.golden_record": 2, "main.golden_history": 3, "main.erased_record": 1, "main.quarantined_event": 1
    }  # fmt: skip
    assert {each["namespace"] for each in written.values()} == {f"duckdb://{path}"}
    warehouse = DuckDbWarehouse(path, read_only=True)
    for name, each in written.items():
        columns = warehouse.query(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_name = ? ORDER BY ordinal_position",
            (name.removeprefix("main."),),
        )
        assert [(column["name"], column["type"]) for column in each["facets"]["schema"]["fields"]] == columns
        assert all(column["description"] for column in each["facets"]["schema"]["fields"])
    warehouse.close()
    assert lineage.take_counts() == {"LineageEventsSent": 2, "LineageEventsFailed": 0}
    assert set(server.paths) == {"/api/v1/lineage"}


def test_a_batch_that_is_delivered_again_is_the_same_run(server: Received) -> None:
    """In this process and in another; other records, other places and another job are other runs."""
    consumer, _ = consumer_of(server.url)
    for records in (deliveries(BATCH), deliveries(BATCH), deliveries(BATCH[:2]), deliveries(BATCH, first=200)):
        consumer.apply_records(records)
    runs = [event["run"]["runId"] for event in server.events]
    assert runs[0] == runs[1] == runs[2] == runs[3]
    assert len(set(runs)) == 3
    again, _ = consumer_of(server.url)
    again.apply_records(deliveries(BATCH))
    assert server.events[-1]["run"]["runId"] == runs[0]
    other, _ = consumer_of(server.url, MDM_LINEAGE_JOB="other")
    other.apply_records(deliveries(BATCH))
    assert server.events[-1]["run"]["runId"] not in runs
    assert uuid.UUID(runs[0]).version == 5


def test_no_value_of_a_record_is_in_an_event(server: Received) -> None:
    """Not of one that is applied, nor of one that cannot be read, nor in the error."""
    consumer, _ = consumer_of(server.url)
    damaged = json.loads(BATCH[0].model_dump_json()) | {"specversion": "+44 20 7123 4567"}
    outcome = consumer.apply_records(deliveries([*BATCH, json.dumps(damaged).encode(), b'{"Jane": "+442071234567"']))
    assert outcome.error is not None
    told = json.dumps(server.events)
    for value in ("442071234567", "442079999999", "7123 4567", "Jane", "crm"):
        assert value not in told


def test_a_batch_that_fails_is_a_failed_run(server: Received, monkeypatch: pytest.MonkeyPatch) -> None:
    """With our own error, and with what was applied of it."""
    consumer, _ = consumer_of(server.url)
    consumer.apply_records(deliveries([BATCH[0], b"no JSON"]))
    failed = server.events[-1]
    jsonschema.validate(failed, RUN_EVENT, format_checker=jsonschema.FormatChecker())
    assert failed["eventType"] == "FAIL"
    assert failed["run"]["facets"]["errorMessage"]["programmingLanguage"] == "PYTHON"
    assert failed["run"]["facets"]["errorMessage"]["message"]
    assert {each["name"] for each in failed["outputs"]} == {"main.golden_record", "main.golden_history"}

    def failing(*_: object) -> Applied:
        raise TransientError("the warehouse does not answer")

    monkeypatch.setattr(consumer._warehouse, "apply", failing)
    consumer.apply_records(deliveries(BATCH))
    assert server.events[-1]["run"]["facets"]["errorMessage"]["message"] == "the warehouse does not answer"
    assert server.events[-1]["outputs"] == []


@pytest.mark.parametrize("fault", ["refused", "no server", "no answer"])
def test_a_batch_does_not_depend_on_its_lineage(server: Received, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is applied, the event is counted and logged by its kind alone, and for a minute nothing more is sent."""
    url = server.url
    if fault == "refused":
        server.status = 500
    elif fault == "no answer":
        server.wait_s = 30.0
    else:
        url = "http://127.0.0.1:9"
    consumer, lineage = consumer_of(url, MDM_LINEAGE_TIMEOUT_S="0.2", MDM_LINEAGE_API_KEY="secret-key")
    now = [0.0]
    lineage.monotonic_s = lambda: now[0]
    with caplog.at_level(logging.DEBUG):
        for place in range(3):
            assert consumer.apply_records(deliveries([upsert(1 + place, f"g{place}", ["crm/1"])])).records_applied == 1
    assert consumer._warehouse.query("SELECT COUNT(*) FROM golden_record") == [(3,)]
    assert (lineage.counts.sent, lineage.counts.failed, lineage.counts.left_out) == (0, 1, 5)
    assert consumer.observed() == {"LineageEventsSent": 0, "LineageEventsFailed": 6}
    [said] = [record.getMessage() for record in caplog.records if record.name.startswith("mdm_stream")]
    assert said.startswith("lineage: START could not be sent (")
    assert "secret-key" not in caplog.text
    assert len(server.events) <= 1
    server.status, server.wait_s, now[0] = 201, 0.0, batch.PAUSE_S + 1
    consumer.apply_records(deliveries([upsert(9, "g9", ["crm/1"])]))
    assert lineage.counts.sent == (0 if fault == "no server" else 2)


def test_the_key_is_sent_to_the_server_and_shown_nowhere(server: Received) -> None:
    """As a bearer token; the settings do not print it."""
    consumer, lineage = consumer_of(
        server.url,
        MDM_LINEAGE_API_KEY="secret-key",
        MDM_LINEAGE_ENDPOINT="lineage",
        MDM_LINEAGE_STREAM_NAMESPACE="kinesis://123456789012:eu-west-1",
    )
    consumer.apply_records(deliveries(BATCH))
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer secret-key"}
    assert set(server.paths) == {"/lineage"}
    assert {event["inputs"][0]["namespace"] for event in server.events} == {"kinesis://123456789012:eu-west-1"}
    assert "secret-key" not in repr(lineage)


def test_events_go_to_a_file_one_a_line(tmp_path: Path) -> None:
    """Where there is no server; a folder that is not there is named at the start."""
    consumer, _ = consumer_of((tmp_path / "lineage.ndjson").as_uri())
    consumer.apply_records(deliveries(BATCH))
    events = [json.loads(line) for line in (tmp_path / "lineage.ndjson").read_text("utf-8").splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
    for event in events:
        jsonschema.validate(event, RUN_EVENT, format_checker=jsonschema.FormatChecker())
    with pytest.raises(ConfigurationError, match="make it"):
        consumer_of((tmp_path / "none" / "lineage.ndjson").as_uri())


def test_without_an_address_nothing_is_sent_and_nothing_is_loaded() -> None:
    """An empty batch is no run either; a wrong address names its variable."""
    assert lineage_of({}, WarehouseSettings()) is None
    with pytest.raises(ConfigurationError, match="MDM_LINEAGE_URL"):
        lineage_of({"MDM_LINEAGE_URL": "ftp://somewhere"}, WarehouseSettings())
    assert WarehouseConsumer(DuckDbWarehouse(":memory:"), idle_close_s=0).observed() == {}
    script = "import sys, consumers.warehouse.handler as h; h.consumer(); print('openlineage' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False"]


def test_an_empty_batch_is_no_run(server: Received) -> None:
    """A schedule's tick, or a batch without records, tells nothing."""
    consumer, _ = consumer_of(server.url)
    consumer.apply_records([])
    assert server.events == []


def test_tables_are_named_as_their_database_has_them() -> None:
    """Snowflake's names are in capitals, its types its own; a schema of the append kind is written to one table."""
    settings = WarehouseSettings.from_environment({
        "MDM_WAREHOUSE_KIND": "snowflake",
        "MDM_WAREHOUSE_SNOWFLAKE_ACCOUNT": "org-account",
        "MDM_WAREHOUSE_SNOWFLAKE_USER": "mdm",
        "MDM_WAREHOUSE_SNOWFLAKE_DATABASE": "mdm",
        "MDM_WAREHOUSE_SNOWFLAKE_SCHEMA": "golden",
        "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_PATH": "k.pem",
    })  # fmt: skip
    names = TableNames.of(settings)
    assert (names.namespace, names.name_of("golden_event")) == ("snowflake://org-account", "MDM.GOLDEN.GOLDEN_EVENT")
    assert ("document", "VARIANT") in {(name, kind) for name, kind, _ in names.columns_of("golden_event")}
    whole = Applied(changes=3, erasures=1, reports=2, oldest_committed_at=None, files=1)
    assert rows_written(whole, appends=True) == {"golden_event": 7}
    tables = rows_written(whole, appends=False)
    assert tables == {
        "golden_record": 3, "golden_history": 4, "erased_record": 1, "quarantined_event": 2, "file_loads": 1
    }  # fmt: skip
    assert set(tables) <= set(RELATIONS)
    for table in tables:
        assert names.columns_of(table)
