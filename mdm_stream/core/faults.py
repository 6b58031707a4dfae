"""Unexpected faults: which of them are an event's own, and what may be said of one.

A fault of the process (no memory, a full disk, a server that is gone) would meet any event, and may pass. Every other
exception that no code of ours raises on purpose belongs to what was decoded or applied when it came.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mdm_stream.errors import MdmError, Reason, RefusedCallError, RejectedEventError, TransientError

ENGINE_FAULT = "engine_fault"
"""The code of the reason for which an event that met an unexpected fault is quarantined."""

_OF_THE_PROCESS = (MemoryError, OSError, ImportError)
_OWN_PACKAGES = ("mdm_stream", "consumers", "producers")


class UnexpectedFaultError(TransientError):
    """A function met an exception that no code of ours raises on purpose; type and place are told of it."""


@dataclass(frozen=True, slots=True)
class EngineFault:
    """The type of an unexpected exception, and the place in our code that it passed last. Its text may hold values."""

    kind: str
    place: str

    @classmethod
    def of(cls, error: BaseException) -> EngineFault:
        """Return what may be said of an exception."""
        passed = [
            (str(frame.f_globals.get("__name__", "?")), line, frame.f_code.co_name)
            for frame, line in traceback.walk_tb(error.__traceback__)
        ]
        own = [place for place in passed if place[0].partition(".")[0] in _OWN_PACKAGES]
        module, line, function = (own or passed or [("?", 0, "?")])[-1]
        return cls(type(error).__name__, f"{module}:{line} in {function}")

    @property
    def rejection(self) -> RejectedEventError:
        """The error for an event that met it alone."""
        message = f"met an unexpected fault ({self}); report it, and redrive the event with the release that mends it"
        return RejectedEventError((Reason(ENGINE_FAULT, "", message),))

    def __str__(self) -> str:
        """Return type and place."""
        return f"{self.kind} at {self.place}"


def is_of_the_process(error: Exception) -> bool:
    """Tell whether an exception says nothing about the events that were handled when it came."""
    if isinstance(error, MdmError):
        return not isinstance(error, RefusedCallError)
    return isinstance(error, _OF_THE_PROCESS)


def as_rejection(error: Exception) -> RejectedEventError:
    """Return the rejection of the event that was decoded when an exception came; a fault of the process is raised."""
    if isinstance(error, RejectedEventError):
        return error
    if is_of_the_process(error):
        raise error
    return EngineFault.of(error).rejection


def is_fault(rejected: RejectedEventError) -> bool:
    """Tell whether an event was rejected for an unexpected fault, and so perhaps for no fault of its own."""
    return rejected.reasons[0].code == ENGINE_FAULT


@contextmanager
def without_values() -> Iterator[None]:
    """Let no unexpected exception out with its text, which a runtime would log, answer and trace as it is.

    Errors of ours hold no value, and go on as they are; every other one becomes an ``UnexpectedFaultError``.
    """
    try:
        yield
    except MdmError:
        raise
    except Exception as error:  # noqa: BLE001 - raised below, without its text
        told = EngineFault.of(error)
    else:
        return
    raise UnexpectedFaultError(f"met an unexpected fault ({told})") from None  # nor with what a traceback adds
