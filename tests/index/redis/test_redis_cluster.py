"""The index on a server in cluster mode, which refuses every command and script whose keys are not in one slot."""

from __future__ import annotations

import random
import subprocess
import time

import pytest
import redis
from small_world import small_rules

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.epochs import drop_namespace
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.ports import free_ports
from mdm_stream.local.servers.redis import find_program

START_S = 20.0
SLOT_LAST = 16_383


@pytest.fixture
def cluster_port(tmp_path):
    """The port of a cluster of one node that serves all slots."""
    port, bus_port = free_ports(2)
    options = {"port": port, "cluster-port": bus_port, "bind": "127.0.0.1", "cluster-enabled": "yes", "dir": tmp_path}
    options["save"] = ""
    command = [find_program(), *(str(word) for name, value in options.items() for word in (f"--{name}", value))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            deadline_s = time.monotonic() + START_S
            while not serves(port) and time.monotonic() < deadline_s:
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()


def serves(port: int) -> bool:
    """Give the node all slots if it has none; return whether the cluster is complete."""
    with redis.Redis(port=port) as client:
        try:
            info = client.execute_command("CLUSTER INFO")
            if info["cluster_slots_assigned"] == "0":
                client.execute_command("CLUSTER ADDSLOTSRANGE", 0, SLOT_LAST)
            return info["cluster_state"] == "ok"
        except redis.RedisError:
            return False


@pytest.mark.parametrize("kind", [redis.Redis, redis.RedisCluster])
def test_the_engine_works_on_a_cluster(cluster_port, kind):
    """With a plain client and with one that knows the cluster: F, a feed, and nothing left when it is dropped."""
    randomness = random.Random(7)
    rules = small_rules(max_block_size=3)
    events = []
    for version in range(60):
        names = {"given_name": randomness.choice(["Ann", "Bob"]), "family_name": randomness.choice(["Lee", "Kim"])}
        ref = str(randomness.randrange(9))
        op = randomness.choice(["upsert", "upsert", "upsert", "delete"])
        events.append(RecordEvent("person", "crm", ref, op, version, version, names if op == "upsert" else {}))
    with kind(host="127.0.0.1", port=cluster_port) as client:
        index = RedisIndex(client, rules, "a b")
        engine = Engine(rules, index)
        for start in range(0, len(events), 9):
            assert engine.process(events[start : start + 9]).failed == []
        engine.drain()
        assert index.snapshot() == resolve(rules, events)
        entries = index.read(1000)
        assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
        index.acknowledge(entries)
        assert index.read(1) == []
        drop_namespace(client, "a b")
        assert list(client.scan_iter()) == []
