"""Build the API from the environment, once a process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import redis

from mdm_stream.aws.clients import aws_client
from mdm_stream.aws.signing_keys import read_signing_keys
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.dead_letters.quarantine import QuarantineStore
from mdm_stream.decode import Decoder
from mdm_stream.deployment import Deployment
from mdm_stream.index.reader import IndexReader
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.progress import read_progress
from mdm_stream.index.redis.reader import open_reader
from producers.events_api.callers import Callers
from producers.events_api.event_ids import EventIds
from producers.events_api.gate import EventGate
from producers.events_api.idempotency import Idempotency
from producers.events_api.jwt_keys import JwksSource, JwtVerifier
from producers.events_api.outcomes import Outcomes, StreamPlaces
from producers.events_api.service import EventsApi
from producers.events_api.settings import EventsApiSettings
from producers.events_api.stream_writer import StreamWriter


def build_api(environment: Mapping[str, str]) -> EventsApi:
    """Return the API for the settings in ``environment``; ``ConfigurationError`` or ``RulesError`` says what is wrong.

    The index is opened with the first question about an event: without one, events are taken all the same.
    """
    settings: EventsApiSettings = EventsApiSettings.from_environment(environment)
    deployment = deployment_of(settings)
    rulesets = deployment.rulesets()
    authority = deployment.authority()
    client = open_client(settings.redis_url, settings.redis_timeout_s)
    kinesis = deployment.kinesis(attempts=1)  # the writer tries again, and only what was refused
    verifier = None
    if settings.api_jwks:
        verifier = JwtVerifier(
            JwksSource(settings.api_jwks),
            issuer=settings.api_jwt_issuer,
            audience=settings.api_jwt_audience,
            clock_skew_s=settings.api_clock_skew_s,
        )
    id_key = read_signing_keys(
        settings.api_id_keys,
        [settings.api_id_key],
        lambda: aws_client("secretsmanager", timeout_s=settings.aws_timeout_s),
    )[settings.api_id_key]
    places = StreamPlaces(kinesis, settings.changes_stream, partial(_done, client, settings.namespace))
    return EventsApi(
        settings,
        Callers(authority.policy, verifier, settings.api_sources_claim),
        EventGate(
            Decoder(rulesets, expected="canonical"),
            authority,
            settings.changes_stream,
            settings.api_event_bytes_max,
            lambda: time.time_ns() // 1000,
        ),
        StreamWriter(kinesis, settings.changes_stream, settings.api_attempts_max),
        EventIds(id_key),
        Outcomes(
            {domain: _reader(client, rules, settings.namespace) for domain, rules in rulesets.items()},
            QuarantineStore(deployment.store(settings.quarantine_url)),
            settings.changes_stream,
            places,
        ),
        Idempotency.on_redis(client, settings.namespace, settings.api_idempotency_hours),
    )


def deployment_of(settings: EventsApiSettings) -> Deployment:
    """Return the deployment that the API is a part of."""
    return Deployment(
        rules=tuple(settings.rules.split(",")),
        redis_url=settings.redis_url,
        namespace=settings.namespace,
        changes_stream=settings.changes_stream,
        steward_stream=settings.steward_stream,
        authority_setting=settings.authority,
        signing_keys=settings.signing_keys,
        kinesis_endpoint_url=settings.kinesis_endpoint_url,
        quarantine_url=settings.quarantine_url,
        timeout_s=settings.aws_timeout_s,
    )


def _reader(client: redis.Redis, rules: Ruleset, namespace: str) -> Callable[[], IndexReader]:
    """Return what opens a domain's index when it is first asked for, and gives the same reader from then on."""
    opened: list[IndexReader] = []

    def reader() -> IndexReader:
        if not opened:
            opened.append(open_reader(client, rules, namespace))
        return opened[0]

    return reader


def _done(client: redis.Redis, namespace: str) -> dict[str, str]:
    return {shard: each.sequence_number for shard, each in read_progress(client, namespace).shards.items()}
