"""The reader's figures as a line in CloudWatch's embedded metric format, which a log agent makes metrics of."""

from __future__ import annotations

from typing import Any

from mdm_stream.metrics import DEFAULT_NAMESPACE, emf_document
from producers.postgres.settings import ReaderStatus

_FIGURES = {
    "LagBytes": "lag_bytes",
    "LagSeconds": "lag_s",
    "Restarts": "restarts",
    "CutRows": "cut_rows",
    "Truncations": "truncations",
}
"""The fields of a status that are metrics."""


def metrics_of(status: ReaderStatus, slot: str, time_ms: int, namespace: str = DEFAULT_NAMESPACE) -> dict[str, Any]:
    """Return the line for a status, with the slot as its only dimension. Counts are totals since the reader began."""
    figures = {name: getattr(status, field) for name, field in _FIGURES.items()}
    document = emf_document(namespace, time_ms, {"service": "postgres-reader", "slot": slot}, figures)
    return document | {"phase": status.phase}
