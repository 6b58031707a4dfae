"""Schemathesis over the events API, and requests to it as any HTTP client sends them."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from producers.events_api.openapi import openapi_document

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
"""What schemathesis looks at. Whether data of the schema is accepted depends on rules that the schema does not have."""


@dataclass(frozen=True, slots=True)
class Client:
    """A caller of an API: its address, and its token."""

    url: str
    token: str

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Send a request; return status, headers and JSON body."""
        named = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, orjson.loads(answer.read())
        finally:
            connection.close()

    def post(self, event: Mapping[str, Any], **headers: str) -> tuple[int, dict[str, str], Any]:
        """Post one event."""
        return self.send("POST", "/v1/events", orjson.dumps(event), **headers)

    def batch(self, events: list[Any], **headers: str) -> tuple[int, dict[str, str], Any]:
        """Post several events."""
        return self.send("POST", "/v1/events:batch", orjson.dumps({"events": events}), **headers)

    def outcome(self, event_id: str) -> tuple[int, dict[str, str], Any]:
        """Ask what became of an event."""
        return self.send("GET", f"/v1/events/{quote(event_id)}")

    def raw(self, request: bytes) -> bytes:
        """Send bytes that need be no request, and return all that comes back."""
        place = urlsplit(self.url)
        with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
            parts = []
            with suppress(ConnectionError):  # refused in the middle, perhaps: what was answered counts
                connection.sendall(request)
            with suppress(ConnectionError):
                while part := connection.recv(65_536):
                    parts.append(part)
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class SchemathesisRun:
    """What schemathesis did: its exit code, how many requests it made, and its report."""

    code: int
    cases: int
    report: str


def schemathesis(client: Client, folder: Path, examples: int, seed: int = 1) -> SchemathesisRun:
    """Run schemathesis over the API's own document."""
    document = folder / "openapi.json"
    document.write_bytes(orjson.dumps(openapi_document()))
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", client.url]
    command += ["-H", f"Authorization: Bearer {client.token}", "--checks", CHECKS, "--seed", str(seed)]
    command += ["--max-examples", str(examples), "--generation-database", "none", "--no-color", "--warnings", "off"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1_200, check=False)
    found = re.search(r"([0-9,]+) generated", done.stdout)
    cases = int(found[1].replace(",", "")) if found else 0
    return SchemathesisRun(done.returncode, cases, done.stdout[-3_000:] + done.stderr[-1_000:])
