"""The events API with everything behind it real but the stream, the index and the cache, which are in memory."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
from open_authority import ANYBODY
from small_world import small_rules

from mdm_stream.archive import open_archive
from mdm_stream.contracts.signature import SigningKey
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.authority import Authority, Policy, default_policy
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.resolver import DomainResolver, Resolver
from mdm_stream.testing import SHARD_ID, MemoryStream
from producers.events_api.asgi import AsgiApp
from producers.events_api.callers import Callers
from producers.events_api.event_ids import EventIds
from producers.events_api.gate import EventGate
from producers.events_api.idempotency import Idempotency
from producers.events_api.jwt_keys import JwksSource, JwtVerifier
from producers.events_api.outcomes import Outcomes, StreamPlaces
from producers.events_api.service import EventsApi
from producers.events_api.settings import EventsApiSettings
from producers.events_api.stream_writer import StreamWriter

STREAM = "changes"
ARRIVAL_S = 1_767_225_600.0
"""When a stream in memory says that its records arrived: the first of January 2026."""
SECRET = b"a secret of thirty-two bytes, ok"
JWKS = {"keys": [{"kty": "oct", "alg": "HS256", "kid": "one", "k": "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcywgb2s"}]}
ISSUER, AUDIENCE = "https://issuer.example", "events"


@dataclass
class Reply:
    """What came back over ASGI."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        found: dict[str, Any] = orjson.loads(self.raw)
        return found


class DictCache:
    """A cache with the three calls that Powertools makes of Redis."""

    def __init__(self) -> None:
        self.held: dict[str, bytes | str] = {}

    def get(self, name: str) -> bytes | str | None:
        """Return what is held."""
        return self.held.get(name)

    def set(self, name: str, value: str, ex: object = None, px: object = None, nx: bool = False) -> bool | None:
        """Hold a value; nothing if there is one and ``nx`` is asked for."""
        if nx and name in self.held:
            return None
        self.held[name] = value
        return True

    def delete(self, *names: str) -> None:
        """Forget values."""
        for name in names:
            self.held.pop(name, None)


class ApiWorld:
    """An API, a stream, and a resolve consumer that reads it when told to."""

    def __init__(self, tmp_path, policy: Policy | None = None, cache: Any = None, **settings: Any) -> None:
        rules = small_rules()
        self.stream, self.index = MemoryStream(), MemoryIndex(rules)
        self.quarantine = open_quarantine((tmp_path / "quarantine").as_uri())
        self.done: dict[str, str] = {}
        self.read = 0
        self.policy = policy or default_policy("steward")
        self.cache = DictCache() if cache is None else cache
        self.settings = EventsApiSettings(
            rules="r", redis_url="r", changes_stream=STREAM, quarantine_url="q", api_id_keys="k", **settings
        )
        verifier = JwtVerifier(
            JwksSource(orjson.dumps(JWKS).decode()), issuer=ISSUER, audience=AUDIENCE, clock_skew_s=30
        )
        decoder = Decoder({"person": rules})
        self.api = EventsApi(
            self.settings,
            Callers(self.policy, verifier, self.settings.api_sources_claim),
            EventGate(
                Decoder({"person": rules}, expected="canonical"),
                Authority(self.policy),
                STREAM,
                self.settings.api_event_bytes_max,
                lambda: int(ARRIVAL_S * 1_000_000),
            ),
            StreamWriter(self.stream, STREAM, self.settings.api_attempts_max, sleep=lambda _: None),
            EventIds(SigningKey("events-api", b"k" * 32)),
            Outcomes(
                {"person": lambda: self.index},
                self.quarantine,
                STREAM,
                StreamPlaces(self.stream, STREAM, lambda: self.done),
            ),
            Idempotency.on_redis(self.cache, "main", 1),
        )
        self.app = AsgiApp(self.api)
        parts = DomainResolver(
            Engine(rules, self.index, sleep=lambda _: None),
            self.index,
            self.index,
            MergeWatch(100, lambda: 0.0),
            lambda _: None,
        )
        self.intake = Intake(decoder, ANYBODY)
        self.resolver = Resolver(
            self.intake,
            {"person": parts},
            archive=open_archive((tmp_path / "archive").as_uri()),
            quarantine=self.quarantine,
            golden=_Sink(),
            steward=_Sink(),
            now_us=lambda: int(ARRIVAL_S * 1_000_000),
            expiries_per_tick_max=10,
        )

    def consume(self, intake: Intake | None = None) -> None:
        """Let the consumer do all that is on the stream, perhaps by another intake."""
        self.resolver._intake = intake or self.intake
        records = self.stream.records[self.read :]
        numbers = [str(self.read + place).zfill(56) for place in range(len(records))]
        self.read += len(records)
        deliveries = [
            Delivery.from_kinesis(sent.data, number, ARRIVAL_S, f"{STREAM}/{SHARD_ID}:{number}")
            for sent, number in zip(records, numbers, strict=True)
        ]
        assert self.resolver.handle(deliveries).first_failed is None
        if numbers:
            self.done[f"{STREAM}/{SHARD_ID}"] = numbers[-1]

    def call(self, method: str, path: str, body: bytes = b"", *, chunks: int = 1, **headers: str | bytes) -> Reply:
        """Send a request; ``content_type`` and the like become headers. JSON and a token of crm are the default."""
        named: dict[str, str | bytes] = {"content_type": "application/json", "authorization": f"Bearer {token()}"}
        named |= headers
        listed = [
            (name.replace("_", "-").encode(), value if isinstance(value, bytes) else value.encode())
            for name, value in named.items()
            if value is not None
        ]
        return asyncio.run(exchange(self.app, method, path, listed, body, chunks))

    def post(self, event: Any, **headers: Any) -> Reply:
        """Post one event, as a mapping or as bytes."""
        body = event if isinstance(event, bytes) else orjson.dumps(event)
        return self.call("POST", "/v1/events", body, **headers)

    def batch(self, events: list[Any], **headers: Any) -> Reply:
        """Post several events."""
        return self.call("POST", "/v1/events:batch", orjson.dumps({"events": events}), **headers)

    def outcome(self, event_id: str, **headers: Any) -> Reply:
        """Ask what became of an event."""
        return self.call("GET", f"/v1/events/{event_id}", **headers)


class _Sink:
    def publish(self, messages: Any) -> None:
        """Take messages."""


def token(*sources: str, key: bytes = SECRET, kid: str | None = "one", alg: str = "HS256", **claims: Any) -> str:
    """Return a token of a caller that may write some sources, by default crm; ``claims`` are laid over."""
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "app",
        "exp": int(time.time()) + 300,
        "mdm_sources": list(sources or ("crm",)),
    } | claims
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(said, key, algorithm=alg, headers={"kid": kid} if kid else {})


def upsert(record_id: str = "1", source: str = "crm", version: int | None = 1, **changes: Any) -> dict[str, Any]:
    """Return a whole record."""
    event = {
        "domain": "person",
        "source": source,
        "record_id": record_id,
        "op": "upsert",
        "version": version,
        "event_time": "2026-01-01T00:00:00Z",
        "attributes": {"given_name": "Ada", "family_name": "Lovelace", "birth_date": "1815-12-10"},
    } | changes
    return {name: value for name, value in event.items() if value is not None}


async def exchange(app: Any, method: str, path: str, headers: Any, body: bytes, chunks: int = 1) -> Reply:
    """Send one request to an ASGI application and return its reply."""
    raw_path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": raw_path,
        "query_string": query.encode("latin-1"),
        "headers": headers,
    }
    size = -(-len(body) // chunks) or 1
    parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    named = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], named, b"".join(each.get("body", b"") for each in sent[1:]))
