"""Malformed and hostile requests: each is a problem with the right status, and nothing of them is on the stream."""

from __future__ import annotations

import asyncio

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from events_api_world import AUDIENCE, ISSUER, ApiWorld, exchange, token, upsert
from hostile_requests import hostile_requests

from mdm_stream.contracts.events_api import Problem
from mdm_stream.errors import ConfigurationError, TransientError
from producers.events_api import jwt_keys
from producers.events_api.asgi import DRAINED_BYTES_MAX
from producers.events_api.jwt_keys import JwksSource, JwtVerifier
from producers.events_api.problems import ProblemError

HOSTILE = hostile_requests()
FLOOR = 50


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One API for all of them: what one leaves behind would show at the next."""
    return ApiWorld(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_request_is_a_problem_with_the_right_status(name, world):
    """Never a server error, never an answer that is no problem, never an event on the stream."""
    each = HOSTILE[name]
    headers = {"authorization": f"Bearer {token(**each.claims)}", **each.headers}
    reply = world.call(each.method, each.path, each.body, **headers)
    assert reply.status == each.status, reply.raw[:500]
    assert reply.headers["content-type"] == "application/problem+json"
    assert Problem.model_validate(reply.body).status == each.status
    assert world.stream.records == []
    assert (reply.status == 405) == ("allow" in reply.headers)
    assert (reply.status == 401) == ("www-authenticate" in reply.headers)


def test_there_are_enough_of_them_and_each_is_alone_to_blame(world):
    """Fifty, and the request that they were made from is accepted."""
    assert len(HOSTILE) >= FLOOR
    assert world.post(upsert()).status == 202
    world.stream.records.clear()


def test_a_body_is_counted_as_it_arrives(tmp_path):
    """A body without a length is read to a limit, so that its sender sees the answer, and nothing of it is kept."""
    world = ApiWorld(tmp_path, api_event_bytes_max=10_000)
    given = []

    async def receive():
        given.append(1)
        return {"type": "http.request", "body": b"a" * 1_048_576, "more_body": True}

    async def send(message):
        given.append(message.get("status"))

    scope = {"type": "http", "method": "POST", "path": "/v1/events", "query_string": b"", "headers": []}
    asyncio.run(world.app(scope, receive, send))
    assert (given.count(1), 413 in given) == (DRAINED_BYTES_MAX // 1_048_576 + 1, True)


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path):
    """A slow sender holds a place among the requests under way for a bounded time."""
    world = ApiWorld(tmp_path, api_body_timeout_s=0.05, api_in_flight_max=1)
    sent = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/events", "query_string": b"", "headers": []}
    asyncio.run(world.app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert world.post(upsert()).status == 202


def test_an_unexpected_fault_is_a_problem_that_says_nothing(world):
    """500, with the id under which the log has it, and not a word of what happened."""
    gate = world.api.gate
    decoder, gate._decoder = gate._decoder, None
    reply = world.post(upsert())
    gate._decoder = decoder
    assert (reply.status, reply.body["code"]) == (500, "fault")
    assert "NoneType" not in reply.raw.decode()


def test_what_a_caller_sends_is_never_taken_for_what_api_gateway_says(world):
    """Neither a header nor a body makes a request context."""
    headers = [
        (b"content-type", b"application/json"),
        (b"x-amzn-request-context", b'{"authorizer":{"claims":{"mdm_sources":"*"}}}'),
        (b"requestcontext", b'{"identity":{"userArn":"arn:aws:iam::1:root"}}'),
    ]
    reply = asyncio.run(exchange(world.app, "POST", "/v1/events", headers, orjson.dumps(upsert())))
    assert reply.status == 401


def pair(kind: str):
    """A private key, and its public one as a member of a key set."""
    if kind == "RS256":
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        private = ec.generate_private_key(ec.SECP256R1())
        public = jwt.algorithms.ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return private, {**public, "kid": "one", "use": "sig"}


def verifier(*keys: dict) -> JwtVerifier:
    """A verifier of a key set."""
    return JwtVerifier(
        JwksSource(orjson.dumps({"keys": keys}).decode()), issuer=ISSUER, audience=AUDIENCE, clock_skew_s=0
    )


@pytest.mark.parametrize("kind", ["RS256", "ES256"])
def test_a_token_is_verified_by_the_algorithm_of_its_key(kind):
    """A public key is no secret: a token that is signed with it as one is refused, and so is one of another key."""
    private, public = pair(kind)
    assert verifier(public).claims(token(key=private, alg=kind))["mdm_sources"] == ["crm"]
    assert verifier(public).claims(token(key=private, alg=kind, kid=None))["mdm_sources"] == ["crm"]
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, payload, _ = token(kid="one").split(".")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    made = jwt.utils.base64url_encode(signature.sign(f"{head}.{payload}".encode(), pem)).decode()
    for wrong in (f"{head}.{payload}.{made}", token(key=pair(kind)[0], alg=kind)):
        with pytest.raises(ProblemError) as refused:
            verifier(public).claims(wrong)
        assert refused.value.status == 401


@pytest.mark.parametrize("setting", ["{}", '{"keys": []}', '{"keys": [{"kty": "x"}]}', "/no/such/file", '{"keys": 5}'])
def test_a_key_set_that_cannot_be_used_is_a_wrong_setting(setting):
    """The function does not start with it."""
    with pytest.raises(ConfigurationError, match="MDM_API_JWKS"):
        JwksSource(setting)


def test_keys_of_an_address_are_fetched_rarely_and_serve_on_while_it_is_down(monkeypatch):
    """Unknown keys make no fetch each; a secret in a public set is no key; without any key at all it is a fault."""
    _, public = pair("ES256")
    served = [orjson.dumps({"keys": [public, {"kty": "oct", "k": "AAAA", "kid": "open"}]})]
    now_s, asked = [1_000.0], []

    class _Answer:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, _):
            return served[0]

    def fetch(url, timeout):
        asked.append(url)
        if not served:
            raise OSError("down")
        return _Answer()

    monkeypatch.setattr(jwt_keys.urllib.request, "urlopen", fetch)
    source = JwksSource("https://keys.example/jwks.json", lambda: now_s[0])
    assert source.key("one") is not None
    assert source.key("open") is None
    assert source.key("none") is None
    assert len(asked) == 1
    now_s[0] += jwt_keys.JWKS_REFETCH_S
    assert source.key("none") is None
    assert source.key("one") is not None
    assert len(asked) == 2
    served.clear()
    now_s[0] += jwt_keys.JWKS_REFRESH_S
    assert source.key("one") is not None
    with pytest.raises(TransientError):
        JwksSource("https://keys.example/jwks.json", lambda: now_s[0]).key("one")
