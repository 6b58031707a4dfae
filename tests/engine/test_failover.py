"""A batch that meets a failover, and domains that cannot be written: nothing is taken for done that may be lost."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from open_authority import ANYBODY
from small_world import small_rules

from mdm_stream.archive import open_archive
from mdm_stream.core.reference import resolve
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.redis.epochs import hold
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.resolve.expiries import EXPIRY_RESEND_US
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.resolver import DomainResolver, Resolver
from mdm_stream.settings import EngineSettings

PERSON = small_rules()
PET = replace(PERSON, domain="pet", digest="pet")
SETTINGS = EngineSettings(events_per_plan_max=1, transient_attempts_max=2)


class Feed:
    """A stream that notes what is put on it."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Take messages."""
        self.messages += [message for _, message in messages]


class World:
    """A resolver of two domains, whose indexes are trusted by the archive's witness alone; each event is a commit."""

    def __init__(self, client, tmp_path) -> None:
        self.client = client
        self.archive = open_archive((tmp_path / "archive").as_uri())
        self.golden, self.changes = Feed(), Feed()
        self.clock_us = 0
        self.indexes = {rules.domain: self.open(rules) for rules in (PERSON, PET)}
        self.decoder = Decoder({"person": PERSON, "pet": PET})
        parts = {
            rules.domain: DomainResolver(
                Engine(rules, index, SETTINGS, sleep=lambda _: None),
                index,
                index,
                MergeWatch(1_000, lambda: 0.0),
                lambda _: None,
            )
            for rules, index in zip((PERSON, PET), self.indexes.values(), strict=True)
        }
        self.resolver = Resolver(
            Intake(self.decoder, ANYBODY),
            parts,
            archive=self.archive,
            quarantine=open_quarantine((tmp_path / "quarantine").as_uri()),
            golden=self.golden,
            steward=self.changes,
            now_us=lambda: self.clock_us,
            expiries_per_tick_max=100,
        )

    def open(self, rules) -> RedisIndex:
        """Open an index as a consumer does."""
        return RedisIndex(self.client, rules, witness=lambda: self.archive.witness(rules.domain))

    def handle(self, *events):
        """Deliver a batch."""
        records = [Delivery.from_row(orjson.dumps(e), n, "changes/0") for n, e in enumerate(events, 1)]
        return self.resolver.handle(records)

    def state_of(self, domain, *events) -> bool:
        """Tell whether the state of a domain is F of some events."""
        rules = {"person": PERSON, "pet": PET}[domain]
        decoded = [event for e in events for event in self.decoder.decode(Delivery.from_row(orjson.dumps(e), 1))]
        return self.indexes[domain].snapshot() == resolve(rules, decoded)

    def fail_over(self, kept) -> None:
        """Come back as another server, with what was kept and nothing else."""
        self.client.flushall()
        for key, value in kept.items():
            self.client.restore(key, 0, value)
            if key.endswith(b":meta"):
                self.client.hset(key, "server", "0" * 40)

    def dump(self):
        """Return everything that the server holds."""
        return {key: self.client.dump(key) for key in self.client.scan_iter()}


@pytest.fixture
def world(redis_client, tmp_path):
    """A fresh world."""
    return World(redis_client, tmp_path)


def upsert(record_id: str, domain: str = "person", **attributes: object) -> dict[str, object]:
    """A whole record of the CRM."""
    return {
        "domain": domain,
        "source": "crm",
        "record_id": record_id,
        "op": "upsert",
        "version": 1,
        "event_time": "2026-01-01T00:00:00Z",
        "attributes": {"given_name": "Ann", "family_name": "Lee", **attributes},
    }


def override(record_id: str, ends: str) -> dict[str, object]:
    """An override of the given name that ends."""
    return {
        **upsert(record_id),
        "op": "override",
        "attributes": {"given_name": "Bo"},
        "steward": "s",
        "expires_at": ends,
    }


@pytest.mark.parametrize("who", ["itself", "another"])
@pytest.mark.parametrize("seen", [True, False])
def test_a_batch_that_straddles_a_failover_is_done_again_as_a_whole(world, monkeypatch, who, seen):
    """A commit that no witness covered yet is lost with the old server, whoever takes the new one over, and unnoticed
    by every later commit of the batch; so all of it is done again. The same where the very first epoch is flushed away.
    """
    before = [upsert("0", family_name="Kim")] if seen else []
    assert world.handle(*before).first_failed is None
    kept = world.dump() if seen else {}
    index = world.indexes["person"]
    commit, lost = index.commit, []

    def commit_and_fail_over(commits):
        outcome = commit(commits)
        if not lost:
            lost.append(outcome)
            world.fail_over(kept)
            if who == "another":
                world.open(PERSON)
        return outcome

    monkeypatch.setattr(index, "commit", commit_and_fail_over)
    events = [upsert("1"), upsert("2", family_name="Roth")]
    assert world.handle(*events).first_failed is None
    assert len(world.golden.messages) == len(before) + 2
    assert world.state_of("person", *before, *events)


def test_a_redelivery_that_changed_nothing_is_applied_if_what_it_repeats_was_lost(world, monkeypatch):
    """It was absorbed by a commit of somebody who died before he archived it: only the server has it."""
    world.handle(upsert("0", family_name="Kim"))
    kept = world.dump()
    index = world.indexes["person"]
    Engine(PERSON, world.open(PERSON)).process(
        list(world.decoder.decode(Delivery.from_row(orjson.dumps(upsert("1")), 1)))
    )
    read, failed_over = index.read_records, []

    def read_and_fail_over(refs):
        found = read(refs)
        if found and not failed_over:
            failed_over.append(True)
            world.fail_over(kept)
            world.open(PERSON)
        return found

    monkeypatch.setattr(index, "read_records", read_and_fail_over)
    assert world.handle(upsert("1")).first_failed is None
    assert world.state_of("person", upsert("0", family_name="Kim"), upsert("1"))


def test_a_batch_that_meets_one_failover_after_the_other_is_not_done(world, monkeypatch):
    """It is tried once more, not for ever, and comes again."""
    world.handle(upsert("0", family_name="Kim"))
    kept = world.dump()
    index = world.indexes["person"]
    commit = index.commit

    def commit_and_fail_over(commits):
        outcome = commit(commits)
        world.fail_over(kept)
        world.open(PERSON)
        return outcome

    monkeypatch.setattr(index, "commit", commit_and_fail_over)
    assert world.handle(upsert("1")).first_failed == 0
    monkeypatch.undo()
    assert world.archive.holds("person", "crm/1") == []
    assert world.handle(upsert("1")).first_failed is None
    assert world.state_of("person", upsert("0", family_name="Kim"), upsert("1"))


def test_a_domain_that_is_lost_keeps_no_other_from_its_turn(world):
    """Batches of the other go on, and so do its ticks; the lost one says so."""
    world.handle(upsert("1"), upsert("1", "pet"))
    world.client.delete("mdm:{main:person}:1:meta", "mdm:{main:person}:root")
    assert world.handle(upsert("2", "pet", family_name="Kim")).first_failed is None
    world.clock_us = 20_000_000
    world.handle({**override("2", "1970-01-01T00:00:10Z"), "domain": "pet"})
    with pytest.raises(TransientError, match="person"):
        world.resolver.tick()
    assert len(world.changes.messages) == 1


def test_a_domain_that_is_held_keeps_no_other_from_its_turn(world):
    """Also if what is held waits for re-evaluation."""
    world.handle(upsert("1"), upsert("1", "pet"), {**override("1", "1970-01-01T00:00:10Z"), "domain": "pet"})
    world.client.sadd("mdm:{main:person}:1:pend", "crm/1")
    hold(world.client, "main", "person", "look")
    world.clock_us = 20_000_000
    with pytest.raises(TransientError, match="held: look"):
        world.resolver.tick()
    assert len(world.changes.messages) == 1


def test_an_expiry_that_was_lost_is_sent_again_however_many_others_are_sent(world):
    """Each is given its time from when it was sent itself."""
    world.handle(upsert("1"), override("1", "1970-01-01T00:00:10Z"))
    world.clock_us = 10_000_000
    assert world.resolver.tick().expired == 1
    world.clock_us += EXPIRY_RESEND_US // 2
    world.handle(upsert("2"), override("2", "1970-01-01T00:00:10Z"))
    assert world.resolver.tick().expired == 1
    world.clock_us += EXPIRY_RESEND_US // 2 + 1
    assert world.resolver.tick().expired == 1
    assert orjson.loads(world.changes.messages[-1])["record_id"] == "1"
