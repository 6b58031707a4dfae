"""Lambda's Kinesis event and response, for the resolve consumer."""

from __future__ import annotations

import base64
import time
from dataclasses import asdict, dataclass
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from mdm_stream.decode import Received
from mdm_stream.resolve.resolver import StreamRecord, StreamReport


@dataclass(frozen=True, slots=True)
class KinesisRecord:
    """A record of the event: its own sequence number (for the response), arrival, and what the resolver sees of it."""

    sequence_number: str
    arrival_time_s: float
    stream: StreamRecord


def stream_records(event: dict[str, Any]) -> list[KinesisRecord]:
    """Return the records of a Lambda Kinesis event, in order."""
    records = []
    for item in event["Records"]:
        kinesis = item["kinesis"]
        sequence_number, arrival_time_s = kinesis["sequenceNumber"], kinesis["approximateArrivalTimestamp"]
        received = Received.from_kinesis(sequence_number, arrival_time_s)
        data = base64.b64decode(kinesis["data"])
        origin = f"{item['eventSourceARN'].rpartition('/')[2]}/{item['eventID']}"
        records.append(KinesisRecord(sequence_number, arrival_time_s, StreamRecord(data, received, origin)))
    return records


def batch_response(records: list[KinesisRecord], report: StreamReport) -> dict[str, Any]:
    """Return the partial batch response: the lowest sequence number to deliver again, or an empty list."""
    if report.first_failed is None:
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": records[report.first_failed].sequence_number}]}


def warn_of_large(logger: Logger, report: StreamReport) -> None:
    """Write one line for each golden record that has grown large: its id, members and bytes, and no value."""
    for golden in report.large:
        logger.warning("golden_large", extra=asdict(golden))


def report_metrics(metrics: Metrics, records: list[KinesisRecord], report: StreamReport) -> None:
    """Add the batch's counts, and the time from arrival on the stream to golden change of every record done."""
    totals = report.totals
    for name, count in (
        ("Events", report.records),
        ("Quarantined", report.quarantined),
        ("Absorbed", totals.absorbed),
        ("VersionCollisions", totals.collisions),
        ("CandidatePairs", totals.pairs),
        ("Conflicts", totals.conflicts),
        ("Reevaluated", totals.reevaluated),
        ("GoldenChanges", totals.changes),
        ("Merges", totals.merges),
        ("MergeStorms", len(report.storms)),
        ("GoldenLarge", len(report.large)),
        ("FeedRefused", len(report.refused)),
    ):
        metrics.add_metric(name, MetricUnit.Count, count)
    now_s = time.time()
    for record in records[: report.first_failed]:
        metrics.add_metric("EventToGolden", MetricUnit.Milliseconds, max(0.0, now_s - record.arrival_time_s) * 1000)
