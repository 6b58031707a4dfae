"""A running local stack offers its metrics to Prometheus; the dashboard asks for none that is not among them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from source_tree import ROOT

from mdm_stream.metrics import METRICS
from mdm_stream.metrics.totals import prometheus_name

DASHBOARD = json.loads((ROOT / "infra" / "grafana" / "mdm-stream.json").read_text("utf-8"))
SCRAPED = (ROOT / "infra" / "grafana" / "prometheus.yaml").read_text("utf-8")
STEPS_S = 240
VALUE = "Wilhelmina"
pytestmark = pytest.mark.timeout(500)


def asked_for() -> set[str]:
    """Return the names of series that the dashboard's queries name."""
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return {name for query in queries for name in re.findall(r"\bmdm_stream_\w+", query)}


@contextmanager
def up(state: Path) -> Iterator[str]:
    """Run the stack with metrics, and yield where they are."""
    command = [
        sys.executable,
        "-m",
        "mdm_stream.cli.main",
        "up",
        "--metrics-port",
        "0",
        "--json",
        "--state",
        str(state),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        lines = []
        while not lines or lines[-1] not in (b"}\n", b""):
            lines.append(process.stdout.readline())
        yield orjson.loads(b"".join(lines))["metrics_url"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def scraped(url: str) -> tuple[str, dict[str, float]]:
    """Return the text that is offered, and the sum of each series over its labels."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return text, sums


def publish(state: Path, *raws: bytes) -> None:
    """Publish canonical events, good and bad, past the checks of the command."""
    from mdm_stream.deployment import Deployment  # noqa: PLC0415 - only after the stack is there

    records = [{"Data": raw, "PartitionKey": str(n)} for n, raw in enumerate(raws)]
    deployment = Deployment.from_local(state)
    deployment.kinesis().put_records(StreamName=deployment.changes_stream, Records=records)


def person(number: int) -> bytes:
    """Return an event of a person, whose name must be in no metric."""
    letters = "".join(chr(ord("a") + byte % 26) for byte in sha256(b"%d" % number).digest()[:10])
    attributes = {"given_name": VALUE, "family_name": letters, "birth_date": f"19{10 + number}-0{1 + number % 9}-04"}
    event = {"domain": "person", "source": "crm", "record_id": str(number), "op": "upsert", "version": 1}
    return orjson.dumps(event | {"attributes": attributes})


def test_the_dashboard_asks_for_what_a_running_stack_offers(tmp_path: Path) -> None:
    """Every name that a query has is among the series, counted rightly, and no value of an event is in any of it."""
    with up(tmp_path / "state") as url:
        publish(tmp_path / "state", *map(person, range(20)), b'{"given_name": "%s"' % VALUE.encode())
        deadline_s = time.monotonic() + STEPS_S
        while True:
            text, sums = scraped(url)
            if asked_for() <= sums.keys() and sums["mdm_stream_records_applied_total"] >= 20:
                break
            assert time.monotonic() < deadline_s, sorted(asked_for() - sums.keys())
            time.sleep(0.5)
    assert sums["mdm_stream_events_total"] == 21
    assert sums["mdm_stream_event_to_golden_seconds_count"] == 21
    assert sums["mdm_stream_quarantined_total"] == sums["mdm_stream_quarantined_by_reason_total"] == 1
    assert sums["mdm_stream_golden_changes_total"] == 20
    assert sums["mdm_stream_golden_to_warehouse_seconds_count"] >= 20
    assert VALUE not in text
    labels = set(re.findall(r"(\w+)=\"", text))
    assert labels <= {"service", "domain", "le", "reason", "attribute", "blocking_key"}


def test_the_dashboard_names_metrics_of_the_catalogue() -> None:
    """And the file for Prometheus the port of the page that says how to see it."""
    known = {prometheus_name(each) for each in METRICS.values()}
    base = {re.sub(r"(_by_[a-z]+)?(_total|_bucket|_sum|_count)?$", "", name) for name in asked_for()}
    assert base <= known
    page = (ROOT / "docs" / "operate" / "metrics.md").read_text("utf-8")
    [port] = re.findall(r"127\.0\.0\.1:(\d+)", SCRAPED)
    assert f"--metrics-port {port}" in page
