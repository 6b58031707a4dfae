"""Events per second of the PostgreSQL reader and of its decoder, on a real PostgreSQL that this starts.

    python benchmarks/postgres_reader.py [--rows 50000] [--json]

The reader sends to a stand-in for Kinesis that accepts at once, and, in figures of their own, to the local Kinesis API.
The work is the first snapshot, inserts, and updates of single rows each in a transaction of its own. A rate counts what
was accepted, a latency is that from a commit until its change was accepted. Ends with 2 where there is no PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from postgres_server import PostgresServer, binaries  # noqa: E402
from rulesets import ruleset  # noqa: E402

from mdm_stream.core.ruleset import Source  # noqa: E402
from mdm_stream.decode import Decoder, Delivery  # noqa: E402
from mdm_stream.local.kinesis.server import KinesisServer  # noqa: E402
from producers.delivery import PublisherSettings  # noqa: E402
from producers.postgres import PostgresReader, ReaderSettings  # noqa: E402
from producers.publisher import Publisher  # noqa: E402

TABLE = """CREATE TABLE buyer (id int8 PRIMARY KEY, first text, last text, born date, email text, phone text,
street text, city text, postcode text, changed timestamptz DEFAULT now())"""
ROW = """i, 'first' || i, 'last' || i % 1000, date '1950-01-01' + i % 20000, 'mail' || i || '@example.com',
'+49 30 ' || i, 'Main Street ' || i % 200, 'Berlin', '10115'"""
COLUMNS = ("first", "last", "born", "email", "phone", "street", "city", "postcode")
SINGLE_UPDATES = 300
STREAM = "bench"
KEPT = 20_000


class CountingStream:
    """Counts what a client of Kinesis accepts; without a client it accepts at once, and keeps some of it."""

    def __init__(self, client: Any = None) -> None:
        self.client = client
        self.accepted = 0
        self.kept: list[bytes] = []

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Answer as PutRecords does."""
        answer = {"FailedRecordCount": 0, "Records": [{} for _ in Records]}
        if self.client is not None:
            answer = self.client.put_records(StreamName=StreamName, Records=Records)
        elif len(self.kept) < KEPT:
            self.kept += [record["Data"] for record in Records]
        self.accepted += len(Records) - answer["FailedRecordCount"]
        return answer


def measure(rows: int) -> dict[str, float]:
    """Return the figures by name; rates are a second, latencies milliseconds."""
    figures: dict[str, float] = {}
    stream = CountingStream()
    with PostgresServer() as server:
        server.run(TABLE, "CREATE PUBLICATION mdm_stream FOR TABLE buyer", _insert(0, rows))
        figures |= _reader(server, stream, rows, "")
    figures["decode_events_s"] = _decoding(stream.kept)
    with tempfile.TemporaryDirectory() as folder, KinesisServer(Path(folder)) as kinesis, PostgresServer() as server:
        client = kinesis.client("kinesis")
        client.create_stream(StreamName=STREAM, ShardCount=2)
        server.run(TABLE, "CREATE PUBLICATION mdm_stream FOR TABLE buyer", _insert(0, rows // 5))
        figures |= _reader(server, CountingStream(client), rows // 5, "kinesis_api_")
    return {name: round(value, 1) for name, value in figures.items()}


def _insert(first: int, rows: int) -> str:
    return f"INSERT INTO buyer SELECT {ROW} FROM generate_series({first + 1}, {first + rows}) i"


def _reader(server: PostgresServer, stream: CountingStream, rows: int, prefix: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    began_s = time.perf_counter()
    with _running(server, stream) as reader:
        _wait(lambda: reader.status.phase == "stream")
        figures[f"{prefix}snapshot_rows_s"] = rows / (time.perf_counter() - began_s)
    # While nobody reads the log fills, so that the rate is the reader's and not the writer's.
    server.run(_insert(rows, rows))
    began_s = time.perf_counter()
    with _running(server, stream):
        _wait(lambda: stream.accepted >= 2 * rows)
        figures[f"{prefix}insert_events_s"] = rows / (time.perf_counter() - began_s)
        figures[f"{prefix}latency_p50_ms"] = _latency_ms(server, stream)
    return figures


def _latency_ms(server: PostgresServer, stream: CountingStream) -> float:
    connection = server.connect()
    taken: list[float] = []
    with connection.cursor() as cursor:
        for number in range(1, SINGLE_UPDATES + 1):
            before = stream.accepted
            cursor.execute(f"UPDATE buyer SET first = 'again' WHERE id = {number}")
            began_s = time.perf_counter()
            _wait(lambda before=before: stream.accepted > before, 0.0002)
            taken.append((time.perf_counter() - began_s) * 1_000)
    connection.close()
    return statistics.median(taken)


def _decoding(events: list[bytes]) -> float:
    source = Source("shop", "postgres", "public.buyer", ("id",))
    decoder = Decoder({"person": ruleset("person", COLUMNS, source)})
    deliveries = [Delivery.from_row(raw, row) for row, raw in enumerate(events, start=1)]
    began_s = time.perf_counter()
    for delivery in deliveries:
        decoder.decode(delivery)
    return len(deliveries) / (time.perf_counter() - began_s)


@contextmanager
def _running(server: PostgresServer, client: Any) -> Iterator[PostgresReader]:
    limits = PublisherSettings(put_timeout_s=0.5, linger_s=0.01)
    settings = ReaderSettings(confirm_interval_s=0.2, status_interval_s=1)
    reader = PostgresReader(server.dsn(), lambda: Publisher(client, STREAM, settings=limits), settings)
    stop = threading.Event()
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    try:
        yield reader
    finally:
        stop.set()
        thread.join()


def _wait(condition: Callable[[], bool], interval_s: float = 0.005) -> None:
    deadline_s = time.monotonic() + 300
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError("the reader did not come so far within five minutes")
        time.sleep(interval_s)


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--rows", type=int, default=50_000)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    if binaries() is None:
        print("PostgreSQL is not installed: nothing was measured", file=sys.stderr)
        return 2
    figures = measure(chosen.rows)
    if chosen.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32} {value:12,.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
