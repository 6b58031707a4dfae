"""Real servers on loopback that fail over: a cluster of primaries and replicas, and two servers behind one endpoint."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from lagging_line import LaggingLine
from tls_line import TlsLine

from mdm_stream.local.servers.ports import free_ports
from mdm_stream.local.servers.redis import find_program

WAIT_S = 30.0
SLOTS = 16_384
PRIMARIES = 3
NODE_TIMEOUT_MS = 1_000


def until(is_so: Callable[[], bool], what: str, wait_s: float = WAIT_S) -> None:
    """Wait until something is so; faults of servers that are being started count as not."""
    deadline_s = time.monotonic() + wait_s
    while time.monotonic() < deadline_s:
        try:
            if is_so():
                return
        except redis.RedisError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"after {wait_s} s still not: {what}")


@dataclass(slots=True)
class Node:
    """One server process."""

    port: int
    directory: Path
    host: str = "127.0.0.1"
    options: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def announced(self) -> int:
        """The port by which other nodes, and clients that ask one, know it."""
        return int(self.options.get("cluster-announce-port", self.port))

    def start(self) -> None:
        """Start it."""
        self.directory.mkdir(exist_ok=True)
        options = {"port": self.port, "bind": self.host, "dir": self.directory, "save": "", **self.options}
        command = [find_program(), *(str(word) for name, value in options.items() for word in (f"--{name}", value))]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def answers(self) -> bool:
        """Return whether it answers; one that has ended fails with what it wrote."""
        if self.process is None or self.process.poll() is not None:
            raise AssertionError(f"the server of port {self.port} has ended: {self._log.read_text('utf-8')[-2_000:]}")
        return bool(self.ask("PING"))

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def stop(self, *, kill: bool = False) -> None:
        """End it."""
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(WAIT_S)
            self.process = None

    def freeze(self, *, thaw: bool = False) -> None:
        """Let it do nothing at all, or go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT if thaw else signal.SIGSTOP)

    def client(self) -> redis.Redis:
        """Return a plain client of it."""
        return redis.Redis(host=self.host, port=self.port, socket_timeout=5)

    def ask(self, *words: Any) -> Any:
        """Send it one command."""
        with self.client() as client:
            return client.execute_command(*words)


class ValkeyCluster:
    """Three primaries with a replica each: ``with ValkeyCluster(folder) as cluster: open_client(cluster.url)``.

    With ``lag_s`` each replica hears everything that much later, and what was under way is lost with its primary. With
    ``tls`` the nodes announce ports that take TLS.
    """

    def __init__(
        self, directory: Path, *, lag_s: float = 0.0, tls: ssl.SSLContext | None = None, **options: Any
    ) -> None:
        ports = free_ports(4 * PRIMARIES)
        given = {"cluster-enabled": "yes", "cluster-node-timeout": NODE_TIMEOUT_MS, "repl-diskless-sync-delay": 0}
        self.nodes = [
            Node(port, directory / str(port), options={**given, **options, "cluster-port": bus})
            for port, bus in zip(ports[: 2 * PRIMARIES], ports[2 * PRIMARIES :], strict=True)
        ]
        self._bus = dict(zip(ports[: 2 * PRIMARIES], ports[2 * PRIMARIES :], strict=True))
        self._lines: dict[int, LaggingLine | TlsLine] = {}
        for node in self.nodes if lag_s or tls else ():
            self._lines[node.port] = TlsLine(node.port, tls) if tls else LaggingLine(node.port, lag_s)
            node.options["cluster-announce-port"] = self._lines[node.port].port

    @property
    def url(self) -> str:
        """The address of one node that answers."""
        return f"redis://127.0.0.1:{self._alive()[0].port}"

    def tls_handshakes(self) -> int:
        """Return how many of the nodes' ports have taken a connection of TLS."""
        return sum(line.handshakes > 0 for line in self._lines.values() if isinstance(line, TlsLine))

    def _alive(self) -> list[Node]:
        return [node for node in self.nodes if node.process is not None]

    def __enter__(self) -> Self:
        for node in self.nodes:
            node.start()
        until(lambda: all(node.answers() for node in self.nodes), "the nodes answer")
        first, primaries, replicas = self.nodes[0], self.nodes[:PRIMARIES], self.nodes[PRIMARIES:]
        for place, node in enumerate(primaries):
            node.ask("CLUSTER ADDSLOTSRANGE", SLOTS * place // PRIMARIES, SLOTS * (place + 1) // PRIMARIES - 1)
            node.ask("CLUSTER SET-CONFIG-EPOCH", place + 1)
        for node in self.nodes[1:]:
            first.ask("CLUSTER MEET", node.host, node.port, self._bus[node.port])
        until(
            lambda: all(len(self._known(node)) == len(self.nodes) for node in self.nodes), "all nodes know each other"
        )
        for primary, replica in zip(primaries, replicas, strict=True):
            replica.ask("CLUSTER REPLICATE", primary.ask("CLUSTER MYID"))
        until(lambda: all(self._is_linked(node) for node in replicas), "the replicas follow")
        until(lambda: all(node.ask("CLUSTER INFO")["cluster_state"] == "ok" for node in self.nodes), "it is complete")
        until(lambda: all(len(self._replicas(node)) == PRIMARIES for node in self.nodes), "all know the replicas")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            node.stop(kill=True)
        for line in self._lines.values():
            line.close()

    @staticmethod
    def _known(node: Node) -> dict[str, Any]:
        known: dict[str, Any] = node.ask("CLUSTER NODES")
        return {name: each for name, each in known.items() if "handshake" not in each["flags"]}

    def _replicas(self, node: Node) -> list[str]:
        return [name for name, each in self._known(node).items() if "slave" in each["flags"]]

    @staticmethod
    def _is_linked(node: Node) -> bool:
        status = node.ask("INFO", "replication")
        return status["role"] == "slave" and status["master_link_status"] == "up"

    def primary_of(self, key: str) -> Node:
        """Return the node that has a key's slot now."""
        return self._owner(self._alive()[0], key)

    def _owner(self, asked: Node, key: str) -> Node:
        with redis.RedisCluster(host=asked.host, port=asked.port) as client:
            port = client.get_node_from_key(key).port
        return next(node for node in self.nodes if node.announced == port)

    def replica_of(self, primary: Node) -> Node:
        """Return the replica of a primary."""
        for node in self._alive():
            status = node.ask("INFO", "replication")
            if status["role"] == "slave" and status["master_port"] == primary.announced:
                return node
        raise AssertionError("the primary has no replica")

    def fail_over(self, key: str) -> None:
        """Let the replica of the node that has a key take its place, as a planned failover does."""
        before, replica = self.pair_of(key)
        replica.ask("CLUSTER FAILOVER")
        until(lambda: replica.ask("INFO", "replication")["role"] == "master", "the replica has taken over")
        until(lambda: before.ask("INFO", "replication")["role"] == "slave", "the primary follows it")

    def pair_of(self, key: str) -> tuple[Node, Node]:
        """Return the node that has a key's slot now, and its replica."""
        primary = self.primary_of(key)
        return primary, self.replica_of(primary)

    def kill(self, node: Node) -> None:
        """Kill a node; what was under way from it is lost if it has a line that lags."""
        node.stop(kill=True)
        if node.port in self._lines:
            self._lines[node.port].cut()

    def until_taken_over(self, replica: Node, key: str) -> None:
        """Wait until a replica has taken the place of the primary that had a key, and all know that."""
        until(lambda: replica.ask("INFO", "replication")["role"] == "master", "the replica has taken over")
        until(lambda: all(self._owner(node, key) is replica for node in self._alive()), "all know that it has")

    def kill_primary(self, key: str) -> None:
        """Kill the node that has a key; return once its replica has taken over."""
        primary, replica = self.pair_of(key)
        self.kill(primary)
        self.until_taken_over(replica, key)

    def bring_back(self, node: Node) -> None:
        """Start a node that was killed; return once it follows the one that took its place."""
        node.start()
        until(lambda: self._is_linked(node), "it follows the new primary")


class Relay:
    """A line between a replica and its primary, which can be held: what the primary says is lost with it then."""

    def __init__(self, primary: Node) -> None:
        self._primary = primary
        self._open = threading.Event()
        self._open.set()
        self._ends: list[socket.socket] = [socket.create_server(("127.0.0.1", 0))]
        self.port = self._ends[0].getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def hold(self) -> None:
        """Pass on nothing more of what the primary says."""
        self._open.clear()

    def cut(self) -> None:
        """Drop the line, and what was held."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                replica, _ = self._ends[0].accept()
                primary = socket.create_connection((self._primary.host, self._primary.port))
                self._ends += [replica, primary]
                threading.Thread(target=self._pass_on, args=(replica, primary, None), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(primary, replica, self._open), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket, gate: threading.Event | None) -> None:
        with suppress(OSError):
            while said := source.recv(65_536):
                if gate is not None:
                    gate.wait()
                target.sendall(said)


@contextmanager
def replicated_pair(directory: Path, **options: Any) -> Iterator[tuple[Node, Node]]:
    """Yield a primary and its replica, on one port of two loopback addresses."""
    (port,) = free_ports(1)
    given = {"repl-diskless-sync-delay": 0, **options}
    hosts = ("127.0.0.1", "127.0.0.2")
    pair = [Node(port, directory / host, host, {**given, "replica-announce-ip": host}) for host in hosts]
    primary, replica = pair
    try:
        for node in pair:
            node.start()
        until(lambda: all(node.answers() for node in pair), "both answer")
        replica.ask("REPLICAOF", primary.host, primary.port)
        until(lambda: replica.ask("INFO", "replication")["master_link_status"] == "up", "the replica follows")
        yield primary, replica
    finally:
        for node in pair:
            node.stop(kill=True)
