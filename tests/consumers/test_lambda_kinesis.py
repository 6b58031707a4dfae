"""What every Lambda consumer of a stream does with its event, whichever it is."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_tree import ROOT

from consumers.lambda_kinesis import serve
from mdm_stream.contracts.invocation import UnknownInvocationError
from mdm_stream.core.faults import UnexpectedFaultError
from mdm_stream.decode import Delivery
from mdm_stream.decode.kinesis_event import KinesisRecord, kinesis_record
from mdm_stream.local.event_source.mapping import ShardRecord, kinesis_event, schedule_event

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/changes"


def event_of(*raws: bytes) -> dict[str, object]:
    """The event of a batch with sequence numbers from 5 on."""
    records = [ShardRecord(str(number), f"key-{number}", raw, 1.5) for number, raw in enumerate(raws, start=5)]
    return kinesis_event(records, "shardId-000000000001", ARN)


def refuse_tick() -> None:
    """A batch is no tick."""
    pytest.fail("a batch was taken for a tick")


@given(raws=st.lists(st.binary(max_size=20), min_size=1, max_size=5), failed=st.none() | st.integers(0, 4))
def test_a_batch_is_answered_by_its_first_failure(raws: list[bytes], failed: int | None) -> None:
    """The consumer has the records as they lay on the stream; the response names the first that failed, if any."""
    failed = None if failed is None else failed % len(raws)
    seen: list[KinesisRecord] = []

    def batch(records: Sequence[KinesisRecord]) -> int | None:
        seen.extend(records)
        return failed

    response = serve(event_of(*raws), batch, refuse_tick)
    assert [record.delivery for record in seen] == [
        Delivery.from_kinesis(raw, str(number), 1.5, f"changes/shardId-000000000001:{number}")
        for number, raw in enumerate(raws, start=5)
    ]
    names = [] if failed is None else [{"itemIdentifier": str(5 + failed)}]
    assert response == {"batchItemFailures": names}


def test_a_schedule_s_event_is_a_tick() -> None:
    """It has no records: the consumer is ticked once, and nothing failed."""
    ticks: list[str] = []
    event = schedule_event(ARN, 0.0)
    answer = serve(event, lambda _: pytest.fail("a tick was taken for a batch"), lambda: ticks.append("tick"))
    assert (answer, ticks) == ({"batchItemFailures": []}, ["tick"])


def test_the_sample_of_lambda_s_documentation_is_read() -> None:
    """The documented event's first record, with its padded position and its arrival in whole milliseconds."""
    sample = orjson.loads((ROOT / "tests" / "fixtures" / "lambda" / "kinesisStreamEvent.json").read_bytes())
    record = kinesis_record(sample["Records"][0])
    assert record.delivery.position == record.sequence_number.zfill(64)
    assert record.delivery.arrival_time_us % 1_000 == 0
    assert record.delivery.origin.startswith(f"{record.stream}/shardId-")


@pytest.mark.parametrize("data", ["%%%", "abc", "é"])
def test_damaged_data_costs_its_record_alone(data: str) -> None:
    """A consumer gets it as its own text, to refuse it; whoever reads a dead letter is refused it."""
    event = event_of(b"good", b"bad")
    event["Records"][1]["kinesis"]["data"] = data  # type: ignore[index]
    seen: list[bytes] = []
    serve(event, lambda records: seen.extend(record.delivery.raw for record in records), refuse_tick)
    assert seen == [b"good", data.encode()]
    with pytest.raises(ValueError, match=r"base64|ASCII|padding|[Ii]nvalid"):
        kinesis_record(event["Records"][1])  # type: ignore[index]


def test_a_record_of_something_else_is_refused() -> None:
    """An event of another service is no batch of a stream: the invocation fails."""
    event = event_of(b"x")
    event["Records"][0]["eventSourceARN"] = "arn:aws:sqs:eu-west-1:1:queue"  # type: ignore[index]
    with pytest.raises(UnknownInvocationError, match="batches of a Kinesis stream"):
        serve(event, lambda _: None, refuse_tick)


@pytest.mark.parametrize("fault", [KeyError("Wilhelmina"), OSError(28, "Wilhelmina"), MemoryError("Wilhelmina")])
def test_an_unexpected_fault_leaves_without_its_text(fault: Exception) -> None:
    """Lambda logs the text of what a handler raises, and answers with it; type and place are enough to mend it."""

    def fails(*_: object) -> None:
        raise fault

    for event in (event_of(b"1"), schedule_event(ARN, 1.5)):
        with pytest.raises(UnexpectedFaultError, match=type(fault).__name__) as caught:
            serve(event, fails, fails)
        assert "Wilhelmina" not in "".join(traceback.format_exception(caught.value))


def test_a_damaged_invocation_is_told_without_its_content() -> None:
    """What is no number in it would be repeated by Python's own error."""
    event = event_of(b"1")
    event["Records"][0]["kinesis"]["approximateArrivalTimestamp"] = "Wilhelmina"
    with pytest.raises(UnknownInvocationError) as told:
        serve(event, lambda _: None, refuse_tick)
    assert "Wilhelmina" not in "".join(traceback.format_exception(told.value))
