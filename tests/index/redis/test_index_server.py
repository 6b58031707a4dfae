"""Clients of one server: opened with the first call, by one time-out, on a server that can hold an index."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import pytest
from small_world import small_rules
from valkey_cluster import Node, replicated_pair, until

from mdm_stream.cli import machine
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.index.errors import UnfitServerError
from mdm_stream.index.redis.client import ARGUMENTS_MAX, cluster_of, in_portions, open_client
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.scripts import translated
from mdm_stream.local.servers.ports import free_ports

RULES = small_rules()
TIMEOUT_S = 1.5
ENDPOINT = "cache.example"


def upsert(number: int) -> RecordEvent:
    """Return a change of a record."""
    return RecordEvent("person", "crm", str(number), "upsert", number, number, {"given_name": "Ann"})


@pytest.fixture
def addresses(monkeypatch) -> list[str]:
    """The addresses that the endpoint has, as DNS would say."""
    held: list[str] = []
    look_up = socket.getaddrinfo

    def found(host, port, *rest, **options):
        if host != ENDPOINT:
            return look_up(host, port, *rest, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in held]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return held


@pytest.fixture
def node(tmp_path):
    """A server of its own, on a port, that is not started yet."""
    server = Node(free_ports(1)[0], tmp_path / "node")
    yield server
    server.stop(kill=True)


def started(server: Node) -> str:
    """Start a server; return its address once it answers."""
    server.start()
    until(server.answers, "it answers")
    return f"redis://127.0.0.1:{server.port}"


@pytest.mark.parametrize("count", [1, 3])
def test_the_time_out_is_that_of_all_addresses_together(addresses, count):
    """An endpoint with an address in each of three availability zones, none of which answers, takes no longer."""
    with ExitStack() as stack:
        port = free_ports(1)[0]
        for number in range(1, count + 1):
            listener = stack.enter_context(socket.socket())
            listener.bind((f"127.0.0.{number}", port))
            listener.listen(0)
            for _ in range(2):  # fills the queue: further connections are not answered
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            addresses.append(f"127.0.0.{number}")
        client = open_client(f"redis://{ENDPOINT}:{port}", TIMEOUT_S)
        began_s = time.monotonic()
        with pytest.raises(TransientError), translated():
            client.ping()
        took_s = time.monotonic() - began_s
    assert TIMEOUT_S * 0.6 < took_s < TIMEOUT_S * 1.5


def test_connections_are_kept_alive(node):
    """A server that is gone without a word is noticed, also by a process that slept."""
    client = open_client(started(node), TIMEOUT_S)
    client.ping()
    connection = client.connection_pool.get_connection()
    assert connection._sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert connection._sock.gettimeout() == TIMEOUT_S
    client.connection_pool.release(connection)


def test_a_client_is_opened_with_its_first_call_and_again_if_that_failed(node):
    """Nothing is asked of a server that is away before it is needed; it is there when the server is."""
    client = open_client(f"redis://127.0.0.1:{node.port}", TIMEOUT_S)
    index = RedisIndex(client, RULES, witness=lambda: None)
    with pytest.raises(TransientError):
        index.bind()
    assert Engine(RULES, index, sleep=lambda _: None).process([upsert(1)]).failed == [0]
    started(node)
    assert Engine(RULES, index).process([upsert(1)]).failed == []
    assert cluster_of(client) is None
    assert index.snapshot() == resolve(RULES, [upsert(1)])


def test_what_is_no_address_is_refused_at_once():
    """It is a setting to correct, not a server to wait for."""
    with pytest.raises(ConfigurationError, match="no address"):
        open_client("127.0.0.1:6379")


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "allkeys-random"])
def test_a_server_that_would_drop_records_is_refused_until_it_is_set_right(node, policy):
    """The error says what to do, it passes, and no other start of the process is needed."""
    node.options["maxmemory-policy"] = policy
    client = open_client(started(node), TIMEOUT_S)
    with pytest.raises(UnfitServerError, match=f"maxmemory-policy is {policy}.*set noeviction"):
        client.ping()
    node.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert client.ping()


def test_what_a_serverless_cache_refuses_is_named(node):
    """TIME in scripts, or INFO: said when the client is opened, and not by the first batch."""
    started(node)
    node.ask("ACL", "SETUSER", "x", "on", "nopass", "~*", "+@all", "-time")
    node.ask("ACL", "SETUSER", "y", "on", "nopass", "~*", "+@all", "-info")
    with pytest.raises(UnfitServerError, match=r"TIME in a script.*docs/operate/cache\.md"):
        open_client(f"redis://x:p@127.0.0.1:{node.port}", TIMEOUT_S).ping()
    with pytest.raises(UnfitServerError, match=r"INFO.*docs/operate/cache\.md"):
        open_client(f"redis://y:p@127.0.0.1:{node.port}", TIMEOUT_S).ping()


def test_a_planned_failover_is_followed_to_the_endpoints_new_address(addresses, tmp_path):
    """The demoted server says READONLY, every connection to it is dropped, and the endpoint is looked up again.

    No batch fails: the engine's own attempts outlast it. A reader endpoint, which is a replica, is refused.
    """
    with replicated_pair(tmp_path) as (primary, replica):
        addresses.append(replica.host)
        with pytest.raises(UnfitServerError, match="primary endpoint"):
            open_client(f"redis://{ENDPOINT}:{primary.port}", TIMEOUT_S).ping()
        addresses[:] = [primary.host]
        client = open_client(f"redis://{ENDPOINT}:{primary.port}", TIMEOUT_S)
        index = RedisIndex(client, RULES, witness=lambda: EpochPosition(1, 1, 1))
        RedisIndex(client, RULES)
        engine = Engine(RULES, index)
        assert engine.process([upsert(1)]).failed == []
        idle = [client.connection_pool.get_connection() for _ in range(3)]
        for connection in idle:
            client.connection_pool.release(connection)
        primary.ask("FAILOVER")
        until(lambda: primary.ask("INFO", "replication")["role"] == "slave", "the primary is demoted")
        until(lambda: replica.ask("INFO", "replication")["role"] == "master", "the replica has taken over")
        addresses[:] = [replica.host]
        assert engine.process([upsert(2)]).failed == []
        assert index.snapshot() == resolve(RULES, [upsert(1), upsert(2)])
        assert replica.ask("HLEN", "mdm:{main:person}:1:rec") == 2
        connected = [c for c in idle if c.is_connected]
        assert all(c._sock.getpeername()[0] == replica.host for c in connected)


def test_doctor_looks_at_the_server_that_the_environment_names(node, monkeypatch):
    """A server that can hold an index, one that cannot, and none at all; nothing without the variable."""
    monkeypatch.delenv("MDM_REDIS_URL", raising=False)
    assert list(machine._index_server()) == []
    monkeypatch.setenv("MDM_REDIS_URL", started(node))
    (check,) = machine._index_server()
    assert (check.status, check.found.partition(";")[0]) == ("ok", "one server")
    assert check.found.endswith("1 of its primaries without a replica: a crash costs a rebuild")
    node.ask("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    (check,) = machine._index_server()
    assert check.status == "failed"
    assert "set noeviction" in check.found
    node.stop()
    (check,) = machine._index_server()
    assert check.status == "failed"


def test_no_command_has_more_arguments_than_its_bound(node):
    """What asks for more is several commands and one round trip, with the same answer. Some caches refuse 4,000."""
    client = open_client(started(node), TIMEOUT_S)
    index = RedisIndex(client, RULES)
    assert Engine(RULES, index).process([upsert(number) for number in range(20)]).failed == []
    refs = [f"crm/{number}" for number in range(2 * ARGUMENTS_MAX)]
    trips = index.counters.round_trips
    assert set(index.read_records(refs)) == set(refs[:20])
    assert set(index.golden_of(refs)) == set(refs[:20])
    assert index.counters.round_trips - trips == 2
    made = in_portions("HMGET", "key", refs)
    assert [len(command) for command in made[:-1]] == [ARGUMENTS_MAX] * (len(made) - 1)
    assert [field for command in made for field in command[2:]] == refs
    assert in_portions("HMGET", "key", []) == []
