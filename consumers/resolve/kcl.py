"""The resolve consumer as a process of the KCL: one a shard, started by its MultiLangDaemon (``mdm-stream kcl``).

The daemon takes KPL aggregates apart itself: each user record comes with its place, sequence and subsequence number,
which are those that ``mdm_stream.decode.unpack`` gives it. A checkpoint is written once everything up to its place is
committed, archived and published, and never otherwise.

Exit codes: 0 the daemon has closed the shard; 1 a fault that outlived its retries, or a daemon that is gone;
2 what no restart can mend, such as a wrong setting.
"""

from __future__ import annotations

import base64
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from consumers.multilang import LEASE_GONE, CheckpointError, Daemon, DaemonGoneError
from consumers.resolve.kcl_settings import CHECKPOINT_ATTEMPTS_MAX, KclSettings
from consumers.resolve.measure import report_batch, report_depths, report_tick, warn
from consumers.telling import told_batch
from mdm_stream.aws.retry import full_jitter
from mdm_stream.contracts.kpl import UserRecord, aggregate_of, is_aggregate
from mdm_stream.core.f_version import f_digest
from mdm_stream.core.faults import EngineFault
from mdm_stream.decode import Delivery
from mdm_stream.decode.redrive_envelope import is_envelope
from mdm_stream.errors import MdmError, TerminalError, TransientError
from mdm_stream.files import make_folder, write_atomically
from mdm_stream.index.port import IndexDepths
from mdm_stream.metrics import namespace_of
from mdm_stream.resolve.build import build_resolver
from mdm_stream.resolve.report import StreamReport
from mdm_stream.settings import ResolveSettings
from mdm_stream.telemetry.function_log import function_log
from mdm_stream.telemetry.otel import spans_of
from mdm_stream.telemetry.spans import NO_SPANS, Spans

EXIT_FAULT = 1
EXIT_TERMINAL = 2


class BatchResolver(Protocol):
    """What resolves: ``mdm_stream.resolve.resolver.Resolver``."""

    def handle(self, records: Sequence[Delivery]) -> StreamReport:
        """Apply a batch."""
        ...

    def tick(self) -> StreamReport:
        """Do what waits without a batch."""
        ...

    def waiting(self, *, at_once: bool = False) -> Mapping[str, IndexDepths]:
        """Return how much waits, by domain, if it is time to ask, or at once."""
        ...


class OutlivedError(TransientError):
    """A fault has outlived its retries: the process has to end, so that the lease moves."""


class ShardProcess:
    """Resolves the records of one shard, as the daemon hands them over."""

    def __init__(
        self,
        daemon: Daemon,
        resolver: BatchResolver,
        settings: KclSettings,
        stream: str,
        logger: Logger,
        metrics: Metrics,
        spans: Spans = NO_SPANS,
    ) -> None:
        """Take the parts. ``stream`` is the one that the daemon reads; ``spans`` are those that the resolver has."""
        self._daemon = daemon
        self._resolver = resolver
        self._settings = settings
        self._stream = stream
        self._logger = logger
        self._metrics = metrics
        self._spans = spans
        self._shard = ""
        self._unsaved: tuple[str, int] | None = None
        self._lease_gone = False
        self._ticked_s = time.monotonic()

    def run(self) -> None:
        """Work until the daemon closes its end. ``OutlivedError`` or ``DaemonGoneError`` must end the process.

        No status is reported for an action that raised: the daemon would take it for done.
        """
        for message in self._daemon.actions():
            action = message.get("action", "")
            self._act(action, message)
            self._daemon.done(action)

    def _act(self, action: str, message: Mapping[str, Any]) -> None:
        if action == "initialize":
            self._shard = str(message["shardId"])
            self._logger.append_keys(shard=self._shard)
            self._logger.info("shard_started", extra={"after": message.get("sequenceNumber")})
            self._note_health("started")
        elif action == "processRecords":
            self._process(message)
        elif action == "shutdownRequested":
            # Actions come in turns: the batch before is done, and only its checkpoint may be missing.
            if self._unsaved is not None:
                self._save(*self._unsaved)
            self._end("handed_over")
        elif action == "shardEnded":
            if not self._save(None, None):
                raise OutlivedError("the end of the shard could not be checkpointed")
            self._end("shard_ended")
        elif action == "leaseLost":
            self._end("lease_lost")
        else:
            raise DaemonGoneError("the KCL daemon asks for an action that is not known")

    def _process(self, message: Mapping[str, Any]) -> None:
        if self._lease_gone:
            # What came before has not been finished here: nothing after it may be checkpointed.
            raise OutlivedError("records came after the lease was lost")
        records: Sequence[Mapping[str, Any]] = message["records"]
        deliveries = deliveries_of(records, self._stream, self._shard)
        first, size, attempt, failing_since_s = 0, len(deliveries), 0, 0.0
        while first < len(deliveries) and not self._lease_gone:
            begun_s, tried = time.monotonic(), deliveries[first : first + size]
            done = self._attempt(tried)
            if done:
                first, size, attempt = first + done, len(deliveries), 0
                self._save(*place_of(records[first - 1]))
            if done < len(tried) and not self._lease_gone:
                failing_since_s = failing_since_s if attempt else begun_s
                self._bear(time.monotonic() - failing_since_s, attempt, len(deliveries) - first)
                attempt += 1
                size = size if done else max(1, size // 2)  # as Lambda bisects what fails whole
        if time.monotonic() - self._ticked_s >= self._settings.tick_s and not self._lease_gone:
            self._tick()
        self._note_health("done", millis_behind=message.get("millisBehindLatest"))

    def _bear(self, failing_s: float, attempt: int, not_done: int) -> None:
        """Wait before the next attempt of what fails; ``OutlivedError`` if it has failed for too long."""
        self._note_health("retrying", failing_s=round(failing_s))
        if failing_s >= self._settings.retry_s_max:
            self._logger.error("retries_outlived", extra={"not_done": not_done})
            raise OutlivedError("a fault has outlived its retries")
        self._back_off(attempt)

    def _attempt(self, deliveries: Sequence[Delivery]) -> int:
        """Resolve, and return how many of the first are done: committed, archived and published."""
        with told_batch(self._logger, self._spans, "resolve", deliveries) as note:
            try:
                report = self._resolver.handle(deliveries)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing of the batch is claimed done
                self._logger.warning("batch_failed", extra={"cause": told(error)})
                self._metrics.add_metric("BatchesFailed", MetricUnit.Count, 1)
                self._metrics.flush_metrics()
                return 0
            note(report.counts())
            report_batch(self._logger, self._metrics, deliveries, report, self._resolver.waiting())
            self._metrics.flush_metrics()
        return len(deliveries) if report.first_failed is None else report.first_failed

    def _save(self, sequence_number: str | None, subsequence: int | None) -> bool:
        """Write a checkpoint; False if it could not be, which redelivery makes good unless the shard has ended."""
        for attempt in range(CHECKPOINT_ATTEMPTS_MAX):
            try:
                self._daemon.checkpoint(sequence_number, subsequence)
            except CheckpointError as error:
                self._logger.warning("checkpoint_failed", extra={"code": error.code})
                if error.code == LEASE_GONE:
                    self._lease_gone = True
                    break
                if attempt + 1 < CHECKPOINT_ATTEMPTS_MAX:
                    self._back_off(attempt)
            else:
                self._unsaved = None
                return True
        if sequence_number is not None and subsequence is not None:
            self._unsaved = (sequence_number, subsequence)
        return False

    def _tick(self) -> None:
        try:
            with self._spans.batch("tick", {"shard": self._shard}) as note:
                report = self._resolver.tick()
                note(report.counts())
        except MdmError as error:
            report_tick(self._metrics, self._logger, error)
            self._metrics.flush_metrics()
        except Exception as error:  # noqa: BLE001 - the next one does what this one did not
            self._logger.warning("tick_failed", extra={"cause": told(error)})
        else:
            report_tick(self._metrics, self._logger, None)
            self._metrics.flush_metrics()
            warn(self._logger, report)
            self._logger.info("tick", extra={"published": report.published, "refused": report.refused})
        report_depths(self._metrics, self._resolver.waiting(at_once=True))
        self._ticked_s = time.monotonic()

    def _back_off(self, attempt: int) -> None:
        limits = self._settings
        self._daemon.wait(full_jitter(attempt, limits.backoff_ms_base, limits.backoff_ms_max) / 1_000)

    def _end(self, how: str) -> None:
        self._logger.info(how)
        if self._settings.health_folder:
            self._health_file().unlink(missing_ok=True)

    def _note_health(self, phase: str, **more: object) -> None:
        """Say how it goes, in a file of the shard whose time is that of the last sign of life."""
        if self._settings.health_folder:
            health = {"shard": self._shard, "phase": phase, "pid": os.getpid(), "at_ms": time.time_ns() // 1_000_000}
            write_atomically(self._health_file(), orjson.dumps(health | more))

    def _health_file(self) -> Path:
        return Path(self._settings.health_folder) / f"{self._shard}.json"


def deliveries_of(records: Sequence[Mapping[str, Any]], stream: str, shard: str) -> list[Delivery]:
    """Return the deliveries of records of the protocol, one each.

    What lies within an aggregate is no wrapping itself: it is put in one again, so that it is rejected as from Lambda.
    """
    places = [place_of(record) for record in records]
    found = []
    for index, (record, (number, subsequence)) in enumerate(zip(records, places, strict=True)):
        raw = base64.b64decode(record["data"])
        one_of_several = subsequence > 0 or places[index + 1 : index + 2] == [(number, 1)]
        if one_of_several and (is_aggregate(raw) or is_envelope(raw)):
            raw = aggregate_of([UserRecord(raw, str(record["partitionKey"]))])
        arrived_s = int(record["approximateArrivalTimestamp"]) / 1_000
        whole = Delivery.from_kinesis(raw, number, arrived_s, f"{stream}/{shard}:{number}")
        found.append(whole.part(raw, subsequence))
    return found


def place_of(record: Mapping[str, Any]) -> tuple[str, int]:
    """Return sequence and subsequence number of a record of the protocol."""
    return str(record["sequenceNumber"]), int(record.get("subSequenceNumber") or 0)


def told(error: Exception) -> str:
    """Return what a log may say of an exception: the text of our own, type and place of any other."""
    return str(error) if isinstance(error, MdmError) else str(EngineFault.of(error))


def serve(
    environment: Mapping[str, str],
    daemon: Daemon,
    build: Callable[[Mapping[str, str], Spans], BatchResolver] = build_resolver,
) -> int:
    """Run the process of one shard, and return its exit code."""
    logger = function_log("resolve", stream=sys.stderr, f=f_digest())
    try:
        settings: KclSettings = KclSettings.from_environment(environment)
        stream = settings.stream or ResolveSettings.from_environment(environment).changes_stream
        if settings.health_folder:
            make_folder(Path(settings.health_folder))
        spans = spans_of("resolve", environment)
        resolver = build(environment, spans)
        metrics = Metrics(namespace=namespace_of(environment), service="resolve")
        ShardProcess(daemon, resolver, settings, stream, logger, metrics, spans).run()
    except Exception as error:  # noqa: BLE001 - no value may get into the log, as a traceback's last line has it
        fault = error
    else:
        return 0
    logger.error("ended", extra={"cause": told(fault)})
    return EXIT_TERMINAL if isinstance(fault, TerminalError) else EXIT_FAULT


def main() -> int:
    """Talk to the daemon that started this process; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # sent to a whole group: the daemon hears it and stops us in order
    return serve(os.environ, Daemon.of_this_process())


if __name__ == "__main__":
    sys.exit(main())
