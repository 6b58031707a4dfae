"""fakesnow's server for the sections about Snowflake: a process can have one, once, so they share it."""

from __future__ import annotations

import atexit
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from fakesnow_copy import teach_account_parameters, teach_copy

NETWORK_TIMEOUT_S = 60


@contextmanager
def local_snowflake() -> Iterator[dict[str, Any]]:
    """Yield the arguments of a connection, without a schema. The server keeps its tables in memory until the end.

    It says each request: some thousands of lines, which also take their time, so nothing is logged meanwhile.
    """
    logging.disable(logging.CRITICAL)
    try:
        yield {**_server(), "database": "mdm", "network_timeout": NETWORK_TIMEOUT_S}
    finally:
        logging.disable(logging.NOTSET)


@cache
def _server() -> dict[str, Any]:
    import fakesnow  # noqa: PLC0415 - the last import, it takes a second

    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
    teach_copy()
    teach_account_parameters()
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(fakesnow.server())
