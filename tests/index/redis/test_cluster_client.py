"""The client of a cluster: three real primaries with replicas, planned failovers, a killed primary."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import redis
from small_world import small_rules
from valkey_cluster import ValkeyCluster, until

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.bulk import BulkWriter
from mdm_stream.index.redis.client import (
    ClusterClient,
    cluster_of,
    open_client,
    primaries_without_replica,
    replicas_of,
)
from mdm_stream.index.redis.epochs import Epochs, domain_prefix, drop_namespace
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.kept import copy_epoch, keep, kept_epoch
from mdm_stream.index.redis.scan import open_scanner

TIMEOUT_S = 3.0
RULES = small_rules(max_block_size=3)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[ValkeyCluster]:
    """A cluster for all tests here."""
    with ValkeyCluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def history(seed: int, count: int = 120) -> list[RecordEvent]:
    """Return changes of few records, which meet each other."""
    randomness = random.Random(seed)
    events = []
    for version in range(count):
        names = {"given_name": randomness.choice(["Ann", "Bob"]), "family_name": randomness.choice(["Lee", "Kim"])}
        op = randomness.choice(["upsert", "upsert", "upsert", "delete"])
        ref = str(randomness.randrange(12))
        events.append(RecordEvent("person", "crm", ref, op, version, version, names if op == "upsert" else {}))
    return events


def batches(events: list[RecordEvent]) -> Iterator[list[RecordEvent]]:
    """Yield the events in small batches."""
    for start in range(0, len(events), 6):
        yield events[start : start + 6]


@pytest.mark.parametrize("namespace", ["a", "b", "c d", "e"])
def test_domains_in_any_slot_are_resolved(cluster, namespace):
    """F, whichever node has the domain; and nothing is left on any node when the namespace is dropped."""
    client = open_client(cluster.url, TIMEOUT_S)
    assert cluster_of(client) is not None
    assert replicas_of(client, domain_prefix(namespace, "person") + "root") == 1
    until(lambda: primaries_without_replica(open_client(cluster.url, TIMEOUT_S)) == 0, "each primary has a replica")
    index = RedisIndex(client, RULES, namespace)
    engine = Engine(RULES, index)
    events = history(1)
    for batch in batches(events):
        assert engine.process(batch).failed == []
    engine.drain()
    assert index.snapshot() == resolve(RULES, events)
    assert [entry.sequence for entry in index.read(1_000)] == list(range(1, index.position().sequence + 1))
    drop_namespace(client, namespace)
    assert [name for name in client.scan_iter() if name.startswith(domain_prefix(namespace, "person").encode())] == []


def test_an_epoch_is_built_switched_to_and_gone_back_to(cluster):
    """Everything that rebuilds and bootstraps ask of an index works in cluster mode."""
    client, namespace = open_client(cluster.url, TIMEOUT_S), "epochs"
    index = RedisIndex(client, RULES, namespace)
    Engine(RULES, index).process(history(2))
    before = index.snapshot()
    epochs = Epochs(client, RULES, namespace)
    epoch, _ = epochs.begin_job("job", 0, 1)
    assert epochs.is_of_job("job")
    filling = RedisIndex(client, RULES, namespace, building=epoch)
    Engine(RULES, filling).process(history(3))
    writer = BulkWriter(client, RULES, namespace, epoch)
    writer.put_place("crm/none", "golden")
    writer.flush()
    assert filling.announce([]) == 0
    assert epochs.fence(epoch) == 1
    keep(client, namespace, "person", 1, [], "nothing")
    assert epochs.go_live(epoch)
    assert epochs.told_ahead_us() == 0
    index.refresh()
    assert index.epoch == epoch
    kept = kept_epoch(client, RULES, namespace)
    assert kept is not None
    again = epochs.begin()
    copied = copy_epoch(client, RULES, namespace, kept, again)
    assert copied > 0
    assert epochs.go_live(again)
    index.refresh()
    assert index.snapshot() == before
    assert sum(len(page) for page in open_scanner(client, RULES, namespace).doubt_pages()) >= 0
    epochs.drop_past()


def test_commits_go_to_the_slots_own_node_in_one_round_trip(cluster, monkeypatch):
    """None of them is sent by itself: that would cost two fifths of the throughput."""
    sent = []
    execute = ClusterClient.execute_command

    def noted(self, *words, **options):
        sent.append(words[0])
        return execute(self, *words, **options)

    client = open_client(cluster.url, TIMEOUT_S)
    index = RedisIndex(client, RULES, "one-trip")
    Engine(RULES, index).process(history(4))
    monkeypatch.setattr(ClusterClient, "execute_command", noted)
    commits = index.counters.bytes_written
    Engine(RULES, index).process([RecordEvent("person", "crm", str(n), "upsert", 900, 900, {}) for n in range(50)])
    assert index.counters.bytes_written > commits
    assert "EVALSHA" in sent  # reads
    commit = index._epoch.scripts.sha("commit")
    assert commit not in [word for words in sent for word in words]


def test_a_planned_failover_fails_no_batch(cluster):
    """Whatever lies between two batches, or in the middle of them: the client follows the slot."""
    client, namespace = open_client(cluster.url, TIMEOUT_S), "planned"
    root = domain_prefix(namespace, "person") + "root"
    index = RedisIndex(client, RULES, namespace)
    engine = Engine(RULES, index)
    events = history(5)
    for number, batch in enumerate(batches(events)):
        if number in (4, 11):
            cluster.fail_over(root)
        assert engine.process(batch).failed == []
    engine.drain()
    assert index.snapshot() == resolve(RULES, events)


def test_a_killed_primary_is_followed_once_its_replica_has_taken_over(cluster):
    """Batches fail meanwhile, and are done when they are delivered again. The last test here: it leaves a node less."""
    client, namespace = open_client(cluster.url, TIMEOUT_S), "killed"
    root = domain_prefix(namespace, "person") + "root"
    index = RedisIndex(client, RULES, namespace)
    engine = Engine(RULES, index)
    events = history(6)
    engine.process(events[:60])
    with redis.Redis(port=cluster.primary_of(root).port) as primary:
        primary.execute_command("WAIT", 1, 2_000)
    cluster.kill_primary(root)
    for _ in range(5):
        if not engine.process(events).failed:
            break
    engine.drain()
    assert index.snapshot() == resolve(RULES, events)
