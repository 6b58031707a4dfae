"""What a name to trace means, and which log lines name a batch."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from mdm_stream.errors import ConfigurationError
from mdm_stream.trace.in_logs import LINES_MAX, LoggedPlace, find_lines
from mdm_stream.trace.subject import EventSelector, parse_subject
from mdm_stream.trace.timeline import Journey, TraceStep


def selectors(name: str) -> tuple[EventSelector, ...]:
    """Return the selectors of a name that is one."""
    subject = parse_subject(name)
    assert subject is not None
    return subject.selectors


def test_each_kind_of_name_is_told_by_its_form() -> None:
    """A golden id, a place, a dead letter, a record with and without a version; the rest may be an API's id."""
    golden = parse_subject("g" + "0" * 24)
    assert golden is not None
    assert golden.golden_id
    assert selectors("shardId-000000000001:0049") == (EventSelector(shard="shardId-000000000001", sequence="49"),)
    assert selectors("changes/shardId-1:0") == (EventSelector(stream="changes", shard="shardId-1", sequence="0"),)
    assert selectors("0" * 32) == (EventSelector(letter_id="0" * 32),)
    assert selectors("crm/1") == (EventSelector(ref="crm/1"),)
    both = (EventSelector(ref="crm/a@x.org@7"), EventSelector(ref="crm/a@x.org", version="7"))
    assert selectors("crm/a@x.org@7") == both
    assert selectors("crm/1@") == (EventSelector(ref="crm/1@"),)
    assert parse_subject("AbC-_x") is None
    for wrong in ("", "/1", "crm/", "x" * 10_000):
        with pytest.raises(ConfigurationError):
            parse_subject(wrong)


def test_a_place_means_one_record_of_one_stream() -> None:
    """Sequence numbers count within a shard, and shards of two streams may have one name."""
    (selector,) = selectors("shardId-1:7")
    assert selector.at("changes/shardId-1:7")
    assert not selector.at("changes/shardId-1:77")
    assert not selector.at("changes/shardId-11:7")
    (selector,) = selectors("steward/shardId-1:7")
    assert not selector.at("changes/shardId-1:7")


def test_the_line_of_the_batch_is_the_one_that_begins_last_before_it(tmp_path: Path) -> None:
    """Lines of the batch and of its invocation count; a damaged, foreign or hostile line is passed over."""
    file = tmp_path / "a.jsonl"
    lines: list[object] = [
        {
            "service": "resolve",
            "correlation_id": f"shardId-1:{first}",
            "function_request_id": f"r-{first}",
            "records": 1,
        }
        for first in (1, 5, 9)
    ]
    lines += [{"service": "resolve", "function_request_id": "r-5", "message": "batch_failed", "level": "WARNING"}]
    lines += [{"service": "resolve", "correlation_id": ["shardId-1:5"]}, [], {"service": 7, "timestamp": "no time"}]
    lines += [{"service": "mdm-warehouse", "correlation_id": "shardId-1:6"}]
    lines += [{"service": "resolve", "shard": "s/shardId-1", "first": "6", "last": "8", "location": "a b\x1b[2J"}]
    file.write_bytes(b"\xff{\n" + b"2026 {" + b"\n" + b"\n".join(map(orjson.dumps, lines)))
    place = LoggedPlace("resolve", "shardId-1", "5")
    found = find_lines([file], [place])[place]
    assert [line.facts.get("message", line.facts.get("records")) for line in found] == [1, "batch_failed"]
    within = LoggedPlace("resolve", "shardId-1", "7")
    (ranged,) = find_lines([file], [within])[within]
    assert "location" not in ranged.facts
    nothing = LoggedPlace("resolve", "shardId-2", "7")
    assert find_lines([file], [nothing]) == {nothing: []}
    file.write_bytes(b"\n".join(orjson.dumps(lines[0]) for _ in range(LINES_MAX + 50)))
    assert len(find_lines([file], [place])[place]) == LINES_MAX


def test_steps_tell_the_time_since_the_last_one_that_has_a_time() -> None:
    """Steps without a time are passed over; clocks that disagree show as they are."""
    times_us = (1_000_000, None, 3_000_000, 2_500_000)
    journey = Journey("x", "applied", tuple(TraceStep("state", "x", time_us) for time_us in times_us))
    assert [timed.after_us for timed in journey.timed()] == [None, None, 2_000_000, -500_000]
    assert journey.elapsed_us() == 1_500_000
    assert Journey("x", "applied", ()).elapsed_us() is None
