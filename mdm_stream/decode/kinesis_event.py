"""The event that Lambda gives a function of a Kinesis event source, which also lies in the dead letter of a batch."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mdm_stream.decode.delivery import Delivery

_STREAM_OF_ARN = re.compile(r":stream/([A-Za-z0-9_.-]+)(?:/|$)")
"""A consumer with enhanced fan-out has an ARN that goes on after the stream's name."""


@dataclass(frozen=True, slots=True)
class KinesisRecord:
    """One record of the event: its delivery, and what the response and a redrive need beside it."""

    stream: str
    sequence_number: str
    partition_key: str
    delivery: Delivery


def kinesis_record(item: Mapping[str, Any], *, keep_damaged: bool = False) -> KinesisRecord:
    """Return a member of the event's ``Records``; ``ValueError``, ``KeyError`` or ``TypeError`` if it is none.

    Lambda's data is base64 always. With ``keep_damaged`` data that is not stands as its own text, so that a consumer
    refuses this record as it refuses other bytes, and not the whole batch.
    """
    kinesis = item["kinesis"]
    stream = _STREAM_OF_ARN.search(item["eventSourceARN"])
    if stream is None:
        raise ValueError("no record of a Kinesis stream")
    try:
        raw = base64.b64decode(kinesis["data"], validate=True)
    except ValueError:
        if not keep_damaged:
            raise
        raw = kinesis["data"].encode()
    number, arrival_time_s = kinesis["sequenceNumber"], float(kinesis["approximateArrivalTimestamp"])
    delivery = Delivery.from_kinesis(raw, number, arrival_time_s, f"{stream[1]}/{item['eventID']}")
    return KinesisRecord(stream[1], number, kinesis["partitionKey"], delivery)
