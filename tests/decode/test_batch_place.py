"""Where a batch lay, as log lines and traces say it."""

from __future__ import annotations

import pytest

from mdm_stream.decode import Delivery
from mdm_stream.decode.batch_place import place_of_batch

SHARD = "shardId-000000000006"


def delivery(number: str, shard: str = SHARD) -> Delivery:
    """Return a record of a stream."""
    return Delivery.from_kinesis(b"{}", number, 1.0, f"changes/{shard}:{number}")


def test_a_batch_is_named_by_its_range() -> None:
    """Its first record's event id is what all lines about it share."""
    assert place_of_batch([delivery("100"), delivery("101"), delivery("102")]) == {
        "correlation_id": f"{SHARD}:100",
        "shard": SHARD,
        "first": "100",
        "last": "102",
        "records": 3,
    }


@pytest.mark.parametrize(
    "deliveries",
    [
        [delivery("+49 30 90817263")],
        [delivery("100"), delivery("+49 30 90817263")],
        [delivery("100", "Wilhelmina")],
        [Delivery.unplaced(b"{}")],
    ],
)
def test_what_is_no_place_is_left_out(deliveries: list[Delivery]) -> None:
    """Anybody who may invoke the function may write anything there."""
    assert place_of_batch(deliveries) == {"records": len(deliveries)}
