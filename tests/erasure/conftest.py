"""What tests of erasure share: a Kinesis API, and stores to erase from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from erase_world import World

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
