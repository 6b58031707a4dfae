"""Epochs: which one is live, when a server is trusted, and the switch from one to the next."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_world import small_rules

from mdm_stream.core import f_version
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.f_version import F_VERSION, bind, f_identity
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.plan import changes
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TerminalError
from mdm_stream.index.errors import EpochChangedError, IndexInDoubtError
from mdm_stream.index.redis import epochs as epochs_module
from mdm_stream.index.redis.epochs import Epochs, hold, is_fenced, lift_fence, release
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.ports import free_ports
from mdm_stream.local.servers.redis import RedisServer

RULES = small_rules()


def upsert(record_id: str, version: int = 1, **attributes: object) -> RecordEvent:
    """A whole record of the CRM."""
    return RecordEvent("person", "crm", record_id, "upsert", version, 0, {"given_name": "Ann", **attributes})


def engine_on(index: RedisIndex) -> Engine:
    """An engine that does not wait between its attempts."""
    return Engine(RULES, index, sleep=lambda _: None)


def nothing_witnessed() -> None:
    """Say that no position was ever witnessed."""


def test_the_first_opening_makes_the_first_epoch(redis_client):
    """Also where positions are witnessed, as long as none was; whoever only reads makes nothing."""
    with pytest.raises(TerminalError, match="no index"):
        RedisIndex(redis_client, RULES, create=False)
    assert redis_client.keys() == []
    assert RedisIndex(redis_client, RULES, witness=nothing_witnessed).epoch == 1
    assert RedisIndex(redis_client, RULES, create=False).epoch == 1


def test_a_position_says_how_far_the_epoch_has_come(redis_client):
    """The clock counts commits, the sequence golden changes."""
    index = RedisIndex(redis_client, RULES)
    assert index.position() == EpochPosition(1, 0, 0)
    engine_on(index).process([upsert("1"), upsert("2", family_name="Kim")])
    position = index.position()
    assert position.epoch == 1
    assert position.clock >= 1
    assert position.sequence == len(index.read(10)) == 2


def test_an_index_that_is_gone_is_not_begun_anew(redis_client):
    """After FLUSHALL nothing is written, by whoever had it open or opens it, until it was rebuilt."""
    witnessed: list[EpochPosition] = []
    index = RedisIndex(redis_client, RULES, witness=lambda: witnessed[-1] if witnessed else None)
    engine = engine_on(index)
    engine.process([upsert("1")])
    witnessed.append(index.position())
    redis_client.flushall()
    assert engine.process([upsert("2")]).failed == [0]
    with pytest.raises(IndexInDoubtError, match=r"it is gone.*rebuild"):
        RedisIndex(redis_client, RULES, witness=lambda: witnessed[-1]).position()
    assert redis_client.keys() == []


@pytest.mark.one_redis
def test_a_restarted_server_is_trusted_only_with_all_that_was_witnessed(tmp_path):
    """A server that has every witnessed commit is taken over; one that has not is refused."""
    server = RedisServer(tmp_path / "redis")
    with server:
        index = RedisIndex(server.client(), RULES, witness=nothing_witnessed)
        engine_on(index).process([upsert("1")])
        first = index.position()
    with server:
        with pytest.raises(EpochChangedError, match="another server"):
            RedisIndex(server.client(), RULES, create=False).position()
        ahead = EpochPosition(first.epoch, first.clock + 1, first.sequence + 1)
        with pytest.raises(IndexInDoubtError, match=f"commit {first.clock + 1}"):
            RedisIndex(server.client(), RULES, witness=lambda: ahead).position()
        with pytest.raises(IndexInDoubtError):
            RedisIndex(server.client(), RULES, witness=lambda: EpochPosition(2, 0, 0)).position()
        index = RedisIndex(server.client(), RULES, witness=lambda: first)
        assert engine_on(index).process([upsert("2")]).failed == []
        assert index.position().clock > first.clock


@pytest.mark.one_redis
def test_a_replica_that_lost_the_last_writes_is_not_written_to():
    """After an asynchronous failover the replica lacks what it was not sent; nothing is written on top of that."""
    with RedisServer() as primary, RedisServer() as replica:
        index = RedisIndex(primary.client(), RULES, witness=nothing_witnessed)
        engine_on(index).process([upsert("1")])
        promoted = replica.client()
        follow(promoted, primary.client())
        promoted.replicaof("NO", "ONE")
        engine_on(index).process([upsert("2")])
        witnessed = index.position()
        lagging = RedisIndex(promoted, RULES, create=False)
        assert lagging.read_records(["crm/1", "crm/2"]).keys() == {"crm/1"}
        assert engine_on(lagging).process([upsert("3")]).failed == [0]
        with pytest.raises(IndexInDoubtError):
            RedisIndex(promoted, RULES, witness=lambda: witnessed).position()


@pytest.mark.one_redis
def test_a_primary_that_was_a_replica_meanwhile_is_another_server():
    """Failed over and back, the same process serves a history without its last writes: it is not trusted by name."""
    with RedisServer() as primary, RedisServer() as replica:
        client, promoted = primary.client(), replica.client()
        witnessed: list[EpochPosition] = []
        index = RedisIndex(client, RULES, witness=lambda: witnessed[-1] if witnessed else None)
        engine_on(index).process([upsert("1")])
        follow(promoted, client)
        promoted.replicaof("NO", "ONE")
        engine_on(index).process([upsert("2")])
        witnessed.append(index.position())
        follow(client, promoted)
        client.replicaof("NO", "ONE")
        assert RedisIndex(client, RULES, create=False).read_records(["crm/1", "crm/2"]).keys() == {"crm/1"}
        assert engine_on(index).process([upsert("3")]).failed == [0]
        with pytest.raises(IndexInDoubtError):
            RedisIndex(client, RULES, witness=lambda: witnessed[-1]).position()


def follow(replica, primary) -> None:
    """Make one server the replica of another, and wait until it has everything."""
    (port,) = free_ports(1)
    primary.config_set("port", port)  # replication takes no Unix socket
    replica.replicaof("127.0.0.1", port)
    while replica.info("replication")["master_link_status"] != "up":
        pass
    primary.wait(1, 5_000)


@pytest.mark.one_redis
def test_a_server_that_lost_what_was_announced_is_not_trusted(redis_client):
    """The witness of an epoch that was built covers what the feed is to be told, though no commit followed."""
    epochs = RedisIndex(redis_client, RULES).epochs
    building = RedisIndex(redis_client, RULES, building=epochs.begin())
    before = building.position()
    building.announce([changes.erased(RULES, "crm/1")])
    witnessed = building.position()
    assert witnessed > before
    assert epochs.go_live(2)
    redis_client.hset("mdm:{main:person}:2:meta", mapping={"server": "0" * 40, "sequence": 0})
    with pytest.raises(IndexInDoubtError):
        RedisIndex(redis_client, RULES, witness=lambda: witnessed).position()


def test_an_epoch_is_not_switched_to_on_a_server_that_may_lack_some_of_it(redis_client):
    """After a failover in the last moment neither the new epoch nor the fence of the old one can be relied on."""
    epochs = RedisIndex(redis_client, RULES).epochs
    number = epochs.begin()
    redis_client.hset(f"mdm:{{main:person}}:{number}:meta", "server", "0" * 40)
    assert not epochs.go_live(number)
    assert epochs.live() == 1


def test_an_epoch_is_built_beside_the_live_one_and_takes_its_place_in_one_step(redis_client):
    """What is built tells the feed nothing; readers and writers of the live epoch go on until the switch."""
    live = RedisIndex(redis_client, RULES)
    engine = engine_on(live)
    engine.process([upsert("1")])
    number = live.epochs.begin(above=6)
    building = RedisIndex(redis_client, RULES, building=number)
    engine_on(building).process([upsert("1"), upsert("2", family_name="Kim")])
    assert (number, building.read(10), building.position().sequence) == (7, [], 0)
    assert RedisIndex(redis_client, RULES).epoch == 1
    engine.process([upsert("3", family_name="Roth")])
    assert live.epochs.fence(number) == 1
    assert engine.process([upsert("4")]).failed == [0]
    with pytest.raises(IndexInDoubtError):
        live.position()
    assert live.epochs.go_live(number)
    assert engine.process([upsert("4", birth_date="1980-01-01")]).failed == []
    assert live.epoch == RedisIndex(redis_client, RULES).epoch == 7
    assert [(entry.epoch, entry.sequence) for entry in live.read(10)] == [(7, 1)]
    live.epochs.drop_before(7)
    assert {name.split(b":")[3] for name in redis_client.keys("mdm:*:7:*")} == {b"7"}
    assert redis_client.keys("mdm:*:1:*") == []
    expected = resolve(RULES, [upsert("1"), upsert("2", family_name="Kim"), upsert("4", birth_date="1980-01-01")])
    assert live.snapshot() == expected


def test_a_switch_that_was_given_up_lets_the_old_epoch_go_on(redis_client):
    """A fenced epoch can be let free again as long as no other has taken its place."""
    live = RedisIndex(redis_client, RULES)
    number = live.epochs.begin()
    assert live.epochs.fence(number) == 1
    assert engine_on(live).process([upsert("1")]).failed == [0]
    assert live.epochs.abandon(number)
    assert engine_on(live).process([upsert("1")]).failed == []
    assert not live.epochs.go_live(number)
    number = live.epochs.begin()
    live.epochs.fence(number)
    assert live.epochs.go_live(number)
    assert live.epochs.abandon(number)
    assert (live.epochs.live(), engine_on(live).process([upsert("1")]).failed) == (number, [])


def test_a_fence_that_a_killed_rebuild_left_is_lifted_on_demand(redis_client):
    """The old epoch is written again, and the rebuild cannot switch any more, should it be running after all."""
    live = RedisIndex(redis_client, RULES)
    assert not lift_fence(redis_client, "main", "person")
    number = live.epochs.begin()
    assert live.epochs.building() == EpochPosition(number, 0, 0)
    assert not lift_fence(redis_client, "main", "person")
    building = RedisIndex(redis_client, RULES, building=number)
    live.epochs.fence(number)
    assert is_fenced(redis_client, "main", "person")
    assert "release person --abandon-rebuild" in live.epochs.obstacle(nothing_witnessed)
    assert lift_fence(redis_client, "main", "person")
    assert not is_fenced(redis_client, "main", "person")
    assert (live.epochs.obstacle(nothing_witnessed), live.epochs.building()) == (None, None)
    assert engine_on(live).process([upsert("1")]).failed == []
    assert engine_on(building).process([upsert("1")]).failed == [0]
    assert not live.epochs.go_live(number)
    assert live.epochs.go_live(live.epochs.begin())
    assert not lift_fence(redis_client, "main", "person")


@pytest.mark.one_redis
def test_an_epoch_has_lost_something_only_if_more_was_witnessed(redis_client):
    """Another server process and other rules are no loss; an epoch that is gone, or is behind in one number, is."""
    index = RedisIndex(redis_client, RULES)
    engine_on(index).process([upsert("1")])
    reached = index.position()
    other = Epochs(redis_client, small_rules(max_block_size=9), "main")
    redis_client.hset("mdm:{main:person}:1:meta", "server", "0" * 40)
    assert not other.has_lost(None)
    assert not other.has_lost(reached)
    assert not other.has_lost(EpochPosition(0, 9, 9))
    assert other.has_lost(EpochPosition(1, reached.clock + 1, 0))
    assert other.has_lost(EpochPosition(1, 0, reached.sequence + 1))
    assert other.has_lost(EpochPosition(2, 0, 0))
    redis_client.delete("mdm:{main:person}:1:meta")
    assert other.has_lost(reached)
    redis_client.flushall()
    assert other.has_lost(reached)
    assert not other.has_lost(None)


@pytest.mark.one_redis
def test_an_obstacle_is_what_a_consumer_cannot_get_over_by_itself(redis_client):
    """A restart that lost nothing is none, nor is an index that was never there; asking changes nothing."""
    rules, other = RULES, small_rules(max_block_size=9)
    epochs = Epochs(redis_client, rules, "main")
    assert epochs.obstacle(nothing_witnessed) is None
    assert redis_client.keys() == []
    assert "it is gone" in epochs.obstacle(lambda: EpochPosition(1, 1, 1))
    index = RedisIndex(redis_client, rules)
    engine_on(index).process([upsert("1")])
    redis_client.hset("mdm:{main:person}:1:meta", "server", "0" * 40)
    before = redis_client.hgetall("mdm:{main:person}:1:meta")
    assert epochs.obstacle(lambda: EpochPosition(1, 1, 1)) is None
    assert "not to be trusted" in epochs.obstacle(lambda: EpochPosition(1, 2, 1))
    assert "another rule set" in Epochs(redis_client, other, "main").obstacle(nothing_witnessed)
    assert redis_client.hgetall("mdm:{main:person}:1:meta") == before
    hold(redis_client, "main", "person", "merges past the limit")
    assert "merges past the limit" in epochs.obstacle(lambda: EpochPosition(1, 1, 1))


def test_a_fence_is_lifted_when_what_it_was_for_can_go_live_no_more(redis_client):
    """A newer rebuild begins: writers are not held while it fills. The older one that gives up leaves its fence."""
    live = RedisIndex(redis_client, RULES, witness=nothing_witnessed)
    first = live.epochs.begin()
    live.epochs.fence(first)
    with pytest.raises(IndexInDoubtError, match=r"holds writers back.*run it again"):
        RedisIndex(redis_client, RULES, witness=nothing_witnessed).position()
    second = live.epochs.begin()
    assert not is_fenced(redis_client, "main", "person")
    assert engine_on(live).process([upsert("1")]).failed == []
    assert live.epochs.fence(second) == 1
    assert not live.epochs.abandon(first)
    assert is_fenced(redis_client, "main", "person")
    assert RedisIndex(redis_client, RULES, create=False).epoch == 1
    assert live.epochs.abandon(second)
    assert engine_on(live).process([upsert("1")]).failed == []


def test_a_rebuild_that_was_overtaken_fences_nothing(redis_client):
    """Neither the old epoch while a newer one is filled, nor that one when it is live, nor after it was abandoned."""
    live = RedisIndex(redis_client, RULES)
    first, second = live.epochs.begin(), live.epochs.begin()
    assert live.epochs.fence(first) is None
    assert engine_on(live).process([upsert("1")]).failed == []
    assert live.epochs.go_live(second)
    assert live.epochs.fence(first) is None
    assert live.epochs.fence(second) is None
    assert not is_fenced(redis_client, "main", "person")
    abandoned = live.epochs.begin()
    live.epochs.abandon(abandoned)
    assert live.epochs.fence(abandoned) is None
    assert engine_on(live).process([upsert("1", birth_date="1980-01-01")]).failed == []


def test_of_two_rebuilds_the_later_one_wins(redis_client):
    """An epoch that is not the last one begun does not go live."""
    epochs = Epochs(redis_client, RULES, "main")
    first, second = epochs.begin(), epochs.begin()
    assert (first, second) == (1, 2)
    assert not epochs.go_live(first)
    assert epochs.go_live(second)
    assert not epochs.go_live(second)
    assert epochs.live() == 2


def test_new_rules_need_a_new_epoch(redis_client):
    """An epoch belongs to one rule set; a rebuild makes one for another, and the old writers are turned away."""
    live = RedisIndex(redis_client, RULES)
    other = small_rules(max_block_size=9)
    epochs = Epochs(redis_client, other, "main")
    number = epochs.begin()
    epochs.fence(number)
    assert epochs.go_live(number)
    assert RedisIndex(redis_client, other).epoch == 2
    assert engine_on(live).process([]).failed == []
    with pytest.raises(TerminalError, match="another rule set"):
        engine_on(live).process([upsert("1")])


def test_an_index_of_another_f_is_refused_by_name(redis_client, monkeypatch):
    """The same rules under another F open nothing and write nothing; the error says what of F differs."""
    rules = replace(RULES, digest=bind("small"))
    live = RedisIndex(redis_client, rules)
    assert engine_on(live).process([upsert("1")]).failed == []
    held = redis_client.hget("mdm:{main:person}:1:meta", "f")
    assert held.decode() == f_identity().to_json()
    newer = replace(f_identity(), f_version=99)
    monkeypatch.setattr(f_version, "f_identity", lambda: newer)
    monkeypatch.setattr(epochs_module, "f_identity", lambda: newer)
    said = f"built by another F, from the same rules .F_VERSION {F_VERSION} there, 99 here.; .*mdm-stream rebuild"
    other = replace(RULES, digest=bind("small"))
    with pytest.raises(TerminalError, match=said):
        RedisIndex(redis_client, other)
    waiting = RedisIndex(redis_client, other, witness=nothing_witnessed)
    with pytest.raises(IndexInDoubtError, match=said):
        waiting.bind()
    epochs = Epochs(redis_client, other, "main")
    number = epochs.begin()
    assert redis_client.hget(f"mdm:{{main:person}}:{number}:meta", "f").decode() == newer.to_json()
    epochs.fence(number)
    assert epochs.go_live(number)
    assert waiting.bind().epoch == number
    assert engine_on(live).process([]).failed == []
    with pytest.raises(TerminalError, match="built by another F"):
        engine_on(live).process([upsert("2")])


def test_a_held_domain_takes_no_write_until_it_is_released(redis_client):
    """Whoever writes is told why; nothing of it changes what comes out in the end."""
    index = RedisIndex(redis_client, RULES)
    hold(redis_client, "main", "person", "merges past the limit")
    report = engine_on(index).process([upsert("1")])
    assert (report.failed, report.cause) == ([0], "writing to the domain is held: merges past the limit")
    assert release(redis_client, "main", "person")
    assert not release(redis_client, "main", "person")
    assert engine_on(index).process([upsert("1")]).failed == []


def test_a_rebuild_that_clears_up_leaves_a_newer_one_alone(redis_client):
    """Deleted is what is older than the new epoch: half of an epoch that is being filled would be missing unnoticed."""
    epochs = RedisIndex(redis_client, RULES).epochs
    assert epochs.go_live(epochs.begin())
    newer = epochs.begin()
    engine_on(RedisIndex(redis_client, RULES, building=newer)).process([upsert("1")])
    epochs.drop_before(2)
    assert RedisIndex(redis_client, RULES, building=newer).read_records(["crm/1"]).keys() == {"crm/1"}
    assert redis_client.keys("mdm:*:1:*") == []


def test_other_domains_are_none_of_its_business(redis_client):
    """Deleting the other epochs of a domain leaves a domain whose name begins alike."""
    index = RedisIndex(redis_client, RULES, "a*")
    redis_client.set("mdm:{ab:person}:3:rec", "kept")
    redis_client.set("mdm:{a*:person}:3:rec", "dropped")
    index.epochs.drop_before(4)
    names = set(redis_client.keys())
    assert b"mdm:{ab:person}:3:rec" in names
    assert b"mdm:{a*:person}:3:rec" not in names


def test_what_was_bound_ends_with_its_epoch(redis_client):
    """After a switch nothing that needs the binding opens the index by itself: not the comparison, not the question."""
    index = RedisIndex(redis_client, RULES, witness=nothing_witnessed)
    binding = index.bind()
    epochs = Epochs(redis_client, RULES, "main")
    number = epochs.begin()
    epochs.fence(number)
    index.require_unchanged(binding)
    assert epochs.go_live(number)
    for _ in range(2):
        with pytest.raises(EpochChangedError):
            index.erased_among(["crm/1"])
    with pytest.raises(EpochChangedError):
        index.require_unchanged(binding)
    assert index.bind().epoch == number
    assert index.erased_among(["crm/1"]) == set()
    with pytest.raises(EpochChangedError):
        index.require_unchanged(binding)


def test_a_consumer_with_new_rules_waits_for_the_rebuild(redis_client):
    """It comes up, refuses every batch as one that may pass, and goes on by itself once an epoch has its rules."""
    other = small_rules(max_block_size=9)
    RedisIndex(redis_client, RULES, witness=nothing_witnessed)
    index = RedisIndex(redis_client, other, witness=nothing_witnessed)
    with pytest.raises(IndexInDoubtError, match="another rule set"):
        index.bind()
    epochs = Epochs(redis_client, other, "main")
    number = epochs.begin()
    epochs.fence(number)
    assert epochs.go_live(number)
    assert index.bind().epoch == number
