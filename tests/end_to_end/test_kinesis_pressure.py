"""Kinesis throttles the golden feed, or is silent: batches fail in time, what waits is bounded, nothing is lost."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from pressure import Consumer, ThrottledKinesis, people, resident_bytes, running_consumer, timed

from mdm_stream.aws.loopback import LoopbackKeys, loopback_environment
from mdm_stream.errors import TransientError
from mdm_stream.feed.publisher import ATTEMPTS_MAX, UNANSWERED_MAX, FeedPublisher
from mdm_stream.local.stack import GOLDEN_STREAM

REDELIVERIES = 12
GROWTH_BYTES_MAX = 8 * 1024**2
PEOPLE_PER_BATCH = 20


@pytest.fixture(scope="module")
def consumer() -> Iterator[Consumer]:
    """A consumer in which some people are known already. Each test ends with a feed that is complete."""
    with running_consumer() as running:
        running.deliver_until_done(running.records(people(0, PEOPLE_PER_BATCH)))
        yield running


@pytest.fixture
def throttle(consumer: Consumer) -> Iterator[ThrottledKinesis]:
    """A throttle between the consumer and the golden feed, fully closed at first."""
    throttled = ThrottledKinesis(consumer.kinesis.client(), 1, share=1.0)
    usual = consumer.resolver._golden
    consumer.resolver._golden = FeedPublisher(throttled, GOLDEN_STREAM, sleep=lambda _: None)
    yield throttled
    consumer.resolver._golden = usual


def test_a_closed_feed_fails_the_batch_and_the_outbox_does_not_grow(
    consumer: Consumer, throttle: ThrottledKinesis
) -> None:
    """A refused batch ends after its attempts with Kinesis' code; delivered again, it adds nothing to what waits."""
    told = len(consumer.changes())
    batch = consumer.records(people(100, PEOPLE_PER_BATCH))
    sizes, resident = [], 0
    for number in range(REDELIVERIES):
        calls = throttle.calls
        report = consumer.resolver.handle(batch)
        assert report.first_failed == 0
        assert "ProvisionedThroughputExceededException" in report.cause
        assert throttle.calls - calls <= ATTEMPTS_MAX
        sizes.append(consumer.outbox_size())
        resident = resident_bytes() if number == 1 else resident
    assert set(sizes) == {PEOPLE_PER_BATCH}
    assert resident_bytes() - resident < GROWTH_BYTES_MAX
    assert len(consumer.changes()) == told
    throttle.share = 0.0
    consumer.deliver_until_done(batch)
    consumer.assert_exact()


def test_a_closed_feed_lets_no_later_batch_pass(consumer: Consumer, throttle: ThrottledKinesis) -> None:
    """As the event source goes on only past what is done, one batch of changes at the most waits in the outbox."""
    batch = consumer.records(people(200, PEOPLE_PER_BATCH))
    for _ in range(3):
        assert consumer.resolver.handle(batch).first_failed == 0
    assert consumer.outbox_size() <= len(batch)
    throttle.share = 0.0
    consumer.deliver_until_done(batch)
    consumer.assert_exact()


@pytest.mark.parametrize("seed", range(4))
def test_a_throttled_feed_is_complete_in_the_end(consumer: Consumer, throttle: ThrottledKinesis, seed: int) -> None:
    """Calls and single records are refused at random: they are sent again, and no sequence number is missing."""
    throttle._randomness.seed(seed)
    throttle.share = 0.6
    first = 1_000 * (seed + 1)
    for start in range(first, first + 60, PEOPLE_PER_BATCH):
        consumer.deliver_until_done(consumer.records(people(start, PEOPLE_PER_BATCH)))
    assert throttle.refused_calls
    assert throttle.refused_records
    consumer.assert_exact()


class Silent(http.server.BaseHTTPRequestHandler):
    """Takes requests and never answers, until the test is over."""

    over = threading.Event()

    def do_POST(self) -> None:
        """Wait."""
        self.over.wait()


def test_a_kinesis_that_does_not_answer_ends_the_batch_in_time(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three time-outs and no more are spent on it, whatever the SDK's own habits; the batch is delivered again."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    timeout_s = 0.3
    try:
        with running_consumer(KINESIS_ENDPOINT_URL=url, AWS_TIMEOUT_S=str(timeout_s)) as hanging:
            for name, value in loopback_environment(url, LoopbackKeys.new(), {}).items():
                monkeypatch.setenv(name, value)
            batch = hanging.records(people(0, PEOPLE_PER_BATCH))
            with timed(UNANSWERED_MAX * timeout_s + 2.5):
                report = hanging.resolver.handle(batch)
            assert report.first_failed == 0
            assert "ReadTimeoutError" in report.cause
            hanging.resolver._golden = FeedPublisher(hanging.kinesis.client(), GOLDEN_STREAM)
            hanging.deliver_until_done(batch)
            hanging.assert_exact()
    finally:
        Silent.over.set()
        server.shutdown()
        server.server_close()


def test_a_publisher_gives_up_after_its_attempts_and_names_no_value(consumer: Consumer) -> None:
    """The error has the stream, the number of messages and the code; what was refused is in none of them."""
    closed = ThrottledKinesis(consumer.kinesis.client(), 2, share=1.0)
    with pytest.raises(TransientError, match="did not accept 2 messages") as raised:
        FeedPublisher(closed, GOLDEN_STREAM, sleep=lambda _: None).publish([("k", b"Wilhelmina"), ("k", b"x")])
    assert "Wilhelmina" not in str(raised.value)
    assert closed.calls == ATTEMPTS_MAX
