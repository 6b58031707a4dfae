"""Who calls, and which sources it may write: by a token's claims, or by its ARN where AWS has identified it (IAM).

API Gateway verifies what comes through it and says so in the request's context, which no caller can write. Where
nothing stands in front of the API, or an authorizer that passes tokens on, the API verifies them itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mdm_stream.core.name_patterns import SOURCE_PATTERN
from mdm_stream.decode.authority import RECORD_OPS, Grant, Policy
from producers.events_api.jwt_keys import JwtVerifier, unauthenticated
from producers.events_api.problems import ProblemError

EVERY_SOURCE = "*"
_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE | re.ASCII)
_SEPARATORS = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a name that says nothing to people (a digest), and its right."""

    name: str
    grant: Grant


class Callers:
    """Finds out who calls. Holds no state between requests: thread safe."""

    def __init__(self, policy: Policy, verifier: JwtVerifier | None, sources_claim: str) -> None:
        """Take the policy with callers' grants, what verifies tokens, and the claim that lists sources."""
        self._policy = policy
        self._verifier = verifier
        self._claim = sources_claim

    def identify(self, context: Mapping[str, Any], headers: Mapping[str, str]) -> Caller:
        """Return who sent a request; ``ProblemError`` with 401, or 403 for one that may write nothing.

        ``context`` is what API Gateway says of the request; it is empty where there is none.
        """
        authorizer = _mapping(context.get("authorizer"))
        claims = _mapping(_mapping(authorizer.get("jwt")).get("claims")) or _mapping(authorizer.get("claims"))
        if claims or self._claim in authorizer:
            return self._by_claims(claims or authorizer)
        arn = _mapping(authorizer.get("iam")).get("userArn") or _mapping(context.get("identity")).get("userArn")
        if isinstance(arn, str) and arn:
            return self._by_arn(arn)
        if self._verifier is None:
            raise unauthenticated("nothing says who sent the request")
        bearer = _BEARER.fullmatch(headers.get("authorization", "").strip())
        if bearer is None:
            raise unauthenticated("send a token: Authorization: Bearer TOKEN")
        return self._by_claims(self._verifier.claims(bearer[1]))

    def _by_claims(self, claims: Mapping[str, Any]) -> Caller:
        named = sources_named(claims.get(self._claim))
        if not named:
            raise ProblemError("not_authorised", f"the caller's claim {self._claim} names no source")
        sources = None if EVERY_SOURCE in named else frozenset(named)
        said = [claims.get(name) for name in ("iss", "sub", "client_id", "principalId")]
        who = [each if isinstance(each, str) else None for each in said]
        # With its sources, so that tokens that name no subject share no Idempotency-Key beyond what both may see.
        return Caller(_name(orjson.dumps([*who, *sorted(named)])), Grant(sources, RECORD_OPS))

    def _by_arn(self, arn: str) -> Caller:
        grant = self._policy.of_caller(arn)
        if grant is None:
            raise ProblemError(
                "not_authorised", "the caller's ARN is not among the callers of the policy (callers in MDM_AUTHORITY)"
            )
        return Caller(_name(arn.encode()), Grant(grant.sources, grant.ops & RECORD_OPS))


def sources_named(claim: object) -> list[str]:
    """Return the sources that a claim lists: an array, or a text of names as authorizers hand arrays over.

    API Gateway writes an array as ``[crm shop]``; Lambda authorizers pass texts alone, JSON among them.
    """
    if isinstance(claim, str):
        text = claim.strip()
        if text.startswith("["):
            try:
                return sources_named(orjson.loads(text))
            except orjson.JSONDecodeError:
                text = text.strip("[]")
        claim = _SEPARATORS.split(text)
    if not isinstance(claim, list):
        return []
    names = [name for name in claim if isinstance(name, str)]
    return [name for name in names if name == EVERY_SOURCE or re.fullmatch(SOURCE_PATTERN, name)]


def _name(identity: bytes) -> str:
    return hashlib.blake2b(identity, digest_size=16).hexdigest()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
