"""What another user of the machine tries: the standard library alone, read from stdin by an interpreter of their own.

Input is a JSON document: ``ports``, ``paths``, ``sockets`` and ``pids``. Output is a JSON list
of [attempt, outcome], the outcome being ``refused``, ``read`` or ``wrote``.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

TIMEOUT_S = 5
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/kinesis/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)
CALLS = {
    "list the streams": ("ListStreams", {}),
    "make a stream": ("CreateStream", {"StreamName": "theirs", "ShardCount": 1}),
    "publish": ("PutRecord", {"StreamName": "mdm-changes", "Data": "e30=", "PartitionKey": "k"}),
    "delete the feed": ("DeleteStream", {"StreamName": "mdm-golden"}),
}
EVENT = {"domain": "person", "source": "crm", "record_id": "theirs", "op": "delete", "version": 1}
SHARD = "shardId-000000000000"
TRIM = {
    "stream": "mdm-changes",
    "through": {SHARD: "9", "shardId-000000000001": "9"},
    "keep_records": 0,
    "on_disk": True,
}


def call(port: int, action: str, body: dict) -> tuple[int, bytes]:
    """Call Kinesis as an SDK does, with keys that anybody could think of."""
    headers = {
        "X-Amz-Target": f"Kinesis_20131202.{action}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": AUTHORIZATION,
        "X-Amz-Date": "20260101T000000Z",
    }
    return ask(port, "POST", "/", json.dumps(body).encode(), headers)


def ask(port: int, method: str, path: str, body: bytes | None = None, headers: dict | None = None) -> tuple[int, bytes]:
    """Send one request; return status and body."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers or {}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read(1 << 20)
    except urllib.error.HTTPError as error:
        return error.code, error.read(1 << 20)


def http_attempts(port: int):
    """Yield what comes of asking one port for everything that it might give."""
    for name, (action, body) in CALLS.items():
        yield name, outcome_of(lambda action=action, body=body: call(port, action, body))
    yield "read the change stream", outcome_of(lambda: read_stream(port))
    yield "forget records", outcome_of(lambda: ask(port, "POST", "/mdm-local/trim", json.dumps(TRIM).encode()))
    event = {"Content-Type": "application/json", "Authorization": "Bearer a.b.c"}
    yield "post an event", outcome_of(lambda: ask(port, "POST", "/v1/events", json.dumps(EVENT).encode(), event))
    yield "ask for an outcome", outcome_of(lambda: ask(port, "GET", "/v1/events/AAAA"))
    for method, path in (("GET", "/moto-api/data.json"), ("GET", "/"), ("PUT", "/theirs"), ("POST", "/moto-api/reset")):
        yield f"{method} {path}", outcome_of(lambda method=method, path=path: ask(port, method, path))


def read_stream(port: int) -> tuple[int, bytes]:
    """Read the first shard from its start."""
    place = {"StreamName": "mdm-changes", "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    status, answer = call(port, "GetShardIterator", place)
    if status != 200:
        return status, answer
    return call(port, "GetRecords", {"ShardIterator": json.loads(answer)["ShardIterator"]})


def outcome_of(attempt) -> str:
    """An answer that is no refusal counts as read; what was changed is seen by the one who looks at the stack."""
    try:
        status, _ = attempt()
    except (OSError, ValueError, KeyError):
        return "refused"
    return "refused" if status >= 400 else "read"


def redis_attempt(family: int, address, command: bytes) -> str:
    """Send a command to what may be a Redis."""
    try:
        with socket.socket(family) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(address)
            connection.sendall(command)
            answer = connection.recv(1 << 16)
    except OSError:
        return "refused"
    return "read" if answer[:1] in b"+*:$" and answer else "refused"


def file_attempts(path: Path):
    """Yield what comes of reading, changing, replacing and removing one name."""
    if can(path.stat) and path.is_dir():
        yield "list", "read" if can(lambda: list(path.iterdir())) else "refused"
        yield "put a file into", "wrote" if can((path / "theirs").touch) else "refused"
    else:
        yield "read", "read" if can(lambda: read(path)) else "refused"
        yield "write to", "wrote" if can(lambda: path.open("ab").close()) else "refused"
    yield "open to all", "wrote" if can(lambda: path.chmod(0o777)) else "refused"
    yield "rename", "wrote" if can(lambda: path.rename(f"{path}.theirs")) else "refused"
    yield "link to", "wrote" if can(lambda: Path(f"/tmp/theirs-{os.getpid()}").hardlink_to(path)) else "refused"


def read(path: Path) -> bytes:
    """Read the beginning of a file."""
    with path.open("rb") as file:
        return file.read(1 << 16)


def can(action) -> bool:
    """Whether something is allowed."""
    try:
        action()
    except OSError:
        return False
    return True


def main() -> None:
    """Try everything and say what came of it."""
    given = json.load(sys.stdin)
    found = []
    for port in given["ports"]:
        found += [(f"port {port}: {name}", outcome) for name, outcome in http_attempts(port)]
        for command in (b"PING\r\n", b"KEYS *\r\n", b"SET theirs 1\r\n"):
            outcome = redis_attempt(socket.AF_INET, ("127.0.0.1", port), command)
            found.append((f"port {port}: redis {command.split()[0].decode()}", outcome))
    for path in given["sockets"]:
        for command in (b"PING\r\n", b"KEYS *\r\n", b"SET theirs 1\r\n"):
            found.append((f"{path}: redis {command.split()[0].decode()}", redis_attempt(socket.AF_UNIX, path, command)))
    for path in given["paths"]:
        found += [(f"{name} {path}", outcome) for name, outcome in file_attempts(Path(path))]
    for pid in given["pids"]:
        process = Path(f"/proc/{pid}")
        for name in ("environ", "mem", "maps"):
            allowed = can(lambda path=process / name: read(path))
            found.append((f"{name} of process {pid}", "read" if allowed else "refused"))
        allowed = can(lambda path=process / "fd": list(path.iterdir()))
        found.append((f"open files of process {pid}", "read" if allowed else "refused"))
    json.dump({"uid": os.getuid(), "attempts": found}, sys.stdout)


if __name__ == "__main__":
    main()
