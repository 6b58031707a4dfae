"""AWS clients and environments for the local stack: always loopback, never the developer's own account.

Credentials, region and endpoint are given explicitly, and profiles, configuration files and proxies of the
machine are ignored: a local run must not be able to touch AWS, whatever the environment says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
"""The account that moto puts into ARNs."""

_CREDENTIAL = "local"
_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_ATTEMPTS_MAX = 3


def loopback_client(
    service: str,
    endpoint_url: str,
    *,
    connections_max: int = 16,
    timeout_s: float | None = None,
    attempts: int | None = None,
) -> Any:
    """Return a boto3 client of ``service`` (``kinesis`` or ``s3``) at a loopback endpoint. Thread-safe."""
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", os.devnull)
    return boto3.session.Session(
        aws_access_key_id=_CREDENTIAL,
        aws_secret_access_key=_CREDENTIAL,
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


def loopback_environment(endpoint_url: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return ``inherited`` with everything about AWS replaced, so that an unchanged handler meets the local stack."""
    kept = {name: value for name, value in inherited.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ACCESS_KEY_ID": _CREDENTIAL,
        "AWS_SECRET_ACCESS_KEY": _CREDENTIAL,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint_url,
        "NO_PROXY": ",".join(filter(None, [inherited.get("NO_PROXY"), "127.0.0.1,localhost"])),
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
