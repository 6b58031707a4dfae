"""Lines of metrics add up to what Prometheus reads, under names that follow from those of CloudWatch."""

from __future__ import annotations

import io
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mdm_stream.errors import ConfigurationError
from mdm_stream.metrics import METRICS, emf_document, samples_of
from mdm_stream.metrics.exposition import metrics_endpoint
from mdm_stream.metrics.lines import LINE_BYTES_MAX, LogFollower, add_line, counted_pipe
from mdm_stream.metrics.totals import PREFIX, SERIES_MAX, MetricTotals, prometheus_name

RESOLVE = {"service": "resolve"}


def line(dimensions: dict[str, str], sets: list[list[str]] | None = None, **figures: float) -> bytes:
    """Return a line of metrics."""
    return orjson.dumps(emf_document("mdm-prod", 1_700_000_000_000, dimensions, figures, sets)) + b"\n"


def read(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return what is offered, as Prometheus' own parser reads it: by name and labels."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for each in families for s in each.samples}


def offered(totals: MetricTotals) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return what an endpoint offers of totals."""
    with metrics_endpoint(totals, 0) as url:
        return read(url)


def test_counters_add_up_gauges_are_the_last_and_times_are_distributed():
    """What was added twice counts twice; a gauge says how it is now; times are in seconds."""
    totals = MetricTotals()
    for depth in (7, 3):
        add_line(totals, line({**RESOLVE, "domain": "person"}, [["service"], ["service", "domain"]], OutboxDepth=depth))
        add_line(totals, line(RESOLVE, Events=5))
    add_line(totals, line({**RESOLVE, "reason": "bad_json"}, Quarantined=2))
    add_line(totals, line(RESOLVE, Quarantined=2, EventToGolden=[40, 400, 4_000_000]))  # type: ignore[arg-type]
    found, service = offered(totals), ("service", "resolve")
    assert found["mdm_stream_events_total", (service,)] == 10
    assert found["mdm_stream_outbox_depth", (("domain", "person"), service)] == 3
    assert ("mdm_stream_outbox_depth", (service,)) not in found
    assert found["mdm_stream_quarantined_total", (service,)] == 2
    assert found["mdm_stream_quarantined_by_reason_total", (("reason", "bad_json"), service)] == 2
    name = "mdm_stream_event_to_golden_seconds"
    buckets = {end: found[f"{name}_bucket", (("le", end), service)] for end in ("0.05", "0.5", "3600.0", "+Inf")}
    assert buckets == {"0.05": 1, "0.5": 2, "3600.0": 2, "+Inf": 3}
    assert found[f"{name}_count", (service,)] == 3
    assert found[f"{name}_sum", (service,)] == pytest.approx(4_000.44)


def test_names_are_one_a_metric_with_their_base_unit():
    """None says its unit twice, and no two metrics have one name."""
    names = {name: prometheus_name(each) for name, each in METRICS.items()}
    assert len(set(names.values())) == len(names)
    assert all(each.startswith(PREFIX) for each in names.values())
    assert names["LagSeconds"] == "mdm_stream_lag_seconds"
    assert names["OutboxAge"] == "mdm_stream_outbox_age_seconds"
    assert names["IndexBytesWritten"] == "mdm_stream_index_bytes_written"
    assert names["GoldenToWarehouse"] == "mdm_stream_golden_to_warehouse_seconds"


def test_what_is_no_metric_of_the_catalogue_is_passed_over():
    """Other lines of a log, metrics of others, dimensions of others, and lines that CloudWatch would drop."""
    totals = MetricTotals()
    document = orjson.loads(line(RESOLVE, Events=1))
    document["_aws"]["CloudWatchMetrics"][0]["Metrics"] = [{"Name": "ColdStart"}]
    for each in (
        b'{"message": "batch"}\n',
        b'{"_aws": 1}\n',
        b'"_aws"',
        orjson.dumps(document | {"ColdStart": 1}),
        orjson.dumps(orjson.loads(line(RESOLVE, Events=1)) | {"Events": "Wilhelmina"}),
        line({"slot": "shop"}, Events=1),
    ):
        add_line(totals, each)
    assert totals.families() == []
    assert offered(totals) == {}


def test_labels_without_end_are_not_kept():
    """What is counted has a bound, whatever is written."""
    totals = MetricTotals()
    for number in range(SERIES_MAX + 10):
        totals.add(samples_of(line({"service": f"s{number}"}, Events=1)))
    [family] = totals.families()
    assert len(family.series) == SERIES_MAX


def test_a_folder_of_logs_is_followed_from_its_end(tmp_path: Path):
    """What stood there before counts for nothing; a line that is not whole yet counts later, and once."""
    old, new = tmp_path / "resolve.log", tmp_path / "warehouse.log"
    old.write_bytes(line(RESOLVE, Events=100))
    totals = MetricTotals()
    follower = LogFollower(tmp_path, totals)
    whole = line(RESOLVE, Events=1)
    with old.open("ab") as log:
        log.write(whole + b"a word\n" + whole[:20])
    new.write_bytes(line({"service": "mdm-warehouse"}, RecordsApplied=4))
    for _ in range(2):
        follower.look()
    with old.open("ab") as log:
        log.write(whole[20:] + b"x" * (LINE_BYTES_MAX + 1))
    for _ in range(2):
        follower.look()
    old.write_bytes(whole)  # begun anew
    follower.look()
    found = offered(totals)
    assert found["mdm_stream_events_total", (("service", "resolve"),)] == 3
    assert found["mdm_stream_records_applied_total", (("service", "mdm-warehouse"),)] == 4


def test_what_comes_through_a_pipe_is_passed_on_and_counted():
    """The log is as it would be without; one that cannot be written stops nobody."""
    totals, log = MetricTotals(), io.BytesIO()
    with counted_pipe(totals, log) as pipe:
        os.write(pipe, b"started\n" + line(RESOLVE, Events=3))
    assert log.getvalue() == b"started\n" + line(RESOLVE, Events=3)
    log.close()
    with counted_pipe(totals, log) as pipe:
        os.write(pipe, line(RESOLVE, Events=4))
    assert offered(totals)["mdm_stream_events_total", (("service", "resolve"),)] == 7


def test_it_is_read_and_nothing_else():
    """On loopback alone unless another address is named; no other method than GET, and gone when it ends."""
    totals = MetricTotals()
    add_line(totals, line(RESOLVE, Events=3))
    with metrics_endpoint(totals, 0) as url:
        assert url.startswith("http://127.0.0.1:")
        port = int(url.split(":")[2].split("/")[0])
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, data=b"x", method="POST"), timeout=10)
        assert refused.value.code == 405
        with pytest.raises(ConfigurationError, match=f"127.0.0.1 port {port}"), metrics_endpoint(totals, port):
            pass
    time.sleep(0.05)
    with pytest.raises(urllib.error.URLError):
        read(url)
