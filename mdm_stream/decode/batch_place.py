"""Where a batch lay on its stream, in the words of log lines and traces."""

from __future__ import annotations

from collections.abc import Sequence

from mdm_stream.decode.delivery import Delivery


def place_of_batch(deliveries: Sequence[Delivery]) -> dict[str, str | int]:
    """Return shard, first and last sequence number and number of records of a shard's batch, which is not empty.

    ``correlation_id`` is the event id of its first record, ``SHARD:SEQUENCE``: that of the batch, since a record that
    is no first one finds its batch by the range.
    """
    first, last = deliveries[0], deliveries[-1]
    shard = first.shard.rpartition("/")[2]
    begin, end = (each.position.lstrip("0") or "0" for each in (first, last))
    return {
        "correlation_id": f"{shard}:{begin}",
        "shard": shard,
        "first": begin,
        "last": end,
        "records": len(deliveries),
    }
