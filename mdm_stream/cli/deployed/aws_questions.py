"""Questions to AWS that change nothing, each with a bounded wait; what is refused names the right that is missing."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachedError

from mdm_stream.aws.clients import OperatorService, aws_client
from mdm_stream.aws.errors import error_code
from mdm_stream.cli.machine import Check
from mdm_stream.errors import ConfigurationError

TIMEOUT_S = 5.0
"""One connection, and one wait for an answer."""
ATTEMPTS = 2
PAGES_MAX = 50

_DENIED = frozenset({"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"})
_NO_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "SignatureDoesNotMatch",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "UnrecognizedClientException",
    }
)
_ACTIONS = {
    "get_bucket_encryption": "s3:GetEncryptionConfiguration",
    "get_bucket_versioning": "s3:GetBucketVersioning",
    "get_public_access_block": "s3:GetBucketPublicAccessBlock",
}
"""Rights that are called otherwise than their operation."""
_ABSENT = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
_UNSET = frozenset({"NoSuchPublicAccessBlockConfiguration", "ServerSideEncryptionConfigurationNotFoundError"})
"""Of a bucket that is there and lacks what was asked for."""

Clients = Callable[[OperatorService], Any]


class Unanswered(Exception):  # noqa: N818 - an outcome that each check turns into a line
    """AWS did not answer as it would if all were well. ``check`` is the line to show for ``name``."""

    def __init__(self, code: str, action: str, resource: str) -> None:
        super().__init__(f"{code}: {action} on {resource}")
        self.code, self.action, self.resource = code, action, resource

    def check(self, name: str) -> Check:
        """Return the finding: only what is known to be wrong has failed."""
        if self.code in _DENIED:
            advice = f"have {self.action} allowed on {self.resource}, or run this with a role that has it"
            return Check(name, "unknown", f"{self.code}: this caller may not {self.action} on {self.resource}", advice)
        if self.code in _ABSENT:
            return Check(name, "failed", f"{self.resource} is not there", "apply the environment again: terraform plan")
        if self.code in _NO_CREDENTIALS:
            return Check(name, "failed", f"AWS does not know this caller ({self.code})", "log in to AWS again")
        return Check(
            name, "unknown", f"no answer to {self.action} on {self.resource}: {self.code}",
            "try again; look at the way to AWS (proxy, VPC endpoint) and its health page",
        )  # fmt: skip


class AwsQuestions:
    """Asks AWS in one region. A service that could not be reached once is not waited for again."""

    def __init__(self, region: str, clients: Clients | None = None, clock_s: Callable[[], float] = time.time) -> None:
        """Take the region; ``clients`` makes a client of a service and ``clock_s`` tells this machine's time."""
        self._open = clients or partial(aws_client, region=region, timeout_s=TIMEOUT_S, attempts=ATTEMPTS)
        self._clients: dict[str, Any] = {}
        self._unreached: dict[str, str] = {}
        self._clock_s = clock_s
        self.ahead_s: float | None = None
        """Seconds by which this machine's clock was ahead of AWS's with the newest answer; ``None`` before one."""

    def ask(self, service: OperatorService, operation: str, resource: str, **request: Any) -> dict[str, Any]:
        """Return AWS's answer; ``Unanswered`` where there is none. ``resource`` is what a line calls it."""
        action = _ACTIONS.get(operation, f"{service}:{''.join(map(str.title, operation.split('_')))}")
        if service in self._unreached:
            raise Unanswered(self._unreached[service], action, resource)
        try:
            answer: dict[str, Any] = getattr(self._client(service), operation)(**request)
        except ClientError as error:
            self._compare_clocks(error.response)
            raise Unanswered(error_code(error), action, resource) from error
        except (UnreachedError, HTTPClientError) as error:
            self._unreached[service] = type(error).__name__
            raise Unanswered(type(error).__name__, action, resource) from error
        except BotoCoreError as error:
            raise Unanswered(type(error).__name__, action, resource) from error
        except ConfigurationError as error:
            cause = type(error.__cause__).__name__
            raise Unanswered(cause, action, resource) from error
        self._compare_clocks(answer)
        return answer

    def pages(
        self, service: OperatorService, operation: str, resource: str, token: str, **request: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield AWS's answers until one has no ``token`` for another."""
        for _ in range(PAGES_MAX):
            answer = self.ask(service, operation, resource, **request)
            yield answer
            if not answer.get(token):
                return
            request = {**request, token: answer[token]}

    def unset(self, service: OperatorService, operation: str, resource: str, **request: Any) -> dict[str, Any]:
        """Return AWS's answer, or nothing where the thing is there and has no such configuration."""
        try:
            return self.ask(service, operation, resource, **request)
        except Unanswered as found:
            if found.code in _UNSET:
                return {}
            raise

    def _client(self, service: OperatorService) -> Any:
        if service not in self._clients:
            self._clients[service] = self._open(service)
        return self._clients[service]

    def _compare_clocks(self, answer: Mapping[str, Any]) -> None:
        stamp = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        with suppress(TypeError, ValueError):
            self.ahead_s = self._clock_s() - email.utils.parsedate_to_datetime(stamp).timestamp()
