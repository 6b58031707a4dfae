"""Alarms on the reader of PostgreSQL's log fire by their fault, on a real PostgreSQL, and clear."""

from __future__ import annotations

import pytest
from alarm_bench import Step, Watch, watch

from mdm_stream.local.alarms import MetricSample, samples_of

pytest.importorskip("psycopg2", reason="the PostgreSQL driver is not installed (extra: postgres)")
import orjson
from postgres_reader_world import Stream, new_reader, running, wait_for
from postgres_server import PostgresServer, binaries

from producers.postgres import PostgresReader
from producers.postgres.metrics import metrics_of

pytestmark = pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed (initdb, postgres)")
__all__ = ["watch"]
SLOT = "mdm_stream"


def line_of(reader: PostgresReader) -> Step:
    """Return a step in which a reader writes its line, as the command does with --emf."""

    def write() -> list[MetricSample]:
        return samples_of(orjson.dumps(metrics_of(reader.status, SLOT, 0)))

    return write


def test_a_captured_table_is_emptied(server: PostgresServer, database: str, watch: Watch) -> None:
    """It counts since the reader began: starting it anew, as the runbook says, clears it."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY)", "CREATE PUBLICATION mdm_stream FOR TABLE buyer", database=database
    )
    bench, stream = watch("capture-truncated", slot=SLOT), Stream()
    with running(new_reader(server, database, stream, allow_truncate=True)) as reader:
        bench.is_silent(line_of(reader))
        server.run("TRUNCATE buyer", database=database)
        wait_for(lambda: reader.status.truncations)
        bench.fires(line_of(reader))
    with running(new_reader(server, database, stream, allow_truncate=True)) as reader:
        bench.clears(line_of(reader))


def test_a_row_goes_without_its_largest_column(server: PostgresServer, database: str, watch: Watch) -> None:
    """A text of two megabytes fits no record of the stream."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY, note text)",
        "CREATE PUBLICATION mdm_stream FOR TABLE buyer",
        database=database,
    )
    bench, stream = watch("capture-cut-rows", slot=SLOT), Stream()
    with running(new_reader(server, database, stream)) as reader:
        bench.is_silent(line_of(reader))
        server.run("INSERT INTO buyer VALUES (1, repeat('x', 2000000))", database=database)
        wait_for(lambda: reader.status.cut_rows)
        bench.fires(line_of(reader))
    with running(new_reader(server, database, stream)) as reader:
        bench.clears(line_of(reader))


def test_a_reader_ends_and_is_not_started(server: PostgresServer, database: str, watch: Watch) -> None:
    """No line is a line too late; it goes on where it was."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY)", "CREATE PUBLICATION mdm_stream FOR TABLE buyer", database=database
    )
    bench, stream = watch("capture-late", slot=SLOT), Stream()
    with running(new_reader(server, database, stream)) as reader:
        bench.is_silent(line_of(reader))
    bench.fires_without_data()
    server.run("INSERT INTO buyer VALUES (1)", database=database)
    with running(new_reader(server, database, stream)) as reader:
        wait_for(lambda: stream.records)
        bench.clears(line_of(reader))
