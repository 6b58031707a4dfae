"""The rules of the event source mapping, one by one, without threads."""

from __future__ import annotations

import pytest

from mdm_stream.errors import ConfigurationError
from mdm_stream.local.event_source import lanes
from mdm_stream.local.event_source.lanes import Batch, Discard, Lane, ShardCursor, records_done
from mdm_stream.local.event_source.mapping import EventSource, ShardRecord

NOW_S = 1_000.0


def make_records(count: int, *, size: int = 1, key: str = "k", first: int = 1, arrived_s: float = NOW_S):
    """Return records numbered upwards."""
    return tuple(ShardRecord(str(n), key, b"x" * size, arrived_s) for n in range(first, first + count))


def filled(source: EventSource, count: int, **shape) -> Lane:
    """Return a lane that holds ``count`` records."""
    lane = Lane(source)
    for record in make_records(count, **shape):
        lane.offer(record, NOW_S)
    return lane


def sequences(work) -> list[str]:
    """Return the sequence numbers of a piece of work."""
    return [record.sequence for record in work.records]


BATCH = make_records(4)


@pytest.mark.parametrize(
    ("result", "done"),
    [
        (None, 4),
        ({}, 4),
        ({"batchItemFailures": None}, 4),
        ({"batchItemFailures": []}, 4),
        ({"batchItemFailures": [{"itemIdentifier": "3"}]}, 2),
        ({"batchItemFailures": [{"itemIdentifier": "4"}, {"itemIdentifier": "2"}]}, 1),
        ({"batchItemFailures": [{"itemIdentifier": "1"}]}, 0),
        ({"batchItemFailures": [{"itemIdentifier": "99"}]}, 0),
        ({"batchItemFailures": [{"itemIdentifier": "3"}, {"itemIdentifier": None}]}, 0),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, 0),
        ({"batchItemFailures": [{"itemIdentifier": 3}]}, 0),
        ({"batchItemFailures": [{"identifier": "3"}]}, 0),
        ({"batchItemFailures": ["3"]}, 0),
        ({"batchItemFailures": "3"}, 0),
        ("done", 0),
        ([], 0),
    ],
)
def test_result_says_where_to_go_on(result, done):
    """The lowest reported record is the checkpoint; nothing reported is success; anything unclear fails the batch."""
    assert records_done(result, BATCH, report_batch_item_failures=True) == done


def test_result_is_not_read_without_reports():
    """A mapping that does not ask for reports takes any returned value as success."""
    assert records_done({"batchItemFailures": [{"itemIdentifier": "2"}]}, BATCH, report_batch_item_failures=False) == 4


def test_batch_closes_by_size():
    """A full batch is due at once; the rest waits for its window."""
    lane = filled(EventSource(batch_size=3, window_s=10), 4)
    first = lane.take(NOW_S)
    assert sequences(first) == ["1", "2", "3"]
    lane.settle(first, 3, NOW_S)
    assert lane.take(NOW_S + 9.9) is None
    assert sequences(lane.take(NOW_S + 10)) == ["4"]


def test_batch_closes_by_payload():
    """No batch carries more than 6 MB of base64, whatever the batch size says; one record alone always goes."""
    lane = filled(EventSource(batch_size=100, window_s=300), 10, size=1024 * 1024)
    assert len(lane.take(NOW_S).records) == 4  # a fifth 1.4 MB record would pass 6 MB
    huge = filled(EventSource(), 1, size=10 * 1024 * 1024)
    assert len(huge.take(NOW_S).records) == 1


def test_lane_runs_one_batch_at_a_time():
    """While a batch is under way its lane gives nothing."""
    lane = filled(EventSource(batch_size=1), 2)
    first = lane.take(NOW_S)
    assert lane.take(NOW_S + 1) is None
    lane.settle(first, 1, NOW_S)
    assert sequences(lane.take(NOW_S)) == ["2"]


def test_partial_failure_retries_the_rest_before_anything_newer():
    """Everything from the reported record on comes again, in order, after the backoff, with its attempts restarted."""
    lane = filled(EventSource(batch_size=4, maximum_retry_attempts=0), 6)
    batch = lane.take(NOW_S)
    assert [record.sequence for record in lane.settle(batch, 2, NOW_S)] == ["1", "2"]
    assert lane.take(NOW_S) is None
    again = lane.take(NOW_S + 0.1)
    assert sequences(again) == ["3", "4"]
    assert again.attempts == 0


def test_bisect_halves_without_using_attempts():
    """A failing batch is split until the bad record is alone; only then are attempts counted."""
    lane = filled(EventSource(batch_size=4, maximum_retry_attempts=0), 4)
    now_s, invoked, discarded = NOW_S, [], []
    while (work := lane.take(now_s)) is not None:
        if isinstance(work, Discard):
            discarded.append(sequences(work))
            lane.given_up(work)
        else:
            invoked.append(sequences(work))
            lane.settle(work, 0 if "2" in sequences(work) else len(work.records), now_s)
        now_s += 100
    assert invoked == [["1", "2", "3", "4"], ["1", "2"], ["1"], ["2"], ["3", "4"]]
    assert discarded == [["2"]]
    assert lane.empty


def test_without_bisect_the_whole_batch_is_given_up():
    """Attempts are the first try and the allowed retries; then all of the batch goes to the destination."""
    lane = filled(EventSource(bisect_on_error=False, maximum_retry_attempts=2), 3)
    now_s, invocations = NOW_S, 0
    while isinstance(work := lane.take(now_s), Batch):
        invocations += 1
        lane.settle(work, 0, now_s)
        now_s += 100
    assert invocations == 3
    assert work == Discard(make_records(3), "RetryAttemptsExhausted", 3)


def test_records_past_their_age_are_given_up():
    """Old records are never invoked again (nor for the first time); younger ones of the batch still are."""
    lane = Lane(EventSource(maximum_record_age_s=60))
    for record in (*make_records(2, arrived_s=NOW_S - 61), *make_records(1, first=3)):
        lane.offer(record, NOW_S)
    old = lane.take(NOW_S)
    assert old == Discard(make_records(2, arrived_s=NOW_S - 61), "RecordAgeExceeded", 0)
    lane.given_up(old)
    assert sequences(lane.take(NOW_S)) == ["3"]


def test_backoff_doubles_up_to_its_limit_and_ends_with_progress():
    """Failures in a row wait longer and longer; a batch that makes progress starts over."""
    source = EventSource(bisect_on_error=False, retry_backoff_s=1, retry_backoff_s_max=3)
    lane, now_s = filled(source, 2), NOW_S
    for wait_s in (1, 2, 3, 3):
        lane.settle(lane.take(now_s), 0, now_s)
        assert lane.take(now_s + wait_s - 0.01) is None
        now_s += wait_s
    lane.settle(lane.take(now_s), 1, now_s)
    assert lane.take(now_s + 1) is not None


def test_failed_destination_loses_nothing():
    """What could not be written to the destination is offered for writing again, before anything else."""
    lane = filled(EventSource(batch_size=1, maximum_retry_attempts=0), 2)
    lane.settle(lane.take(NOW_S), 0, NOW_S)
    discard = lane.take(NOW_S + 100)
    lane.not_given_up(discard, NOW_S + 100)
    assert lane.take(NOW_S + 100) is None
    assert lane.take(NOW_S + 200) == discard


def test_checkpoint_waits_for_the_slowest_lane():
    """The position moves only over records that are done without a hole."""
    cursor = ShardCursor(EventSource(parallelization_factor=10), None)
    records = [ShardRecord(str(n), f"key-{n}", b"", NOW_S) for n in range(1, 6)]
    cursor.offer(records, NOW_S)
    assert sum(lane.take(NOW_S) is not None for lane in cursor.lanes) > 1
    cursor.finish(records[1:3])
    assert (cursor.position, cursor.waiting) == (None, 3)
    cursor.finish(records[:1])
    assert (cursor.position, cursor.oldest_arrival_s) == ("3", NOW_S)
    cursor.finish(records[3:])
    assert (cursor.position, cursor.waiting, cursor.oldest_arrival_s) == ("5", 0, None)


def test_equal_keys_share_a_lane():
    """Records of one partition key are in one lane, in order."""
    cursor = ShardCursor(EventSource(parallelization_factor=10, batch_size=10), None)
    cursor.offer(make_records(5, key="same"), NOW_S)
    taken = [work for lane in cursor.lanes if (work := lane.take(NOW_S))]
    assert [sequences(work) for work in taken] == [["1", "2", "3", "4", "5"]]


def test_reading_ahead_is_bounded(monkeypatch):
    """A shard whose lanes do not keep up is not read further, by count, by bytes and by span."""
    cursor = ShardCursor(EventSource(batch_size=1), None)
    cursor.offer(make_records(10_000), NOW_S)
    assert not cursor.has_room
    cursor = ShardCursor(EventSource(), None)
    cursor.offer(make_records(7, size=10 * 1024 * 1024), NOW_S)
    assert not cursor.has_room
    cursor = ShardCursor(EventSource(), None)
    monkeypatch.setattr(lanes, "SPAN_RECORDS_MAX", 100)
    records = make_records(100)
    cursor.offer(records, NOW_S)
    cursor.finish(records[1:])
    assert cursor.waiting == 1
    assert not cursor.has_room


@pytest.mark.parametrize(
    "wrong",
    [{"batch_size": 0}, {"window_s": 301}, {"parallelization_factor": 11}, {"maximum_retry_attempts": -2},
     {"maximum_record_age_s": 0}, {"starting_position": "AT_TIMESTAMP"}, {"retry_backoff_s": 0}],
)  # fmt: skip
def test_settings_that_lambda_refuses_are_refused(wrong):
    """A setting out of range is an error that names it."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        EventSource(**wrong)


def test_settings_survive_json():
    """Settings travel to another process unchanged; unknown ones are refused by name."""
    source = EventSource(batch_size=7, on_failure="s3://bucket/prefix")
    assert EventSource.from_json(source.to_json()) == source
    for wrong in ('{"batchsize": 1}', "[1]", "{", '{"batch_size": "x"}'):
        with pytest.raises(ConfigurationError, match="event source"):
            EventSource.from_json(wrong)
