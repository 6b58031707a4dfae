"""Verifying AWS Signature Version 4: whether a request was signed by a holder of the keys, and for what.

After AWS's own description ("Create a signed AWS API request", IAM user guide). botocore signs and cannot verify: it
decides by itself which headers to sign, where a verifier has to take those that were signed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from mdm_stream.aws.loopback import LoopbackKeys

CLOCK_SKEW_S_MAX = 900
"""A signature is good for a quarter of an hour, as at AWS."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(
    rf"{_ALGORITHM} Credential=([^/,\s]+)/(\d{{8}})/([\w-]+)/([\w-]+)/aws4_request,\s*"
    r"SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})"
)
_TIME = "%Y%m%dT%H%M%SZ"
_UNRESERVED = "-_.~"
_HASHED_ELSEWHERE = re.compile("UNSIGNED-PAYLOAD|STREAMING-[A-Z0-9-]+")
"""What S3 clients say in the place of the body's hash; the header that says it is signed."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a request's Authorization header claims. Nothing of it is proved before ``verifies``."""

    access_key_id: str
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


def claimed(environ: Mapping[str, Any]) -> Signed | None:
    """Return what a request says of its signature, or None if it has none of the right form."""
    found = _HEADER.fullmatch(str(environ.get("HTTP_AUTHORIZATION", "")))
    if found is None:
        return None
    access_key_id, day, region, service, names, signature = found.groups()
    return Signed(access_key_id, day, region, service, tuple(names.split(";")), signature)


def is_of(signed: Signed, keys: LoopbackKeys) -> bool:
    """Tell whether a request names the access key, in a time that does not depend on how much of it is right."""
    return hmac.compare_digest(signed.access_key_id.encode(), keys.access_key_id.encode())


def verifies(signed: Signed, environ: Mapping[str, Any], body: bytes, keys: LoopbackKeys, now_s: float) -> bool:
    """Tell whether the request was signed with the secret key, as it came, for this address and about now."""
    sent_at = str(environ.get("HTTP_X_AMZ_DATE", ""))
    if not {"host", "x-amz-date"} <= set(signed.headers) or not _is_about(sent_at, signed.day, now_s):
        return False
    scope = f"{signed.day}/{signed.region}/{signed.service}/aws4_request"
    digest = hashlib.sha256(_canonical_request(signed, environ, body).encode()).hexdigest()
    key = b"AWS4" + keys.secret_access_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    expected = hmac.digest(key, f"{_ALGORITHM}\n{sent_at}\n{scope}\n{digest}".encode(), hashlib.sha256).hex()
    return hmac.compare_digest(expected, signed.signature)


def _is_about(sent_at: str, day: str, now_s: float) -> bool:
    try:
        moment = dt.datetime.strptime(sent_at, _TIME).replace(tzinfo=dt.UTC)
    except ValueError:
        return False
    return sent_at.startswith(day) and abs(moment.timestamp() - now_s) <= CLOCK_SKEW_S_MAX


def _canonical_request(signed: Signed, environ: Mapping[str, Any], body: bytes) -> str:
    path = quote(unquote(str(environ.get("REQUEST_URI", "/")).partition("?")[0]), safe="/" + _UNRESERVED)
    if signed.service != "s3":  # every other service has its paths encoded twice
        path = quote(path, safe="/" + _UNRESERVED)
    pairs = [part.partition("=") for part in str(environ.get("QUERY_STRING", "")).split("&") if part]
    query = "&".join(f"{name}={value}" for name, value in sorted((_encoded(n), _encoded(v)) for n, _, v in pairs))
    headers = [f"{name}:{' '.join(_value(environ, name).split())}\n" for name in signed.headers]
    said = _value(environ, "x-amz-content-sha256") if "x-amz-content-sha256" in signed.headers else ""
    payload = said if _HASHED_ELSEWHERE.fullmatch(said) else hashlib.sha256(body).hexdigest()
    method = str(environ.get("REQUEST_METHOD", ""))
    return "\n".join((method, path, query, "".join(headers), ";".join(signed.headers), payload))


def _encoded(text: str) -> str:
    return quote(unquote(text), safe=_UNRESERVED)


def _value(environ: Mapping[str, Any], header: str) -> str:
    name = header.upper().replace("-", "_")
    return str(environ.get(name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}", ""))
