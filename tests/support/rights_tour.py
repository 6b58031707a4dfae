"""Everything that consumers, APIs and commands ask of an index on Redis, once each."""

from __future__ import annotations

import random

from torture.world import RULES as ALL_RULES
from torture.world import World, history

from mdm_stream.core.model import OverrideEvent, RecordEvent
from mdm_stream.core.plan.commit import OutboxChange
from mdm_stream.decode import Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.bulk import BulkWriter
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.epochs import Epochs, drop_namespace, has_index, hold, is_fenced, lift_fence, release
from mdm_stream.index.redis.held_items import each_item
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.kept import copy_epoch, drop_kept, keep, kept_epoch, note_taken_out
from mdm_stream.index.redis.progress import note_progress, read_progress
from mdm_stream.index.redis.scan import open_scanner
from producers.events_api.idempotency import Answer, Idempotency

NAMESPACE = "tour"
RULES = ALL_RULES[3]


def everything_on(url: str) -> None:
    """Do it all, and leave nothing."""
    client = open_client(url)
    index = RedisIndex(client, RULES, NAMESPACE)
    engine = Engine(RULES, index)
    # Suspends and resumes blocks, merges, splits, erases, overrides, and leaves one that ends some day.
    events = [each for values in ("tide", "dense") for each in history(World(3, values, 5), random.Random(11), 150)]
    names = {"given_name": "Ann", "family_name": "Lee"}
    events.append(RecordEvent("person", "crm", "last", "upsert", 1, 1, names))
    for start in range(0, len(events), 3):
        assert engine.process(events[start : start + 3]).failed == []
    ending = OverrideEvent("person", "crm/last", 2, 2, "steward", {"given_name": "Bo"}, expires_at_us=2**50)
    assert engine.process([ending]).failed == []
    engine.drain()
    _read(client, index)
    index.acknowledge(index.read(5))
    hold(client, NAMESPACE, "person", "look")
    assert release(client, NAMESPACE, "person")
    note_progress(client, NAMESPACE, [Delivery.from_row(b"{}", 1, "changes/0")], 1)
    read_progress(client, NAMESPACE)
    _epochs(client, index)
    once = Idempotency.on_redis(client, NAMESPACE, 1)
    for _ in range(2):
        assert once.once("key", "caller", b"body", lambda: Answer(202, {})).status == 202
    assert once.once("other", "caller", b"body", lambda: Answer(503, {}, final=False)).status == 503
    drop_namespace(client, NAMESPACE)


def _read(client, index: RedisIndex) -> None:
    refs = [f"crm/{number}" for number in range(14)]
    index.read_records(refs)
    index.golden_contents(list(index.golden_of(refs).values()))
    index.erased_among(refs)
    index.position()
    index.due(2**50, 10)
    index.snapshot()
    scanner = open_scanner(client, RULES, NAMESPACE)
    for pages in (scanner.stored_records(), scanner.component_pages(), scanner.doubt_pages(), scanner.waiting()):
        list(pages)
    list(each_item(client, NAMESPACE, "person"))
    prefix = f"mdm:{{{NAMESPACE}:person}}:1:"
    pipe = client.pipeline(transaction=False)
    pipe.hlen(prefix + "rec")
    pipe.scard(prefix + "pend")
    pipe.xlen(prefix + "out")
    pipe.execute()


def _epochs(client, index: RedisIndex) -> None:
    epochs = Epochs(client, RULES, NAMESPACE)
    assert has_index(client, NAMESPACE, "person")
    assert epochs.obstacle(lambda: None) is None
    epoch, _ = epochs.begin_job("job", 0, 1)
    assert epochs.is_of_job("job")
    writer = BulkWriter(client, RULES, NAMESPACE, epoch)
    writer.put_place("crm/1", "golden")
    writer.put_record("crm/x", b"x" * 20, 5)
    writer.flush()
    building = RedisIndex(client, RULES, NAMESPACE, building=epoch)
    building.told_elsewhere(0)
    building.announce([OutboxChange("golden", b"{}")])
    note_taken_out(client, NAMESPACE, "person", epoch, "none")
    epochs.fence(epoch)
    assert is_fenced(client, NAMESPACE, "person")
    keep(client, NAMESPACE, "person", index.epoch, [], "none")
    assert epochs.go_live(epoch)
    epochs.told_ahead_us()
    kept = kept_epoch(client, RULES, NAMESPACE)
    assert kept is not None
    copy_epoch(client, RULES, NAMESPACE, kept, epochs.begin())
    lift_fence(client, NAMESPACE, "person")
    drop_kept(client, RULES, NAMESPACE)
