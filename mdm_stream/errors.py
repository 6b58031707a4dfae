"""The errors that mdm-stream raises, by what the caller must do about them.

``TransientError`` means try again (the same call may succeed later); ``TerminalError`` means that
trying again cannot help. Adapters translate vendor errors into one of the two with ``raise ... from``.
Programmer faults raise ``ValueError`` and are not caught by the core.
"""

from __future__ import annotations

from dataclasses import dataclass


class MdmError(Exception):
    """Base of every error that mdm-stream raises on purpose."""


class TransientError(MdmError):
    """A fault that may pass: retry with jitter, then stop at the record that met it."""


class TerminalError(MdmError):
    """A fault that no retry can mend."""


class RefusedCallError(TerminalError):
    """A server refuses one call for what is in it; others it takes."""


class DeclinedError(TerminalError):
    """What was to be done was asked about, and the answer was no: it is undone, and nobody goes on with it."""


class RulesError(TerminalError):
    """A rule set that cannot be used. The message says which file and line, what was expected and what to do."""


class ConfigurationError(TerminalError):
    """A setting, path or address that cannot be used."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an event was rejected: a stable machine-readable code, where in the event, and a sentence.

    ``message`` never repeats a value of the event, so that it can be logged.
    """

    code: str
    path: str
    message: str


class RejectedEventError(TerminalError):
    """An event that can never be applied; it goes to quarantine with its reasons and raw bytes."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        """Take at least one reason."""
        if not reasons:
            raise ValueError("a rejected event needs at least one reason")
        self.reasons = reasons
        super().__init__("; ".join(f"{r.code} at {r.path or 'event'}: {r.message}" for r in reasons))
