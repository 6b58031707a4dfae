"""What the real connector is told and sends: limits, parameters, tags, and what becomes of a login that fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from feed_messages import upsert

from mdm_stream.errors import ConfigurationError, MdmError
from mdm_stream.warehouse import SnowflakeWarehouse, WarehouseSettings
from mdm_stream.warehouse.faults import LockNotReleasedError, LoginRefusedError
from mdm_stream.warehouse.snowflake.limits import ANSWER_MARGIN_S, STATEMENT_TIMEOUT_S_MAX, Limits
from mdm_stream.warehouse.snowflake.parameters import PINNED
from mdm_stream.warehouse.snowflake.session import SnowflakeSession
from mdm_stream.warehouse.snowflake.warehouse import open_session

Sent = list[tuple[str, dict[str, Any]]]

SETTINGS = {
    "MDM_WAREHOUSE_KIND": "snowflake",
    "MDM_WAREHOUSE_SNOWFLAKE_ACCOUNT": "org-account",
    "MDM_WAREHOUSE_SNOWFLAKE_USER": "mdm",
    "MDM_WAREHOUSE_SNOWFLAKE_DATABASE": "mdm",
    "MDM_WAREHOUSE_SNOWFLAKE_SCHEMA": "golden",
    "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_PATH": "k.pem",
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """The path and body of every request that the connector sends from here on."""
    network = pytest.importorskip("snowflake.connector.network", reason="extra: snowflake")
    requests: Sent = []
    real = network.SnowflakeRestful._post_request

    def post(self: Any, url: str, headers: Any, body: str, *args: Any, **kwargs: Any) -> Any:
        requests.append((url.split("?", maxsplit=1)[0], network.json.loads(body)))
        return real(self, url, headers, body, *args, **kwargs)

    monkeypatch.setattr(network.SnowflakeRestful, "_post_request", post)
    return requests


@pytest.fixture
def timers_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of every timer that the connector arms to cancel a statement."""
    cursor = pytest.importorskip("snowflake.connector.cursor", reason="extra: snowflake")
    armed: list[float] = []

    class Timer(cursor._TrackedQueryCancellationTimer):  # type: ignore[misc, name-defined]
        def __init__(self, interval: float, cancel: Any, args: list[str]) -> None:
            # The connector asks again for the address of an upload, with its own limit: no statement runs for that.
            if not args[0].startswith("PUT"):
                armed.append(interval)
            super().__init__(interval, cancel, args)

    monkeypatch.setattr(cursor, "_TrackedQueryCancellationTimer", Timer)
    return armed


Open = Callable[..., SnowflakeWarehouse]


@pytest.fixture
def opened(snowflake_server: dict[str, Any]) -> Open:
    """Open a warehouse in a schema, with limits."""

    def open_in(schema: str, limits: Limits | None = None, **more: Any) -> SnowflakeWarehouse:
        return SnowflakeWarehouse({**snowflake_server, "database": "mdm", "schema": schema, **more}, limits or Limits())

    return open_in


def test_a_network_timeout_cancels_no_statement(opened: Open, timers_s: list[float]) -> None:
    """The connector's timer of each statement ends after the server's limit, whatever the limit of the network is."""
    warehouse = opened("timer", Limits(statement_timeout_s=100), network_timeout=20)
    warehouse.apply([upsert(1, "g1", ["crm/1"])])
    warehouse.close()
    assert timers_s
    assert set(timers_s) == {100 + ANSWER_MARGIN_S}


def test_verification_has_no_limit(opened: Open, timers_s: list[float], sent: Sent) -> None:
    """What reads every row may take as long as Snowflake lets a statement run, at the server and on this side."""
    warehouse = opened("verify", Limits(statement_timeout_s=100))
    warehouse.apply([upsert(1, "g1", ["crm/1"])])
    for verify in (
        lambda: warehouse.mentions("person", "crm", "1"),
        lambda: warehouse.search(["Jane"]),
        lambda: warehouse.query("SELECT COUNT(*) FROM golden_history"),
    ):
        timers_s.clear()
        sent.clear()
        verify()
        assert set(timers_s) == {STATEMENT_TIMEOUT_S_MAX}
        limits = {body["parameters"]["STATEMENT_TIMEOUT_IN_SECONDS"] for _, body in sent if "parameters" in body}
        assert limits == {STATEMENT_TIMEOUT_S_MAX}
    warehouse.apply([upsert(2, "g1", ["crm/1"])])
    warehouse.close()
    assert timers_s[-1] == 100 + ANSWER_MARGIN_S


def test_the_server_is_told_the_limits_at_login(opened: Open, sent: Sent) -> None:
    """Statements and locks are limited by session parameters, so by the server, which also ends what it has begun."""
    warehouse = opened("login", Limits(statement_timeout_s=100, lock_timeout_s=7))
    warehouse.query("SELECT 1")
    warehouse.close()
    parameters = sent[0][1]["data"]["SESSION_PARAMETERS"]
    assert (parameters["STATEMENT_TIMEOUT_IN_SECONDS"], parameters["LOCK_TIMEOUT"]) == (100, 7)


def test_each_limit_has_its_setting() -> None:
    """Login, socket, statement and lock are set apart."""
    names = ("LOGIN", "SOCKET", "STATEMENT", "LOCK")
    given = {f"MDM_WAREHOUSE_SNOWFLAKE_{name}_TIMEOUT_S": str(50 + at) for at, name in enumerate(names)}
    settings = WarehouseSettings.from_environment({**SETTINGS, **given}).snowflake
    assert settings is not None
    assert settings.limits() == Limits(50, 51, 52, 53)
    assert Limits(50, 51, 52, 53).connect_args()["login_timeout"] == 50
    assert Limits(50, 51, 52, 53).connect_args()["socket_timeout"] == 51


@pytest.mark.parametrize(
    ("name", "text"), [("SOCKET", "44"), ("STATEMENT", "0"), ("STATEMENT", "604801"), ("LOCK", "0"), ("LOGIN", "x")]
)
def test_a_limit_that_cannot_be_names_its_variable(name: str, text: str) -> None:
    """A socket that is silent for less than the server waits would break every statement that runs longer."""
    variable = f"MDM_WAREHOUSE_SNOWFLAKE_{name}_TIMEOUT_S"
    with pytest.raises(ConfigurationError, match=variable):
        WarehouseSettings.from_environment({**SETTINGS, variable: text})


def test_what_statements_mean_is_pinned_at_login(opened: Open, sent: Sent) -> None:
    """No default of an account, a user or a role changes how a time, a text or a MERGE is read."""
    warehouse = opened("pinned")
    warehouse.query("SELECT 1")
    warehouse.close()
    parameters = sent[0][1]["data"]["SESSION_PARAMETERS"]
    assert parameters["AUTOCOMMIT"] is True
    assert {name: parameters.get(name) for name in PINNED} == dict(PINNED)
    assert {"TIMEZONE", "TIMESTAMP_INPUT_FORMAT", "TIMESTAMP_NTZ_OUTPUT_FORMAT", "ROWS_PER_RESULTSET"} <= PINNED.keys()


def test_statements_are_tagged_with_their_batch(opened: Open, sent: Sent) -> None:
    """The history of queries tells which batch a statement belongs to; the same batch has the same name; no value."""
    warehouse = opened("tags")
    batches = []
    for _ in range(2):
        sent.clear()
        warehouse.apply([upsert(1, "g1", ["crm/1"], values={"name": "Wilhelmina"}, domain="org")])
        statements = [body for _, body in sent if not body.get("sqlText", "PUT").startswith("PUT")]
        tags = [json.loads(body["parameters"]["QUERY_TAG"]) for body in statements]
        assert all(tag["service"] == "mdm-warehouse" for tag in tags)
        batches.append({tag["batch"] for tag in tags if tag.get("domain") == "org"})
        assert sum("batch" in tag for tag in tags) >= 2
    assert len(batches[0]) == 1
    assert batches[0] == batches[1]
    sent.clear()
    warehouse.query("SELECT 1")
    assert [json.loads(body["parameters"]["QUERY_TAG"]) for _, body in sent] == [{"service": "mdm-warehouse"}]
    warehouse.close()


def test_a_login_whose_staging_tables_fail_is_logged_out(
    snowflake_server: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role that may not make them is refused at every delivery: each would leave a session open for hours."""
    monkeypatch.setattr("mdm_stream.warehouse.snowflake.session._CREATE_STAGED_ROW", "CREATE TEMPORARY TABLE x (y z z)")
    connection = pytest.importorskip("snowflake.connector.connection", reason="extra: snowflake").SnowflakeConnection
    opened_and_closed: list[str] = []
    for name in ("connect", "close"):
        real = getattr(connection, name)

        def noting(self: Any, *args: Any, _real: Any = real, _name: str = name, **kwargs: Any) -> Any:
            opened_and_closed.append(_name)
            return _real(self, *args, **kwargs)

        monkeypatch.setattr(connection, name, noting)
    with pytest.raises(MdmError, match="create the staging tables"):
        SnowflakeSession({**snowflake_server, "database": "mdm", "schema": "refused"})
    assert opened_and_closed == ["connect", "close"]


def test_a_refused_login_reads_the_key_anew_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was rotated between reading and login is read again; one that is the same is not tried again."""
    tried: list[object] = []

    def log_in(arguments: dict[str, object], *_: object) -> str:
        tried.append(arguments["private_key"])
        if arguments["private_key"] != "new":
            raise LoginRefusedError("refused")
        return "session"

    monkeypatch.setattr("mdm_stream.warehouse.snowflake.warehouse.SnowflakeEventSession", log_in)
    keys = iter(["old", "new"])
    assert open_session(lambda: {"private_key": next(keys)}) == "session"
    assert tried == ["old", "new"]
    for never_right in (["old", "old"], ["old", "older"]):
        keys, tried[:] = iter(never_right), []
        with pytest.raises(LoginRefusedError):
            open_session(lambda keys=keys: {"private_key": next(keys)})  # type: ignore[misc]
        assert tried == list(dict.fromkeys(never_right))


def test_a_statement_that_found_a_lock_runs_again(snowflake_server: dict[str, Any], monkeypatch: Any) -> None:
    """Snowflake refuses the 21st that waits for a lock at once (000625): it waits here, as long as one may."""
    errors = pytest.importorskip("snowflake.connector.errors", reason="extra: snowflake")
    cursors = pytest.importorskip("snowflake.connector.cursor", reason="extra: snowflake").SnowflakeCursor
    session = SnowflakeSession({**snowflake_server, "database": "mdm", "schema": "locks"}, Limits(lock_timeout_s=60))
    now_s, refused, real = [0.0], [3], cursors.execute

    def execute(self: Any, sql: str, *args: Any, **kwargs: Any) -> Any:
        if sql == "SELECT 625" and refused[0]:
            refused[0] -= 1
            raise errors.ProgrammingError("Jane has locked table", errno=625, sqlstate="57014")
        return real(self, sql, *args, **kwargs)

    monkeypatch.setattr(cursors, "execute", execute)
    clock = SimpleNamespace(monotonic=lambda: now_s[0], sleep=lambda pause_s: now_s.append(now_s.pop() + pause_s))
    monkeypatch.setattr("mdm_stream.warehouse.snowflake.session.time", clock)
    assert session.execute("SELECT 625", step="ask") == [(625,)]
    assert refused == [0]
    refused[0] = 10_000
    began_s = now_s[0]
    with pytest.raises(LockNotReleasedError, match="ask: a lock was not released"):
        session.execute("SELECT 625", step="ask")
    assert 40 < now_s[0] - began_s < 60
    session.close()
