"""A PostgreSQL reader under test, in a hurry, and a Kinesis that remembers what it was given."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from postgres_server import PostgresServer

from producers.delivery import PublisherSettings
from producers.postgres import PostgresReader, ReaderSettings
from producers.publisher import Publisher

WAIT_S = 20.0


class Stream:
    """A Kinesis that remembers what it accepted; while ``refusing`` it accepts nothing."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.refusing = ""

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Answer as PutRecords does."""
        if self.refusing:
            return {"FailedRecordCount": len(Records), "Records": [{"ErrorCode": self.refusing} for _ in Records]}
        self.records += Records
        return {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1"} for _ in Records]}

    def messages(self) -> list[dict[str, Any]]:
        """What was accepted, in the order of the log."""
        found = [orjson.loads(record["Data"]) for record in self.records]
        return sorted(found, key=lambda each: (each["postgres"]["commit_lsn"], each["postgres"]["lsn"], each["op"]))

    def said(self) -> list[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]:
        """The operation, new and old values of each message."""
        return [(each["op"], each.get("row"), each.get("old")) for each in self.messages()]


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.02)


def new_reader(server: PostgresServer, database: str, stream: Stream, **settings: Any) -> PostgresReader:
    """A reader in a hurry."""
    limits = PublisherSettings(
        put_timeout_s=0.2, linger_s=0.005, attempts_max=3, backoff_base_s=0.01, backoff_max_s=0.02
    )
    fast = {"confirm_interval_s": 0.05, "status_interval_s": 0.05, "backoff_base_s": 0.02, "backoff_max_s": 0.05}
    return PostgresReader(
        server.dsn(database=database),
        lambda: Publisher(stream, "changes", settings=limits),
        ReaderSettings(**fast | settings),
    )


@contextmanager
def running(reader: PostgresReader, phase: str = "stream") -> Iterator[PostgresReader]:
    """Run a reader in a thread, from a phase on; whatever it raised is raised at the end."""
    stop, raised = threading.Event(), []

    def run() -> None:
        try:
            reader.run(stop)
        except Exception as error:  # noqa: BLE001 - raised by the test's own thread
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_for(lambda: raised or reader.status.phase == phase)
        yield reader
    finally:
        stop.set()
        thread.join(WAIT_S)
    assert not thread.is_alive()
    if raised:
        raise raised[0]
