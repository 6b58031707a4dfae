"""What the two handlers share: an event's messages done one by one, what was reached logged and measured.

Metrics (namespace ``mdm-stream``): ``FilesReceived``, ``FilesDone``, ``FilesHeld``, ``FilesFailed`` and so on for each
state that a load reached; ``FileRowsAccepted``, ``FileRowsRejected``, ``FileRowsSkipped`` and ``FileRowsDeleted`` of
the loads that ended; ``FileMessagesFailed``; on a tick ``FilesWaiting``, ``FilesHeldWaiting`` and
``FileHeldAge`` and ``FileOpenAge`` (seconds that the oldest load waits which is held, or being done). No metric and no
line has a value of a row.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.invocation import is_tick
from mdm_stream.core.faults import EngineFault, without_values
from mdm_stream.core.times import parse_time_us
from mdm_stream.errors import MdmError
from mdm_stream.telemetry.spans import NO_SPANS, Spans
from producers.files.events import is_queue_event
from producers.files.gatekeeper import Gatekeeper
from producers.files.manifest import view_of

OPEN_LOADS_MEASURED_MAX = 1_000
"""Loads that one tick looks at."""


def serve(
    event: dict[str, Any], gatekeeper: Gatekeeper, logger: Logger, metrics: Metrics, spans: Spans = NO_SPANS
) -> dict[str, Any]:
    """Answer one invocation; a message of a queue that fails is named, any other event that fails raises.

    An error that leaves here holds no value.
    """
    with without_values():
        return _answer(event, gatekeeper, logger, metrics, spans)


def _answer(
    event: dict[str, Any], gatekeeper: Gatekeeper, logger: Logger, metrics: Metrics, spans: Spans
) -> dict[str, Any]:
    failures: list[dict[str, str]] = []
    if is_queue_event(event):
        with spans.batch("messages", {"messages": len(event["Records"])}) as note:
            failures = _messages(event["Records"], gatekeeper, logger, spans)
            note({"failed": len(failures)})
    elif is_tick(event):
        measure_waiting(gatekeeper, metrics)
    else:
        with spans.batch("event", {}):
            logger.info("event", extra={"loads": gatekeeper.handle(event)})
    metrics.add_metric("FileMessagesFailed", MetricUnit.Count, len(failures))
    report(gatekeeper, logger, metrics)
    return {"batchItemFailures": failures}


def _messages(
    messages: Sequence[dict[str, Any]], gatekeeper: Gatekeeper, logger: Logger, spans: Spans
) -> list[dict[str, str]]:
    """Do messages of a queue one by one; return those that failed, as the response names them."""
    failures: list[dict[str, str]] = []
    for message in messages:
        message_id = message["messageId"]
        with logger.append_context_keys(correlation_id=message_id, message_id=message_id):
            try:
                with spans.stage("message"):
                    loads = gatekeeper.handle_message(message)
            except Exception as error:  # noqa: BLE001 - the queue delivers the message again, and then sets it aside
                # Errors of ours repeat no value; of others type and place are told.
                said = {"error": type(error).__name__, "said": _told(error)}
                logger.error("message_failed", extra=said)  # noqa: TRY400
                failures.append({"itemIdentifier": message_id})
            else:
                logger.info("message", extra={"loads": loads})
    return failures


def report(gatekeeper: Gatekeeper, logger: Logger, metrics: Metrics) -> None:
    """Log and measure the states that loads have reached since the last time."""
    reached, settler = list(gatekeeper.steps.settler.reached), gatekeeper.steps.settler
    settler.reached.clear()
    for manifest in reached:
        logger.info("load", extra={"correlation_id": manifest.load_id, **_summary(manifest)})
        metrics.add_metric(f"Files{manifest.state.capitalize()}", MetricUnit.Count, 1)
        if manifest.state == "done":
            for name, count in (
                ("FileRowsAccepted", manifest.accepted),
                ("FileRowsRejected", manifest.rejected),
                ("FileRowsSkipped", manifest.skipped),
                ("FileRowsDeleted", manifest.deleted),
            ):
                metrics.add_metric(name, MetricUnit.Count, count)


def measure_waiting(gatekeeper: Gatekeeper, metrics: Metrics) -> None:
    """Measure how many loads have not ended, and how long the oldest of them and of those held has waited."""
    store, now_us = gatekeeper.steps.store, time.time_ns() // 1000
    open_ages_s, held_ages_s = [0.0], [0.0]
    waiting = held = 0
    for load_id in store.open_loads():
        waiting += 1
        if waiting > OPEN_LOADS_MEASURED_MAX:
            break
        view = view_of(store.attempt(load_id))
        age_s = max(0.0, (now_us - parse_time_us(view.record.received_at)) / 1_000_000)
        if view.state == "held":
            held += 1
            held_ages_s.append(age_s)
        elif not view.ended:
            open_ages_s.append(age_s)
    metrics.add_metric("FilesWaiting", MetricUnit.Count, waiting)
    metrics.add_metric("FilesHeldWaiting", MetricUnit.Count, held)
    metrics.add_metric("FileHeldAge", MetricUnit.Seconds, max(held_ages_s))
    metrics.add_metric("FileOpenAge", MetricUnit.Seconds, max(open_ages_s))


def _summary(manifest: FileManifest) -> dict[str, Any]:
    """Return what a line of the log says of a load: no key of an object, whose name may be personal."""
    return manifest.model_dump(
        include={
            "load_id", "revision", "state", "domain", "source", "route", "rows", "accepted", "rejected", "skipped",
            "sent", "deleted", "chunks",
        }
    )  # fmt: skip


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, MdmError) else str(EngineFault.of(error))
