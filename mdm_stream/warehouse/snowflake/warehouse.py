"""The warehouse in a Snowflake schema, through the Python connector."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

from mdm_stream.telemetry.spans import Stage
from mdm_stream.warehouse.append import VIEWS, AppendLayout, FoldSettings, Writer, choose_layout
from mdm_stream.warehouse.faults import LoginRefusedError
from mdm_stream.warehouse.layout import Layout
from mdm_stream.warehouse.merge import MergeLayout
from mdm_stream.warehouse.old_versions import OldVersions
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.snowflake.append import SnowflakeEventSession
from mdm_stream.warehouse.snowflake.limits import Limits
from mdm_stream.warehouse.snowflake.old_versions import old_versions
from mdm_stream.warehouse.snowflake.options.policies import check_role_sees_all
from mdm_stream.warehouse.snowflake.session import DEFAULT_LIMITS, RETENTION_DAYS, SnowflakeSession
from mdm_stream.warehouse.snowflake.streaming import SnowflakeStreamingSession, Streaming
from mdm_stream.warehouse.warehouse import SqlWarehouse, utc_now

_Result = TypeVar("_Result")

ConnectArgs = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


def open_session(
    connect_args: ConnectArgs,
    limits: Limits = DEFAULT_LIMITS,
    retention_days: int = RETENTION_DAYS,
    streaming: Streaming | None = None,
) -> SnowflakeEventSession:
    """Log in. A login that is refused is tried once more if the key is another by now: it was rotated meanwhile.

    ``streaming``: batches go through Snowpipe Streaming, and not by COPY.
    """

    def open_with(arguments: Mapping[str, Any]) -> SnowflakeEventSession:
        if streaming is not None:
            return SnowflakeStreamingSession(arguments, limits, retention_days, streaming)
        return SnowflakeEventSession(arguments, limits, retention_days)

    given = connect_args() if callable(connect_args) else connect_args
    try:
        return open_with(given)
    except LoginRefusedError:
        anew = connect_args() if callable(connect_args) else connect_args
        if anew == given:
            raise
        return open_with(anew)


class SnowflakeWarehouse(SqlWarehouse):
    """The warehouse in a Snowflake schema.

    What batches do has the limits of ``limits``. What reads every row for a person who waits for the answer (``query``,
    ``mentions``, ``search``) has none but Snowflake's own: an erasure that cannot be verified is not one.
    """

    kind: Stage = "snowflake"

    def __init__(
        self,
        connect_args: ConnectArgs,
        limits: Limits = DEFAULT_LIMITS,
        *,
        writer: Writer | None = None,
        fold: FoldSettings = VIEWS,
        retention_days: int = RETENTION_DAYS,
        streaming: Streaming | None = None,
        read_only: bool = False,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Take the arguments of ``snowflake.connector.connect``, with database and schema among them.

        Or take what returns them, which is called for every login, so that a key that was rotated is picked up.
        ``writer`` says which kind the schema is to be of. Left out, a new one is of the append kind, and one that is
        there stays what it is. ``fold`` says how the append kind keeps its tables, ``streaming`` that batches do not
        get in by COPY. A read-only warehouse does not migrate, and refuses a schema of another version.
        """
        append = AppendLayout(fold, 0.0 if streaming is None else streaming.look_every_s)
        merge = MergeLayout()

        def choose(session: Session) -> Layout:
            check_role_sees_all(session)
            return choose_layout(session, writer, append, merge)

        super().__init__(
            lambda: open_session(connect_args, limits, retention_days, streaming),
            read_only=read_only,
            clock=clock,
            layout_of=choose,
        )

    def old_versions(self, domain: str, refs: Collection[str]) -> list[OldVersions]:
        """Return the tables with old versions of rows, as the database itself says; see ``Warehouse.old_versions``."""
        return self._look(lambda session: old_versions(session, domain, refs, self._clock()))

    def _look(self, work: Callable[[Session], _Result]) -> _Result:
        def look(session: Session) -> _Result:
            with cast("SnowflakeSession", session).without_limit():
                return work(session)

        return super()._look(look)
