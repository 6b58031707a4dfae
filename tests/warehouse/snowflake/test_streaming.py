"""Batches through Snowpipe Streaming give the tables that COPY gives, and each fault of the service has its own end.

The service is a stand-in made after its documentation (``streaming_server``); the database behind it is fakesnow's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from feed_messages import contents, erase, match, record, rejected, retire, upsert
from streaming_server import StreamingServer, streaming_server

from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from mdm_stream.warehouse.faults import SessionLostError
from mdm_stream.warehouse.settings import WarehouseSettings
from mdm_stream.warehouse.snowflake import channel
from mdm_stream.warehouse.snowflake.streaming import Streaming, address_of, der_of_pem, row_portions, signer
from mdm_stream.warehouse.snowflake.warehouse import SnowflakeWarehouse

pytestmark = pytest.mark.long

FEED = [
    upsert(1, "g1", ["crm/1", "erp/1"]),
    upsert(2, "g2", ["crm/2"]),
    record(3, "crm/1", {"name": "Wilhelmina"}),
    match(4, "crm/1", "erp/1"),
    retire(5, "g2", merged_into="g1", anchor="crm/2"),
    rejected("q1"),
]
_schemas = itertools.count()


@pytest.fixture(scope="module")
def key() -> bytes:
    """A private key, as the connector takes it."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture
def arguments(snowflake_server: dict[str, Any], key: bytes) -> dict[str, Any]:
    """How to log in to a schema of the test's own."""
    schema = f"streaming_{next(_schemas)}"
    return {**snowflake_server, "database": "mdm", "schema": schema, "private_key": key, "authenticator": "SNOWFLAKE"}


@pytest.fixture
def server(snowflake_server: dict[str, Any], arguments: dict[str, Any]) -> Iterator[StreamingServer]:
    """The service for that schema."""
    with streaming_server({**snowflake_server, "database": "mdm", "schema": arguments["schema"]}) as running:
        yield running


@pytest.fixture
def warehouse(arguments: dict[str, Any], server: StreamingServer) -> Iterator[SnowflakeWarehouse]:
    """A warehouse whose batches go through it."""
    made = SnowflakeWarehouse(arguments, writer="append", streaming=Streaming(server.url))
    yield made
    made.close()


def test_the_tables_are_those_that_copy_makes(
    warehouse: SnowflakeWarehouse, arguments: dict[str, Any], server: StreamingServer
) -> None:
    """In any order, in portions, with repetitions, with an erasure; and no file was uploaded on the way."""
    for batch in (FEED[3:], FEED[:2], FEED, [erase(6, "crm/1")], FEED[2:3]):
        warehouse.apply(batch)
    copied = SnowflakeWarehouse({**arguments, "schema": f"{arguments['schema']}_copied"}, writer="append")
    copied.apply([*FEED, erase(6, "crm/1")])
    assert contents(warehouse) == contents(copied)
    assert warehouse.search(["Wilhelmina"]) == []
    copied.close()
    assert server.requests.count("POST rows") == 5
    assert server.requests.count("PUT " + next(iter(server.channels))) == 1


def test_a_batch_is_there_when_it_is_applied_and_its_channel_goes_with_the_session(
    warehouse: SnowflakeWarehouse, server: StreamingServer
) -> None:
    """Rows are committed, not only accepted; each says its batch and time."""
    warehouse.apply(FEED[:1])
    assert warehouse.query("SELECT golden_id FROM current_golden_record") == [("g1",)]
    rows = [orjson.loads(line) for line in server.bodies[0].splitlines()]
    assert {len(row["batch_id"]) for row in rows} == {32}
    assert [row["kind"] for row in rows] == ["change", "batch"]
    assert len(server.channels) == 1
    warehouse.close()
    assert server.channels == {}


@pytest.mark.parametrize("end", ["rows", "bulk-channel-status"])
@pytest.mark.parametrize("status", [401, 400, 409])
def test_stale_tokens_are_renewed_and_a_lost_channel_is_opened_anew(
    warehouse: SnowflakeWarehouse, server: StreamingServer, end: str, status: int
) -> None:
    """Once, within the batch; what was accepted before is committed all the same, twice at the most."""
    warehouse.apply(FEED[:1])
    server.refuse = {end: [status]}
    warehouse.apply(FEED[1:2])
    assert warehouse.query("SELECT COUNT(*) FROM current_golden_record") == [(2,)]


def test_a_key_that_was_rotated_is_read_anew(warehouse: SnowflakeWarehouse, server: StreamingServer) -> None:
    """A session that is refused gives way to a new one, which asks for the key."""
    warehouse.apply(FEED[:1])
    before = warehouse._session
    server.refuse = {"rows": [401], "hostname": [401]}
    warehouse.apply(FEED[1:2])
    assert warehouse._session is not before
    assert warehouse.query("SELECT COUNT(*) FROM current_golden_record") == [(2,)]


def test_a_channel_that_snowflake_dropped_is_no_reason_to_stop(
    warehouse: SnowflakeWarehouse, server: StreamingServer
) -> None:
    """Nor to keep a session open, or another's reconnect from happening."""
    warehouse.apply(FEED[:1])
    server.refuse = {"rows": [404]}
    warehouse.apply(FEED[1:2])
    server.refuse = {name: [409] for name in server.channels}
    warehouse.close()
    assert warehouse._session is None


def test_a_channel_that_another_took_is_opened_anew(warehouse: SnowflakeWarehouse, server: StreamingServer) -> None:
    """Its continuation tokens are refused then."""
    warehouse.apply(FEED[:1])
    next(iter(server.channels.values())).continuation = "another's"
    warehouse.apply(FEED[1:2])
    server.channels.clear()
    warehouse.apply(FEED[4:5])
    rows = warehouse.query("SELECT golden_id, status FROM golden_record ORDER BY golden_id")
    assert rows == [("g1", "live"), ("g2", "retired")]


@pytest.mark.parametrize(
    ("end", "statuses", "fault"),
    [
        ("rows", [503], TransientError),
        ("rows", [429], TransientError),
        ("rows", [409, 409], TransientError),
        ("rows", [400, 400], TerminalError),
        ("rows", [413], TerminalError),
        ("rows", [401, 401, 401, 401], SessionLostError),
        ("hostname", [403, 403], SessionLostError),
        ("token", [500], TransientError),
        ("hostname", [404], ConfigurationError),
    ],
)
def test_each_refusal_has_its_own_end(
    warehouse: SnowflakeWarehouse, server: StreamingServer, end: str, statuses: list[int], fault: type[Exception]
) -> None:
    """And says nothing of what was in the rows; the batch is applied when it is delivered again."""
    server.refuse = {end: statuses}
    with pytest.raises(fault) as caught:
        warehouse.apply(FEED[2:3])
    assert "Wilhelmina" not in str(caught.value)
    warehouse.apply(FEED[2:3])
    assert warehouse.query("SELECT record_id FROM source_record") == [("1",)]


def test_what_others_erase_is_looked_for_from_time_to_time(
    arguments: dict[str, Any], server: StreamingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with each batch, which would wake a virtual warehouse; a writer that was killed leaves it to the next one."""
    slow = Streaming(server.url)
    first, second = (SnowflakeWarehouse(arguments, writer="append", streaming=slow) for _ in range(2))
    first.apply(FEED[:1])
    second.apply(FEED[1:2])
    first.apply([erase(6, "crm/1")])
    statements: list[str] = []
    session = second._session
    run = type(session)._run  # type: ignore[attr-defined]
    monkeypatch.setattr(
        type(session),
        "_run",
        lambda self, step, *rest, **more: statements.append(step) or run(self, step, *rest, **more),
    )
    second.apply(FEED[2:3])
    assert statements == []
    assert second.search(["Wilhelmina"]) == ["golden_event"]
    second._discard()  # killed: what it knew is gone
    statements.clear()
    third = SnowflakeWarehouse(arguments, writer="append", streaming=slow)
    third.apply(FEED[3:4])
    assert third.search(["Wilhelmina"]) == []
    third.apply([record(7, "crm/8", {"name": "Friedhelm"})])
    first.apply([erase(8, "crm/8")])
    third.apply([record(9, "crm/8", {"name": "Friedhelm"})])
    assert third.search(["Friedhelm"]) == ["golden_event"]
    third.close()  # looks for what it has put off
    assert first.search(["Friedhelm"]) == []
    first.close()


def test_a_look_that_fails_is_done_again(warehouse: SnowflakeWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts when what it found is rewritten."""
    asked: list[object] = []

    def failing(*_: object, **__: object) -> None:
        asked.append(1)
        if len(asked) == 1:
            raise TransientError("injected")

    monkeypatch.setattr("mdm_stream.warehouse.append.layout.rewrite_events", failing)
    warehouse.apply(FEED[:1])
    for _ in range(2):
        with pytest.raises(TransientError) if not asked else nullcontext():
            warehouse.apply([erase(6, "crm/1")])
    assert len(asked) == 2


def test_rows_that_snowflake_refuses_later_are_told(warehouse: SnowflakeWarehouse, server: StreamingServer) -> None:
    """The service takes rows before it looks into them: a batch is applied when none was refused."""
    server.bad_rows = 1
    with pytest.raises(TerminalError, match="refused 1 rows"):
        warehouse.apply(FEED[:1])
    warehouse.apply(FEED[:1])
    assert warehouse.query("SELECT COUNT(*) FROM current_golden_record") == [(1,)]


def test_a_batch_that_is_not_committed_in_time_is_not_applied(
    warehouse: SnowflakeWarehouse, server: StreamingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left open whether it will be, so it is delivered again."""
    warehouse.apply(FEED[:1])
    monkeypatch.setattr(channel, "COMMIT_POLL_S", 0.01)
    monkeypatch.setattr(warehouse._session._channel, "_commit_timeout_s", 0.05)  # type: ignore[union-attr]
    server.commits = False
    with pytest.raises(TransientError, match="not committed a batch within"):
        warehouse.apply(FEED[1:2])
    server.commits, server.bad_rows = True, 1
    with pytest.raises(TerminalError, match="refused 1 rows"):  # of the batch before, or of this one: not in silence
        warehouse.apply(FEED[1:2])
    warehouse.apply(FEED[1:2])
    assert warehouse.query("SELECT COUNT(*) FROM current_golden_record") == [(2,)]


def test_a_service_that_does_not_answer_is_transient(arguments: dict[str, Any]) -> None:
    """As any network is."""
    warehouse = SnowflakeWarehouse(arguments, writer="append", streaming=Streaming("http://127.0.0.1:9"))
    with pytest.raises(TransientError, match="does not answer"):
        warehouse.apply(FEED[:1])
    warehouse.close()


def test_rows_go_in_portions_and_larger_ones_by_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request takes so many bytes; a row that is larger is told by None."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    lines = b'{"kind":"change"}\n{"kind":"batch"}\n'
    whole = row_portions(lines, "b1", at)
    said = b'"batch_id":"b1","applied_at":"2026-03-01 00:00:00.000000"}'
    assert whole == [b'{"kind":"change",%b\n{"kind":"batch",%b\n' % (said, said)]
    monkeypatch.setattr("mdm_stream.warehouse.snowflake.streaming.APPEND_BYTES_MAX", 80)
    portions = row_portions(lines, "b1", at)
    assert portions is not None
    assert (len(portions), b"".join(portions)) == (2, whole[0])
    monkeypatch.setattr("mdm_stream.warehouse.snowflake.streaming.APPEND_BYTES_MAX", 50)
    assert row_portions(lines, "b1", at) is None


def test_a_batch_with_a_row_too_large_goes_by_copy(
    warehouse: SnowflakeWarehouse, server: StreamingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all of its rows."""
    monkeypatch.setattr("mdm_stream.warehouse.snowflake.streaming.APPEND_BYTES_MAX", 50)
    warehouse.apply(FEED[:1])
    assert server.requests == []
    assert warehouse.query("SELECT golden_id FROM current_golden_record") == [("g1",)]


def test_the_key_pair_is_needed_and_signs(key: bytes, tmp_path: Any) -> None:
    """From a file too; an account's address is made as the connector makes it."""
    with pytest.raises(ConfigurationError, match="needs a key pair"):
        signer({"account": "org-a_b", "user": "u"})
    pem = serialization.load_der_private_key(key, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "key.pem"
    file.write_bytes(pem)
    assert der_of_pem(pem.decode(), None) == key
    for given in ({"private_key": key}, {"private_key_file": str(file)}):
        assert signer({"account": "org-a", "user": "u", **given})().count(".") == 2
    assert address_of({"account": "Org-a_b"}) == "https://org-a-b.snowflakecomputing.com"


def test_settings_choose_the_way(tmp_path: Any) -> None:
    """COPY by default; streaming adds to what grows, and to nothing else."""
    given = {f"MDM_WAREHOUSE_SNOWFLAKE_{name}": "x" for name in ("ACCOUNT", "USER", "DATABASE", "SCHEMA")}
    given |= {"MDM_WAREHOUSE_KIND": "snowflake", "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_PATH": str(tmp_path)}
    assert WarehouseSettings.from_environment(given).snowflake.streaming() is None  # type: ignore[union-attr]
    given["MDM_WAREHOUSE_SNOWFLAKE_INGEST"] = "streaming"
    assert WarehouseSettings.from_environment(given).snowflake.streaming() == Streaming(None, 300.0)  # type: ignore[union-attr]
    given["MDM_WAREHOUSE_SNOWFLAKE_STREAMING_URL"] = "https://x.privatelink.example"
    url = WarehouseSettings.from_environment(given).snowflake.streaming()  # type: ignore[union-attr]
    assert url == Streaming("https://x.privatelink.example")
    with pytest.raises(ConfigurationError, match="golden_event"):
        WarehouseSettings.from_environment({**given, "MDM_WAREHOUSE_SNOWFLAKE_WRITER": "merge"})
