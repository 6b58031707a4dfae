"""Consumers of one domain under load, each with a shard of its own, against a cache that fails over meanwhile."""

from __future__ import annotations

import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

import orjson
import redis
from open_authority import ANYBODY
from resolver_world import Stream, upsert
from small_world import small_rules
from valkey_cluster import Node

from mdm_stream.archive import open_archive
from mdm_stream.aws.deadline import Deadline
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import resolve
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.errors import IndexInDoubtError
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.epochs import domain_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.resolver import DomainResolver, Resolver

RULES = small_rules(max_block_size=8)
TIMEOUT_S = 3.0
FUNCTION_S = 60.0
BATCH = 20
RECORDS = 80
REDELIVERED_AFTER_S = 0.05
SETTLE_S = 60.0
AHEAD_S_MAX = 3.0
MERGES_MAX = 1_000_000_000


class LoadedConsumer:
    """A resolve consumer with a shard that never ends: what fails is delivered again before anything else."""

    def __init__(self, url: str, folder: Path, namespace: str, number: int, replicas_min: int) -> None:
        self.archive = open_archive((folder / "archive").as_uri())
        client = open_client(url, TIMEOUT_S)
        witness = partial(self.archive.witness, RULES.domain)
        self.index = RedisIndex(client, RULES, namespace, witness=witness, replicas_min=replicas_min, call_s=TIMEOUT_S)
        self.golden = Stream()
        self.engine = Engine(RULES, self.index)
        merges = MergeWatch(MERGES_MAX, time.monotonic)
        parts = DomainResolver(self.engine, self.index, self.index, merges, lambda _: None)
        self._decoder = Decoder({RULES.domain: RULES})
        self.resolver = Resolver(
            Intake(self._decoder, ANYBODY),
            {RULES.domain: parts},
            archive=self.archive,
            quarantine=open_quarantine((folder / "quarantine").as_uri()),
            golden=self.golden,
            steward=Stream(),
            now_us=lambda: time.time_ns() // 1_000,
            expiries_per_tick_max=100,
        )
        self.failed: list[str] = []
        self.raised: list[str] = []
        self.ended = threading.Event()
        """Set once the index is in doubt, which passes by no redelivery."""
        self.batches = 0
        self.events: list[ChangeEvent] = []
        self._number = number
        self._randomness = random.Random(number)
        self._sent = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to consume."""
        self._thread.start()

    def stop(self) -> None:
        """End with the batch that is under way, delivered until it is done."""
        self._stopped.set()
        self._thread.join(SETTLE_S)
        assert not self._thread.is_alive(), f"a batch was not done within {SETTLE_S} s: {self.failed[-1:]}"

    def _run(self) -> None:
        while not self._stopped.is_set():
            batch = [self._delivery() for _ in range(BATCH)]
            self.events += [event for delivery in batch for event in self._decoder.decode(delivery)]
            gives_up_s = time.monotonic() + SETTLE_S
            while batch and time.monotonic() < gives_up_s and not self.ended.is_set():
                batch = self._delivered(batch)
                if batch:
                    time.sleep(REDELIVERED_AFTER_S)
            if self.ended.is_set():
                return
            self.batches += 1

    def _delivered(self, batch: list[Delivery]) -> list[Delivery]:
        """Deliver a batch; return what has to be delivered again."""
        try:
            report = self.resolver.handle(batch, Deadline.after(FUNCTION_S))
        except Exception:  # noqa: BLE001 - Lambda would deliver it again; it is looked at afterwards
            self.raised.append(traceback.format_exc())
            return batch
        if report.first_failed is None:
            return []
        self.failed.append(f"{report.fault}: {report.cause}")
        if report.fault == IndexInDoubtError.__name__:
            self.ended.set()
        return batch[report.first_failed :]

    def _delivery(self) -> Delivery:
        self._sent += 1
        randomness = self._randomness
        given, family = randomness.choice(["Ann", "Bob", "Eve"]), f"Family {randomness.randrange(RECORDS // 4)}"
        version = 2 * self._sent + self._number
        born = f"19{50 + randomness.randrange(10)}-01-01"
        record = str(randomness.randrange(RECORDS))
        event = upsert(record, version, given_name=given, family_name=family, birth_date=born)
        if randomness.random() < 0.15:
            event = {name: value for name, value in event.items() if name != "attributes"} | {"op": "delete"}
        return Delivery.from_row(orjson.dumps(event), self._sent, f"changes/{self._number}:{self._sent}")


class ClusterLoad:
    """Two consumers of one domain. ``with ClusterLoad(...) as load:`` runs them; ``settle`` ends them first."""

    def __init__(self, url: str, folder: Path, namespace: str, *, replicas_min: int = 1, consumers: int = 2) -> None:
        self.root = domain_prefix(namespace, RULES.domain) + "root"
        self.meta = domain_prefix(namespace, RULES.domain) + "1:meta"
        self._open = partial(open_client, url, TIMEOUT_S)
        self._namespace = namespace
        RedisIndex(self._open(), RULES, namespace)
        self.consumers = [LoadedConsumer(url, folder, namespace, number, replicas_min) for number in range(consumers)]

    def __enter__(self) -> Self:
        for consumer in self.consumers:
            consumer.start()
        return self

    def __exit__(self, *_: object) -> None:
        for consumer in self.consumers:
            consumer.stop()

    @property
    def batches(self) -> int:
        """How many batches are done by now."""
        return sum(consumer.batches for consumer in self.consumers)

    @property
    def events(self) -> list[ChangeEvent]:
        """All that was delivered."""
        return [event for consumer in self.consumers for event in consumer.events]

    def clock(self, node: Node) -> int:
        """Return how many commits a node has of the domain, be it primary or replica."""
        with node.client() as client:
            return self._clock(client)

    def ahead(self, primary: Node, replica: Node) -> int:
        """Wait until the primary has a commit that its replica does not have yet, but not for long.

        Returns how many commits the primary has then.
        """
        until_s = time.monotonic() + AHEAD_S_MAX
        with primary.client() as first, replica.client() as second:
            while (clock := self._clock(first)) <= self._clock(second) and time.monotonic() < until_s:
                pass
            return clock

    def _clock(self, client: redis.Redis) -> int:
        client.execute_command("READONLY")
        held: Any = client.hget(self.meta, "clock")
        return int(held or 0)

    def more(self, batches: int) -> None:
        """Wait until each consumer has done some more batches."""
        wanted = [consumer.batches + batches for consumer in self.consumers]
        until_s = time.monotonic() + SETTLE_S
        while any(
            consumer.batches < count and not consumer.ended.is_set()
            for consumer, count in zip(self.consumers, wanted, strict=True)
        ):
            if time.monotonic() > until_s:
                raise AssertionError(f"no batch is done any more: {self.consumers[0].failed[-1:]}")
            time.sleep(0.01)

    def failed(self) -> list[str]:
        """Return why batches were reported as failed, and what consumers raised."""
        return [cause for consumer in self.consumers for cause in consumer.failed + consumer.raised]

    def in_doubt(self) -> list[str]:
        """Return what says that the index is in doubt: of batches, and of one who opens the index now."""
        found = [cause for cause in self.failed() if cause.startswith(IndexInDoubtError.__name__)]
        witness = partial(self.consumers[0].archive.witness, RULES.domain)
        try:
            RedisIndex(self._open(), RULES, self._namespace, witness=witness).bind()
        except IndexInDoubtError as error:
            found.append(str(error))
        return found

    def faults(self) -> list[str]:
        """Settle what waits; return how the end differs from F: the index, the feed, and its numbers."""
        consumer = self.consumers[0]
        if self.in_doubt():
            return ["the index is in doubt"]
        _patiently(consumer.engine.drain)
        while _patiently(lambda: consumer.index.read(1)):
            _patiently(consumer.resolver.tick)
        expected = resolve(RULES, self.events)
        found = [] if consumer.index.snapshot() == expected else ["the index is not F"]
        return found + list(_faults_of_feed(self._messages(), set(expected.golden)))

    def _messages(self) -> Iterator[dict[str, object]]:
        for consumer in self.consumers:
            yield from consumer.golden.messages


def _faults_of_feed(messages: Iterator[dict[str, object]], golden_ids: set[str]) -> Iterator[str]:
    """Yield what is wrong with a feed: numbers that were used twice, and golden records that it does not end with."""
    said: dict[tuple[int, int], dict[str, object]] = {}
    last: dict[str, tuple[tuple[int, int], str]] = {}
    twice = 0
    for message in messages:
        if not str(message["type"]).startswith("mdm.golden."):
            continue
        _, epoch, sequence = str(message["id"]).rsplit("/", 2)
        place = int(epoch), int(sequence)
        twice += said.setdefault(place, message)["data"] != message["data"]
        subject = str(message["subject"])
        last[subject] = max(last.get(subject, (place, "")), (place, str(message["type"])))
    if twice:
        yield f"{twice} numbers of the feed stand for two changes"
    if {name for name, (_, kind) in last.items() if kind == "mdm.golden.upserted"} != golden_ids:
        yield "the feed does not end with the golden records of F"
    if sorted(sequence for _, sequence in said) != list(range(1, len(said) + 1)):
        yield "numbers of the feed are missing"


def _patiently(call: Callable[[], Any]) -> Any:
    """Call until it does not fail for what passes."""
    until_s = time.monotonic() + SETTLE_S
    while time.monotonic() < until_s:
        with suppress(TransientError):
            return call()
        time.sleep(REDELIVERED_AFTER_S)
    return call()
