"""What is done regularly beside the main thread of a stack."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from mdm_stream.errors import MdmError

_LOG = logging.getLogger(__name__)


class Housekeeping:
    """Calls something regularly on a thread of its own, for as long as it is entered."""

    def __init__(self, task: Callable[[], object], interval_s: float) -> None:
        """Take the task; one that raises an ``MdmError`` is tried again after the next interval."""
        self._task = task
        self._interval_s = interval_s
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._leaving.wait(self._interval_s):
            try:
                self._task()
            except MdmError as error:
                _LOG.warning("%s; trying again in %g s", error, self._interval_s)
