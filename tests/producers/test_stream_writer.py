"""The API's way onto the stream: one writer at a time for all that wait, each told what became of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mdm_stream.aws.put_records import StreamPlace
from mdm_stream.testing import MemoryStream
from producers.events_api.problems import ProblemError
from producers.events_api.stream_writer import StreamWriter

THREADS = 16
ROUNDS = 30


class SlowStream(MemoryStream):
    """A stream that takes its time, and notes the size of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[int] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def put_records(self, **request):
        """Take records once it may."""
        self.entered.set()
        self.go_on.wait(30)
        self.requests.append(len(request["Records"]))
        return super().put_records(**request)


def test_what_waits_while_one_writes_goes_together():
    """Fifteen that came during the first one's request share the second, and each gets its own place."""
    stream = SlowStream()
    writer = StreamWriter(stream, "changes", 1)
    stream.go_on.clear()
    with ThreadPoolExecutor(THREADS) as pool:
        asked = {}
        for n in range(THREADS):
            asked[n] = pool.submit(writer.write, [(f"k{n}", f"{n}".encode())])
            assert stream.entered.wait(30)
        while len(writer._queue) < THREADS - 1:
            assert not any(each.done() for each in asked.values())
        stream.go_on.set()
        places = {n: each.result(30)[0] for n, each in asked.items()}
    assert stream.requests == [1, THREADS - 1]
    for n, place in places.items():
        assert stream.records[int(place.sequence_number)].data == f"{n}".encode()


def test_no_thread_waits_for_ever_and_none_gets_what_is_anothers():
    """Many threads, many rounds, several messages each, some refused."""
    stream = SlowStream()
    stream.refuse = lambda sent: "InternalFailure" if sent.data.endswith(b"7") else None
    writer = StreamWriter(stream, "changes", 2, sleep=lambda _: None)

    def work(thread: int) -> int:
        seen = 0
        for round_ in range(ROUNDS):
            messages = [(f"{thread}/{n}", f"{thread}.{round_}.{n}".encode()) for n in range(5, 9)]
            for (_, data), outcome in zip(messages, writer.write(messages), strict=True):
                if data.endswith(b"7"):
                    assert isinstance(outcome, ProblemError)
                else:
                    assert isinstance(outcome, StreamPlace)
                    assert stream.records[int(outcome.sequence_number)].data == data
                seen += 1
        return seen

    with ThreadPoolExecutor(THREADS) as pool:
        done = [each.result(60) for each in [pool.submit(work, thread) for thread in range(THREADS)]]
    assert done == [ROUNDS * 4] * THREADS


def test_a_fault_is_told_to_all_that_it_met_and_the_next_one_writes():
    """No thread is left waiting by it."""
    stream = SlowStream()
    writer = StreamWriter(stream, "changes", 1)
    put = MemoryStream.put_records
    faults = [MemoryError()]

    def failing(_self, **request):
        if faults:
            raise faults.pop()
        return put(stream, **request)

    stream.put_records = failing.__get__(stream)
    with pytest.raises(MemoryError):
        writer.write([("k", b"1")])
    assert isinstance(writer.write([("k", b"1")])[0], StreamPlace)
