"""A receiver of OTLP over HTTP on loopback, as a collector is: it decodes by the protocol's own messages."""

from __future__ import annotations

import gzip
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span as it was sent."""

    name: str
    span_id: bytes
    parent_id: bytes
    attributes: dict[str, Any]
    resource: dict[str, Any]
    is_error: bool
    status_text: str
    events: int


class OtlpReceiver:
    """Takes spans at ``endpoint``; answers with ``status``, after ``delay_s``."""

    def __init__(self) -> None:
        self.status = 200
        self.delay_s = 0.0
        self.spans: list[ReceivedSpan] = []
        self.requests = 0
        self._bodies: list[bytes] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            """One request: ``/v1/traces`` alone."""

            def do_POST(self) -> None:
                """Decode what was sent."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(receiver.delay_s)
                receiver._take(self.path, self.headers.get("Content-Encoding", ""), body)
                self.send_response(receiver.status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take nothing more."""
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> bytes:
        """Return the requests since the last time, as bytes and as text of all their fields."""
        bodies, self._bodies = self._bodies, []
        return b"\n".join(bodies)

    def _take(self, path: str, encoding: str, body: bytes) -> None:
        assert path == "/v1/traces"
        raw = gzip.decompress(body) if encoding == "gzip" else body
        request = ExportTraceServiceRequest.FromString(raw)
        self.requests += 1
        self._bodies += [raw, str(request).encode()]
        for of_resource in request.resource_spans:
            resource = _attributes(of_resource.resource.attributes)
            self.spans += [
                ReceivedSpan(
                    span.name,
                    span.span_id,
                    span.parent_span_id,
                    _attributes(span.attributes),
                    resource,
                    span.status.code == 2,
                    span.status.message,
                    len(span.events),
                )
                for scope in of_resource.scope_spans
                for span in scope.spans
            ]


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
