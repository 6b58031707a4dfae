"""A DuckDB session that can also load the file of a batch into ``golden_event``: the append kind without Snowflake."""

from __future__ import annotations

from datetime import datetime

from mdm_stream.warehouse.append.events import EVENT_COLUMNS
from mdm_stream.warehouse.dialect import DUCKDB
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.duckdb.staged_file import staged_file
from mdm_stream.warehouse.rows import timestamp_text

_LINE_BYTES_MIN = 64 * 1024 * 1024
"""Room for one line, or more if one needs it."""


class DuckDbEventSession(DuckDbSession):
    """See ``append.layout.EventSession``."""

    def load_events(self, ndjson: bytes, batch_id: str, applied_at: datetime) -> None:
        """Add the rows of ``ndjson``, all or none."""
        with staged_file(ndjson, self.path) as file:
            insert = _INSERT.format(line_bytes_max=max(_LINE_BYTES_MIN, len(ndjson)))
            self.execute(insert, (batch_id, timestamp_text(applied_at), file), step="load golden_event")


_NAMES = ", ".join(name for name, _ in EVENT_COLUMNS)
_STRUCT = ", ".join(f"{name}: '{getattr(DUCKDB, kind)}'" for name, kind in EVENT_COLUMNS)
_INSERT = (
    f"INSERT INTO golden_event ({_NAMES}, batch_id, applied_at) SELECT {_NAMES}, ?, CAST(? AS {DUCKDB.timestamp}) "  # noqa: S608 - made of declared column names
    "FROM read_json(?, format = 'newline_delimited', maximum_object_size = {line_bytes_max}, "
    f"columns = {{{{{_STRUCT}}}}})"
)
