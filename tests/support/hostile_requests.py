"""Malformed and hostile requests to the events API, and the status that each of them gets."""

from __future__ import annotations

import base64
import gzip
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from events_api_world import upsert

GOOD = orjson.dumps(upsert())


@dataclass(frozen=True, slots=True)
class Hostile:
    """A request, and the only status that answers it. ``claims`` are laid over those of a good token."""

    status: int
    body: bytes = GOOD
    method: str = "POST"
    path: str = "/v1/events"
    headers: Mapping[str, str | bytes | None] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)


def hostile_requests() -> dict[str, Hostile]:
    """Return all of them by a name that says what is wrong."""
    return {**_bodies(), **_events(), **_batches(), **_heads(), **_paths(), **_tokens()}


def _event(text: str) -> bytes:
    """Return an event with a text in the place of its attributes."""
    return GOOD.replace(orjson.dumps(upsert()["attributes"]), text.encode())


def _bodies() -> dict[str, Hostile]:
    return {
        "no body": Hostile(400, b""),
        "white space": Hostile(400, b" \n\t"),
        "null": Hostile(400, b"null"),
        "half an object": Hostile(400, GOOD[:-20]),
        "two objects": Hostile(400, GOOD + GOOD),
        "an array": Hostile(400, b"[" + GOOD + b"]"),
        "a number": Hostile(400, b"5"),
        "NaN": Hostile(400, _event('{"given_name": NaN}')),
        "trailing comma": Hostile(400, GOOD[:-1] + b",}"),
        "zero bytes": Hostile(400, b"\0" * 64),
        "a zero byte in the middle": Hostile(400, GOOD.replace(b"Ada", b"A\0a")),
        "Latin-1": Hostile(400, GOOD.replace(b"Ada", b"Zo\xeb")),
        "UTF-16": Hostile(400, GOOD.decode().encode("utf-16")),
        "a lone surrogate in UTF-8": Hostile(400, GOOD.replace(b"Ada", b"\xed\xa0\x80")),
        "gzip without saying so": Hostile(400, gzip.compress(GOOD)),
        "an envelope of a redrive": Hostile(400, b"\x8fmdm-redrive\x01\x00\x02{}" + GOOD),
        "a KPL aggregate": Hostile(400, b"\xf3\x89\x9a\xc2" + GOOD),
        "deep nesting": Hostile(400, _event("[" * 100_000 + "]" * 100_000)),
        "more bytes than an event may have": Hostile(413, _event('{"given_name": "' + "a" * 1_100_000 + '"}')),
    }


def _events() -> dict[str, Hostile]:
    return {
        "nested as deep as JSON readers go": Hostile(422, _event('{"given_name": ' + "[" * 400 + "]" * 400 + "}")),
        "deep with a number to be kept": Hostile(
            422, _event('{"a": 1e5, "given_name": ' + "[" * 600 + "]" * 600 + "}")
        ),
        "a number of many digits": Hostile(422, _event('{"given_name": ' + "9" * 5_000 + "}")),
        "a version of many digits": Hostile(422, GOOD.replace(b'"version":1', b'"version":' + b"9" * 400)),
        "a version of 30 digits": Hostile(422, GOOD.replace(b'"version":1', b'"version":' + b"9" * 30)),
        "a version with a fraction": Hostile(422, GOOD.replace(b'"version":1', b'"version":1.5')),
        "a version twice, the last one wrong": Hostile(422, GOOD.replace(b'"version":1', b'"version":1,"version":{}')),
        "a member twice, of another source": Hostile(403, GOOD[:-1] + b',"source":"erp"}'),
        "an escaped zero byte in an id": Hostile(422, GOOD.replace(b'"1"', b'"a\\u0000"')),
        "a text of a hundred thousand": Hostile(422, _event('{"given_name": "' + "a" * 100_000 + '"}')),
        "a thousand attributes": Hostile(422, _event(orjson.dumps({f"a{n}": n for n in range(1_000)}).decode())),
        "an unknown member": Hostile(422, GOOD[:-1] + b',"__proto__":{}}'),
        "another format": Hostile(422, b'{"before":null,"after":{"id":1},"op":"c","source":{"table":"t"}}'),
        "an unknown domain": Hostile(422, orjson.dumps(upsert(domain="nowhere"))),
        "a time of the far future": Hostile(422, orjson.dumps(upsert(event_time="9999-01-01T00:00:00Z"))),
        "a version of the far future": Hostile(422, orjson.dumps(upsert(version=2**63 - 1))),
        "another source": Hostile(403, orjson.dumps(upsert(source="erp"))),
        "a source with a path in it": Hostile(422, orjson.dumps(upsert(source="../crm"))),
        "an erasure": Hostile(403, orjson.dumps(upsert(op="erase", attributes=None, version=None))),
        "a signature of no key": Hostile(403, orjson.dumps(upsert(signature={"key_id": "k", "value": "0" * 64}))),
    }


def _batches() -> dict[str, Hostile]:
    def batch(status: int, body: bytes) -> Hostile:
        return Hostile(status, body, path="/v1/events:batch")

    return {
        "a batch that is an event": batch(400, GOOD),
        "a batch without events": batch(400, b'{"events": []}'),
        "a batch whose events are text": batch(400, b'{"events": "none"}'),
        "a batch with a further member": batch(400, b'{"events": [1], "more": 1}'),
        "a batch that names its events twice": batch(400, b'{"events": [1], "events": [2]}'),
        "a batch that ends too early": batch(400, b'{"events": [' + GOOD),
        "a batch nested deep": batch(400, b'{"events": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}"),
        "a batch of too many events": batch(413, b'{"events": [' + b"1," * 500 + b"1]}"),
        "a batch of too many bytes": batch(413, b'{"events": ["' + b"a" * 4_194_304 + b'"]}'),
    }


def _heads() -> dict[str, Hostile]:
    return {
        "text": Hostile(415, headers={"content_type": "text/plain"}),
        "no content type": Hostile(415, headers={"content_type": None}),
        "a form": Hostile(415, headers={"content_type": "application/x-www-form-urlencoded"}),
        "JSON in Latin-1": Hostile(415, headers={"content_type": "application/json; charset=latin-1"}),
        "a gzip bomb": Hostile(415, gzip.compress(b"0" * 10_000_000), headers={"content_encoding": "gzip"}),
        "two encodings": Hostile(415, headers={"content_encoding": "identity, gzip"}),
        "a header that is no UTF-8": Hostile(400, headers={"x_name": b"Zo\xeb"}),
        "headers of 20 kB": Hostile(431, headers={"x_more": "a" * 20_000}),
        "a length that lies": Hostile(413, headers={"content_length": "99999999999"}),
        "an empty Idempotency-Key": Hostile(400, headers={"idempotency_key": '""'}),
        "a long Idempotency-Key": Hostile(400, headers={"idempotency_key": "k" * 256}),
        "an Idempotency-Key with a tab": Hostile(400, headers={"idempotency_key": "a\tb"}),
    }


def _paths() -> dict[str, Hostile]:
    def get(status: int, path: str) -> Hostile:
        return Hostile(status, b"", "GET", path)

    return {
        "GET of events": get(405, "/v1/events"),
        "PUT": Hostile(405, method="PUT"),
        "TRACE": Hostile(405, method="TRACE"),
        "a method of no standard": Hostile(405, method="BREW"),
        "DELETE of an event": Hostile(405, b"", "DELETE", "/v1/events/some-id"),
        "the root": get(404, "/"),
        "two slashes": Hostile(404, path="//v1/events"),
        "a way up": Hostile(404, path="/v1/events/../../etc/passwd"),
        "an id with a slash": get(404, "/v1/events/a/b"),
        "an id of no event": get(404, "/v1/events/AAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        "an id with a line end": get(404, "/v1/events/a\r\nb"),
        "an id of other letters": get(404, "/v1/events/\u00e9\U0001f600"),
        "an id of 7,000 characters": get(404, "/v1/events/" + "a" * 7_000),
        "a path of 100,000": get(414, "/v1/events/" + "a" * 100_000),
        "a query of 100,000": get(414, "/v1/events/a?" + "a" * 100_000),
    }


def _tokens() -> dict[str, Hostile]:
    def forged(head: str, signature: str = "") -> str:
        def part(value: object) -> str:
            return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()

        claims = {"iss": "https://issuer.example", "aud": "events", "exp": time.time() + 60, "mdm_sources": ["crm"]}
        return f"Bearer {part(orjson.loads(head))}.{part(claims)}.{signature}"

    return {
        "no token": Hostile(401, headers={"authorization": None}),
        "basic credentials": Hostile(401, headers={"authorization": "Basic YTpi"}),
        "a token that is none": Hostile(401, headers={"authorization": "Bearer abc"}),
        "a token of 10,000 dots": Hostile(401, headers={"authorization": "Bearer " + "." * 9_000}),
        "no algorithm": Hostile(401, headers={"authorization": forged('{"alg":"none","kid":"one"}')}),
        "an algorithm of another kind": Hostile(
            401, headers={"authorization": forged('{"alg":"RS256","kid":"one"}', "AA")}
        ),
        "an unknown key": Hostile(401, headers={"authorization": forged('{"alg":"HS256","kid":"two"}', "AA")}),
        "a key that is a list": Hostile(401, headers={"authorization": forged('{"alg":"HS256","kid":["one"]}', "AA")}),
        "a key of its own": Hostile(
            401, headers={"authorization": forged('{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}', "AA")}
        ),
        "expired": Hostile(401, claims={"exp": 1}),
        "never expires": Hostile(401, claims={"exp": None}),
        "not valid yet": Hostile(401, claims={"nbf": 9_999_999_999}),
        "of another issuer": Hostile(401, claims={"iss": "https://evil.example"}),
        "for another audience": Hostile(401, claims={"aud": "another"}),
        "without sources": Hostile(403, claims={"mdm_sources": None}),
        "with sources that are none": Hostile(403, claims={"mdm_sources": [5, {"a": 1}]}),
    }
