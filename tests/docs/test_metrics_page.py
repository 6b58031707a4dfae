"""The page of metrics says what the resolve consumer writes: every metric is on it, and nothing else."""

from __future__ import annotations

import io
import json
import logging
import re
from collections import Counter

import pytest
from aws_lambda_powertools import Logger, Metrics
from source_tree import ROOT

from consumers.resolve.measure import DIGESTS_TOLD_MAX, report_depths, report_metrics, report_tick, warn
from mdm_stream.core.blocking.keys import key_digest
from mdm_stream.core.model import RecordEvent
from mdm_stream.decode import Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.errors import DomainHeldError, IndexInDoubtError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.port import IndexDepths
from mdm_stream.local.alarms import MetricHistory, MetricQuery
from mdm_stream.metrics import samples_of
from mdm_stream.metrics.catalogue import RESOLVE_METRICS
from mdm_stream.resolve.report import StreamReport
from mdm_stream.rules import load_ruleset

PAGE = (ROOT / "docs" / "operate" / "metrics.md").read_text("utf-8")
NAMED = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
PHONE = "+442071234567"


def report_of_a_shared_phone() -> StreamReport:
    """What becomes of a batch that grows the key of a phone past the limit, beside some placeholders."""
    rules = load_ruleset("person")
    shared = [
        RecordEvent("person", "crm", str(n), "upsert", 1, 0, {"phone": PHONE, "birth_date": "1970-01-01"})
        for n in range(rules.max_block_size + 1)
    ]
    report = StreamReport(records=len(shared))
    engine = Engine(rules, MemoryIndex(rules))
    report.totals.add(engine.process(shared))
    report.totals.add(engine.process(shared))
    return report


def written(capsys, report: StreamReport) -> list[dict]:
    """Return the metrics that are written of a batch, as CloudWatch would read them."""
    metrics = Metrics(namespace="mdm-stream", service="resolve")
    metrics.clear_metrics()
    report_metrics(metrics, [Delivery.unplaced(b"")], report)
    metrics.flush_metrics()
    report_depths(metrics, {"person": IndexDepths(outbox=3, review_age_s=7.5), "company": IndexDepths()})
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_metric_is_on_the_page(capsys):
    """By name, in the order in which they are written."""
    whole, person, _ = written(capsys, StreamReport(records=1))
    of_batch, of_domain = (
        [metric["Name"] for metric in each["_aws"]["CloudWatchMetrics"][0]["Metrics"]] for each in (whole, person)
    )
    assert of_batch + of_domain == NAMED == list(RESOLVE_METRICS)


def test_what_waits_is_counted_by_domain_and_in_all(capsys):
    """In all, the maximum is that of the domain in which most waits."""
    _, person, company = written(capsys, StreamReport(records=1))
    assert [each["_aws"]["CloudWatchMetrics"][0]["Dimensions"] for each in (person, company)] == [
        [["service"], ["service", "domain"]]
    ] * 2
    assert (person["domain"], person["OutboxDepth"], person["ReviewAge"]) == ("person", 3, 7.5)
    history = MetricHistory(sample for each in (person, company) for sample in samples_of(json.dumps(each)))
    query = MetricQuery(
        namespace="mdm-stream", metric="OutboxDepth", statistic="Maximum", dimensions={"service": "resolve"}
    )
    assert list(history.series(query, 60).values()) == [3.0]


def test_quarantined_events_are_counted_by_reason(capsys):
    """Each by its first reason alone, so that they sum up to all."""
    report = StreamReport(records=3, quarantined=3, reasons=Counter(bad_json=2, source_held=1))
    lines = written(capsys, report)
    by_reason = {each["reason"]: each["Quarantined"] for each in lines if "reason" in each}
    assert by_reason == {"bad_json": [2.0], "source_held": [1.0]}


def test_more_times_than_a_line_takes_are_on_several(capsys):
    """CloudWatch drops a line with more than a hundred values of a metric; none is lost, and no count is doubled."""
    metrics = Metrics(namespace="mdm-stream", service="resolve")
    metrics.clear_metrics()
    report_metrics(metrics, [Delivery.unplaced(b"")] * 250, StreamReport(records=250))
    metrics.flush_metrics()
    samples = [each for line in capsys.readouterr().out.splitlines() for each in samples_of(line)]
    assert [each.value for each in samples if each.metric == "Events"] == [250.0]
    assert len([each for each in samples if each.metric == "EventToGolden"]) == 250


def test_suspended_keys_and_values_set_aside_are_counted_by_names_of_the_rules(capsys):
    """In all, and by attribute and expression; once for each key, and no value is written."""
    report = report_of_a_shared_phone()
    by_name = [each for each in written(capsys, report) if "OutboxDepth" not in each]
    whole = by_name.pop()
    assert (whole["ValuesSetAside"], whole["KeysSuspended"]) == ([201.0], [1.0])
    found = {each.get("attribute") or each.get("blocking_key"): each for each in by_name}
    assert found["birth_date"]["ValuesSetAside"] == [201.0]
    assert found["phone"]["KeysSuspended"] == [1.0]
    assert {each["service"] for each in by_name} == {"resolve"}
    assert {each["_aws"]["CloudWatchMetrics"][0]["Namespace"] for each in by_name} == {"mdm-stream"}
    assert report.summary()["set_aside"] == {"birth_date: placeholder": 201}
    assert report.summary()["suspended"] == {"phone": 1}
    assert PHONE not in repr(by_name) + repr(whole) + repr(report.summary())


def test_a_suspended_key_is_logged_by_its_digest():
    """The one by which a profile names it, with the expression, and no more of them than the limit."""
    report = report_of_a_shared_phone()
    [tag] = [each.tag for each in load_ruleset("person").blocking if each.text == "phone"]
    output = io.StringIO()
    logger = Logger(service="metrics-page", logger_handler=logging.StreamHandler(output))
    report.totals.suspended *= DIGESTS_TOLD_MAX + 1
    warn(logger, report)
    [line] = map(json.loads, output.getvalue().splitlines())
    assert (line["message"], line["level"], line["domain"]) == ("keys_suspended", "WARNING", "person")
    assert (line["blocking_key"], line["keys"]) == ("phone", DIGESTS_TOLD_MAX + 1)
    assert line["digests"] == [key_digest(f"{tag}:{PHONE}")] * DIGESTS_TOLD_MAX
    assert PHONE not in output.getvalue()


def test_a_domain_without_a_replica_is_counted_and_named(capsys):
    """Counted with every batch; the line is there when it begins."""
    output = io.StringIO()
    logger = Logger(service="metrics-page-replicas", logger_handler=logging.StreamHandler(output))
    report = StreamReport(records=1, unreplicated={"person"}, replicas_gone=["person"])
    whole, *_ = (each for each in written(capsys, report) if "Events" in each)
    assert whole["Unreplicated"] == [1.0]
    warn(logger, report)
    [line] = map(json.loads, output.getvalue().splitlines())
    assert (line["message"], line["level"], line["domain"]) == ("replicas_gone", "WARNING", "person")
    assert "`replicas_gone`" in PAGE


@pytest.mark.parametrize(
    ("error", "metric", "line"),
    [
        (IndexInDoubtError("of person"), "IndexInDoubt", "index_in_doubt"),
        (DomainHeldError("of person"), "DomainHeld", "domain_held"),
        (TransientError("of Redis"), None, "batch_failed"),
    ],
)
def test_what_stops_a_batch_is_counted_and_logged(capsys, error, metric, line):
    """A batch that failed, and which of the two states that need a person stopped it; in a tick as well."""
    output = io.StringIO()
    logger = Logger(service=f"metrics-page-{line}", logger_handler=logging.StreamHandler(output))
    report = StreamReport(records=1, first_failed=0)
    report.cause, report.fault = str(error), type(error).__name__
    whole, *_ = (each for each in written(capsys, report) if "Events" in each)
    assert whole["BatchesFailed"] == [1.0]
    assert {name for name in ("IndexInDoubt", "DomainHeld") if whole[name] == [1.0]} == {metric} - {None}
    warn(logger, report)
    metrics = Metrics(namespace="mdm-stream", service="resolve")
    metrics.clear_metrics()
    report_tick(metrics, logger, error)
    metrics.flush_metrics()
    ticked = json.loads(capsys.readouterr().out)
    assert {name for name in ("IndexInDoubt", "DomainHeld") if ticked[name] == [1.0]} == {metric} - {None}
    of_batch, of_tick = map(json.loads, output.getvalue().splitlines())
    assert (of_batch["message"], of_batch["level"], of_batch["cause"]) == (line, "WARNING", str(error))
    assert of_tick["message"] == line.replace("batch", "tick")
    assert all(f"`{each['message']}`" in PAGE for each in (of_batch, of_tick))
