"""Alarms on files, the events API, the reader of PostgreSQL and reconciliation fire, and clear.

Files go through the real handlers on emulated AWS APIs, requests through the real API on a stream in memory. The
reader's and the reconciliation's lines of metrics are their own; the figures in them are made up here: ten gigabytes
of log, a lag of minutes, and drift, which only a run of minutes on Spark finds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from alarm_bench import Watch, measured, nothing, watch
from events_api_world import ApiWorld, upsert
from files_world import DROPS, KEY, created, people
from test_file_handlers import CONTEXT, Deployed

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.local.alarms import MetricSample, samples_of
from mdm_stream.reconcile.compare import Reconciliation
from mdm_stream.reconcile.report import as_metrics
from producers.files import serve
from producers.files.operations import release
from producers.postgres.metrics import metrics_of
from producers.postgres.settings import ReaderProgress

__all__ = ["watch"]
DAY_S, HOUR_S = 86_400, 3_600


@pytest.fixture
def deployed(drops: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Deployed:
    """The functions of files, with queues, topics, streams and buckets of their own."""
    return Deployed(drops, monkeypatch, tmp_path)


@pytest.fixture
def tick_later(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Callable[[], None]]:
    """Tick the gatekeeper when so many seconds have passed."""

    def later(by_s: float) -> Callable[[], None]:
        def tick() -> None:
            with monkeypatch.context() as patch:
                now_ns = time.time_ns() + int(by_s * 1_000_000_000)
                patch.setattr(serve, "time", SimpleNamespace(time_ns=lambda: now_ns))
                deployed.gatekeeper({"source": "mdm.schedule"}, CONTEXT)

        return tick

    return later


def drop(deployed: Deployed, content: bytes, key: str = KEY) -> None:
    """Put a file into the bucket, and let the gatekeeper know."""
    deployed.s3.put_object(Bucket=DROPS, Key=key, Body=content)
    deployed.gatekeeper(created(key), CONTEXT)


def test_messages_about_files_fail(deployed: Deployed, watch: Watch) -> None:
    """A message that nothing can read is delivered again until its queue sets it aside."""
    bench = watch("file-messages-failing", service="files")

    def message(body: bytes) -> None:
        records = [{"messageId": "1", "eventSource": "aws:sqs", "body": body.decode()}]
        deployed.gatekeeper({"Records": records}, CONTEXT)

    bench.is_silent(lambda: message(b'{"Event": "s3:TestEvent"}'))
    bench.fires(lambda: message(b"{}"))
    bench.clears(lambda: message(b'{"Event": "s3:TestEvent"}'))


def test_a_load_fails(deployed: Deployed, watch: Watch) -> None:
    """A file without its key column is refused; the next one is done."""
    bench = watch("files-failed", service="files")
    bench.is_silent(lambda: drop(deployed, people(range(3))))
    bench.fires(lambda: drop(deployed, b"town\nSpringfield\n", "person/vendor/damaged.csv"))
    bench.clears(lambda: drop(deployed, people(range(4)), "person/vendor/next.csv"))


def test_a_held_load_is_forgotten(deployed: Deployed, tick_later: Any, watch: Watch) -> None:
    """A day later the alarm fires; a person lets the load run."""
    drop(deployed, people(range(2)) + b"v9,x\n")
    bench = watch("file-held", service="files")
    bench.is_silent(tick_later(60))
    bench.fires(tick_later(DAY_S + 60))
    steps = sys.modules["producers.files.gatekeeper_handler"].gatekeeper.steps
    [held] = steps.store.open_loads()
    assert release(steps, held, "ada").ended
    bench.clears(tick_later(DAY_S + 60))


def test_a_load_does_not_end(deployed: Deployed, tick_later: Any, watch: Watch) -> None:
    """Its chunks wait for workers that do not run; once they do, it is done."""
    drop(deployed, people(range(35)))
    bench = watch("file-open", service="files")
    bench.is_silent(tick_later(60))
    bench.fires(tick_later(HOUR_S + 60))
    assert deployed.deliver(deployed.chunks, deployed.worker) == 0
    bench.clears(tick_later(HOUR_S + 60))


def test_the_api_answers_with_errors_of_its_own(watch: Watch, tmp_path: Any) -> None:
    """The stream fails: a caller gets 503, and 202 once it takes records. A full stream is 429, and no error here."""
    world = ApiWorld(tmp_path, api_attempts_max=1)
    bench = watch("api-errors", api_dimension="ApiId", api="a1b2", stage="live", server_errors="5xx")

    def post() -> list[MetricSample]:
        status = world.post(upsert(version=len(bench.states) + 1)).status
        return [measured("AWS/ApiGateway", "5xx", status >= 500, ApiId="a1b2", Stage="live")]

    world.stream.refuse = lambda _sent: "ProvisionedThroughputExceededException"
    bench.is_silent(post)
    world.stream.refuse = lambda _sent: "InternalFailure"
    bench.fires(post)
    world.stream.refuse = lambda _sent: None
    bench.clears(post)


def test_a_stream_is_full(watch: Watch, tmp_path: Any) -> None:
    """Kinesis counts each record that it refuses; the API tries again, and its caller gets 429."""
    world = ApiWorld(tmp_path, api_attempts_max=2)
    bench = watch("stream-writes-throttled", stream_name="changes")
    refused: list[Any] = []

    def full(sent: Any) -> str:
        refused.append(sent)
        return "ProvisionedThroughputExceededException"

    def post() -> list[MetricSample]:
        refused.clear()
        world.post(upsert(version=len(bench.states) + 1))
        count = len(refused)
        return [measured("AWS/Kinesis", "WriteProvisionedThroughputExceeded", count, StreamName="changes")]

    bench.is_silent(post)
    world.stream.refuse = full
    bench.fires(post)
    world.stream.refuse = lambda _sent: None
    bench.clears(post)


def line_of(**figures: Any) -> Callable[[], list[MetricSample]]:
    """Return a step in which the reader writes its line with figures."""
    document = metrics_of(ReaderProgress(phase="streaming", **figures).status(), "shop", 0)
    return lambda: samples_of(orjson.dumps(document))


@pytest.mark.parametrize(
    ("alarm", "figure"),
    [
        ("capture-late", {"lag_s": 301.0}),
        ("capture-log-grows", {"lag_bytes": 11 * 1024**3}),
    ],
)
def test_the_reader_says_what_is_wrong(watch: Watch, alarm: str, figure: dict[str, Any]) -> None:
    """By the figures of its line."""
    bench = watch(alarm, slot="shop")
    bench.is_silent(line_of())
    bench.fires(line_of(**figure))
    bench.clears(line_of())


def test_drift_stays_until_the_next_run(watch: Watch) -> None:
    """Runs are a day apart: nothing between them clears the alarm."""

    def run(**drift: int) -> Callable[[], list[MetricSample]]:
        position = EpochPosition(1, 1, 1)
        found = Reconciliation("person", position, position, 10, 1, tables=None, drift=drift)  # type: ignore[arg-type]
        return lambda: samples_of(orjson.dumps(as_metrics(found, 0)))

    bench = watch("drift", domain="person")
    bench.is_silent(run())
    bench.fires(run(lost_golden=2))
    for _ in range(12):
        assert bench.step(nothing) == "ALARM"
    bench.clears(run())
