"""What all Lambda consumers of a Kinesis stream share: its event, a schedule's tick, and the partial batch response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mdm_stream.decode.kinesis_event import KinesisRecord, kinesis_record


def serve(
    event: dict[str, Any], batch: Callable[[Sequence[KinesisRecord]], int | None], tick: Callable[[], None]
) -> dict[str, Any]:
    """Answer one invocation. An event without records is a schedule's tick.

    ``batch`` returns the place of the first record that must be delivered again, or None: Lambda goes on from the
    lowest sequence number that the response names (ReportBatchItemFailures).
    """
    if "Records" not in event:
        tick()
        return {"batchItemFailures": []}
    records = [kinesis_record(item, keep_damaged=True) for item in event["Records"]]
    first_failed = batch(records)
    if first_failed is None:
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": records[first_failed].sequence_number}]}
