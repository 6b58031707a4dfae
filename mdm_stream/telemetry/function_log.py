"""The log of a function: Powertools' logger, in the shape of all log lines."""

from __future__ import annotations

import copy
import logging
import os
from typing import Any, TextIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.filters import SuppressFilter
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from mdm_stream.telemetry.log_lines import LineFormatter, deployment_keys, exception_keys

_ON_LAMBDA = "LAMBDA_TASK_ROOT"


class FunctionLineFormatter(LambdaPowertoolsFormatter):
    """Writes the lines of a function: its own keys beside those of the shape, and no text of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        if record.exc_info:
            told = exception_keys(record)
            record = copy.copy(record)
            record.exc_info = record.exc_text = None
            record.__dict__.update(told)
        return super().format(record)


def function_log(service: str, stream: TextIO | None = None, **keys: Any) -> Logger:
    """Return the logger of a service, whose lines have ``keys``; to standard output unless another stream is given.

    What modules and libraries log by Python's logging is brought into the same shape: on Lambda where its runtime has
    that written, elsewhere on the stream that is given. A process that has set its logging up keeps it.
    """
    named: dict[str, Any] = {"service": service, **deployment_keys(), **keys}
    formatter = FunctionLineFormatter(use_rfc3339=True, utc=True, **named)
    logger = Logger(service=service, stream=stream, logger_formatter=formatter)
    handlers = logging.root.handlers
    if stream is not None or _ON_LAMBDA in os.environ:
        logging.captureWarnings(capture=True)
    if stream is not None and not handlers:
        logging.root.addHandler(logging.StreamHandler(stream))
        handlers[0].setFormatter(LineFormatter(service))
        handlers[0].addFilter(_WrittenOnce(service))
    for handler in handlers:
        if _ON_LAMBDA in os.environ:
            handler.setFormatter(LineFormatter(service))
        for broad in [each for each in handler.filters if isinstance(each, SuppressFilter)]:
            handler.removeFilter(broad)
            handler.addFilter(_WrittenOnce(service))
    return logger


class _WrittenOnce(logging.Filter):
    """Keeps a logger's lines from a handler that is not its own.

    Powertools' filter for that takes the lines of every module with the service's name in its own name, too.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is of another logger."""
        return record.name != self.name
