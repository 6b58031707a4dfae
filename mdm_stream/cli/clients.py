"""AWS clients for commands: the account of whoever calls, and on loopback never that account."""

from __future__ import annotations

from typing import Any, Literal, cast
from urllib.parse import urlsplit

from mdm_stream.errors import ConfigurationError


def aws_client(service: Literal["kinesis", "s3"], endpoint: str | None, region: str | None) -> Any:
    """Return a client of a service at AWS or at ``endpoint``; ``ConfigurationError`` if there can be none."""
    if endpoint is not None and urlsplit(endpoint).hostname in {"127.0.0.1", "localhost", "::1"}:
        from mdm_stream.local.aws import local_client  # noqa: PLC0415 - needs nothing of the local extra, but is local

        return local_client(service, endpoint)
    import boto3  # noqa: PLC0415 - half a second, which a mistake in the call need not wait for
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        return cast("Any", boto3.client(service, endpoint_url=endpoint, region_name=region))
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"no client of {service}: {type(error).__name__}; check the endpoint, --region and the AWS environment"
        ) from error
