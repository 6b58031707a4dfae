"""The reader on a real PostgreSQL: what it refuses, follows and confirms."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mdm_stream.errors import ConfigurationError, TerminalError
from producers.delivery import PublishError

pytest.importorskip("psycopg2", reason="the PostgreSQL driver is not installed (extra: postgres)")
from postgres_reader_world import WAIT_S, Stream, new_reader, running, wait_for
from postgres_server import PostgresServer, binaries

from producers.postgres import PostgresReader, ReaderStatus
from producers.publisher import Publisher

pytestmark = pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed (initdb, postgres)")


@contextmanager
def ending(reader: PostgresReader, kind: type[Exception], sentence: str) -> Iterator[None]:
    """Run a reader until what is done here has ended it, with that error."""
    caught: list[Exception] = []

    def run() -> None:
        with pytest.raises(kind, match=re.escape(sentence)) as raised:
            reader.run(threading.Event())
        caught.append(raised.value)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: caught or reader.status.phase == "stream")
    yield
    thread.join(WAIT_S)
    assert len(caught) == 1


def refusal(server: PostgresServer, database: str, **settings: Any) -> str:
    """Why a reader does not start."""
    stream = Stream()
    with pytest.raises(ConfigurationError) as caught:
        new_reader(server, database, stream, **settings).run(threading.Event())
    assert stream.records == []
    assert server.run("SELECT 1 FROM pg_replication_slots") == []
    return str(caught.value)


def test_rows_then_changes_with_their_types(server: PostgresServer, database: str) -> None:
    """The snapshot's rows, then inserts, updates, deletes and key changes in order, values as they were written."""
    server.run(
        "CREATE TYPE mood AS ENUM ('good', 'bad')",
        "CREATE DOMAIN amount AS numeric(20, 2)",
        "CREATE TABLE buyer (id int8 PRIMARY KEY, name text, born date, owed amount, mood mood, tags text[], "
        "at timestamptz, twice int8 GENERATED ALWAYS AS (id * 2) STORED)",
        "INSERT INTO buyer VALUES (1, 'Ada', '1985-07-14', 12345678901234567.10, 'good', '{a,b}', "
        "'2026-01-31 10:00+01')",
        "CREATE PUBLICATION mdm_stream FOR TABLE buyer",
        database=database,
    )
    stream = Stream()
    with running(new_reader(server, database, stream)) as reader:
        server.run(
            "UPDATE buyer SET name = 'Eve' WHERE id = 1; UPDATE buyer SET name = NULL WHERE id = 1",
            "UPDATE buyer SET id = 2 WHERE id = 1",
            "DELETE FROM buyer WHERE id = 2",
            database=database,
        )
        wait_for(lambda: reader.status.transactions == 3 and len(stream.records) == 6)
    row = {"id": "1", "name": "Ada", "born": "1985-07-14", "owed": "12345678901234567.10", "mood": "good"}
    row |= {"tags": "{a,b}", "at": "2026-01-31 09:00:00+00"}
    assert stream.said() == [
        ("read", row, None),
        ("update", row | {"name": "Eve"}, None),
        ("update", row | {"name": None}, None),
        ("delete", None, {"id": "1"}),
        ("update", row | {"name": None, "id": "2"}, {"id": "1"}),
        ("delete", None, {"id": "2"}),
    ]
    types = {"id": "int8", "born": "date", "owed": "numeric", "mood": "enum", "tags": "_text", "at": "timestamptz"}
    assert all(each["types"] == types and each["identity"] == ["id"] for each in stream.messages())
    keys = {record["PartitionKey"].rpartition("/")[2] for record in stream.records}
    assert keys == {"1", "2"}


def test_a_large_value_that_was_not_touched_is_no_part_of_a_message(server: PostgresServer, database: str) -> None:
    """It is named; with a full identity, and under a changed key, its value comes along."""
    long = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) i)"
    server.run(
        "CREATE TABLE usual (id int4 PRIMARY KEY, name text, notes text)",
        "CREATE TABLE whole (id int4 PRIMARY KEY, name text, notes text)",
        "ALTER TABLE whole REPLICA IDENTITY FULL",
        "ALTER TABLE usual ALTER notes SET STORAGE EXTERNAL; ALTER TABLE whole ALTER notes SET STORAGE EXTERNAL",
        f"INSERT INTO usual VALUES (1, 'a', {long}); INSERT INTO whole VALUES (1, 'a', {long})",
        "CREATE PUBLICATION mdm_stream FOR TABLE usual, whole",
        database=database,
    )
    stream = Stream()
    with running(new_reader(server, database, stream)):
        server.run(
            "UPDATE usual SET name = 'b'", "UPDATE whole SET name = 'b'", "UPDATE usual SET id = 2", database=database
        )
        wait_for(lambda: len(stream.records) == 6)
    _, _, usual, whole, deleted, moved = stream.messages()
    assert (usual["row"], usual["unchanged"]) == ({"id": "1", "name": "b"}, ["notes"])
    assert len(whole["row"]["notes"]) == 9_600
    assert (whole["old"], "unchanged" in whole) == ({"name": "a"}, False)
    assert (deleted["old"], len(moved["row"]["notes"]), "unchanged" in moved) == ({"id": "1"}, 9_600, False)


def test_nothing_is_confirmed_that_kinesis_did_not_accept(server: PostgresServer, database: str) -> None:
    """While Kinesis refuses the slot stands still and the lag is told; then everything arrives."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY)", "CREATE PUBLICATION mdm_stream FOR TABLE buyer", database=database
    )
    stream = Stream()
    confirmed = "SELECT confirmed_flush_lsn FROM pg_replication_slots"
    with running(new_reader(server, database, stream)) as reader:
        stream.refusing = "ProvisionedThroughputExceededException"
        ((before,),) = server.run("SELECT pg_current_wal_lsn()")
        server.run("INSERT INTO buyer SELECT generate_series(1, 100)", database=database)
        wait_for(lambda: reader.status.restarts >= 2)
        assert stream.records == []
        assert server.run(f"SELECT ({confirmed}) <= '{before}'") == [(True,)]
        stream.refusing = ""
        wait_for(lambda: len({record["PartitionKey"] for record in stream.records}) == 100)
        ((end,),) = server.run("SELECT pg_current_wal_lsn()")
        wait_for(lambda: server.run(f"SELECT ({confirmed}) >= '{end}'") == [(True,)])
        wait_for(lambda: reader.status.lag_bytes == 0)


def test_an_error_that_no_retry_mends_ends_the_reader(server: PostgresServer, database: str) -> None:
    """A stream that does not exist is not asked for ever; a restart goes on where PostgreSQL was told to."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY)", "CREATE PUBLICATION mdm_stream FOR TABLE buyer", database=database
    )
    stream = Stream()
    with ending(new_reader(server, database, stream), PublishError, "ResourceNotFoundException"):
        stream.refusing = "ResourceNotFoundException"
        stream.put_records = _raising(stream.refusing)  # type: ignore[method-assign]
        server.run("INSERT INTO buyer VALUES (1)", database=database)
    again = Stream()
    with running(new_reader(server, database, again)):
        wait_for(lambda: again.records)
    assert again.said() == [("insert", {"id": "1"}, None)]


def _raising(code: str) -> Callable[..., Any]:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    def put_records(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "PutRecords")

    return put_records


def test_truncate_stops_the_reader_unless_it_is_allowed(server: PostgresServer, database: str) -> None:
    """It stops there again when it is started again, and with the permission it tells and goes on."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY)",
        "CREATE PUBLICATION mdm_stream FOR TABLE buyer",
        "INSERT INTO buyer VALUES (1)",
        database=database,
    )
    stream = Stream()
    with ending(new_reader(server, database, stream), TerminalError, "public.buyer was emptied by TRUNCATE"):
        server.run("TRUNCATE buyer", "INSERT INTO buyer VALUES (2)", database=database)
    with ending(new_reader(server, database, stream), TerminalError, "--allow-truncate"):
        pass
    assert stream.said() == [("read", {"id": "1"}, None)]
    with running(new_reader(server, database, stream, allow_truncate=True)) as reader:
        wait_for(lambda: len(stream.records) == 3)
        assert reader.status.truncations == 1
    assert [op for op, _, _ in stream.said()] == ["read", "truncate", "insert"]


def test_a_changed_table_is_followed(server: PostgresServer, database: str) -> None:
    """New, dropped and altered columns; a column that is needed and gone ends the reader with its name."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY, name text, old text)",
        "CREATE PUBLICATION mdm_stream FOR TABLE buyer",
        database=database,
    )
    stream = Stream()
    required = {"public.buyer": frozenset({"name"})}
    with running(new_reader(server, database, stream, required=required)) as reader:
        server.run(
            "INSERT INTO buyer VALUES (1, 'a', 'x')",
            "ALTER TABLE buyer DROP old, ADD since date",
            "INSERT INTO buyer VALUES (2, 'b', '2026-01-31')",
            database=database,
        )
        wait_for(lambda: len(stream.records) == 2)
        assert reader.status.schema_changes == 1
    assert stream.said()[1] == ("insert", {"id": "2", "name": "b", "since": "2026-01-31"}, None)
    assert stream.messages()[1]["types"] == {"id": "int4", "since": "date"}
    with ending(new_reader(server, database, stream, required=required), TerminalError, "lost its column name"):
        server.run("ALTER TABLE buyer RENAME name TO full_name", "INSERT INTO buyer VALUES (3, 'c')", database=database)
    assert "it has full_name" in _refused_later(server, database, required)


def _refused_later(server: PostgresServer, database: str, required: dict[str, frozenset[str]]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        new_reader(server, database, Stream(), required=required).run(threading.Event())
    return str(caught.value)


def test_everything_that_is_missing_is_told_at_once(server: PostgresServer, database: str) -> None:
    """Identity, key, columns, rights and tables, each with the statement that mends it; no slot is left behind."""
    server.run(
        "CREATE TABLE without_key (id int4)",
        "CREATE TABLE nothing (id int4 PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING",
        "CREATE TABLE whole (id int4); ALTER TABLE whole REPLICA IDENTITY FULL",
        "CREATE TABLE other (id int4 PRIMARY KEY, number int4)",
        "CREATE TABLE good (id int4 PRIMARY KEY, name text)",
        "CREATE PUBLICATION mdm_stream FOR TABLE without_key, nothing, whole, other, good",
        database=database,
    )
    said = refusal(server, database, keys={"public.other": ("number",)}, required={"public.good": frozenset({"nam"})})
    for sentence in (
        "public.without_key: its replica identity needs a primary key",
        "public.nothing: its replica identity is NOTHING",
        "public.whole has no primary key: name the columns that identify a row (--key public.whole=...)",
        "public.other: key column number is no part of the replica identity",
        "public.good: column nam of the rules is not published (it has name)",
        'ALTER TABLE "public"."nothing" REPLICA IDENTITY FULL',
    ):
        assert sentence in said
    assert "table public.god is not in publication" in refusal(server, database, tables=("public.god",))


def test_a_publication_is_made_of_named_tables_and_asked_for_otherwise(server: PostgresServer, database: str) -> None:
    """One that leaves out deletes, or truncations, is refused."""
    server.run("CREATE TABLE buyer (id int4 PRIMARY KEY)", database=database)
    assert 'CREATE PUBLICATION "mdm_stream" FOR TABLE' in refusal(server, database)
    with running(new_reader(server, database, Stream(), tables=("public.buyer",))):
        pass
    server.run("SELECT pg_drop_replication_slot('mdm_stream')", database=database)
    server.run("ALTER PUBLICATION mdm_stream SET (publish = 'insert, update')", database=database)
    assert "leaves out inserts, updates or deletes" in refusal(server, database)
    server.run("ALTER PUBLICATION mdm_stream SET (publish = 'insert, update, delete')", database=database)
    assert "an emptied table would go unnoticed" in refusal(server, database)


def test_rights_and_levels_have_clear_errors(server: PostgresServer, database: str) -> None:
    """A role without REPLICATION, one that may not read the table, and a log without rows."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY)", "CREATE PUBLICATION mdm_stream FOR TABLE buyer", database=database
    )
    server.run("DROP ROLE IF EXISTS reading", "CREATE ROLE reading LOGIN")
    reader = new_reader(server, database, Stream())
    reader._dsn = server.dsn("reading", database)
    with pytest.raises(ConfigurationError, match="give it REPLICATION"):
        reader.run(threading.Event())
    server.run("ALTER ROLE reading REPLICATION")
    with pytest.raises(ConfigurationError, match=r'GRANT SELECT ON "public"\."buyer"'):
        reader.run(threading.Event())
    assert server.run("SELECT 1 FROM pg_replication_slots") == []
    server.run("GRANT SELECT ON buyer TO reading", database=database)
    with running(reader):
        server.run("INSERT INTO buyer VALUES (1)", database=database)
    server.run("DROP OWNED BY reading", database=database)
    with PostgresServer(wal_level="replica") as plain:
        assert "wal_level is replica" in refusal(plain, "postgres")


def test_a_table_that_is_added_has_its_rows_read_when_asked(server: PostgresServer, database: str) -> None:
    """The reader stops at a table that it has not read, and with --snapshot its rows come below its changes."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY)", "CREATE PUBLICATION mdm_stream FOR TABLE buyer", database=database
    )
    stream = Stream()
    with ending(new_reader(server, database, stream), TerminalError, "--snapshot public.late"):
        server.run(
            "CREATE TABLE late (id int4 PRIMARY KEY, name text)",
            "INSERT INTO late VALUES (1, 'a'), (2, 'b')",
            "ALTER PUBLICATION mdm_stream ADD TABLE late",
            "UPDATE late SET name = 'c' WHERE id = 2",
            database=database,
        )
    with running(new_reader(server, database, stream, snapshot_again=("public.late",))):
        wait_for(lambda: len(stream.records) == 3)
    assert sorted(row["id"] + op for op, row, _ in stream.said() if row) == ["1read", "2read", "2update"]
    assert stream.said()[-1] == ("update", {"id": "2", "name": "c"}, None)


def test_two_readers_of_one_slot_take_turns(server: PostgresServer, database: str) -> None:
    """The second waits until the first has gone, and then goes on where that was."""
    server.run(
        "CREATE TABLE buyer (id int4 PRIMARY KEY)", "CREATE PUBLICATION mdm_stream FOR TABLE buyer", database=database
    )
    stream = Stream()
    stop, seen = threading.Event(), list[ReaderStatus]()
    second = new_reader(server, database, stream)
    second._on_status = seen.append
    with running(new_reader(server, database, stream)):
        thread = threading.Thread(target=second.run, args=(stop,))
        thread.start()
        wait_for(lambda: second.status.restarts >= 2)
        assert {each.phase for each in seen} == {"waiting"}
    wait_for(lambda: second.status.phase == "stream")
    server.run("INSERT INTO buyer VALUES (1)", database=database)
    wait_for(lambda: stream.records)
    stop.set()
    thread.join(WAIT_S)
    assert stream.said() == [("insert", {"id": "1"}, None)]


def test_an_address_is_never_repeated(server: PostgresServer, database: str) -> None:
    """It may hold a password."""
    reader = PostgresReader("postgresql://reader:s3cret@[", lambda: Publisher(Stream(), "changes"))
    with pytest.raises(ConfigurationError) as caught:
        reader.run()
    assert "s3cret" not in str(caught.value)
