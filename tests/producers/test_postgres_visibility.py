"""What the reader asks the database holds what the log has said, though the log is ahead of queries."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("psycopg2", reason="the PostgreSQL driver is not installed (extra: postgres)")
from postgres_reader_world import WAIT_S, Stream, new_reader, running, wait_for
from postgres_server import PostgresServer, binaries

pytestmark = pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed (initdb, postgres)")


@contextmanager
def unanswered_standby(server: PostgresServer) -> Iterator[None]:
    """Commits are in the log, and no query sees them, until the end: each waits for a standby that is not there."""
    server.run("ALTER SYSTEM SET synchronous_standby_names = 'absent'", "SELECT pg_reload_conf()")
    wait_for(lambda: server.run("SHOW synchronous_standby_names") == [("absent",)])
    try:
        yield
    finally:
        server.run("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")


@contextmanager
def not_visible_yet(server: PostgresServer, database: str, statement: str) -> Iterator[None]:
    """A statement that is committed in the log, and that queries see from the end on."""
    committing = threading.Thread(target=lambda: server.run(statement, database=database))
    with unanswered_standby(server):
        committing.start()
        wait_for(lambda: server.run("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))
        yield
    committing.join(WAIT_S)
    assert not committing.is_alive()


def test_a_large_value_is_read_once_its_row_is_visible(server: PostgresServer, database: str) -> None:
    """The log has a commit before queries see it: neither is the value missing, nor another row's taken for it."""
    server.run(
        "CREATE TABLE usual (id int4 PRIMARY KEY, notes text); ALTER TABLE usual ALTER notes SET STORAGE EXTERNAL",
        "INSERT INTO usual VALUES (1, repeat('a', 9600)), (2, repeat('b', 9600))",
        "CREATE PUBLICATION mdm_stream FOR TABLE usual",
        database=database,
    )
    stream = Stream()
    with running(new_reader(server, database, stream)):
        moving = "DELETE FROM usual WHERE id = 2; UPDATE usual SET id = 2 WHERE id = 1"
        with not_visible_yet(server, database, moving):
            wait_for(lambda: len(stream.records) == 4)
            time.sleep(0.2)
            assert [op for op, *_ in stream.said()] == ["read", "read", "delete", "delete"]
        wait_for(lambda: len(stream.records) == 5)
    assert stream.said()[-1] == ("update", {"id": "2", "notes": "a" * 9600}, {"id": "1"})


def test_rows_that_are_read_again_hold_all_that_was_confirmed(server: PostgresServer, database: str) -> None:
    """They come above every change that the slot no longer has, so they must not be older than one of those."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY, name text)",
        "INSERT INTO buyer VALUES (1, 'before')",
        "CREATE PUBLICATION mdm_stream FOR TABLE buyer",
        database=database,
    )
    stream, again = Stream(), Stream()
    with running(new_reader(server, database, stream)):
        wait_for(lambda: stream.records)
    second = new_reader(server, database, again, snapshot_again=("public.buyer",))
    with ExitStack() as reading:
        with not_visible_yet(server, database, "UPDATE buyer SET name = 'after'"):
            with running(new_reader(server, database, stream)) as first:
                wait_for(lambda: len(stream.records) == 2)
                wait_for(lambda: first.status.lag_bytes == 0)
            reading.enter_context(running(second, phase="starting"))
            time.sleep(0.3)
            assert again.records == []
        wait_for(lambda: again.records)
    assert again.said() == [("read", {"id": "1", "name": "after"}, None)]
