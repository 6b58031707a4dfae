"""The way out of functions on loopback: a proxy that leads some hosts to servers of this machine, others nowhere."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

from tls_line import pass_on

REQUEST_BYTES_MAX = 65_536
END = b"\r\n\r\n"


class EgressLine:
    """A proxy of HTTPS and HTTP, which notes in ``refused`` what it leads nowhere.

    ``ports``: of each host that may be reached by CONNECT, the port here that stands for it; ``plain``: the same of
    those that may be reached without TLS.
    """

    def __init__(self, ports: Mapping[str, int], plain: Mapping[str, int] | None = None) -> None:
        self.refused: set[str] = set()
        self._ports, self._plain = ports, plain or {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            request = b""
            while END not in request and len(request) < REQUEST_BYTES_MAX:
                said = client.recv(REQUEST_BYTES_MAX)
                if not said:
                    return
                request += said
            line, _, rest = request.partition(b"\r\n")
            method, target = (*line.decode("latin-1").split(" ", 2), "", "")[:2]
            asked = urlsplit(f"//{target}" if method == "CONNECT" else target)
            port = (self._ports if method == "CONNECT" else self._plain).get(asked.hostname or "")
            if port is None:
                self.refused.add(f"{method} {target}")
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", port)) as server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    origin = urlunsplit(("", "", asked.path or "/", asked.query, ""))
                    server.sendall(f"{method} {origin} HTTP/1.1\r\nConnection: close\r\n".encode("latin-1") + rest)
                pass_on(client, server)
