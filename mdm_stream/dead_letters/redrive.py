"""Sending dead letters again, so that none is lost wherever the sender dies, and none is sent twice in one run.

For each letter, in this order: its objects are set aside, its events are sent, and once the stream has taken all of
them the objects are removed. Cut short anywhere, a letter is still there, and the next redrive sends it (again). That
is harmless: an event in its envelope is the event that it was, and applying it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mdm_stream.contracts.change import EVENT_BYTES_MAX
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.dead_letters.contents import DeadEvent
from mdm_stream.dead_letters.letters import DeadLetter, DeadLetters
from mdm_stream.decode.redrive_envelope import is_envelope, wrap
from mdm_stream.errors import TerminalError
from mdm_stream.objects.store import MissingObjectError

PORTION_LETTERS_MAX = 500
PORTION_BYTES_MAX = 32 * 1024 * 1024
"""So much is set aside, sent and removed at a time: it bounds the memory, and what a crash leaves to be sent again."""

GOLDEN_BYTES_MAX = 5 * 1024 * 1024
"""A message of the golden feed with its partition key: as much as one request of many records carries. The feed's
stream may take more than others do, and took this message once; whether it still does, it says itself."""


@dataclass(frozen=True, slots=True)
class Message:
    """One record to put on a stream."""

    stream: str
    partition_key: str
    data: bytes


Deliver = Callable[[Sequence[Message]], Mapping[int, str]]
"""Put messages on their streams, those of one stream and partition key in order. Returns once each was taken or given
up: the places of those given up, with the code of why."""
KeyOf = Callable[[bytes], str | None]
"""Return the partition key that a producer gives an event of the change stream, or None if the bytes do not tell."""


@dataclass(frozen=True, slots=True)
class Streams:
    """Where events go back to. What came by the change or the steward stream travels in an envelope.

    An envelope says where and when an event arrived first, which is no source's to say: it goes on the steward stream.
    (Without one it goes on the change stream, which then needs the right ``redrive``.) An event that lay in an envelope
    before goes back to the stream on which that lay, and so does an envelope: no redrive gives an event more rights
    than it came with. Those of the golden feed (given up by the warehouse consumer) need none: a golden change says
    which one it is.
    """

    changes: str
    golden: str | None = None
    steward: str | None = None


@dataclass(slots=True)
class RedriveReport:
    """What became of the letters. ``refused`` were left where they are, ``failed`` are set aside: why, by letter id.

    ``untried`` were left where they are because the stream took not all of what came before them.
    """

    letters: int = 0
    events: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    untried: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every letter was sent."""
        return not (self.refused or self.failed or self.untried)


@dataclass(slots=True)
class _Parcel:
    """A letter that is about to be sent: its objects, and the digests of its messages."""

    letter_id: str
    store: DeadLetters
    names: tuple[str, ...]
    digests: list[str]


class RedriveRun:
    """One run of sending dead letters again."""

    def __init__(self, stores: Sequence[DeadLetters], streams: Streams, key_of: KeyOf, deliver: Deliver) -> None:
        self._stores = {store.kind: store for store in stores}
        self._streams = streams
        self._key_of = key_of
        self._deliver = deliver
        self._taken: set[str] = set()

    def send(self, letters: Sequence[DeadLetter], run: str) -> RedriveReport:
        """Send letters in the order given; ``run`` names what is set aside, see ``DeadLetters.set_aside``.

        An event that several letters hold is sent once. Goes on after a letter that cannot be sent at all, and stops
        after a portion of which the stream did not take everything. A letter that is gone meanwhile is passed over.
        """
        report = RedriveReport()
        portions = list(_portions(letters))
        for number, portion in enumerate(portions):
            self._send_portion(portion, run, report)
            if report.failed:
                report.untried = [letter.letter_id for rest in portions[number + 1 :] for letter in rest]
                break
        return report

    def _send_portion(self, letters: Sequence[DeadLetter], run: str, report: RedriveReport) -> None:
        messages: dict[str, Message] = {}
        parcels = []
        for letter in letters:
            try:
                own = self._messages(letter)
                names = self._stores[letter.kind].set_aside(letter, run)
            except MissingObjectError:
                continue
            except TerminalError as error:
                report.refused[letter.letter_id] = str(error)
                continue
            messages |= {digest: message for digest, message in own.items() if digest not in self._taken}
            parcels.append(_Parcel(letter.letter_id, self._stores[letter.kind], names, list(own)))
        digests = list(messages)
        failures = self._deliver(list(messages.values())) if messages else {}
        codes = {digests[place]: code for place, code in failures.items()}
        self._taken.update(digest for digest in digests if digest not in codes)
        report.events += len(digests) - len(codes)
        for parcel in parcels:
            failed = [codes[digest] for digest in parcel.digests if digest in codes]
            if failed:
                report.failed[parcel.letter_id] = f"{len(failed)} events were not taken ({failed[0]})"
            else:
                parcel.store.remove(parcel.names)
                report.letters += 1

    def _messages(self, letter: DeadLetter) -> dict[str, Message]:
        """Return what to send for a letter, by digest; ``TerminalError`` if a part of it cannot be sent."""
        events = self._stores[letter.kind].contents(letter).events
        messages = [self._message(event, letter.letter_id) for event in events]
        return {digest_of_bytes(f"{each.stream}\n".encode() + each.data): each for each in messages}

    def _message(self, event: DeadEvent, letter_id: str) -> Message:
        delivery, data = event.delivery, event.delivery.raw
        stream = event.stream or self._streams.changes
        if event.stream is None and is_envelope(data) and delivery.stream == self._streams.steward:
            stream = delivery.stream
        self._require_known(stream)
        key = event.partition_key or self._key_of(data) or letter_id
        if stream != self._streams.golden and delivery.placed and not is_envelope(data):
            stream = delivery.redriven_on or self._streams.steward or self._streams.changes
            self._require_known(stream)
            try:
                data = wrap(delivery)
            except ValueError as error:
                raise TerminalError(f"what was kept with an event is damaged: {error}") from error
        takes = GOLDEN_BYTES_MAX if stream == self._streams.golden else EVENT_BYTES_MAX
        if len(data) + len(key.encode()) > takes:
            raise TerminalError(f"an event of {len(data):,} bytes is larger than a stream takes")
        return Message(stream, key, data)

    def _require_known(self, stream: str) -> None:
        if stream not in (self._streams.changes, self._streams.golden, self._streams.steward):
            raise TerminalError(f"its events belong to stream {stream}, which this redrive does not send to")


def _portions(letters: Sequence[DeadLetter]) -> Iterator[list[DeadLetter]]:
    portion: list[DeadLetter] = []
    size_bytes = 0
    for letter in letters:
        size_bytes += letter.raw_bytes
        if portion and (len(portion) == PORTION_LETTERS_MAX or size_bytes > PORTION_BYTES_MAX):
            yield portion
            portion, size_bytes = [], letter.raw_bytes
        portion.append(letter)
    if portion:
        yield portion
