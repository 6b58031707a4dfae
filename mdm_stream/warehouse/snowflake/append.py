"""A Snowflake session that can also load the file of a batch into ``golden_event``: PUT, then COPY, and nothing locked.

The file goes to a temporary stage of the session: what a process that was killed has left there goes with its session,
so that no value outlives the batch outside the table. Its name is the digest of the batch. Where the same session loads
the batch again, COPY finds in its load metadata that the file was loaded, and passes over it; another session adds the
rows once more, and the fold passes over those. Nothing depends on which of the two it is.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from mdm_stream.errors import MdmError
from mdm_stream.warehouse.append.events import EVENT_COLUMNS
from mdm_stream.warehouse.dialect import SNOWFLAKE
from mdm_stream.warehouse.rows import timestamp_text
from mdm_stream.warehouse.snowflake.limits import Limits
from mdm_stream.warehouse.snowflake.session import (
    BATCH_DIGITS,
    DEFAULT_LIMITS,
    RETENTION_DAYS,
    SnowflakeSession,
    domain_of,
)

CREATE_STAGE = "CREATE TEMPORARY STAGE IF NOT EXISTS golden_event_file"
LOADED = "LOADED"
GZIP_LEVEL = 1
"""The connector itself would take 9: a quarter smaller, and ten times the CPU (measured on generated records)."""


def put_statement(batch_id: str) -> str:
    """Return the statement that uploads the file of a batch."""
    return (
        f"PUT file://{batch_id}.ndjson.gz @golden_event_file AUTO_COMPRESS = FALSE SOURCE_COMPRESSION = GZIP "
        "OVERWRITE = TRUE"
    )


def copy_statement(batch_id: str, applied_at: datetime) -> str:
    """Return the statement that loads the uploaded file of a batch, and removes it.

    FILES names the file, because COPY then fails where it is not there; with a pattern it would load nothing and say
    nothing.
    """
    return (
        f"COPY INTO golden_event ({_NAMES}, batch_id, applied_at) FROM (SELECT {_FIELDS}, '{batch_id}', "  # noqa: S608 - made of declared column names, a digest and a time
        f"'{timestamp_text(applied_at)}'::{SNOWFLAKE.timestamp} FROM @golden_event_file) "
        f"FILES = ('{batch_id}.ndjson.gz') FILE_FORMAT = (TYPE = JSON) PURGE = TRUE"
    )


class SnowflakeEventSession(SnowflakeSession):
    """See ``append.layout.EventSession``."""

    def __init__(
        self, connect_args: Mapping[str, Any], limits: Limits = DEFAULT_LIMITS, retention_days: int = RETENTION_DAYS
    ) -> None:
        """Log in with the arguments of ``snowflake.connector.connect``, and make the stage of the session."""
        super().__init__(connect_args, limits, retention_days)
        try:
            self.execute(CREATE_STAGE, step="create the stage")
        except BaseException:
            with suppress(MdmError):
                self.close()
            raise

    def load_events(self, ndjson: bytes, batch_id: str, applied_at: datetime) -> None:
        """Add the rows of ``ndjson``, all or none."""
        status = ""
        self.tag_batch(domain_of(ndjson), batch_id[:BATCH_DIGITS])
        try:
            content = io.BytesIO(gzip.compress(ndjson, GZIP_LEVEL, mtime=0))
            self._run("upload the batch", put_statement(batch_id), file_stream=content)
            rows = self._run("load golden_event", copy_statement(batch_id, applied_at))
            status = str(rows[0][1]) if rows and len(rows[0]) > 1 else ""
        finally:
            if status != LOADED:
                # Not loaded, or loaded before: PURGE leaves the file then. If this fails it goes with the session.
                with suppress(MdmError):
                    self._run("remove the uploaded batch", f"REMOVE @golden_event_file/{batch_id}.ndjson.gz")


_NAMES = ", ".join(name for name, _ in EVENT_COLUMNS)
_FIELDS = ", ".join(f"$1['{name}']::{getattr(SNOWFLAKE, kind)}" for name, kind in EVENT_COLUMNS)
