"""The MultiLangDaemon as one child process meets it: the protocol's lines over its stdin and stdout, in turns.

Keeps the checkpoint as the lease table does, answers checkpoints with errors where a test wants them, and hands over
again what lies after the checkpoint when a child has ended, as the KCL does.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

SHARD = "shardId-000000000003"
FIRST_SEQUENCE = 49590338271490256608559692538361571095921575989136588898
ARRIVED_MS = 1_780_000_000_000
END_OF_SHARD = ("SHARD_END", 0)
WAIT_S = 60

Place = tuple[str, int]


def record_of(raw: bytes, number: int, subsequence: int = 0) -> dict[str, Any]:
    """Return a record of the protocol, as the daemon writes it; ``number`` counts from the shard's first."""
    return {
        "action": "record",
        "data": base64.b64encode(raw).decode(),
        "partitionKey": "key",
        "sequenceNumber": str(FIRST_SEQUENCE + number),
        "subSequenceNumber": subsequence,
        "approximateArrivalTimestamp": ARRIVED_MS + number,
    }


def place_of_record(record: Mapping[str, Any]) -> Place:
    """Return where a record lies."""
    return record["sequenceNumber"], record["subSequenceNumber"]


@dataclass(slots=True)
class DaemonDouble:
    """One child at a time of one shard. ``refusals`` are the errors of the next checkpoints, in order."""

    environment: Mapping[str, str]
    log: Path
    command: Sequence[str] = (sys.executable, "-m", "consumers.resolve.kcl")
    checkpoint: Place | None = None
    checkpoints: list[Place] = field(default_factory=list)
    refusals: list[str | None] = field(default_factory=list)
    strays: list[bytes] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a child and initialize it at the checkpoint."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command),
                env=dict(self.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        number, subsequence = self.checkpoint or ("TRIM_HORIZON", 0)
        assert self.act("initialize", shardId=SHARD, sequenceNumber=number, subSequenceNumber=subsequence), self.said()

    def send(self, action: str, **more: Any) -> None:
        """Write an action, and wait for nothing."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(orjson.dumps({"action": action, **more}) + b"\n")
        self.process.stdin.flush()

    def act(self, action: str, **more: Any) -> bool:
        """Have an action done, and the checkpoints that are asked for meanwhile; False if the child has ended."""
        try:
            self.send(action, **more)
        except BrokenPipeError:
            return False
        return self.answer(action)

    def answer(self, action: str) -> bool:
        """Answer checkpoints until the status of an action comes; False if the child has ended before."""
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                message = orjson.loads(line)
            except ValueError:
                self.strays.append(line)
                continue
            if message["action"] == "status":
                assert message["responseFor"] == action
                return True
            error = self.refusals.pop(0) if self.refusals else None
            if error is None:
                place = (message["sequenceNumber"], message["subSequenceNumber"])
                self.checkpoint = END_OF_SHARD if place == (None, None) else place
                self.checkpoints.append(self.checkpoint)
            self.send(**{**message, "error": error} if error else message)
        return False

    def process_records(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Hand records over; False if the child has ended."""
        return self.act("processRecords", records=list(records), millisBehindLatest=0)

    def after_checkpoint(self, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the records that are not covered by the checkpoint."""
        if self.checkpoint is None:
            return list(records)
        return [each for each in records if _order(place_of_record(each)) > _order(self.checkpoint)]

    def kill(self) -> None:
        """Kill the child."""
        assert self.process is not None
        self.process.kill()
        self.ended()

    def close(self) -> int:
        """Close the child's stdin, as after a shard's end, and return its exit code."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.ended()

    def ended(self) -> int:
        """Wait for the child's end, and return its exit code."""
        assert self.process is not None
        assert self.process.stdout is not None
        code = self.process.wait(WAIT_S)
        self.process.stdout.close()
        return code

    def said(self) -> str:
        """Return all that children wrote to stderr."""
        return self.log.read_text("utf-8")


def _order(place: Place) -> tuple[int, int]:
    return int(place[0]), place[1]
