"""Reading feed messages and laying them out as staged rows."""

from __future__ import annotations

import orjson
import pytest
from feed_messages import erase, rejected, retire, upsert

from mdm_stream.contracts.golden import parse_envelope
from mdm_stream.errors import RejectedEventError
from mdm_stream.warehouse.rows import stage_batch


def broken(**changes: object) -> bytes:
    """A feed message with fields of its envelope replaced."""
    return orjson.dumps({**orjson.loads(upsert(1, "g1", ["crm/1"]).model_dump_json()), **changes})


def broken_data(**changes: object) -> bytes:
    """A feed message with fields of its data replaced."""
    message = orjson.loads(upsert(1, "g1", ["crm/1"]).model_dump_json())
    return orjson.dumps({**message, "data": {**message["data"], **changes}})


@pytest.mark.parametrize("message", [upsert(1, "g1", ["crm/1"]), retire(2, "g1"), erase(3, "crm/1"), rejected("q1")])
def test_a_published_message_is_read_back(message: object) -> None:
    """Each of the four types survives the wire."""
    assert parse_envelope(message.model_dump_json().encode()) == message


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"Hello",
        b"[]",
        b"null",
        b"\x00\xff",
        b'{"data":',
        b"[" * 5000,
        broken(type="mdm.golden.retired"),
        broken(type="mdm.event.quarantined"),
        broken_data(epoch=0),
        broken_data(sequence="one"),
        broken_data(op="delete"),
        broken_data(op="erase"),
        broken_data(committed_at="yesterday"),
        broken_data(committed_at="2026-03-01T12:00:00"),
        broken_data(members=[{"source": "crm"}]),
    ],
)
def test_a_message_that_breaks_the_contract_is_rejected(raw: bytes) -> None:
    """Bytes that are not a feed message raise one error with reasons, whatever is wrong with them."""
    with pytest.raises(RejectedEventError) as raised:
        parse_envelope(raw)
    assert all(reason.code.startswith("feed.") for reason in raised.value.reasons)


def test_a_rejection_repeats_no_value() -> None:
    """The error can be logged: it names fields and rules, and no value of the message."""
    raw = broken_data(epoch="Jane Doe", committed_at="Jane Doe", rules_version="Jane Doe")
    with pytest.raises(RejectedEventError) as raised:
        parse_envelope(raw)
    assert "epoch" in str(raised.value)
    assert "Jane" not in str(raised.value)


def test_equal_batches_give_equal_bytes() -> None:
    """Staging is deterministic, so a retried upload replaces the same file."""
    batch = [upsert(1, "g1", ["crm/1", "erp/2"], removed=["web/3"]), rejected("q1"), retire(2, "g2")]
    assert stage_batch(batch) == stage_batch(list(batch))


def test_a_record_in_both_lists_is_claimed() -> None:
    """A change that lists a record as member and as removed counts it as a member."""
    staged = stage_batch([upsert(1, "g1", ["crm/1"], removed=["crm/1", "erp/2"])])
    claims = [row for row in map(orjson.loads, staged.ndjson.splitlines()) if row["kind"] == "claim"]
    assert {(row["record_id"], row.get("golden_id")) for row in claims} == {("1", "g1"), ("2", None)}
    assert (staged.changes, staged.claims, staged.reports) == (1, 2, 0)


def test_times_are_staged_in_utc() -> None:
    """An offset is folded into the time."""
    staged = stage_batch(
        [
            upsert(1, "g1", [], committed_at="2026-03-01T12:00:00.25+02:00"),
            upsert(2, "g1", [], committed_at="2026-03-01T11:00:00Z"),
        ]
    )
    assert orjson.loads(staged.ndjson.splitlines()[0])["committed_at"] == "2026-03-01 10:00:00.250000"
