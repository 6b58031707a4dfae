"""The child's side of the KCL's MultiLang protocol: a line of JSON a message, on stdin and stdout, strictly in turns.

The daemon sends an action and waits until its status is reported; meanwhile a checkpoint may be asked for, which the
daemon answers. amazon_kclpy has this side too, and swallows what a processor raises: the daemon then takes a failed
batch for done, and the next checkpoint passes it. Here an exception ends the process before any status is reported.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from mdm_stream.errors import TransientError

LEASE_GONE = "ShutdownException"
"""Another worker has the lease, or this one is to let go of it: nothing more can be checkpointed."""


class DaemonGoneError(TransientError):
    """The daemon has closed the protocol, or said something that is none of it: nobody hears this process any more."""


class CheckpointError(TransientError):
    """The daemon did not write a checkpoint; ``code`` is the name of the KCL's exception."""

    def __init__(self, code: str) -> None:
        """Take the name that the daemon gave."""
        self.code = code
        super().__init__(f"the KCL did not write a checkpoint: {code}")


class Daemon:
    """The MultiLangDaemon at the other end of two pipes."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        """Take the pipes: ``incoming`` is what the daemon writes, ``outgoing`` what it reads."""
        self._incoming = incoming
        self._outgoing = outgoing

    @classmethod
    def of_this_process(cls) -> Daemon:
        """Take stdin and stdout for the protocol alone; what any code prints from now on goes to stderr."""
        outgoing = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        incoming = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
        os.dup2(sys.stderr.fileno(), 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = sys.stderr
        return cls(incoming, outgoing)

    def actions(self) -> Iterator[dict[str, Any]]:
        """Yield what the daemon asks for, until it closes its end. Each has to be ``done`` before the next comes."""
        while (message := self._read()) is not None:
            yield message

    def done(self, action: str) -> None:
        """Report that an action is done, whatever it was."""
        self._write({"action": "status", "responseFor": action})

    def checkpoint(self, sequence_number: str | None, subsequence: int | None) -> None:
        """Let everything up to a place count as done; None is the end of a shard. ``CheckpointError`` if it does not.

        To be called while an action is being worked on.
        """
        self._write({"action": "checkpoint", "sequenceNumber": sequence_number, "subSequenceNumber": subsequence})
        answer = self._read()
        if answer is None or answer.get("action") != "checkpoint":
            raise DaemonGoneError("the KCL daemon did not answer a checkpoint")
        if answer.get("error"):
            raise CheckpointError(str(answer["error"]))

    def wait(self, seconds: float) -> None:
        """Wait while an action is being worked on; ``DaemonGoneError`` as soon as the daemon is gone."""
        poll = select.poll()
        poll.register(self._incoming.fileno(), 0)  # a pipe without a writer is told unasked
        if poll.poll(seconds * 1_000):
            raise DaemonGoneError("the KCL daemon is gone")

    def _read(self) -> dict[str, Any] | None:
        line = self._incoming.readline()
        if not line.endswith(b"\n"):  # nothing, or half a message of a daemon that was killed
            return None
        message = orjson.loads(line)
        if not isinstance(message, dict):
            raise DaemonGoneError("the KCL daemon said something that is no message")
        return message

    def _write(self, message: Mapping[str, Any]) -> None:
        try:
            self._outgoing.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE))
            self._outgoing.flush()
        except BrokenPipeError as error:
            raise DaemonGoneError("the KCL daemon is gone") from error
