"""The reader: a consistent snapshot, then every change of the log, onto a Kinesis stream.

The replication slot is the only state. Its position is confirmed to PostgreSQL once Kinesis has accepted everything
before it, so a reader that is killed anywhere goes on without a gap; what it had sent and not confirmed it sends again,
under the same versions. Where the first snapshot was cut off, see ``producers.postgres.slots``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing, suppress

from mdm_stream.aws.errors import is_terminal_code
from mdm_stream.aws.retry import full_jitter
from mdm_stream.errors import TransientError
from producers.delivery import PublishError
from producers.postgres.attempt import Attempt
from producers.postgres.catalog import published_tables
from producers.postgres.connection import connect
from producers.postgres.settings import ReaderProgress, ReaderSettings, ReaderStatus
from producers.postgres.slots import lock_slot
from producers.publisher import Publisher

_LOGGER = logging.getLogger(__name__)
CLOSE_TIMEOUT_S = 5.0
"""What a publisher gets to send the rest when its attempt has failed: the next attempt sends it again anyway."""


class PostgresReader:
    """Reads one slot. ``run`` returns when it was asked to stop, and raises what no retry can mend."""

    def __init__(
        self,
        dsn: str,
        publisher: Callable[[], Publisher],
        settings: ReaderSettings | None = None,
        *,
        on_status: Callable[[ReaderStatus], None] | None = None,
    ) -> None:
        """Take the address of the database, and what makes a publisher: each attempt has one of its own.

        The publisher's ``put_timeout_s`` should be short, a second or less: PostgreSQL hears nothing meanwhile.
        ``on_status`` is called every ``status_interval_s``, when the phase changes and at the end.
        """
        self._dsn = dsn
        self._make_publisher = publisher
        self._settings = settings or ReaderSettings()
        self._on_status = on_status
        self._again = set(self._settings.snapshot_again)
        self._progress = ReaderProgress()

    @property
    def status(self) -> ReaderStatus:
        """What was done so far, and how far behind the reader was when it last looked."""
        return self._progress.status()

    def run(self, stop: threading.Event | None = None) -> ReaderStatus:
        """Read until ``stop`` is set. ``TransientError`` only where the first connection fails."""
        stop = stop or threading.Event()
        settings, progress = self._settings, self._progress
        for replication in (False, True):
            connect(self._dsn, settings.connect_timeout_s, replication=replication).close()
        failures, reached = 0, 0
        while not stop.is_set():
            try:
                self._attempt(stop)
            except (TransientError, PublishError) as error:
                if isinstance(error, PublishError) and any(is_terminal_code(each.code) for each in error.failures):
                    raise
                failures = 0 if progress.confirmed_lsn > reached else failures
                reached = progress.confirmed_lsn
                wait_s = full_jitter(failures, settings.backoff_base_s, settings.backoff_max_s)
                _LOGGER.warning("reading slot %s is tried again in %.1f s: %s", settings.slot, wait_s, error)
                failures += 1
                progress.restarts += 1
                self._tell("waiting")
                stop.wait(wait_s)
        self._tell("stopped")
        return self.status

    def _attempt(self, stop: threading.Event) -> None:
        settings = self._settings
        with closing(connect(self._dsn, settings.connect_timeout_s)) as control:
            lock_slot(control, settings.slot)
            tables = published_tables(control, settings)
            publisher = self._make_publisher()
            try:
                with closing(connect(self._dsn, settings.connect_timeout_s, replication=True)) as replication:
                    attempt = Attempt(
                        control, replication, tables, publisher, stop, settings, self._progress, self._tell
                    )
                    if attempt.snapshots(self._dsn, self._again):
                        attempt.stream()
            finally:
                with suppress(PublishError):
                    publisher.close(CLOSE_TIMEOUT_S)

    def _tell(self, phase: str) -> None:
        self._progress.phase = phase
        if self._on_status is not None:
            self._on_status(self.status)
