"""Whatever the decoder accepts, F accepts: from the bytes of every wire format to rows of the warehouse."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from edge_events import ARRIVALS_S, CSV_HEADER, CSV_ROWS, RAW_EVENTS, edge_rules
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from open_authority import ANYBODY

from mdm_stream.archive import open_archive
from mdm_stream.archive.rows import delivery_of
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import resolve
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.decode import Decoder, Delivery, line_events
from mdm_stream.decode.redrive_envelope import wrap
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import RejectedEventError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.resolver import DomainResolver, Resolver
from mdm_stream.warehouse import DuckDbWarehouse, WarehouseConsumer

RULES = edge_rules()
DELIVERIES = st.lists(st.tuples(RAW_EVENTS, ARRIVALS_S, st.booleans()), min_size=1, max_size=8)


class Stream:
    """A stream that notes what is put on it."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Take messages."""
        self.messages += [message for _, message in messages]


class World:
    """A resolver on a real Redis with a real archive, and what it has put on the golden feed."""

    def __init__(self, client: Any, folder: Path) -> None:
        self.archive = open_archive((folder / "archive").as_uri())
        self.golden = Stream()
        self.index = RedisIndex(client, RULES)
        parts = DomainResolver(
            Engine(RULES, self.index), self.index, self.index, MergeWatch(10**9, lambda: 0.0), lambda _: None
        )
        self.resolver = Resolver(
            Intake(Decoder({"thing": RULES}), ANYBODY),
            {"thing": parts},
            archive=self.archive,
            quarantine=open_quarantine((folder / "quarantine").as_uri()),
            golden=self.golden,  # type: ignore[arg-type]
            steward=Stream(),  # type: ignore[arg-type]
            now_us=lambda: 1_767_225_600_000_000,
            expiries_per_tick_max=100,
        )

    def archived(self) -> list[ChangeEvent]:
        """What is archived, decoded anew."""
        decoder = Decoder({"thing": RULES}, archived=True)
        rows = self.archive.read(self.archive.objects("thing"))
        return [event for row in rows for event in decoder.decode(delivery_of(row))]


def delivered(number: int, raw: bytes, arrival_s: float, enveloped: bool) -> Delivery:
    """A record of the change stream, perhaps a redriven one."""
    delivery = Delivery.from_kinesis(raw, str(number), arrival_s, f"changes/{number}")
    return replace(delivery, raw=wrap(delivery)) if enveloped else delivery


@pytest.mark.one_redis
@given(deliveries=DELIVERIES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_event_stops_the_stream(deliveries, redis_client, tmp_path_factory):
    """Each is applied or rejected with a reason of its own, and the index, a rebuild and the warehouse agree with F."""
    redis_client.flushall()
    world = World(redis_client, tmp_path_factory.mktemp("world"))
    records = [delivered(number, *each) for number, each in enumerate(deliveries, start=1)]
    for batch in (records[: len(records) // 2], records, records[-1:]):
        report = world.resolver.handle(batch)
        assert (report.first_failed, report.cause, report.faults, report.totals.stuck) == (None, "", [], [])
    world.resolver.tick()
    expected = resolve(RULES, world.archived())
    world.archive.compact("thing")
    assert resolve(RULES, world.archived()) == expected
    assert world.index.snapshot() == expected
    assert orjson.loads(orjson.dumps(expected.golden)) == expected.golden
    feed = [Delivery.from_kinesis(message, str(n), 1.5) for n, message in enumerate(world.golden.messages, start=1)]
    warehouse = WarehouseConsumer(DuckDbWarehouse(":memory:"), idle_close_s=0)
    try:
        outcome = warehouse.apply_records(feed)
        assert (outcome.records_applied, outcome.error) == (len(feed), None)
        live = warehouse._warehouse.query("SELECT count(*) FROM current_golden_record")
        assert live == [(len(expected.golden),)]
    finally:
        warehouse.close_when_idle()


@given(rows=CSV_ROWS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_no_row_of_a_file_stops_a_replay(rows):
    """Rows at the edges are events that F takes and that canonical JSON carries, or rejected with a reason."""
    text = io.StringIO()
    csv.writer(text).writerows([CSV_HEADER, *rows])
    events = []
    for _, item in line_events(text.getvalue().encode().splitlines(keepends=True), "csv", None, {"thing": RULES}):
        if isinstance(item, RejectedEventError):
            assert item.reasons[0].code != "engine_fault"
        else:
            events.append(item)
    index = MemoryIndex(RULES)
    assert not Engine(RULES, index).process(events).failed
    assert index.snapshot() == resolve(RULES, events)
    decoder = Decoder({"thing": RULES})
    for event in events:
        assert decoder.decode(Delivery.unplaced(encode_event(event)))
