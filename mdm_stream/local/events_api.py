"""The events API on loopback, in a process of its own: ``python -m mdm_stream.local.events_api --port PORT``.

It is the application of AWS under an ASGI server. Its callers bring tokens that are signed with the stack's own key,
which is new at each start and known to its user alone; ``mdm-stream api token`` makes them. The key that seals the ids
of events stays, so that an id outlives a restart.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from mdm_stream.deployment import QUARANTINE_FOLDER
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.files import make_folder, write_atomically
from mdm_stream.local.pipeline import Authorisation
from mdm_stream.local.servers.ports import free_ports
from mdm_stream.local.stack import CHANGES_STREAM, STEWARD_STREAM, LocalStack
from mdm_stream.telemetry.log_lines import write_lines
from producers.events_api.settings import EventsApiSettings

NAME = "events-api"
ISSUER = "mdm-stream up"
AUDIENCE = "mdm-events-api"
KEY_BYTES = 32
START_TIMEOUT_S = 60.0
_HOST = "127.0.0.1"
_POLL_INTERVAL_S = 0.05
_EXIT_CONFIGURATION = 2
_KEEP_ALIVE_S = 30
_HEAD_BYTES_MAX = 65_536
"""What the server reads of a request's head before the application can say that it is too large."""


@dataclass(frozen=True, slots=True)
class LocalEventsApi:
    """Where the API is, and the key that signs its callers' tokens, in base64url."""

    url: str
    key: str = field(repr=False)


def start_events_api(stack: LocalStack, rules: Sequence[str], allowed: Authorisation | None = None) -> LocalEventsApi:
    """Start the API of a running stack and wait until it answers; ``TransientError`` if it does not."""
    allowed = allowed or Authorisation()
    key = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).rstrip(b"=").decode()
    (port,) = free_ports(1)
    settings = EventsApiSettings(
        rules=",".join(rules),
        redis_url=stack.redis.url,
        changes_stream=CHANGES_STREAM,
        steward_stream=STEWARD_STREAM,
        quarantine_url=(stack.state_dir / QUARANTINE_FOLDER).absolute().as_uri(),
        kinesis_endpoint_url=stack.kinesis.endpoint_url,
        authority=allowed.policy,
        signing_keys=allowed.signing_keys,
        api_id_keys=str(_id_keys(stack.state_dir)),
        api_jwks=orjson.dumps({"keys": [{"kty": "oct", "alg": "HS256", "kid": NAME, "k": key}]}).decode(),
        api_jwt_issuer=ISSUER,
        api_jwt_audience=AUDIENCE,
    )
    # -P: a module that lies in the folder where the user happens to be is nobody's to import.
    command = [sys.executable, "-P", "-m", __spec__.name, "--port", str(port)]
    stack.start_server(NAME, command, settings.to_environment())
    _wait_until_answered(stack, port)
    return LocalEventsApi(f"http://{_HOST}:{port}", key)


def make_token(key: str, sources: Sequence[str], valid_s: int) -> str:
    """Return a token for a caller that may write some sources (``*``: all of them)."""
    import jwt  # noqa: PLC0415 - needed by `api token` alone

    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": ",".join(sorted(sources)),
        "exp": int(time.time()) + valid_s,
        "mdm_sources": list(sources),
    }
    secret = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
    return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": NAME})


def serve(port: int) -> None:
    """Serve until SIGTERM, on loopback."""
    import uvicorn  # noqa: PLC0415 - needed in the server's process alone
    from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415

    from producers.events_api.asgi import AsgiApp  # noqa: PLC0415
    from producers.events_api.build import build_api  # noqa: PLC0415
    from producers.events_api.problems import ProblemError  # noqa: PLC0415

    api = build_api(os.environ)
    refusal = api.refusal(ProblemError("malformed_request", "this is no HTTP request, or its head is too large"))

    class _Protocol(H11Protocol):
        """Answers what is no HTTP with a problem too."""

        def send_400_response(self, msg: str) -> None:
            del msg
            head = f"HTTP/1.1 {refusal.status} Bad Request\r\nContent-Type: {refusal.content_type}\r\n"
            head += f"Content-Length: {len(refusal.body)}\r\nConnection: close\r\n\r\n"
            self.transport.write(head.encode() + refusal.body)
            self.transport.close()

    uvicorn.run(
        AsgiApp(api),
        host=_HOST,
        port=port,
        http=_Protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        log_config=None,  # its lines have the shape of all others
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        h11_max_incomplete_event_size=_HEAD_BYTES_MAX,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m mdm_stream.local.events_api", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(argv)
    write_lines(NAME, sys.stderr)
    try:
        serve(options.port)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return _EXIT_CONFIGURATION
    return 0


def _id_keys(state_dir: Path) -> Path:
    """Return the folder with the key that seals ids, which is made once."""
    folder = state_dir / NAME
    make_folder(folder)
    file = folder / EventsApiSettings.model_fields["api_id_key"].default
    if not file.exists():
        write_atomically(file, base64.b64encode(secrets.token_bytes(KEY_BYTES)))
    return folder


def _wait_until_answered(stack: LocalStack, port: int) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        try:
            with socket.create_connection((_HOST, port), timeout=1.0):
                return
        except OSError:
            stack.check()
            time.sleep(_POLL_INTERVAL_S)
    raise TransientError(f"the events API did not start; see {stack.state_dir / 'logs'}")


if __name__ == "__main__":
    sys.exit(main())
