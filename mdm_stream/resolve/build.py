"""Build the resolver from the environment, once a process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

import boto3
import redis
from botocore.config import Config
from redis.backoff import NoBackoff
from redis.retry import Retry

from mdm_stream.archive import open_archive
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.decode import Decoder
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.process import settle_garbage_collector
from mdm_stream.feed.claims import ClaimStore, claims_url_of
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.index.redis.epochs import hold
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.objects.store import open_object_store
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.resolver import DomainResolver, Resolver
from mdm_stream.rules import load_rulesets
from mdm_stream.settings import EngineSettings, ResolveSettings

OBJECT_ATTEMPTS_MAX = 3
"""Attempts of one request to S3 within a batch, before the batch is reported as failed and comes again."""


def build_resolver(environment: Mapping[str, str]) -> Resolver:
    """Return a resolver for the settings in ``environment``.

    ``ConfigurationError`` or ``RulesError`` says which of them is wrong.
    """
    settings: ResolveSettings = ResolveSettings.from_environment(environment)
    limits: EngineSettings = EngineSettings.from_environment(environment)
    rulesets = load_rulesets(settings.rules.split(","))
    client = redis.Redis.from_url(
        settings.redis_url,
        socket_timeout=settings.redis_timeout_s,
        socket_connect_timeout=settings.redis_timeout_s,
        retry=Retry(NoBackoff(), 0),  # the engine tries again, and knows what may have been applied
    )
    kinesis = boto3.client(
        "kinesis",
        endpoint_url=settings.kinesis_endpoint_url or None,
        config=_within(settings.aws_timeout_s, attempts=1),  # the publisher tries again, and only what was refused
    )
    objects = None
    claims_url = claims_url_of(settings.archive_url, settings.claims_url)
    if "s3" in {urlsplit(url).scheme for url in (settings.archive_url, settings.quarantine_url, claims_url)}:
        objects = boto3.client("s3", config=_within(settings.aws_timeout_s, attempts=OBJECT_ATTEMPTS_MAX))
    archive = open_archive(settings.archive_url, s3_client=objects)
    domains = {}
    for domain, rules in rulesets.items():
        index = RedisIndex(client, rules, settings.namespace, witness=partial(archive.witness, domain))
        domains[domain] = DomainResolver(
            engine=Engine(rules, index, limits),
            index=index,
            outbox=index,
            merges=MergeWatch(settings.merges_per_minute_max, time.monotonic),
            hold=partial(hold, client, settings.namespace, domain) if settings.merge_hold else _let_go_on,
            golden_bytes_warn=settings.golden_bytes_warn,
        )
    settle_garbage_collector()
    return Resolver(
        Decoder(rulesets),
        domains,
        archive=archive,
        quarantine=open_quarantine(settings.quarantine_url, s3_client=objects),
        golden=FeedPublisher(
            kinesis,
            settings.golden_stream,
            claims=ClaimStore(open_object_store(claims_url, s3_client=objects), claims_url),
            record_bytes_max=settings.feed_record_bytes_max,
        ),
        changes=FeedPublisher(kinesis, settings.changes_stream),
        now_us=lambda: time.time_ns() // 1000,
        expiries_per_tick_max=settings.expiries_per_tick_max,
    )


def _within(timeout_s: float, *, attempts: int) -> Config:
    return Config(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )


def _let_go_on(_: str) -> None:
    """Do nothing about a merge storm beyond the alarm."""
