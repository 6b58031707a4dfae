"""The same tables through the real Snowflake connector, against a local server that speaks its protocol."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from egress_line import EgressLine
from feed_messages import contents, erase, origins, rejected, retire, upsert

from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.errors import ConfigurationError, TerminalError
from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse

Make = Callable[[str], SnowflakeWarehouse]
FEED: list[FeedEnvelope] = [
    upsert(1, "g1", ["crm/1"], values={"name": 'O\'Brien\n"Zoë" 🙂', "none": None}),
    upsert(2, "g1", ["crm/1", "erp/1"]),
    upsert(3, "g2", ["crm/2"]),
    retire(4, "g2", merged_into="g1"),
    upsert(5, "g1", ["crm/1", "crm/2", "erp/1"], committed_at="2026-03-01T12:00:30.654321+00:00"),
    upsert(6, "g1", ["crm/1"], removed=["erp/1"]),
    upsert(1, "g1", ["crm/1"], epoch=2),
    retire(2, "g3", epoch=2, removed=["web/a/b"]),
    upsert(1, "g1", ["crm/1"], domain="org"),
    upsert(
        3,
        "g4",
        ["crm/9", "crm/8"],
        epoch=2,
        values={"name": 'Zoë "9" \\ \n 🙂', "emails": ["9@x", "8@x"], "city": "Köln"},
        provenance={"name": origins("crm/9"), "emails": origins("crm/9", "crm/8"), "city": origins("crm/8")},
    ),
    erase(4, "crm/9", epoch=2),
    rejected("q1", minute=2),
    rejected("q1", minute=1, received_from="api"),
]


@pytest.mark.parametrize("seed", [1, 2])
def test_both_databases_hold_the_same_rows(
    snowflake_warehouse: Make, duckdb_warehouse: DuckDbWarehouse, seed: int
) -> None:
    """Shuffled, repeated and split at random, Snowflake ends with the rows that DuckDB has from a straight delivery."""
    duckdb_warehouse.apply(FEED)
    warehouse = snowflake_warehouse(f"same_{seed}")
    rng = random.Random(seed)
    order = [*FEED, *rng.sample(FEED, 5)]
    rng.shuffle(order)
    cut = rng.randrange(1, len(order))
    warehouse.apply(order[:cut])
    warehouse.apply(order[cut:])
    assert contents(warehouse) == contents(duckdb_warehouse)
    for view in ("current_golden_record", "current_crosswalk"):
        columns = "domain, golden_id, epoch, sequence"
        query = f"SELECT {columns} FROM {view} ORDER BY 1, 2, 3, 4"
        assert warehouse.query(query) == duckdb_warehouse.query(query)
    columns = "domain, golden_id, epoch, sequence, status, valid_from, valid_to"
    query = f"SELECT {columns} FROM golden_record_as_of ORDER BY 1, 2, 3, 4"
    assert warehouse.query(query) == duckdb_warehouse.query(query)


def test_a_session_that_the_server_forgot_is_replaced(snowflake_warehouse: Make) -> None:
    """When the session has expired between two invocations, the batch logs in again and is applied."""
    warehouse = snowflake_warehouse("expiry")
    warehouse.apply(FEED[:1])
    pytest.importorskip("fakesnow.server").sessions.clear()
    warehouse.apply(FEED[1:2])
    assert warehouse.query("SELECT sequence FROM golden_history ORDER BY 1") == [(1,), (2,)]


def test_a_key_pair_logs_in(snowflake_server: dict[str, Any], tmp_path: Path) -> None:
    """The arguments that the settings give for a key file are accepted by the connector."""
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "key.pem"
    path.write_bytes(key)
    arguments = {name: value for name, value in snowflake_server.items() if name != "password"}
    arguments |= {"authenticator": "SNOWFLAKE_JWT", "private_key_file": str(path), "database": "mdm", "schema": "keys"}
    warehouse = SnowflakeWarehouse(arguments)
    assert warehouse.query("SELECT COUNT(*) FROM golden_record") == [(0,)]
    warehouse.close()


def test_a_login_asks_snowflake_alone(snowflake_server: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself the connector asks three clouds, and STS with the process's role, what it runs on."""
    line = EgressLine({})
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, line.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    try:
        warehouse = SnowflakeWarehouse({**snowflake_server, "database": "mdm", "schema": "alone"})
        assert warehouse.query("SELECT COUNT(*) FROM golden_record") == [(0,)]
        warehouse.close()
    finally:
        line.close()
    assert line.refused == set()


def test_a_missing_object_is_terminal(snowflake_warehouse: Make) -> None:
    """What no retry can mend is reported so, with the code and without the statement."""
    with pytest.raises(TerminalError, match=r"code 002003") as raised:
        snowflake_warehouse("missing").query("SELECT * FROM no_such_table WHERE name = 'Jane'")
    assert "Jane" not in str(raised.value)


def test_a_newer_schema_is_refused(snowflake_warehouse: Make) -> None:
    """A schema from the future stops this code before it writes."""
    warehouse = snowflake_warehouse("future")
    warehouse.query("INSERT INTO schema_version SELECT 99, 'from_the_future'")
    warehouse.close()
    with pytest.raises(ConfigurationError, match="version 99"):
        warehouse.apply(FEED[:1])
