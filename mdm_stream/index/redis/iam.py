"""A cache whose user has no password: each connection is opened with a token that the process's own AWS account signs.

    rediss://USER@HOST:6379/0?iam=elasticache:NAME    a replication group of ElastiCache, by its id
    rediss://USER@HOST:6379/0?iam=memorydb:NAME       a cluster of MemoryDB, by its name

So no password is in settings, in a secret or in what has deployed them, and none has to be replaced. The role needs
``elasticache:Connect`` (``memorydb:Connect``) on the cache and on its user. A token is a request that is signed and
never sent: nothing is asked of AWS for it. It is good for opening connections for a quarter of an hour, so each
connection gets one of its own; ElastiCache ends a connection after twelve hours, and the next call opens another.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import redis
from botocore.exceptions import BotoCoreError

from mdm_stream.errors import ConfigurationError

TOKEN_S = 900
"""The longest time that a cache takes a token for."""

_PARAMETER = "iam"
_CACHE = re.compile(r"(elasticache|memorydb):([a-z][a-z0-9-]{0,49})", re.ASCII)


class CacheAddress(NamedTuple):
    """An address as the client of redis takes it, and how to log in where no password does."""

    url: str
    tokens: IamTokens | None


class IamTokens(redis.CredentialProvider):
    """Logs a user in with tokens of the process's AWS credentials, which are looked up when one is first needed."""

    def __init__(self, service: str, cache: str, user: str) -> None:
        """Take ``elasticache`` or ``memorydb``, the cache's id, and its user, whose id is its name."""
        self._service, self._cache, self._user = service, cache, user
        self._session: Any = None

    def get_credentials(self) -> tuple[str, str]:
        """Return the user and a new token; ``AuthenticationError`` where the process has no credentials or region."""
        try:
            return self._user, self._token()
        except BotoCoreError as error:
            raise redis.AuthenticationError(f"no token for the cache: {type(error).__name__}") from error

    def _token(self) -> str:
        # Half a second, which the functions have spent by then.
        from botocore.model import ServiceId  # noqa: PLC0415
        from botocore.session import Session  # noqa: PLC0415
        from botocore.signers import RequestSigner  # noqa: PLC0415

        if self._session is None:
            self._session = Session()
        region, credentials = self._session.get_config_variable("region"), self._session.get_credentials()
        if credentials is None or region is None:
            raise redis.AuthenticationError(
                "no token for the cache: the process has no AWS credentials or no region; set its role, and "
                "AWS_DEFAULT_REGION"
            )
        service = self._service
        events = self._session.get_component("event_emitter")
        signer = RequestSigner(ServiceId(service), region, service, "v4", credentials, events)
        asked = urlencode({"Action": "connect", "User": self._user})
        request = {"method": "GET", "url": f"https://{self._cache}/?{asked}", "body": {}, "headers": {}, "context": {}}
        signed = signer.generate_presigned_url(request, "connect", region_name=region, expires_in=TOKEN_S)
        return str(signed).removeprefix("https://")


def address_of(url: str) -> CacheAddress:
    """Return what an address says; ``ConfigurationError`` where ``iam`` is asked for and cannot be."""
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    caches = [value for name, value in options if name == _PARAMETER]
    if not caches:
        return CacheAddress(url, None)
    found = _CACHE.fullmatch(caches[0])
    if len(caches) > 1 or found is None:
        raise ConfigurationError(
            "iam in MDM_REDIS_URL or --redis names no cache: write ?iam=elasticache:NAME or ?iam=memorydb:NAME"
        )
    if parts.scheme != "rediss" or not parts.username or parts.password is not None:
        raise ConfigurationError(
            "MDM_REDIS_URL or --redis with iam needs TLS, a user and no password: write rediss://USER@HOST:6379/0?iam=…"
        )
    query = urlencode([(name, value) for name, value in options if name != _PARAMETER])
    host = parts.netloc.rpartition("@")[2]
    tokens = IamTokens(found[1], found[2], unquote(parts.username))
    return CacheAddress(urlunsplit((parts.scheme, host, parts.path, query, "")), tokens)
