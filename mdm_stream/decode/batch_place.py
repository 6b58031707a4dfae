"""Where a batch lay on its stream, in the words of log lines and traces."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mdm_stream.decode.delivery import Delivery

_SHARD = re.compile(r"shardId-[0-9]{1,20}", re.ASCII)
_SEQUENCE = re.compile(r"[0-9]{1,128}", re.ASCII)


def place_of_batch(deliveries: Sequence[Delivery]) -> dict[str, str | int]:
    """Return shard, first and last sequence number and number of records of a shard's batch, which is not empty.

    ``correlation_id`` is the event id of its first record, ``SHARD:SEQUENCE``: that of the batch, since a record that
    is no first one finds its batch by the range. An invocation that is not from Kinesis may have anything in the place
    of these, a value too: then they are left out.
    """
    first, last = deliveries[0], deliveries[-1]
    shard = first.shard.rpartition("/")[2]
    begin, end = (each.position.lstrip("0") or "0" for each in (first, last))
    if _SHARD.fullmatch(shard) is None or _SEQUENCE.fullmatch(begin) is None or _SEQUENCE.fullmatch(end) is None:
        return {"records": len(deliveries)}
    return {
        "correlation_id": f"{shard}:{begin}",
        "shard": shard,
        "first": begin,
        "last": end,
        "records": len(deliveries),
    }
