"""What is logged of an invocation that failed."""

from __future__ import annotations

import logging
import traceback

from mdm_stream.errors import MdmError

_LOG = logging.getLogger(__name__)


def log_fault(what: str, error: Exception) -> None:
    """Log a handler's exception without its message, which may hold values of an event; our own are free of them."""
    detail = f": {error}" if isinstance(error, MdmError) else ""
    frames = "".join(traceback.format_tb(error.__traceback__))
    _LOG.warning("the handler failed on a %s with %s%s\n%s", what, type(error).__name__, detail, frames)
