"""What tests of producers share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from files_world import DROPS
from moto import mock_aws

if TYPE_CHECKING:
    from postgres_server import PostgresServer  # its driver need not be installed


@pytest.fixture
def drops() -> Iterator[Any]:
    """A client of S3 with an empty bucket for drops."""
    keys = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    with mock_aws():
        client = boto3.client("s3", **keys)
        client.create_bucket(Bucket=DROPS)
        yield client


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One PostgreSQL for the tests of a file."""
    from postgres_server import PostgresServer  # noqa: PLC0415

    with PostgresServer() as started:
        yield started


@pytest.fixture
def database(server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database, without slots."""
    from postgres_reader_world import wait_for  # noqa: PLC0415

    name = f"d{abs(hash(request.node.name))}"
    server.run(f"CREATE DATABASE {name}")
    yield name
    server.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    wait_for(lambda: not server.run("SELECT 1 FROM pg_replication_slots WHERE active"))
    server.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots", f"DROP DATABASE {name}")
