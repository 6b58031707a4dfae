"""What counts as done is on a replica: a primary that is lost leaves no index in doubt."""

from __future__ import annotations

import random
import time
from contextlib import suppress

import pytest
from small_world import small_rules
from valkey_cluster import PRIMARIES, Relay, ValkeyCluster, replicated_pair, until

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.errors import IndexInDoubtError
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.epochs import domain_prefix
from mdm_stream.index.redis.index import RedisIndex

RULES = small_rules()
TIMEOUT_S = 3.0
BATCHES = 40


def upsert(number: int, version: int = 1) -> RecordEvent:
    """Return a change of a record."""
    names = {"given_name": random.Random(number).choice(["Ann", "Bob"]), "family_name": "Lee"}
    return RecordEvent("person", "crm", str(number), "upsert", version, version, names)


def test_what_no_replica_has_is_not_witnessed(tmp_path):
    """While one follows and does not acknowledge; as soon as it does, it is, in a round trip."""
    with replicated_pair(tmp_path) as (primary, replica):
        client = open_client(f"redis://127.0.0.1:{primary.port}", TIMEOUT_S)
        index = RedisIndex(client, RULES)
        engine = Engine(RULES, index)
        assert engine.process([upsert(1)]).failed == []
        assert index.position().clock == 1
        assert replica.ask("HGET", "mdm:{main:person}:1:meta", "clock") == b"1"
        replica.freeze()
        try:
            assert engine.process([upsert(2)]).failed == []
            with pytest.raises(TransientError, match=r"0 replicas .* of 1 that must; 1 follow"):
                index.position()
        finally:
            replica.freeze(thaw=True)
        until(lambda: index.position().clock == 2 if _waits(index) else False, "the replica acknowledges")
        trips = index.counters.round_trips
        index.position()
        assert index.counters.round_trips - trips == 1
        assert index.counters.unreplicated == 0


def _waits(index: RedisIndex) -> bool:
    try:
        index.position()
    except TransientError:
        return False
    return True


def test_with_no_replica_left_work_goes_on_and_is_counted_unless_one_is_demanded(tmp_path):
    """A second fault would cost a rebuild; to stop would cost more. Who sees it otherwise sets ``replicas_min``."""
    with replicated_pair(tmp_path) as (primary, replica):
        client = open_client(f"redis://127.0.0.1:{primary.port}", TIMEOUT_S)
        index, strict = RedisIndex(client, RULES), RedisIndex(client, RULES, replicas_min=1)
        Engine(RULES, index).process([upsert(1)])
        assert index.position() == strict.position()
        replica.stop(kill=True)
        until(lambda: primary.ask("INFO", "replication")["connected_slaves"] == 0, "the primary has noticed")
        assert index.position().clock == 1
        assert index.counters.unreplicated == 1
        began_s = time.monotonic()
        index.position()
        assert time.monotonic() - began_s < 0.5  # what is not there is waited for once
        with pytest.raises(TransientError, match="of 1 that must; 0 follow"):
            strict.position()


def test_a_full_server_still_says_how_far_it_has_come(redis_client):
    """Without that nothing would be published, and nothing be freed."""
    index = RedisIndex(redis_client, RULES)
    Engine(RULES, index).process([upsert(1)])
    before = index.position()
    redis_client.config_set("maxmemory", 1)
    try:
        assert index.position() == before
    finally:
        redis_client.config_set("maxmemory", 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_commit_that_is_lost_with_the_primary_was_not_witnessed(tmp_path, seed):
    """It is on its way to the replica when the primary is killed: nothing is in doubt, and it is only done again.

    Were it witnessed all the same, the replica would be behind the witness, and nothing could be written to it.
    """
    with replicated_pair(tmp_path) as (primary, replica):
        relay = Relay(primary)
        replica.ask("REPLICAOF", "127.0.0.1", relay.port)
        until(lambda: replica.ask("INFO", "replication")["master_link_status"] == "up", "it follows by the relay")
        witnessed: list[EpochPosition] = []
        index = RedisIndex(open_client(f"redis://127.0.0.1:{primary.port}", TIMEOUT_S), RULES)
        engine = Engine(RULES, index)
        events = [upsert(number % 5, number + 1) for number in range(4 + seed)]
        for event in events[:-1]:
            engine.process([event])
            witnessed.append(index.position())
        relay.hold()
        assert engine.process(events[-1:]).failed == []
        assert index.reached() > witnessed[-1]
        with suppress(TransientError):
            witnessed.append(index.position())
        primary.stop(kill=True)
        relay.cut()
        replica.ask("REPLICAOF", "NO", "ONE")
        client = open_client(f"redis://{replica.host}:{replica.port}", TIMEOUT_S)
        successor = RedisIndex(client, RULES, witness=lambda: witnessed[-1])
        assert successor.reached() == witnessed[-1]
        assert Engine(RULES, successor).process(events[-1:]).failed == []
        assert successor.snapshot() == resolve(RULES, events)


def test_a_primary_that_is_killed_under_load_leaves_no_index_in_doubt(tmp_path):
    """Killed right after what was witnessed: the replica that takes over has all of it, and work goes on to F."""
    with ValkeyCluster(tmp_path) as cluster:
        client = open_client(cluster.url, TIMEOUT_S)
        for namespace in _one_on_each_primary(cluster):
            witnessed: list[EpochPosition] = []
            index = RedisIndex(client, RULES, namespace, witness=lambda held=witnessed: held[-1] if held else None)
            engine = Engine(RULES, index)
            events = [upsert(number % 7, number + 1) for number in range(BATCHES)]
            for number, event in enumerate(events):
                assert engine.process([event]).failed == []
                witnessed.append(index.position())
                if number == BATCHES // 2:
                    cluster.kill_primary(_root(namespace))
                    _open_again(index)
            assert index.snapshot() == resolve(RULES, events)


def _root(namespace: str) -> str:
    return domain_prefix(namespace, "person") + "root"


def _one_on_each_primary(cluster: ValkeyCluster) -> list[str]:
    """Return a namespace on each primary, so that each is killed once."""
    found = {cluster.primary_of(_root(f"n{number}")).port: f"n{number}" for number in range(30)}
    assert len(found) == PRIMARIES
    return list(found.values())


def _open_again(index: RedisIndex) -> None:
    """Look until the successor answers: in doubt is no passing fault here."""

    def opened() -> bool:
        try:
            index.refresh()
        except IndexInDoubtError as error:
            raise AssertionError from error
        except TransientError:
            return False
        return True

    until(opened, "the successor is taken over")
