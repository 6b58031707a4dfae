"""A PostgreSQL of a test's own: in a folder of its own, reached by a socket in it, run by an unprivileged user."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg2

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
_START_TIMEOUT_S = 60.0
_UNPRIVILEGED = ("postgres", "nobody")
"""PostgreSQL refuses to run as root: these are the users that a root takes in its place."""


def binaries() -> Path | None:
    """Return where initdb and postgres lie; ``None`` if they are not installed."""
    for folder in [*_BINARIES, *(Path(found).parent for found in [shutil.which("initdb")] if found)]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


class PostgresServer:
    """A running server: ``with PostgresServer() as server``. ``kill`` is SIGKILL, and ``start`` starts it again."""

    def __init__(self, **settings: str) -> None:
        """Take what differs from the settings that logical decoding needs."""
        folder = binaries()
        assert folder is not None
        self._binaries = folder
        self._settings = {
            "wal_level": "logical",
            "max_replication_slots": "8",
            "max_wal_senders": "8",
            "listen_addresses": "",
            "shared_buffers": "16MB",
            "autovacuum": "off",
            **settings,
        }
        self.folder = Path(tempfile.mkdtemp(prefix="mdm-pg-", dir="/tmp"))  # a socket's path has 107 characters
        self._user: str | None = None
        if os.geteuid() == 0:
            known = {each.pw_name for each in pwd.getpwall()}
            self._user = next(name for name in _UNPRIVILEGED if name in known)
            shutil.chown(self.folder, self._user)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._run("initdb", "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def dsn(self, user: str = "postgres", database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"host={self.folder} user={user} dbname={database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._binaries / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self._user, cwd=self.folder
            )
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                psycopg2.connect(self.dsn()).close()
                break
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline_s, (self.folder / "log").read_text("utf-8", "replace")[-2_000:]
                time.sleep(0.05)

    def kill(self) -> None:
        """End the server as a power failure does: no process of it writes another byte."""
        self._signal(signal.SIGKILL)
        # Its children notice that the postmaster is gone; until they are, the memory that they share is in use.
        time.sleep(0.2)

    def stop(self) -> None:
        """End the server and remove what it has written."""
        self._signal(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, user: str = "postgres", database: str = "postgres") -> Any:
        """Return a connection that commits each statement by itself."""
        made = psycopg2.connect(self.dsn(user, database))
        made.autocommit = True
        return made

    def run(self, *statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements, each in a transaction of its own (one of several: separated by semicolons); return the last
        one's rows.
        """
        connection = self.connect(database=database)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def _signal(self, number: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(30)

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = [str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd=self.folder, timeout=120)
