"""AWS clients and environments for the local stack: always loopback, never the developer's own account.

Credentials, region and endpoint are given explicitly, and profiles, configuration files and proxies of the
machine are ignored: a local run must not be able to touch AWS, whatever the environment says.

Each stack has keys of its own (``LoopbackKeys``), and answers only requests that are signed with them. The secret one
never crosses the wire, so that a program which took over the port of a stopped stack learns nothing from its callers.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import boto3
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
"""The account that moto puts into ARNs."""

CONTROL_SERVICE = "mdm-local"
"""The service that requests to the stack itself are signed for: no service of AWS has this name."""
TRIM_PATH = "/mdm-local/trim"
"""POST {"stream", "through": {shard id: sequence number}, "keep_records", "on_disk"} forgets old records; answers
{"dropped"}."""
PROOF_PATH = "/mdm-local/proof"
"""POST a nonce; answers with what only a holder of the stack's keys can make of it (``LoopbackKeys.proof``)."""
JSON_TYPE = "application/json"

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_ATTEMPTS_MAX = 3
_ANSWER_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class LoopbackKeys:
    """The AWS credentials of one local stack: new ones at each start, known to its user's processes alone."""

    access_key_id: str
    secret_access_key: str = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        """Return keys that nobody can guess."""
        return cls(f"MDM{secrets.token_hex(16).upper()}", secrets.token_urlsafe(32))

    def proof(self, nonce: bytes) -> str:
        """Return what proves that its sender holds the secret key."""
        return hmac.digest(self.secret_access_key.encode(), b"mdm-local proof " + nonce, hashlib.sha256).hex()


_NO_KEYS = LoopbackKeys("local", "local")
"""For an emulator that asks for none; a local stack refuses them."""


def keys_in(environment: Mapping[str, str], endpoint_url: str) -> LoopbackKeys | None:
    """Return the keys in an environment that is about this very endpoint: those of another are another's."""
    named = environment.get("AWS_ENDPOINT_URL", "").rstrip("/")
    found = environment.get("AWS_ACCESS_KEY_ID", ""), environment.get("AWS_SECRET_ACCESS_KEY", "")
    return LoopbackKeys(*found) if named == endpoint_url.rstrip("/") and all(found) else None


def signed_post(endpoint_url: str, keys: LoopbackKeys, path: str, body: bytes, timeout_s: float) -> tuple[int, bytes]:
    """Send a request to the stack itself; return status and body. Without an answer: ``OSError``, ``HTTPException``."""
    request = AWSRequest("POST", f"{endpoint_url}{path}", {"Content-Type": JSON_TYPE}, body)
    credentials = Credentials(keys.access_key_id, keys.secret_access_key)
    SigV4Auth(credentials, CONTROL_SERVICE, REGION).add_auth(request)
    connection = http.client.HTTPConnection(endpoint_url.removeprefix("http://"), timeout=timeout_s)
    try:
        connection.request("POST", path, body, dict(request.headers.items()))
        answer = connection.getresponse()
        return answer.status, answer.read(_ANSWER_BYTES_MAX)
    finally:
        connection.close()


def is_the_stack(endpoint_url: str, keys: LoopbackKeys, timeout_s: float) -> bool:
    """Ask what answers at an endpoint whether it holds the stack's keys; errors as ``signed_post``."""
    nonce = secrets.token_hex(16).encode()
    status, answer = signed_post(endpoint_url, keys, PROOF_PATH, nonce, timeout_s)
    return status == http.client.OK and hmac.compare_digest(answer, keys.proof(nonce).encode())


def loopback_client(
    service: str,
    endpoint_url: str,
    keys: LoopbackKeys | None = None,
    *,
    connections_max: int = 16,
    timeout_s: float | None = None,
    attempts: int | None = None,
) -> Any:
    """Return a boto3 client of ``service`` (``kinesis`` or ``s3``) at a loopback endpoint. Thread-safe.

    Without ``keys`` those of the process's environment are taken if that is about this endpoint.
    """
    keys = keys or keys_in(os.environ, endpoint_url) or _NO_KEYS
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", os.devnull)
    return boto3.session.Session(
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        region_name=REGION,
        botocore_session=session,
    ).client(
        service,  # type: ignore[call-overload]  # the stubs know each service by its literal
        endpoint_url=endpoint_url,
        config=Config(
            connect_timeout=timeout_s or _CONNECT_TIMEOUT_S,
            read_timeout=timeout_s or _READ_TIMEOUT_S,
            retries={"total_max_attempts": attempts or _ATTEMPTS_MAX, "mode": "standard"},
            max_pool_connections=connections_max,
            proxies={},
            s3={"addressing_style": "path"},
        ),
    )


def loopback_environment(endpoint_url: str, keys: LoopbackKeys, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return ``inherited`` with everything about AWS replaced, so that an unchanged handler meets the local stack."""
    kept = {name: value for name, value in inherited.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint_url,
        "NO_PROXY": ",".join(filter(None, [inherited.get("NO_PROXY"), "127.0.0.1,localhost"])),
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
