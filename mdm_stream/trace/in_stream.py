"""What lies on the change stream of the events that are traced: at one place, or anywhere on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import translated
from mdm_stream.aws.read_shards import StreamReader
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.decode import Decoder, Delivery, unpack
from mdm_stream.errors import RejectedEventError, TerminalError
from mdm_stream.trace.findings import WaitingDelivery
from mdm_stream.trace.subject import EventSelector


class StreamTrace:
    """Reads change streams. ``reached`` has by ``stream/shard`` the last record that the consumers are done with."""

    def __init__(self, client: Any, streams: Iterable[str], decoder: Decoder, reached: dict[str, str]) -> None:
        """Take a boto3 client of Kinesis, the streams' names, and a decoder of what they carry."""
        self._client = client
        self._streams = tuple(dict.fromkeys(stream for stream in streams if stream))
        self._decoder = decoder
        self._reached = reached

    def at(self, selector: EventSelector) -> list[WaitingDelivery]:
        """Return what lies at the place that a selector names, on each stream that has it."""
        found: list[WaitingDelivery] = []
        for stream in (selector.stream,) if selector.stream else self._streams:
            delivery = self._at(stream, selector.shard, selector.sequence)
            if delivery is not None:
                found += self._held(delivery)
        return found

    def scan(self, selector: EventSelector) -> list[WaitingDelivery]:
        """Return the deliveries of a record anywhere on the streams: reads them from their oldest record to the end."""
        found = []
        for stream in self._streams:
            for record in StreamReader(self._client, stream).records():
                origin = f"{stream}/{record.shard_id}:{record.sequence_number}"
                place = (record.data, record.sequence_number, record.arrival_time_s, origin)
                found += [
                    each
                    for each in self._held(Delivery.from_kinesis(*place))
                    if selector.ref in each.refs and selector.raw_digest in ("", digest_of_bytes(each.delivery.raw))
                ]
        return found

    def _at(self, stream: str, shard: str, sequence: str) -> Delivery | None:
        """Return the record at a place; ``None`` where the stream has none there, or not any more."""
        try:
            iterator = self._client.get_shard_iterator(
                StreamName=stream,
                ShardId=shard,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                StartingSequenceNumber=sequence,
            )["ShardIterator"]
            records = self._client.get_records(ShardIterator=iterator, Limit=1)["Records"]
        except (BotoCoreError, ClientError) as error:
            fault = translated(error, f"read {shard} of stream {stream}")
            if isinstance(fault, TerminalError):
                return None
            raise fault from error
        if not records or records[0]["SequenceNumber"] != sequence:
            return None
        arrived_s = records[0]["ApproximateArrivalTimestamp"].timestamp()
        return Delivery.from_kinesis(records[0]["Data"], sequence, arrived_s, f"{stream}/{shard}:{sequence}")

    def _held(self, record: Delivery) -> Iterator[WaitingDelivery]:
        """Yield the deliveries that one record of a stream holds."""
        try:
            held = list(unpack(record))
        except RejectedEventError as error:
            yield WaitingDelivery(record, (), passed=self._passed(record), refused=error.reasons)
            return
        for each in held:
            try:
                events = self._decoder.decode(each)
            except RejectedEventError as error:
                yield WaitingDelivery(each, (), passed=self._passed(record), refused=error.reasons)
                continue
            refs = tuple(dict.fromkeys(ref for event in events for ref in event.refs))
            yield WaitingDelivery(each, refs, tuple(events), self._passed(record))

    def _passed(self, record: Delivery) -> bool | None:
        reached = self._reached.get(record.shard)
        number = record.position.lstrip("0") or "0"
        return None if reached is None or not reached.isdigit() else int(reached) >= int(number)
