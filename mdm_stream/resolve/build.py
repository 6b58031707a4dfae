"""Build the resolver from the environment, once a process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from mdm_stream.dead_letters.quarantine import QuarantineStore
from mdm_stream.decode import Decoder
from mdm_stream.deployment import Deployment
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.process import settle_garbage_collector
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.epochs import hold
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.progress import note_progress
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.resolver import DomainResolver, Resolver
from mdm_stream.rules import load_rulesets
from mdm_stream.settings import EngineSettings, ResolveSettings
from mdm_stream.telemetry.spans import NO_SPANS, Spans


def build_resolver(environment: Mapping[str, str], spans: Spans = NO_SPANS) -> Resolver:
    """Return a resolver for the settings in ``environment``, whose stages ``spans`` times.

    ``ConfigurationError`` or ``RulesError`` says which of them is wrong.
    """
    settings: ResolveSettings = ResolveSettings.from_environment(environment)
    limits: EngineSettings = EngineSettings.from_environment(environment)
    rulesets = load_rulesets(settings.rules.split(","))
    client = open_client(settings.redis_url, settings.redis_timeout_s)
    deployment = Deployment.from_settings(settings)
    kinesis = deployment.kinesis(attempts=1)  # the publisher tries again, and only what was refused
    archive = deployment.archive()
    domains = {}
    for domain, rules in rulesets.items():
        index = RedisIndex(
            client,
            rules,
            settings.namespace,
            witness=partial(archive.witness, domain),
            replicas_min=settings.redis_replicas_min,
            call_s=settings.redis_timeout_s,
        )
        domains[domain] = DomainResolver(
            engine=Engine(rules, index, limits, spans=spans),
            index=index,
            outbox=index,
            merges=MergeWatch(settings.merges_per_minute_max, time.monotonic),
            hold=partial(hold, client, settings.namespace, domain) if settings.merge_hold else _let_go_on,
            golden_bytes_warn=settings.golden_bytes_warn,
        )
    settle_garbage_collector()
    return Resolver(
        Intake(Decoder(rulesets), deployment.authority()),
        domains,
        archive=archive,
        quarantine=QuarantineStore(deployment.store(settings.quarantine_url)),
        golden=deployment.golden_publisher(kinesis),
        steward=FeedPublisher(kinesis, settings.steward_stream),
        now_us=lambda: time.time_ns() // 1000,
        expiries_per_tick_max=settings.expiries_per_tick_max,
        done=lambda records: note_progress(client, settings.namespace, records, time.time_ns() // 1000),
        spans=spans,
    )


def _let_go_on(_: str) -> None:
    """Do nothing about a merge storm beyond the alarm."""
