"""What all Lambda consumers of a Kinesis stream share: its event, a schedule's tick, and the partial batch response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mdm_stream.contracts.invocation import is_tick, unknown_invocation
from mdm_stream.core.faults import without_values
from mdm_stream.decode.kinesis_event import KinesisRecord, kinesis_record


def serve(
    event: dict[str, Any], batch: Callable[[Sequence[KinesisRecord]], int | None], tick: Callable[[], None]
) -> dict[str, Any]:
    """Answer one invocation: a batch, or a schedule's tick; ``UnknownInvocationError`` for anything else.

    ``batch`` returns the place of the first record that must be delivered again, or None: Lambda goes on from the
    lowest sequence number that the response names (ReportBatchItemFailures). An error that leaves here holds no value.
    """
    with without_values():
        return _answer(event, batch, tick)


def _answer(
    event: dict[str, Any], batch: Callable[[Sequence[KinesisRecord]], int | None], tick: Callable[[], None]
) -> dict[str, Any]:
    if is_tick(event):
        tick()
        return {"batchItemFailures": []}
    items = event.get("Records")
    if not isinstance(items, list) or any(item.get("eventSource") != "aws:kinesis" for item in items):
        raise unknown_invocation("batches of a Kinesis stream")
    try:
        records = [kinesis_record(item, keep_damaged=True) for item in items]
    except (KeyError, TypeError, ValueError):
        raise unknown_invocation("batches of a Kinesis stream") from None
    first_failed = batch(records) if records else None
    if first_failed is None:
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": records[first_failed].sequence_number}]}
