"""A poller as a process: its handler, its log, how it is stopped, and the file that says what it has done.

Its log goes to stderr; what the handler prints goes there too, so that stdout stays empty. Exit codes: 0 stopped,
1 a fault (start it again), 2 what no restart can mend, such as a wrong setting or an index of other rules.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import orjson

from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from mdm_stream.files import write_atomically
from mdm_stream.local.event_source.poller import LambdaHandler
from mdm_stream.telemetry.log_lines import write_lines

EXIT_FAULT = 1
EXIT_TERMINAL = 2

_STATUS_INTERVAL_S = 0.5
_LOG = logging.getLogger(__name__)


class Polling(Protocol):
    """A poller of streams or of a queue: ``run`` blocks until ``stop``; ``counters`` is a dataclass of numbers."""

    def run(self) -> None:
        """Poll until stopped."""
        ...

    def stop(self) -> None:
        """Ask ``run`` to return; a signal handler may call it."""
        ...

    def counters(self) -> Any:
        """Return what it has done."""
        ...


def run_polling(build: Callable[[], Polling], what: str, stop_timeout_s: float, status: Path | None) -> int:
    """Build a poller, run it until SIGTERM or SIGINT, and return the exit code."""
    # Structured logs and metrics of a Lambda handler go to stdout; here they belong with the other logs.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    write_lines("event-source", sys.stderr)
    try:
        poller = build()
        _stop_on_signals(poller, stop_timeout_s)
        if status is not None:
            threading.Thread(target=_write_status, args=(poller, status), daemon=True).start()
        _LOG.info("polling %s", what)
        poller.run()
    except TerminalError as error:
        _LOG.error("%s", error)
        return EXIT_TERMINAL
    except TransientError as error:
        _LOG.error("%s", error)
        return EXIT_FAULT
    _LOG.info("stopped: %s", orjson.dumps(asdict(poller.counters())).decode())
    return 0


def load_handler(name: str) -> LambdaHandler:
    """Import ``package.module:function``; ``ConfigurationError`` if that is not possible."""
    module_name, _, attribute = name.partition(":")
    if not (module_name and attribute):
        raise ConfigurationError(f"the handler {name!r} is not of the form package.module:function")
    try:
        handler = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the handler {name!r} cannot be imported: {error}") from error
    if not callable(handler):
        raise ConfigurationError(f"the handler {name!r} is not a function")
    return handler  # type: ignore[no-any-return]


def _stop_on_signals(poller: Polling, stop_timeout_s: float) -> None:
    """Stop gracefully on SIGTERM and SIGINT, but not for longer than the time allowed: a handler may hang.

    The alarm's default action ends the process, whatever its threads hold.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        poller.stop()
        signal.alarm(math.ceil(stop_timeout_s))

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _write_status(poller: Polling, path: Path) -> None:
    interval = threading.Event()
    while not interval.wait(_STATUS_INTERVAL_S):
        write_atomically(path, orjson.dumps(asdict(poller.counters())))
