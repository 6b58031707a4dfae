"""The resolve consumer's alarms fire by their fault, on the real handler, and clear once it is over."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from alarm_bench import Watch
from function_servers import FunctionServers, function_servers
from valkey_cluster import replicated_pair, until

from mdm_stream.deployment import Deployment
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.errors import TransientError
from mdm_stream.feed.publisher import FeedPublisher, Refused
from mdm_stream.index.redis import epochs
from mdm_stream.local.event_source.mapping import FunctionContext, ShardRecord, kinesis_event, schedule_event
from mdm_stream.local.stack import GOLDEN_STREAM
from mdm_stream.rebuild.run import Rebuild, RebuildOptions
from mdm_stream.resolve import source_watch

MODULE = "consumers.resolve.handler"
SHARD, ARN = "shardId-000000000000", "arn:aws:kinesis:us-east-1:123456789012:stream/mdm-changes"
FIRST_SEQUENCE = 49590338271490256608559692538361571095921575989136588898
NUMBERS = itertools.count(1)
"""No two records of these tests have one id, and no two places of a stream one sequence number."""


@dataclass
class WarmFunction:
    """A handler with a namespace, an archive and a quarantine of its own."""

    module: Any
    servers: FunctionServers
    namespace: str

    def call(self, *raws: bytes, age_s: float = 0.0) -> None:
        """Deliver records that have been on the stream for so long."""
        arrived_s = time.time() - age_s
        records = [ShardRecord(str(FIRST_SEQUENCE + next(NUMBERS)), "k", raw, arrived_s) for raw in raws]
        self.module.handler(kinesis_event(records, SHARD, ARN), FunctionContext("resolve"))

    def tick(self) -> None:
        """Invoke it as its schedule does."""
        self.module.handler(schedule_event(ARN, time.time()), FunctionContext("resolve"))

    def good(self) -> None:
        """A batch of one new person."""
        self.call(person())


@pytest.fixture(scope="module")
def servers() -> Iterator[FunctionServers]:
    """A Redis and a Kinesis API for all tests of this file."""
    with function_servers(GOLDEN_STREAM) as started:
        yield started


@pytest.fixture
def function(servers: FunctionServers, request: pytest.FixtureRequest) -> Callable[..., WarmFunction]:
    """Start the function with settings."""
    if servers.redis.running:
        servers.redis.client().flushall()
    namespace = f"t{abs(hash(request.node.name))}"

    def start(**settings: str) -> WarmFunction:
        common = {
            "MDM_NAMESPACE": namespace,
            "MDM_GOLDEN_STREAM": GOLDEN_STREAM,
            "MDM_CHANGES_STREAM": "mdm-changes",
            "MDM_ARCHIVE_URL": (servers.folder / namespace / "archive").as_uri(),
            "MDM_QUARANTINE_URL": (servers.folder / namespace / "quarantine").as_uri(),
            "MDM_TRANSIENT_ATTEMPTS_MAX": "1",
            "MDM_REDIS_TIMEOUT_S": "2",
        }
        module = servers.start(MODULE, common | settings)
        module.logger.registered_handler.stream = io.StringIO()
        return WarmFunction(module, servers, namespace)

    return start


def person(number: int | None = None, version: int = 1, **more: Any) -> bytes:
    """Return a change event: of a person whom nothing links to others, unless ``attributes`` say so."""
    number = next(NUMBERS) if number is None else number
    letters = "".join(chr(ord("a") + each % 26) for each in hashlib.sha256(str(number).encode()).digest())
    names = {"given_name": letters[:8].title(), "family_name": letters[8:20].title()}
    values = names | {"email": f"{letters}@example.org"}
    attributes = values | more.pop("attributes", {})
    event = {"domain": "person", "source": "crm", "record_id": str(number), "op": "upsert", "version": version}
    return orjson.dumps(event | more | {"attributes": attributes})


def test_batches_fail_while_redis_is_away(function, servers, watch: Watch):
    """And go on once it is back."""
    resolve = function()
    bench = watch("batches-failing", service="resolve")
    bench.is_silent(resolve.good)
    servers.redis.stop()
    try:
        bench.fires(resolve.good)
    finally:
        servers.redis.start()
    bench.clears(resolve.good)


class NothingPublished:
    """A feed of which nothing was published before, and which takes everything."""

    def publish(self, messages: Any) -> None:
        """Take messages."""

    def read(self, state: Any) -> None:
        """Nothing was published."""

    finish = read


def test_an_index_in_doubt_is_rebuilt(function, servers, watch: Watch):
    """Its server was flushed; the runbook's rebuild clears the alarm."""
    resolve = function()
    bench = watch("index-in-doubt", service="resolve")
    bench.is_silent(resolve.good)
    servers.redis.client().flushall()
    bench.fires(resolve.good)
    deployment = Deployment.from_environment(os.environ)
    rules = deployment.rulesets()["person"]
    Rebuild(
        rules,
        deployment.redis_url,
        resolve.namespace,
        archive=deployment.archive(),
        golden=NothingPublished(),
        published=NothingPublished(),
        options=RebuildOptions(workers=1, publish_grace_s=0),
    ).run()
    bench.clears(resolve.good)


def test_a_held_domain_is_released(function, servers, watch: Watch):
    """A quarter of an hour after it was held."""
    resolve = function()
    bench = watch("domain-held", service="resolve")
    bench.is_silent(resolve.good)
    epochs.hold(servers.redis.client(), resolve.namespace, "person", "a test")
    bench.fires(resolve.good)
    assert epochs.release(servers.redis.client(), resolve.namespace, "person")
    bench.clears(resolve.good)


def test_a_consumer_without_ticks_is_missed(function, watch: Watch):
    """Ticks alone keep the alarm silent; where they end, no line says so, and it fires."""
    resolve = function()
    bench = watch("resolver-silent", service="resolve")
    bench.is_silent(resolve.tick)
    bench.fires_without_data()
    bench.clears(resolve.tick)


def test_events_that_wait_make_it_slow(function, watch: Watch):
    """Two minutes on the stream are more than one."""
    resolve = function()
    bench = watch("event-to-golden-slow", service="resolve")
    bench.is_silent(resolve.good)
    bench.fires(lambda: resolve.call(person(), age_s=120))
    bench.clears(resolve.good)


def test_an_unexpected_fault_of_one_event(function, watch: Watch, monkeypatch):
    """It is kept in quarantine, and the next one is done."""
    resolve = function()
    bench = watch("engine-faults", service="resolve")
    bench.is_silent(resolve.good)

    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "process", broken)
        bench.fires(resolve.good)
    bench.clears(resolve.good)


def test_a_source_that_sends_what_is_no_event(function, watch: Watch):
    """One of ten is too many; one of sixty is not."""
    resolve = function()
    bench = watch("quarantine-share", service="resolve")
    bench.is_silent(lambda: resolve.call(b"{", *(person() for _ in range(59))))
    bench.fires(lambda: resolve.call(b"{", *(person() for _ in range(9))))
    bench.clears(resolve.good)


def test_a_message_that_the_feed_refuses(function, watch: Watch, monkeypatch):
    """The stream's refusal is stood in for; the message is published once it takes it."""
    resolve = function()
    bench = watch("feed-refused", service="resolve")
    bench.is_silent(resolve.good)
    with monkeypatch.context() as patch:
        patch.setattr(FeedPublisher, "publish", lambda _self, messages: [Refused(n, "ValidationException")
                                                                         for n in range(len(messages))])  # fmt: skip
        bench.fires(resolve.good)
    bench.clears(resolve.good)


def test_changes_wait_to_be_published(function, servers, watch: Watch, monkeypatch):
    """The feed's stream takes nothing; what waits there is made ten minutes older. Once it takes them, none waits."""
    resolve = function()
    bench = watch("outbox-old", service="resolve")
    bench.is_silent(resolve.tick)

    def refused(_self: FeedPublisher, _messages: Any) -> None:
        raise TransientError("the feed's stream takes nothing")

    with monkeypatch.context() as patch:
        patch.setattr(FeedPublisher, "publish", refused)
        resolve.good()
        client = servers.redis.client()
        [outbox] = client.scan_iter(f"mdm:*{resolve.namespace}:person*:out")
        entries = client.xrange(outbox)
        client.delete(outbox)
        for entry_id, fields in entries:
            client.xadd(outbox, {**fields, b"t": int(fields[b"t"]) - 600_000_000}, id=entry_id)
        client.hset(outbox.removesuffix(b"out") + b"meta", "live_us", 1)

        def tick() -> None:
            with pytest.raises(TransientError):
                resolve.tick()

        bench.fires(tick)
    bench.clears(resolve.tick)


def test_records_wait_to_be_evaluated_again(function, servers, watch: Watch, monkeypatch):
    """A thousand and one are queued, and ticks do not come to them; one that does works all of them off."""
    resolve = function()
    resolve.good()
    bench = watch("reevaluation-deep", service="resolve")
    bench.is_silent(resolve.tick)
    client = servers.redis.client()
    [meta] = client.scan_iter(f"mdm:*{resolve.namespace}:person*:meta")
    client.sadd(meta.removesuffix(b"meta") + b"pend", *(f"crm/absent{number}" for number in range(1_001)))
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "drain", lambda _self: BatchReport())
        bench.fires(resolve.tick)
    bench.clears(resolve.tick)


def test_a_case_waits_for_a_steward(function, servers, watch: Watch):
    """Two records of one name: it was opened eight days ago. Once one of them is gone, the case is, too."""
    resolve = function()
    bench = watch("review-old", service="resolve")
    bench.is_silent(resolve.tick)
    numbers = [next(NUMBERS), next(NUMBERS)]
    same = {"given_name": "Ann", "family_name": "Quackenbush"}
    resolve.call(*(orjson.dumps(orjson.loads(person(number)) | {"attributes": same}) for number in numbers))
    client = servers.redis.client()
    [since] = client.scan_iter(f"mdm:*{resolve.namespace}:person*:since")
    [(pair, opened_us)] = client.zscan(since)[1]
    client.zadd(since, {pair: opened_us - 8 * 86_400_000_000})
    bench.fires(resolve.tick)
    gone = orjson.loads(person(numbers[0], 2)) | {"op": "delete"}
    del gone["attributes"]
    resolve.call(orjson.dumps(gone))
    bench.clears(resolve.tick)


def test_merges_storm(function, watch: Watch):
    """Three golden records end in one where one a minute is the limit."""
    resolve = function(MDM_MERGES_PER_MINUTE_MAX="1")
    bench = watch("merge-storm", service="resolve")
    bench.is_silent(resolve.good)

    def storm() -> None:
        numbers = [next(NUMBERS) for _ in range(4)]
        resolve.call(*map(person, numbers))
        same = {"given_name": "Xenia", "family_name": "Quackenbush", "email": f"s{numbers[0]}@example.org",
                "birth_date": "1961-07-04"}  # fmt: skip
        resolve.call(*(person(number, 2, attributes=same) for number in numbers))

    bench.fires(storm)
    bench.clears(resolve.good)


def test_a_golden_record_grows_large(function, watch: Watch):
    """It is reported with the batch that changes it."""
    resolve = function(MDM_GOLDEN_BYTES_WARN="4096")
    bench = watch("golden-large", service="resolve")
    bench.is_silent(resolve.good)
    emails = [f"p{n}@{'m' * 60}.{'n' * 60}.example.org" for n in range(60)]
    bench.fires(lambda: resolve.call(person(attributes={"email": emails})))
    bench.clears(resolve.good)


def phones(count: int) -> list[bytes]:
    """Return different people of one phone."""
    phone = f"+4420{next(NUMBERS):08d}"
    return [person(attributes={"phone": phone}) for _ in range(count)]


def test_a_key_is_suspended(function, watch: Watch):
    """With the batch in which it grows past its limit."""
    resolve = function()
    bench = watch("keys-suspended", service="resolve")
    bench.is_silent(resolve.good)
    shared = phones(201)
    bench.fires(lambda: resolve.call(*shared))
    bench.clears(resolve.good)


def test_a_key_becomes_common(function, watch: Watch):
    """Each change of one of 180 records of a phone is compared with all others."""
    resolve = function()
    bench = watch("candidate-pairs", service="resolve")
    bench.is_silent(resolve.good)
    shared = phones(180)
    resolve.call(*shared)
    one = orjson.loads(shared[0])
    versions = itertools.count(2)

    def change() -> None:
        version = next(versions)
        resolve.call(
            orjson.dumps(one | {"version": version, "attributes": one["attributes"] | {"city": f"C{version}"}})
        )

    bench.fires(change)
    bench.clears(resolve.good)


def test_a_source_changes_its_format(function, watch: Watch):
    """Its dates of birth become placeholders."""
    resolve = function()
    bench = watch("values-set-aside", service="resolve")
    bench.is_silent(resolve.good)
    bench.fires(lambda: resolve.call(person(attributes={"birth_date": "1970-01-01"})))
    bench.clears(resolve.good)


def test_versions_are_no_order(function, watch: Watch):
    """A source sends two contents under one version."""
    resolve = function()
    bench = watch("version-collisions", service="resolve")
    bench.is_silent(resolve.good)

    def collide() -> None:
        number = next(NUMBERS)
        resolve.call(person(number), person(number, attributes={"email": "other@example.org"}))

    bench.fires(collide)
    bench.clears(resolve.good)


def test_positions_of_a_source_fall(function, watch: Watch):
    """A later write has a lower version."""
    resolve = function()
    bench = watch("positions-fall", service="resolve")
    bench.is_silent(resolve.good)

    def fall() -> None:
        number = next(NUMBERS)
        resolve.call(person(number, 9, event_time="2026-01-01T00:00:00Z"))
        resolve.call(person(number, 4, event_time="2026-01-01T00:06:00Z", attributes={"city": "Later"}))

    bench.fires(fall)
    bench.clears(resolve.good)


def test_a_source_is_held_for_half_a_day(function, watch: Watch, monkeypatch):
    """Its events are kept aside; released, they are done."""
    monkeypatch.setattr(source_watch, "MARKS_AGE_S_MAX", 0.0)
    resolve = function()
    bench = watch("source-held", service="resolve")
    bench.is_silent(resolve.good)
    marks = Deployment.from_environment(os.environ).archive().sources("person")
    marks.hold("crm", "a test", 1)
    bench.fires(resolve.good)
    assert marks.release("crm")
    bench.clears(resolve.good)


def test_no_replica_follows(function, tmp_path: Path, watch: Watch):
    """The replica's process ends, and is back."""
    with replicated_pair(tmp_path) as (primary, replica):
        resolve = function(MDM_REDIS_URL=f"redis://{primary.host}:{primary.port}")
        bench = watch("unreplicated")
        bench.is_silent(resolve.good)
        replica.stop(kill=True)
        until(lambda: primary.ask("INFO", "replication")["connected_slaves"] == 0, "the primary has noticed")
        bench.fires(resolve.good)
        replica.start()
        until(replica.answers, "it answers")
        replica.ask("REPLICAOF", primary.host, primary.port)
        until(lambda: replica.ask("INFO", "replication")["master_link_status"] == "up", "it follows")
        bench.clears(resolve.good)


def test_no_line_of_metrics_holds_a_value(function, capsys):
    """What alarms are about is counts; names in it are of services and of the rules."""
    resolve = function()
    resolve.call(person(attributes={"given_name": "Wilhelmina", "birth_date": "1970-01-01"}), b"Wilhelmina")
    printed = capsys.readouterr().out
    assert base64.b64encode(b"Wilhelmina").decode() not in printed
    assert "Wilhelmina" not in printed
