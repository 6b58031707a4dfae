"""Reading a golden feed from its oldest message to its end: what a subscriber does to rebuild a state from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mdm_stream.aws.read_shards import Marks, StreamReader
from mdm_stream.contracts.golden import ClaimCheck, FeedEnvelope, Follow, UnknownTypeError, parse_message, redeem
from mdm_stream.errors import RejectedEventError, TerminalError
from mdm_stream.feed.claims import ClaimReader, MissingClaimError


@dataclass(frozen=True, slots=True)
class UnreadableMessage:
    """A record of the feed that breaks its contract: where it is, and why. Its bytes are not carried."""

    shard_id: str
    sequence_number: str
    error: RejectedEventError


def refuse(message: UnreadableMessage) -> None:
    """Raise ``TerminalError``: what a reader does about an unreadable message by default."""
    raise TerminalError(
        f"the golden feed holds a message that cannot be read, at {message.shard_id} {message.sequence_number}: "
        f"{message.error}. It was not written by mdm-stream of this version: update this reader, or pass over it"
    ) from message.error


class FeedReader:
    """Reads all shards of the feed's Kinesis stream.

    A fault that outlives its attempts is a ``TransientError``. ``clock_s`` gives seconds since 1970.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        on_unreadable: Callable[[UnreadableMessage], None] = refuse,
        follow: Follow | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        """Take a boto3 client of Kinesis and the stream's name; ``follow`` gets at data that is kept elsewhere.

        Left out, it is a ``ClaimReader`` that goes where the messages say.
        """
        self._follow = follow or ClaimReader()
        self._reader = StreamReader(client, stream, sleep=sleep, clock_s=clock_s)
        self._on_unreadable = on_unreadable
        self.skipped = 0
        """Messages so far that were passed over, as they are of a type that this release does not know."""

    def messages(
        self, marks: Marks | None = None, *, on_missing: Callable[[ClaimCheck], None] | None = None
    ) -> Iterator[FeedEnvelope]:
        """Yield every message from TRIM_HORIZON on, and at least those that the stream had when this was called.

        Shard after shard, closed ones too; a shard's messages in its order, duplicates as they are. One read is held in
        memory at a time, and the caller may take its time between messages. ``marks`` let a later call go on where this
        one ended; see ``StreamReader.records``. ``on_missing`` is called with a claim check whose data is not there;
        without it that is a ``MissingClaimError``. Messages of a type that a later release has added are passed over.
        """
        for record in self._reader.records(marks):
            try:
                message = parse_message(record.data)
                if isinstance(message, ClaimCheck):
                    message = redeem(message, self._follow)
            except UnknownTypeError:
                self.skipped += 1
            except RejectedEventError as error:
                self._on_unreadable(UnreadableMessage(record.shard_id, record.sequence_number, error))
            except MissingClaimError as error:
                if on_missing is None:
                    raise
                on_missing(error.claim)
            else:
                yield message
