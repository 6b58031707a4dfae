"""A disk is full: what writes to it says so, leaves nothing half-written, and goes on when there is room again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from end_state import files_below, stream_records, wait_for
from pressure import Consumer, people, resident_bytes, running_consumer

from mdm_stream.archive import open_archive
from mdm_stream.contracts.golden import parse_envelope
from mdm_stream.dead_letters.quarantine import decode_entry
from mdm_stream.decode import Delivery
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.stack import GOLDEN_STREAM
from mdm_stream.warehouse.consumer import WarehouseConsumer
from mdm_stream.warehouse.warehouse import DuckDbWarehouse

DISK_BYTES = 24 * 1024**2
GROWTH_BYTES_MAX = 24 * 1024**2
DELIVERIES = 5
BLOCK_BYTES = 4096


class Disk:
    """A small file system, which can be filled to the last block and made free again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._filler = root / "filler"

    def fill(self) -> None:
        """Leave no block free."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(BLOCK_BYTES))
            except OSError:
                return

    def free(self) -> None:
        """Give back what was filled."""
        self._filler.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """A disk of some megabytes in memory; only root may mount one."""
    root = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", str(root)]
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("a small disk can only be mounted by root")
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield Disk(root)
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)


@pytest.fixture(scope="module")
def consumer(disk: Disk) -> Iterator[Consumer]:
    """A consumer whose quarantine, archive and Redis file are on the disk, with some people known already."""
    with running_consumer(disk.root / "state") as running:
        running.deliver_until_done(running.records(people(0, 10)))
        yield running


@pytest.fixture
def filled(disk: Disk) -> Iterator[Disk]:
    """The disk without a free block, until the test frees it."""
    disk.fill()
    yield disk
    disk.free()


def whole_archive(consumer: Consumer) -> int:
    """Return the archive's rows, having read all of it: no object is torn, none is half there."""
    found = open_archive((consumer.folder / "archive").as_uri()).verify("person")
    assert found.damaged == ()
    assert files_below(consumer.folder / "archive" / ".partial") == []
    return found.rows


def test_a_full_archive_stops_the_batch_and_publishes_nothing(consumer: Consumer, filled: Disk) -> None:
    """Nothing that is not archived counts as done; the batch comes again, and is archived once there is room."""
    told, rows = len(consumer.changes()), whole_archive(consumer)
    batch = consumer.records(people(100, 20))
    resident = 0
    for number in range(DELIVERIES):
        report = consumer.resolver.handle(batch)
        assert report.first_failed == 0
        assert "disk is full" in report.cause or "MISCONF" in report.cause
        resident = resident_bytes() if number == 1 else resident
    assert resident_bytes() - resident < GROWTH_BYTES_MAX
    assert (len(consumer.changes()), whole_archive(consumer)) == (told, rows)
    filled.free()
    deliver_when_redis_has_noticed(consumer, batch)
    assert whole_archive(consumer) == len(consumer.delivered)
    consumer.assert_exact()


def test_a_full_quarantine_stops_the_batch_and_keeps_no_torn_entry(consumer: Consumer, disk: Disk) -> None:
    """A rejected event whose bytes cannot be kept is not passed over: it is kept as soon as there is room."""
    bad = [orjson.dumps({"domain": "person", "source": "crm", "op": "upsert", "junk": str(n) * 900}) for n in range(9)]
    batch = consumer.records(bad)
    disk.fill()
    for _ in range(DELIVERIES):
        report = consumer.resolver.handle(batch)
        assert (report.first_failed, report.quarantined) == (0, 0)
        assert "disk is full" in report.cause
    kept = [path for path in files_below(consumer.folder / "quarantine") if path.suffix == ".json"]
    assert all(decode_entry(path.read_bytes()).delivery.raw in bad for path in kept)
    disk.free()
    deliver_when_redis_has_noticed(consumer, batch)
    kept = files_below(consumer.folder / "quarantine")
    assert sorted(decode_entry(path.read_bytes()).delivery.raw for path in kept) == sorted(bad)
    for record in batch:
        consumer.delivered.pop(record.origin)
    consumer.assert_exact()


def test_a_redis_whose_file_cannot_grow_refuses_and_goes_on(consumer: Consumer, disk: Disk) -> None:
    """The append-only file meets the full disk: Redis refuses writes until it can be written, and has lost nothing."""
    batch = consumer.records(people(300, 20))
    disk.fill()
    with consumer.redis.client() as client:
        client.set("outside", "x" * BLOCK_BYTES)  # the first write is taken, and the server finds out
        wait_for(lambda: client.info("persistence")["aof_last_write_status"] == "err")
    for _ in range(DELIVERIES):
        report = consumer.resolver.handle(batch)
        assert report.first_failed == 0
        assert "MISCONF" in report.cause
    assert consumer.redis.running
    disk.free()
    deliver_when_redis_has_noticed(consumer, batch)
    consumer.assert_exact()


def test_a_full_disk_under_the_warehouse_delays_it_and_nothing_else(consumer: Consumer, disk: Disk) -> None:
    """A batch that does not fit is not applied at all; it is told why; applied again with room, all of it is there."""
    path = disk.root / "warehouse.duckdb"
    warehouse = DuckDbWarehouse(path)
    sink = WarehouseConsumer(warehouse, idle_close_s=0.0)
    records = list(stream_records(consumer.kinesis.client(), GOLDEN_STREAM))
    golden = [record for record in records if "golden" in parse_envelope(record["Data"]).type]
    half = len(golden) // 2
    assert sink.apply_records(delivered(golden[:half])).error is None
    disk.fill()
    for _ in range(DELIVERIES):
        outcome = sink.apply_records(delivered(golden[half:]))
        assert "the disk is full" in str(outcome.error)
        assert outcome.first_failed == 0
    disk.free()
    assert sink.apply_records(delivered(golden[half:])).error is None
    sink.close_when_idle()
    ids = [parse_envelope(record["Data"]).data.golden_id for record in golden]
    reader = DuckDbWarehouse(path, read_only=True)
    live = {row[0] for row in reader.query("SELECT golden_id FROM current_golden_record")}
    reader.close()
    assert live == set(consumer.expected().golden)
    assert live <= set(ids)
    path.unlink()


def test_a_kinesis_journal_without_room_stops_the_server_and_loses_no_answered_record(disk: Disk) -> None:
    """What was answered is there after the restart, and what was not answered may be sent again."""
    folder = disk.root / "kinesis"
    answered = 0
    with KinesisServer(folder) as server:
        server.client().create_stream(StreamName="s", ShardCount=1)
        disk.fill()
        try:
            while answered < 50_000:
                answered += put(server, answered)
        except (ClientError, BotoCoreError):
            pass
        wait_for(lambda: not server.running)
    disk.free()
    with KinesisServer(folder) as server:
        kept = [int(record["Data"]) for record in stream_records(server.client(), "s")]
        assert kept[:answered] == list(range(answered))
        assert put(server, answered) == 100


def deliver_when_redis_has_noticed(consumer: Consumer, batch: list[Delivery]) -> None:
    """Deliver a batch once Redis, which looks every second, has written its file again."""
    with consumer.redis.client() as client:
        wait_for(lambda: client.info("persistence")["aof_last_write_status"] == "ok")
    consumer.deliver_until_done(batch)


def delivered(records: list[dict[str, Any]]) -> list[Delivery]:
    """Return records of GetRecords as the warehouse consumer takes them."""
    return [Delivery.from_kinesis(record["Data"], record["SequenceNumber"], 0.0) for record in records]


def put(server: KinesisServer, first: int) -> int:
    """Put a hundred numbered records; return how many that is."""
    records = [{"PartitionKey": "k", "Data": str(number).encode()} for number in range(first, first + 100)]
    assert server.client().put_records(StreamName="s", Records=records)["FailedRecordCount"] == 0
    return len(records)
