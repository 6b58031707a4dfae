"""The replication slot: where the reader has come to, kept by PostgreSQL, so that the reader itself keeps nothing.

While the first snapshot is under way the slot has another name (``SNAPSHOT_SUFFIX``) and does not move. Once Kinesis
has accepted all of the snapshot it is copied to its own name, and from then on it moves. So which of the two there is
says what is to be done, whenever the reader was killed: a snapshot that was cut off is read anew *on the old slot*, and
deletes of rows that had been sent before the kill are still ahead in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from producers.postgres.connection import quoted, rows, translated
from producers.postgres.messages import Server
from producers.postgres.settings import SNAPSHOT_SUFFIX, lsn_of

PLUGIN = "pgoutput"


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that exists, and the position from which it goes on."""

    name: str
    confirmed_lsn: int


def lock_slot(connection: Any, slot: str) -> None:
    """Keep other readers off the slot as long as the connection lives; ``TransientError`` if one is at work."""
    with translated("lock the slot"):
        ((locked,),) = rows(connection, "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"mdm-stream {slot}",))
    if not locked:
        raise TransientError(f"another reader works on slot {slot}")


def find_slot(connection: Any, name: str) -> Slot | None:
    """Return the slot of that name; ``TerminalError`` if it cannot be used any more, or is somebody else's."""
    with translated("look for the slot"):
        found = rows(
            connection,
            "SELECT plugin, database = current_database(), confirmed_flush_lsn::text, to_jsonb(s)->>'wal_status' "
            "FROM pg_replication_slots s WHERE slot_name = %s",
            (name,),
        )
    if not found:
        return None
    plugin, is_here, confirmed, status = found[0]
    if plugin != PLUGIN or not is_here:
        raise ConfigurationError(f"slot {name} is not one of {PLUGIN} in this database; choose another name")
    if status == "lost" or confirmed is None:
        raise TerminalError(
            f"slot {name} has lost its log (see max_slot_wal_keep_size): changes are missing. Drop it "
            f"(SELECT pg_drop_replication_slot('{name}')) and start the reader, which then reads all rows anew; "
            "deletes of the time between are not among them"
        )
    return Slot(name, lsn_of(confirmed))


def create_snapshot_slot(replication: Any, slot: str) -> tuple[Slot, str]:
    """Create the slot of the first snapshot; return it and the name of its snapshot.

    The snapshot lives until the connection does something else. Waits for transactions that are open now.
    """
    name = slot + SNAPSHOT_SUFFIX
    with translated("create the slot"), replication.cursor() as cursor:
        cursor.execute(f"CREATE_REPLICATION_SLOT {quoted(name)} LOGICAL {PLUGIN} EXPORT_SNAPSHOT")
        _, lsn, snapshot, _ = cursor.fetchone()
    return Slot(name, lsn_of(lsn)), snapshot


def finish_snapshot_slot(connection: Any, slot: str) -> None:
    """Say that the first snapshot is done: the slot gets its own name. May be called again after a kill."""
    if find_slot(connection, slot) is None:
        with translated("copy the slot"):
            rows(connection, "SELECT pg_copy_logical_replication_slot(%s, %s)", (slot + SNAPSHOT_SUFFIX, slot))
    if find_slot(connection, slot + SNAPSHOT_SUFFIX) is not None:
        with translated("drop the slot of the snapshot"):
            rows(connection, "SELECT pg_drop_replication_slot(%s)", (slot + SNAPSHOT_SUFFIX,))


def server_of(replication: Any) -> Server:
    """Return which server this is."""
    with translated("ask for the server's identity"), replication.cursor() as cursor:
        cursor.execute("IDENTIFY_SYSTEM")
        system, timeline, _, database = cursor.fetchone()
    return Server(str(system), int(timeline), str(database))


def current_lsn(connection: Any) -> int:
    """Return the end of the log."""
    with translated("ask for the end of the log"):
        ((text,),) = rows(
            connection,
            "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text",
        )
    return lsn_of(text)
