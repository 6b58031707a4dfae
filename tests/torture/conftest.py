"""A Redis for schedules, which flush the database and the script cache as they like."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from mdm_stream.local.servers.redis import RedisServer


@pytest.fixture(scope="module")
def torture_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    """A client of a server of its own, by a socket: a schedule is some hundred calls."""
    path = tmp_path_factory.mktemp("redis") / "s"
    with RedisServer(socket_path=path) as server, redis.Redis(unix_socket_path=str(path)) as client:
        assert server.running
        yield client
