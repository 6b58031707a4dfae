"""JSON Web Tokens: verified with the keys of a JSON Web Key Set, each by the one algorithm that is its own.

A key decides how its tokens are signed, never the token's head: so a token that says ``none``, or one that is signed
with a public key as if that were a secret, is refused.
"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
import orjson

from mdm_stream.errors import ConfigurationError, TransientError
from producers.events_api.problems import ProblemError

JWKS_BYTES_MAX = 262_144
JWKS_REFRESH_S = 300.0
"""Keys of an address are fetched again after so long, and once before that for a token of a key that is not known."""
JWKS_REFETCH_S = 30.0
"""Between two fetches for the sake of unknown keys: any sender can name one."""
_FETCH_TIMEOUT_S = 5.0
_SYMMETRIC = "oct"

Keys = Mapping[str, jwt.PyJWK]


class JwksSource:
    """The keys of a setting: an ``https://`` address, a file, or the set itself. Thread safe."""

    def __init__(self, setting: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Read the keys, but those of an address when they are first needed; ``ConfigurationError`` if wrong."""
        self._url = setting if setting.startswith("https://") else ""
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._fetched_s = 0.0
        self._keys: Keys = {} if self._url else _parsed(_content(setting), local=True)

    def key(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key of an id; of a token that names none, the only one that there is."""
        if self._url:
            self._refresh(key_id)
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    def _refresh(self, key_id: str | None) -> None:
        with self._lock:
            age_s = self._clock_s() - self._fetched_s if self._keys else JWKS_REFRESH_S
            unknown = key_id is not None and key_id not in self._keys
            if age_s < (JWKS_REFETCH_S if unknown else JWKS_REFRESH_S):
                return
            try:
                with urllib.request.urlopen(self._url, timeout=_FETCH_TIMEOUT_S) as answer:  # noqa: S310 - https alone
                    self._keys = _parsed(answer.read(JWKS_BYTES_MAX + 1), local=False)
            except (OSError, urllib.error.URLError, ConfigurationError) as error:
                if not self._keys:
                    raise TransientError("the keys that verify tokens cannot be fetched") from error
            self._fetched_s = self._clock_s()  # keys at hand serve on while their address does not answer


class JwtVerifier:
    """Verifies tokens: signature, expiry, and issuer and audience where those are set."""

    def __init__(self, keys: JwksSource, *, issuer: str, audience: str, clock_skew_s: int) -> None:
        """Take the keys and what a token must say."""
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock_skew_s = clock_skew_s

    def claims(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token; ``ProblemError`` (401) says what is wrong with it, and nothing of it."""
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = self._keys.key(key_id if isinstance(key_id, str) else None)
            if key is None:
                raise unauthenticated("the token is signed with a key that is not known")
            return jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer or None,
                audience=self._audience or None,
                leeway=self._clock_skew_s,
                options={"require": ["exp"], "verify_aud": bool(self._audience)},
            )
        except jwt.ExpiredSignatureError:
            raise unauthenticated("the token has expired") from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise unauthenticated("the token is not valid here") from None


def unauthenticated(detail: str) -> ProblemError:
    """Return the problem of a caller that is not known."""
    return ProblemError("unauthenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def _content(setting: str) -> bytes:
    if setting.lstrip().startswith("{"):
        return setting.encode()
    try:
        with Path(setting).open("rb") as file:
            return file.read(JWKS_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"MDM_API_JWKS ({setting}) cannot be read: {error.strerror}") from error


def _parsed(content: bytes, *, local: bool) -> Keys:
    """Return the keys of a set. A symmetric one is a secret, so none of an address is taken."""
    if len(content) > JWKS_BYTES_MAX:
        raise ConfigurationError(f"MDM_API_JWKS has more than {JWKS_BYTES_MAX:,} bytes; name the right place")
    try:
        listed = orjson.loads(content)["keys"]
        usable = [each for each in listed if local or each.get("kty") != _SYMMETRIC]
        keys = [jwt.PyJWK(each) for each in usable if each.get("use", "sig") == "sig"]
        found = {str(key.key_id or ""): key for key in keys}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise ConfigurationError("MDM_API_JWKS is no JSON Web Key Set that can be used") from error
    if not found:
        raise ConfigurationError("MDM_API_JWKS holds no key that verifies signatures")
    return found
