"""Build the resolver from the environment, once a process."""

from __future__ import annotations

import time
from collections.abc import Mapping

import boto3
import redis

from mdm_stream.config import EngineSettings, ResolveSettings, settings_from_environment
from mdm_stream.decode import Decoder
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.process import settle_garbage_collector
from mdm_stream.engine.resolver import DomainResolver, Resolver
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.index.redis_index import RedisIndex
from mdm_stream.quarantine import open_quarantine
from mdm_stream.rules import load_rulesets


def build_resolver(environment: Mapping[str, str]) -> Resolver:
    """Return a resolver for the settings in ``environment``.

    ``ConfigurationError`` or ``RulesError`` says which of them is wrong.
    """
    settings: ResolveSettings = settings_from_environment(ResolveSettings, environment)
    limits: EngineSettings = settings_from_environment(EngineSettings, environment)
    rulesets = load_rulesets(settings.rules.split(","))
    client = redis.Redis.from_url(
        settings.redis_url, socket_timeout=settings.redis_timeout_s, socket_connect_timeout=settings.redis_timeout_s
    )
    kinesis = boto3.client("kinesis", endpoint_url=settings.kinesis_endpoint_url or None)
    domains = {}
    for domain, rules in rulesets.items():
        index = RedisIndex(client, rules, settings.namespace)
        domains[domain] = DomainResolver(Engine(rules, index, limits), index)
    settle_garbage_collector()
    return Resolver(
        Decoder(rulesets),
        domains,
        FeedPublisher(kinesis, settings.golden_stream),
        open_quarantine(settings.quarantine_url),
        now_us=lambda: time.time_ns() // 1000,
    )
