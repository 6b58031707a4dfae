"""A way to a server on which what it replicates takes time, while its clients are answered at once."""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import suppress

CHUNK_BYTES = 65_536
CHUNKS_LOOKED_AT = 8
"""A replica asks to follow in the first words that it says."""


class LaggingLine:
    """A port on loopback before a server's own: a replica that follows through it hears everything ``lag_s`` later.

    Acknowledgements go back at once. ``cut`` ends all connections, and what was under way on them is lost.
    """

    def __init__(self, target_port: int, lag_s: float) -> None:
        self.lag_s = lag_s
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections; new ones are taken."""
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            _end(end)

    def close(self) -> None:
        """Take no more connections, and end all."""
        _end(self._listener)
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target_port))
                except OSError:  # the server is away: so is this way to it
                    _end(client)
                    continue
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._ends |= {client, server}
                follows = threading.Event()
                threading.Thread(target=self._ask, args=(client, server, follows), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client, follows), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, follows: threading.Event) -> None:
        seen = 0
        with suppress(OSError):
            while said := client.recv(CHUNK_BYTES):
                if seen < CHUNKS_LOOKED_AT:
                    seen += 1
                    if b"PSYNC" in said:
                        follows.set()
                server.sendall(said)
        self._drop(client, server)

    def _answer(self, server: socket.socket, client: socket.socket, follows: threading.Event) -> None:
        late: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        lags = False
        with suppress(OSError):
            while said := server.recv(CHUNK_BYTES):
                if not follows.is_set():
                    client.sendall(said)
                    continue
                if not lags:
                    threading.Thread(target=self._answer_late, args=(late, client), daemon=True).start()
                    lags = True
                late.put((time.monotonic() + self.lag_s, said))
        if lags:
            late.put((0.0, b""))
        else:
            self._drop(server, client)

    def _answer_late(self, late: queue.SimpleQueue[tuple[float, bytes]], client: socket.socket) -> None:
        with suppress(OSError):
            while True:
                due_s, said = late.get()
                if not said:
                    break
                time.sleep(max(0.0, due_s - time.monotonic()))
                client.sendall(said)
        self._drop(client)

    def _drop(self, *ends: socket.socket) -> None:
        with self._lock:
            self._ends -= set(ends)
        for end in ends:
            _end(end)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
