"""Clients of the server that an index is on: the one place that opens them, whatever kind of server it is.

Whether a server is in cluster mode is asked of it, not set: every client has to ask which server it is anyhow (see
``server_check``), the answer comes with that, and a setting could only be wrong. So the same address works before and
after a cache is moved to cluster mode, on a laptop and in production, with the same TLS and ACL options in it.

**Nothing is connected before the first call**, and a client that could not be opened tries again with the next one: a
process that starts while its cache is away serves as soon as it is back.

**An endpoint's address is looked up again** when the server says that it has been demoted (READONLY): every idle
connection is dropped with the one that met it. A plain client would stay on the demoted server for ever.

**One time-out** is that of each wait for an answer, and that of connecting to all addresses of an endpoint together.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.exceptions import AskError, MovedError, ReadOnlyError, RedisClusterException, RedisError
from redis.retry import Retry

from mdm_stream.errors import ConfigurationError
from mdm_stream.index.redis.iam import address_of
from mdm_stream.index.redis.server_check import (
    faults_of_scripts,
    faults_of_server,
    is_cluster,
    require_fit,
    server_status,
)

CLIENT_TIMEOUT_S = 30.0
"""The time-out of commands and jobs. Consumers have a shorter one of their own, for their function has one too."""

ARGUMENTS_MAX = 3_000
"""Arguments of one command. What asks for more is sent as several, in one round trip: some caches refuse 4,000 of them,
and Redis serves no other client while it works through one command.
"""

MOVES_MAX = 5
"""How often what was sent together is sent on to the node that a slot has moved to."""

_PROTOCOL = 2
"""RESP2 spares the HELLO and the subscription to notifications that begin each connection of RESP3."""


_KEEPALIVE = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}
"""Seconds of silence before a connection is probed, between two probes, and probes without an answer that end it."""


class EndpointConnection(Connection):
    """A connection to an endpoint, whose addresses share one time-out. It notes that its server has been demoted."""

    is_demoted = False

    def __init__(self, **options: Any) -> None:
        alive = {"socket_keepalive": True, "socket_keepalive_options": dict(_KEEPALIVE)}
        super().__init__(**{**alive, **options})  # type: ignore[no-untyped-call]

    def _connect(self) -> socket.socket:
        addresses = socket.getaddrinfo(self.host, self.port, self.socket_type, socket.SOCK_STREAM)
        whole_s = self.socket_connect_timeout
        if whole_s is not None:
            self.socket_connect_timeout = whole_s / max(1, len(addresses))
        try:
            connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
            self.is_demoted = False
            return connected
        finally:
            self.socket_connect_timeout = whole_s

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Read an answer, as any connection does."""
        try:
            return super().read_response(*args, **kwargs)
        except ReadOnlyError:
            self.is_demoted = True
            raise


class TlsEndpointConnection(SSLConnection, EndpointConnection):
    """The same over TLS."""


_CONNECTIONS = {Connection: EndpointConnection, SSLConnection: TlsEndpointConnection}


class EndpointPool(redis.ConnectionPool):
    """A pool that looks its endpoint up again once a server says that it has been demoted."""

    def __init__(self, connection_class: Any = Connection, **options: Any) -> None:
        super().__init__(connection_class=_CONNECTIONS.get(connection_class, connection_class), **options)

    def release(self, connection: Any) -> None:
        """Take a connection back; drop all that are idle if its server has been demoted."""
        is_demoted = getattr(connection, "is_demoted", False)
        super().release(connection)
        if is_demoted:
            self.disconnect(inuse_connections=False)


class ClusterClient(redis.RedisCluster):
    """A client of a cluster that learns its nodes from the endpoint, and from the known nodes if that is away."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command to the node that it belongs to."""
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except RedisClusterException:
            self.learn_nodes()
            raise

    def learn_nodes(self) -> None:
        """Ask again which node has which slot; nothing changes if none answers."""
        known = [(node.host, node.port) for node in self.get_nodes()]  # type: ignore[no-untyped-call]
        with suppress(RedisError, RedisClusterException):
            self.nodes_manager.initialize(additional_startup_nodes_info=known)


class LazyClient:
    """A client that is opened with its first call: a ``redis.Redis``, or a ``ClusterClient`` in cluster mode."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """Take an address; ``ValueError`` or ``ConfigurationError`` if it is none. Nothing is connected."""
        self._url, tokens = address_of(url)
        self._options: dict[str, Any] = {
            "socket_timeout": timeout_s,
            "socket_connect_timeout": timeout_s,
            "protocol": _PROTOCOL,
            **({} if tokens is None else {"credential_provider": tokens}),
        }
        EndpointPool.from_url(self._url, **self._options)
        self._lock = threading.Lock()
        self._client: redis.Redis | ClusterClient | None = None

    def opened(self) -> redis.Redis | ClusterClient:
        """Return the client. ``UnfitServerError`` if the server cannot hold an index; what redis raises if it is away.

        Two round trips the first time, four in cluster mode.
        """
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = self._open()
        return self._client

    def _open(self) -> redis.Redis | ClusterClient:
        pool = EndpointPool.from_url(self._url, retry=Retry(NoBackoff(), 0), **self._options)
        client = redis.Redis.from_pool(pool)
        opened: redis.Redis | ClusterClient = client
        try:
            status = server_status(client)
            require_fit(faults_of_server(status))
            if is_cluster(status):
                opened = ClusterClient(
                    url=self._url,
                    connection_pool_class=EndpointPool,
                    # An endpoint has all nodes' addresses, in one time-out; known nodes would have one each.
                    dynamic_startup_nodes=False,
                    retry=Retry(NoBackoff(), 0),
                    **self._options,
                )
            require_fit(faults_of_scripts(opened))
        except BaseException:
            opened.close()
            raise
        finally:
            if opened is not client:
                client.close()
        return opened

    def __getattr__(self, name: str) -> Any:
        """Return what the client has of that name, once it is open."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.opened(), name)


def open_client(url: str, timeout_s: float = CLIENT_TIMEOUT_S) -> redis.Redis:
    """Return a client of the server at an address, which answers in bytes and connects with its first call.

    In cluster mode it is a ``redis.RedisCluster`` by what it does. It tries nothing again by itself: the callers do,
    and know what may have been applied. ``ConfigurationError`` for what is no address.
    """
    try:
        return cast("redis.Redis", LazyClient(url, timeout_s))
    except ValueError as error:
        raise ConfigurationError(
            "MDM_REDIS_URL or --redis is no address such as rediss://host:6379/0; correct it"
        ) from error


def cluster_of(client: Any) -> redis.RedisCluster | None:
    """Return the cluster client that a client is; ``None`` for one of a single server. May open it."""
    opened = client.opened() if isinstance(client, LazyClient) else client
    return opened if isinstance(opened, redis.RedisCluster) else None


def send_together(client: Any, key: str, commands: Sequence[Sequence[Any]]) -> list[Any]:
    """Send commands on keys of one slot, that of ``key``, in one round trip; return their answers.

    Raises the first error that is among them, once all were read: some may have been applied. In cluster mode they go
    to the slot's own node; those that it sends away because the slot has moved were not applied, and are sent on.
    """
    cluster = cluster_of(client)
    answers: list[Any] = [None] * len(commands)
    waiting = list(range(len(commands)))
    for _ in range(MOVES_MAX):
        found = _sent([commands[place] for place in waiting], client, cluster, key)
        for place, answer in zip(waiting, found, strict=True):
            answers[place] = answer
        waiting = [place for place in waiting if isinstance(answers[place], MovedError)]
        if cluster is None or not waiting:
            break
        cluster.nodes_manager.move_slot(answers[waiting[-1]])
    for answer in answers:
        if isinstance(answer, Exception):
            if isinstance(cluster, ClusterClient) and isinstance(answer, AskError | RedisClusterException):
                cluster.learn_nodes()
            raise answer
    return answers


def in_portions(command: str, key: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return a command on a key as one or several with at most ``ARGUMENTS_MAX`` arguments, name and key included."""
    size = ARGUMENTS_MAX - 2
    return [(command, key, *arguments[at : at + size]) for at in range(0, len(arguments), size)]


def replicas_of(client: Any, key: str) -> int:
    """Return how many replicas follow the server that has a key, and are up with it. One round trip."""
    status: Any = _node_of(key, client, cluster_of(client)).info("replication")
    named = (each for name, each in status.items() if name.startswith("slave") and isinstance(each, dict))
    return sum(each.get("state") == "online" for each in named)


def primaries_without_replica(client: Any) -> int:
    """Return how many primaries no replica follows: of a cluster those with slots, as it says itself. One round trip
    where it is one server.
    """
    cluster = cluster_of(client)
    if cluster is None:
        return int(not replicas_of(client, ""))
    shards = {nodes[0].name: len(nodes) for nodes in cluster.nodes_manager.slots_cache.values()}
    return sum(count < 2 for count in shards.values())


def _node_of(key: str, client: Any, cluster: redis.RedisCluster | None) -> Any:
    if cluster is None:
        return client
    return cluster.get_redis_connection(cluster.get_node_from_key(key))  # type: ignore[no-untyped-call]


def _sent(commands: Sequence[Sequence[Any]], client: Any, cluster: redis.RedisCluster | None, key: str) -> list[Any]:
    pipe = _node_of(key, client, cluster).pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    try:
        found: list[Any] = pipe.execute(raise_on_error=False)
    except (redis.ConnectionError, redis.TimeoutError):
        if isinstance(cluster, ClusterClient):
            cluster.learn_nodes()
        raise
    return found
