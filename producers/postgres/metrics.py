"""The reader's figures as one line of JSON in CloudWatch's embedded metric format, which a log agent makes metrics of.

It is one object, so it is written here: the library that the consumers use for it is no part of this extra.
"""

from __future__ import annotations

from typing import Any

from producers.postgres.settings import ReaderStatus

NAMESPACE = "mdm-stream"
"""That of the consumers' metrics."""
_FIGURES = (
    ("LagBytes", "Bytes", "lag_bytes"),
    ("LagSeconds", "Seconds", "lag_s"),
    ("Restarts", "Count", "restarts"),
    ("CutRows", "Count", "cut_rows"),
    ("Truncations", "Count", "truncations"),
)


def metrics_of(status: ReaderStatus, slot: str, time_ms: int) -> dict[str, Any]:
    """Return the line for a status, with the slot as its only dimension. Counts are totals since the reader began."""
    figures = {name: getattr(status, field) for name, _, field in _FIGURES}
    described = [{"Name": name, "Unit": unit} for name, unit, _ in _FIGURES]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["service", "slot"]], "Metrics": described}
    header = {"Timestamp": time_ms, "CloudWatchMetrics": [directive]}
    return {"_aws": header, "service": "postgres-reader", "slot": slot, "phase": status.phase, **figures}
