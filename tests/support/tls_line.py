"""A server's TLS, for servers that are built without: a line before each that ends TLS, and certificates to trust."""

from __future__ import annotations

import re
import select
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

CHUNK_BYTES = 65_536
HANDSHAKE = b"\x16"
"""The first byte of what a client of TLS says."""


class TlsLine:
    """A port on loopback before a server's own that takes TLS. Other nodes, which replicate, may come without it."""

    def __init__(self, target_port: int, context: ssl.SSLContext) -> None:
        self.handshakes = 0
        self._context = context
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Connections end with the server."""

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
            if client.recv(1, socket.MSG_PEEK) == HANDSHAKE:
                client = self._context.wrap_socket(client, server_side=True)
                self.handshakes += 1
            with client, socket.create_connection(("127.0.0.1", self._target_port)) as server:
                pass_on(client, server)


def pass_on(client: socket.socket, server: socket.socket) -> None:
    """Pass on what both say until one ends: in one thread, for a TLS connection is not for two."""
    other = {client: server, server: client}
    while True:
        waiting = isinstance(client, ssl.SSLSocket) and client.pending()
        for end in [client] if waiting else select.select([client, server], [], [])[0]:
            said = end.recv(CHUNK_BYTES)
            if not said:
                return
            other[end].sendall(said)


def make_authority(folder: Path) -> Path:
    """Make a certificate authority that no system trusts; return its certificate."""
    folder.mkdir()
    subject = ["-subj", "/CN=an authority of its own", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    _openssl("req", "-x509", *subject, "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    return folder / "ca.pem"


def server_files(authority: Path, name: str) -> tuple[Path, Path]:
    """Return a certificate for a host name or address, signed by an authority that was made here, and its key."""
    folder = authority.parent
    key, request, signed, names = (folder / f"{name}.{each}" for each in ("key", "csr", "pem", "txt"))
    kind = "IP" if re.fullmatch(r"[0-9.]+", name) else "DNS"
    names.write_text(f"subjectAltName={kind}:{name}\n", "utf-8")
    subject = ["-subj", f"/CN={name}", "-nodes", "-newkey", "rsa:2048"]
    _openssl("req", *subject, "-keyout", key, "-out", request)
    by: list[str | Path] = [
        "-CA",
        authority,
        "-CAkey",
        folder / "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        names,
    ]
    _openssl("x509", "-req", "-in", request, *by, "-out", signed)
    return signed, key


def server_context(authority: Path, name: str) -> ssl.SSLContext:
    """Return the TLS of a server with such a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_files(authority, name))
    return context


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)
