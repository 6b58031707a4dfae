"""The shape of a log line: one JSON object, with the same fields whichever process writes it.

Functions write by Powertools (``mdm_stream.telemetry.function_log``), every other process and every library by
``LineFormatter``. Both have the fields of ``FIELDS``; what else a line has are counts and names of its own. No line
holds a value of a record: of an exception it has type and place, and what a library wrote is its text without what
would be filled in.

A line with ``_aws`` is none of these: it is a metric, in CloudWatch's embedded metric format.
"""

from __future__ import annotations

import json
import logging
import os
import re
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

ALWAYS: Final[Mapping[str, str]] = {
    "timestamp": "when it was written: UTC, to the millisecond, `2026-01-31T12:00:00.000+00:00`",
    "level": "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`",
    "service": "which part of the system wrote it",
    "message": "what happened: a name such as `batch`, or a sentence",
}
"""Fields of every line."""

WHERE_KNOWN: Final[Mapping[str, str]] = {
    "deployment": "`MDM_DEPLOYMENT`, where that is set",
    "correlation_id": "what all lines about one piece of work share",
    "shard": "the shard of the batch",
    "first": "the sequence number of the batch's first record",
    "last": "that of its last record",
    "records": "how many records the batch has",
    "logger": "the module that wrote it, where that is no line of a function's own",
    "location": "function and line in the code",
    "exception_name": "the type of an exception; never its text",
    "exception_place": "file, line and function where it was raised",
    "function_name": "the function of Lambda",
    "function_request_id": "the invocation",
    "xray_trace_id": "the trace, where X-Ray gave one",
}
"""Fields of those lines for which there is something to say."""

FIELDS: Final[Mapping[str, str]] = {**ALWAYS, **WHERE_KNOWN}

DEPLOYMENT: Final = "MDM_DEPLOYMENT"
"""The setting that names the deployment in every line, such as `mdm-prod`."""

_OURS = ("consumers", "mdm_stream", "producers", "__main__")
_WARNINGS = "py.warnings"
_WARNED_AT = re.compile(r"(.*?:[0-9]+: \w+): ")
"""Where Python's own warnings were raised, and of which category, before their text."""


class LineFormatter(logging.Formatter):
    """Writes records of Python's logging as lines of the shape. Takes keys that every line has besides."""

    def __init__(self, service: str, **keys: str) -> None:
        super().__init__()
        self._keys = {"service": service, **deployment_keys(), **keys}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            **self._keys,
            "logger": record.name,
            "message": text_of(record),
            **exception_keys(record),
        }
        return json.dumps(line, ensure_ascii=False, default=str, separators=(",", ":"))


def write_lines(service: str, stream: TextIO, level: int = logging.INFO, **keys: str) -> None:
    """Have all that this process logs written to a stream, as lines of the shape, and nowhere else."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(service, **keys))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(capture=True)


def log_line(service: str, message: str, **facts: object) -> dict[str, object]:
    """Return a line for a process that writes its lines itself, as a job on Spark does."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"timestamp": now, "level": "INFO", "service": service, **deployment_keys(), "message": message, **facts}


def deployment_keys(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the field that names the deployment; none where it has no name."""
    return {"deployment": environment[DEPLOYMENT]} if environment.get(DEPLOYMENT) else {}


def text_of(record: logging.LogRecord) -> str:
    """Return a record's message. That of a library is left unfilled: what it would be filled with may be a value."""
    if record.name == _WARNINGS:
        found = _WARNED_AT.match(record.getMessage())
        return found[1] if found else "warning"
    is_ours = record.name.partition(".")[0] in _OURS
    return record.getMessage() if is_ours else str(record.msg)


def exception_keys(record: logging.LogRecord) -> dict[str, str]:
    """Return what a line says of the exception that a record carries: type and place."""
    info = record.exc_info
    if not isinstance(info, tuple) or info[0] is None or info[1] is None:
        return {}
    frames = traceback.extract_tb(info[2])
    place = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    return {"exception_name": info[0].__name__, "exception_place": place}
