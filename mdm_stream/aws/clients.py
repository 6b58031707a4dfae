"""AWS clients: the account of the process's environment, and on loopback never that account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.aws.loopback import LoopbackKeys

Service = Literal["events", "kinesis", "s3", "secretsmanager", "sns", "sqs"]
"""What functions and containers ask for: their packages have the data of these."""
OperatorService = Service | Literal["cloudwatch", "ecs", "iam", "kms", "lambda", "sts"]
"""What commands of an operator ask for, too."""

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def aws_client(
    service: OperatorService,
    endpoint: str | None = None,
    region: str | None = None,
    *,
    timeout_s: float | None = None,
    attempts: int | None = None,
    keys: LoopbackKeys | None = None,
) -> Any:
    """Return a client of a service at AWS or at ``endpoint``; ``ConfigurationError`` if there can be none.

    ``timeout_s`` bounds one connection and one wait for an answer, ``attempts`` the calls that the SDK makes of one
    request; the SDK's own where they are left out. ``keys`` are those of a local stack, and meant for loopback alone:
    AWS is asked with the account of the environment. Thread-safe.
    """
    if endpoint is not None and urlsplit(endpoint).hostname in LOOPBACK:
        from mdm_stream.aws.loopback import loopback_client  # noqa: PLC0415 - needed on one machine alone

        return loopback_client(service, endpoint, keys, timeout_s=timeout_s, attempts=attempts)
    import boto3  # noqa: PLC0415 - half a second, which a mistake in the call need not wait for
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    limits: dict[str, Any] = {}
    if timeout_s is not None:
        limits |= {"connect_timeout": timeout_s, "read_timeout": timeout_s}
    if attempts is not None:
        limits["retries"] = {"total_max_attempts": attempts, "mode": "standard"}
    try:
        return cast("Any", boto3.client(service, endpoint_url=endpoint, region_name=region, config=Config(**limits)))
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"no client of {service}: {type(error).__name__}; check the endpoint, --region and the AWS environment"
        ) from error
