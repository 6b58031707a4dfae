"""A stand-in for Snowpipe Streaming's REST API, as far as its documentation goes: none of it can run on this machine.

It accepts rows of a channel in the order of its continuation tokens, and commits them, with their offset token, when it
is next asked for the channel's status: each row by an INSERT through the real connector. A channel belongs to the one
who opened it last. Faults are injected by ``refuse``: the status of the next requests whose path ends so.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import snowflake.connector

from mdm_stream.warehouse.append.events import EVENT_COLUMNS
from mdm_stream.warehouse.rows import ColumnType

COLUMNS: dict[str, ColumnType] = dict(EVENT_COLUMNS) | {"batch_id": "text", "applied_at": "timestamp"}


@dataclass
class Channel:
    """What the server knows of a channel."""

    continuation: str
    accepted: list[tuple[list[dict[str, Any]], str | None]] = field(default_factory=list)
    committed: str | None = None
    errors: int = 0


@dataclass
class StreamingServer:
    """The server's state. ``requests`` are methods and paths; ``refuse`` maps an end of a path to statuses to give."""

    database: Mapping[str, Any]
    url: str = ""
    channels: dict[str, Channel] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    refuse: dict[str, list[int]] = field(default_factory=dict)
    bad_rows: int = 0
    commits: bool = True
    bodies: list[bytes] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, authorization: str, body: bytes) -> tuple[int, object]:
        """Answer one request."""
        split = urlsplit(path)
        end = unquote(split.path).rpartition("/")[2].rpartition(":")[2]
        with self._lock:
            self.requests.append(f"{method} {end}")
            if self.refuse.get(end):
                return self.refuse[end].pop(0), {"message": "injected"}
            if end in ("hostname", "token"):
                signed = authorization.removeprefix("Bearer ").count(".") == 2
                known = urlsplit(self.url).netloc if end == "hostname" else f"scoped-{next(self._numbers)}"
                return (200, known) if signed else (401, {})
            if not authorization.startswith("Bearer scoped-"):
                return 401, {}
            if end == "bulk-channel-status":
                return 200, self._status(json.loads(body)["channel_names"])
            name = unquote(split.path).partition("/channels/")[2].partition("/")[0]
            if method == "PUT":
                before = self.channels.get(name, Channel(""))
                opened = Channel(str(next(self._numbers)), before.accepted, before.committed, before.errors)
                self.channels[name] = opened
                status = {"last_committed_offset_token": opened.committed, "rows_error_count": opened.errors}
                return 200, {"next_continuation_token": opened.continuation, "channel_status": status}
            if method == "DELETE":
                self.channels.pop(name, None)
                return 200, {}
            return self._accept(name, parse_qs(split.query), body)

    def _accept(self, name: str, asked: Mapping[str, list[str]], body: bytes) -> tuple[int, object]:
        channel = self.channels.get(name)
        if channel is None or asked["continuationToken"] != [channel.continuation]:
            return 400, {"message": "stale"}
        rows = [json.loads(line) for line in body.splitlines()]
        self.bodies.append(body)
        channel.accepted.append((rows, asked.get("offsetToken", [None])[0]))
        channel.continuation = str(next(self._numbers))
        return 200, {"next_continuation_token": channel.continuation}

    def _status(self, names: list[str]) -> dict[str, object]:
        found = {}
        for name in names:
            if (channel := self.channels.get(name)) is not None:
                if self.commits:
                    self._commit(channel)
                found[name] = {"channel_status_code": "ACTIVE", "last_committed_offset_token": channel.committed,
                               "rows_error_count": channel.errors}  # fmt: skip
        return {"channel_statuses": found}

    def _commit(self, channel: Channel) -> None:
        accepted, channel.accepted = channel.accepted, []
        for rows, token in accepted:
            refused, self.bad_rows = self.bad_rows, 0
            channel.errors += refused
            self._insert(rows[refused:])
            channel.committed = token or channel.committed

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        # A copy: the connector writes what the server says into the parameters that it is given.
        arguments = {**self.database, "session_parameters": dict(self.database.get("session_parameters", {}))}
        with snowflake.connector.connect(**arguments, paramstyle="qmark") as connection:
            for row in rows:
                assert row.keys() <= COLUMNS.keys()
                values = [json.dumps(v) if COLUMNS[name] == "json" else v for name, v in row.items()]
                marks = ", ".join("PARSE_JSON(?)" if COLUMNS[name] == "json" else "?" for name in row)
                sql = f"INSERT INTO golden_event ({', '.join(row)}) SELECT {marks}"
                connection.cursor().execute(sql, values)


@contextmanager
def streaming_server(database: Mapping[str, Any]) -> Iterator[StreamingServer]:
    """Run one on a free port of the loopback interface."""
    server = StreamingServer(database)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, said = server.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
            content = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names that the library calls

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
