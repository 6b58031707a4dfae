"""What a session is told at login, so that no default of an account, a user or a role changes what a statement means.

``LOCK_TIMEOUT`` and ``STATEMENT_TIMEOUT_IN_SECONDS`` are in ``limits``; ``AUTOCOMMIT`` is an argument of the connector,
which sends it with these. Names and values: Snowflake's reference of parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import orjson

SERVICE = "mdm-warehouse"
"""Who wrote a statement, in its tag: the name under which logs and metrics have the consumer."""

_MOMENT = "YYYY-MM-DD HH24:MI:SS.FF6"
_MOMENT_WITH_OFFSET = f"{_MOMENT} TZH:TZM"

PINNED: Mapping[str, object] = MappingProxyType({
    # Staged times are texts in UTC without an offset, and so are all columns; a search reads them as texts again.
    "TIMEZONE": "UTC",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "TIMESTAMP_OUTPUT_FORMAT": _MOMENT_WITH_OFFSET,
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": _MOMENT,
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": _MOMENT_WITH_OFFSET,
    "TIMESTAMP_TZ_OUTPUT_FORMAT": _MOMENT_WITH_OFFSET,
    "DATE_INPUT_FORMAT": "AUTO",
    "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
    "TIME_INPUT_FORMAT": "AUTO",
    "TIME_OUTPUT_FORMAT": "HH24:MI:SS.FF6",
    "BINARY_INPUT_FORMAT": "HEX",
    "BINARY_OUTPUT_FORMAT": "HEX",
    "WEEK_START": 1,
    "WEEK_OF_YEAR_POLICY": 0,
    # JSON comes back in one line, and all rows of an answer come back: a limit on them would hide rows from a search.
    "JSON_INDENT": 0,
    "ROWS_PER_RESULTSET": 0,
    # "record_id" and RECORD_ID are two columns, as a search over the names in INFORMATION_SCHEMA takes them.
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    # A MERGE that meets two rows for one key fails, and does not take either.
    "ERROR_ON_NONDETERMINISTIC_MERGE": True,
    "ERROR_ON_NONDETERMINISTIC_UPDATE": True,
    "MULTI_STATEMENT_COUNT": 1,
})  # fmt: skip


def query_tag(**about: str) -> str:
    """Return the tag of statements as JSON: the service, and what is given of the batch. It must hold no value."""
    return orjson.dumps({"service": SERVICE, **about}).decode()
