"""What tests of erasure share: a Kinesis API, and stores to erase from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import redis
from erase_world import World
from files_world import DROPS
from moto import mock_aws

from mdm_stream.local.kinesis.server import KinesisServer


@pytest.fixture(scope="session")
def kinesis_server() -> Iterator[KinesisServer]:
    """A Kinesis API on loopback."""
    with KinesisServer() as running:
        yield running


@pytest.fixture
def world(kinesis_server: KinesisServer, redis_client: redis.Redis, tmp_path: Path) -> World:
    """Stores with nothing in them."""
    return World(kinesis_server.client(), redis_client, tmp_path)


@pytest.fixture
def drops() -> Iterator[Any]:
    """A client of S3 with an empty bucket for drops."""
    keys = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    with mock_aws():
        client = boto3.client("s3", **keys)
        client.create_bucket(Bucket=DROPS)
        yield client
