"""What a task of Spark raised, as the error of this project that it was: Spark tells of it by its traceback alone."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager

from mdm_stream.errors import MdmError, TerminalError, TransientError

_OF_SPARK = ("pyspark", "py4j")
_TRACEBACK = "Traceback (most recent call last)"
_END = "\n\tat "
_RAISED = re.compile(r"^(mdm_stream(?:\.\w+)+)\.(\w+): (.+)$", re.MULTILINE)


@contextmanager
def faults_of_tasks() -> Iterator[None]:
    """Raise what a task raised: ``TransientError`` or ``TerminalError`` for what it was of the two, with its message.

    Anything else that Spark raises stays as it is.
    """
    try:
        yield
    except Exception as error:
        told_by_spark = type(error).__module__.partition(".")[0] in _OF_SPARK
        fault = fault_in(_told(error)) if told_by_spark else None
        if fault is None:
            raise
        raise fault from error


def _told(error: Exception) -> str:
    """Return all that is told of an error of Spark: while the session runs, which is asked."""
    if hasattr(error, "stackTrace"):
        return f"{getattr(error, 'desc', '')}\n{error.stackTrace}"
    return str(error)


def fault_in(told: str) -> MdmError | None:
    """Return the error of this project that ends the first traceback of Python in what Spark tells; None without."""
    traceback = told.partition(_TRACEBACK)[2].partition(_END)[0]
    raised = _RAISED.findall(traceback)
    if not raised:
        return None
    module, name, message = raised[-1]
    kind = getattr(importlib.import_module(module), name, None)
    if not isinstance(kind, type) or not issubclass(kind, MdmError):
        return None
    return TransientError(message) if issubclass(kind, TransientError) else TerminalError(message)
