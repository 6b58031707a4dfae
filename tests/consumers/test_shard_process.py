"""What the process of one shard claims done, by what its resolver says of a batch."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import orjson
import pytest
from aws_lambda_powertools import Logger, Metrics
from multilang_daemon import FIRST_SEQUENCE, SHARD, record_of

from consumers.multilang import Daemon, DaemonGoneError
from consumers.resolve.kcl import EXIT_FAULT, EXIT_TERMINAL, OutlivedError, ShardProcess, deliveries_of, serve
from consumers.resolve.kcl_settings import KclSettings
from mdm_stream.contracts.kpl import UserRecord, aggregate_of
from mdm_stream.decode import Delivery, unpack
from mdm_stream.errors import ConfigurationError, RejectedEventError
from mdm_stream.index.errors import IndexInDoubtError
from mdm_stream.index.port import IndexDepths
from mdm_stream.resolve.report import StreamReport

SETTINGS = KclSettings.checked(retry_s_max=1, backoff_ms_base=1, backoff_ms_max=2, timeout_s=2)
NEVER = 10**9


class ScriptedResolver:
    """Says of each batch what it is given to say: how many of the first are done, or an exception."""

    def __init__(self, *says: int | Exception, ticks: Exception | None = None) -> None:
        self.says = list(says)
        self.ticks = ticks
        self.batches: list[list[str]] = []

    def handle(self, records: Sequence[Delivery]) -> StreamReport:
        """Note the batch; all of it is done once nothing is left to say."""
        self.batches.append([record.raw.decode() for record in records])
        said = self.says.pop(0) if self.says else NEVER
        if isinstance(said, Exception):
            raise said
        return StreamReport(records=len(records), first_failed=None if said >= len(records) else said)

    def tick(self) -> StreamReport:
        """Do nothing, or raise what it is given to raise."""
        if self.ticks is not None:
            raise self.ticks
        return StreamReport()

    def waiting(self, *, at_once: bool = False) -> dict[str, IndexDepths]:
        """Say that five changes wait, with each tick."""
        return {"person": IndexDepths(outbox=5, outbox_age_s=2.5)} if at_once else {}


class Pipes:
    """A daemon that has written all it has to say, and what the process answers."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.incoming: BinaryIO = os.fdopen(reading, "rb")
        self.writing: BinaryIO = os.fdopen(writing, "wb", buffering=0)
        self.outgoing = io.BytesIO()
        self.daemon = Daemon(self.incoming, self.outgoing)

    def say(self, action: str, **more: Any) -> None:
        """Write one message."""
        self.writing.write(orjson.dumps({"action": action, **more}) + b"\n")

    def answers(self) -> list[Any]:
        """Return what was answered: the action of a status, the place of a checkpoint from the shard's first on."""
        found: list[Any] = []
        for message in map(orjson.loads, self.outgoing.getvalue().splitlines()):
            if message["action"] == "status":
                found.append(message["responseFor"])
            else:
                found.append((int(message["sequenceNumber"]) - FIRST_SEQUENCE, message["subSequenceNumber"]))
        return found


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    """New pipes, over which the process is told its shard."""
    made = Pipes()
    made.say("initialize", shardId=SHARD, sequenceNumber="TRIM_HORIZON", subSequenceNumber=0)
    yield made
    made.writing.close()
    made.incoming.close()


def process_of(pipes: Pipes, resolver: ScriptedResolver) -> ShardProcess:
    """Return the process of a shard."""
    logger = Logger(service="resolve", stream=io.StringIO())
    metrics = Metrics(namespace="mdm-stream", service="resolve")
    return ShardProcess(pipes.daemon, resolver, SETTINGS, "changes", logger, metrics)


def hand_over(pipes: Pipes, count: int, checkpoints: int) -> None:
    """Say a batch of so many records, and the answers to its checkpoints."""
    records = [record_of(b"%d" % number, number) for number in range(count)]
    pipes.say("processRecords", records=records, millisBehindLatest=0)
    for _ in range(checkpoints):
        pipes.say("checkpoint", sequenceNumber="1", subSequenceNumber=0)


def work_off(pipes: Pipes, process: ShardProcess) -> None:
    """Let the process work off what was said, to the end: an action that no daemon asks for ends it."""
    pipes.say("end")
    with pytest.raises(DaemonGoneError, match="not known"):
        process.run()


def test_a_partial_failure_is_tried_again_from_the_first_that_is_not_done(pipes: Pipes) -> None:
    """What is done is checkpointed at once, and the rest is given again, in order."""
    resolver = ScriptedResolver(2)
    process = process_of(pipes, resolver)
    hand_over(pipes, 4, checkpoints=2)
    work_off(pipes, process)
    assert resolver.batches == [["0", "1", "2", "3"], ["2", "3"]]
    assert pipes.answers() == ["initialize", (1, 0), (3, 0), "processRecords"]


def test_what_fails_whole_is_tried_in_halves(pipes: Pipes) -> None:
    """As Lambda bisects: one event that ends every attempt keeps none before it from being done."""
    fault = RuntimeError("Wilhelmina")
    resolver = ScriptedResolver(fault, fault, 1, fault)
    process = process_of(pipes, resolver)
    hand_over(pipes, 4, checkpoints=3)
    work_off(pipes, process)
    assert resolver.batches[:4] == [["0", "1", "2", "3"], ["0", "1"], ["0"], ["1", "2", "3"]]
    assert sorted({raw for batch in resolver.batches for raw in batch}) == ["0", "1", "2", "3"]
    assert pipes.answers()[-2:] == [(3, 0), "processRecords"]


def test_an_exception_never_becomes_a_status(pipes: Pipes) -> None:
    """The daemon takes a status for done: a resolver that always raises ends the process without one."""

    class Raises(ScriptedResolver):
        def handle(self, records: Sequence[Delivery]) -> StreamReport:
            raise ZeroDivisionError

    process = process_of(pipes, Raises())
    hand_over(pipes, 2, checkpoints=0)
    with pytest.raises(OutlivedError):
        process.run()
    assert pipes.answers() == ["initialize"]


@pytest.mark.parametrize(("fault", "in_doubt"), [(None, 0.0), (IndexInDoubtError("of person"), 1.0)])
def test_a_tick_writes_the_metrics_of_a_function(
    pipes: Pipes, capsys: pytest.CaptureFixture[str], fault: Exception | None, in_doubt: float
) -> None:
    """Alarms hear of an index in doubt while nothing is delivered, of what waits, and of one that ticks no more."""
    process = process_of(pipes, ScriptedResolver(ticks=fault))
    process._ticked_s -= SETTINGS.tick_s
    hand_over(pipes, 0, checkpoints=0)
    work_off(pipes, process)
    line, depths = metrics_in(capsys)
    assert (line["service"], line["IndexInDoubt"], line["DomainHeld"]) == ("resolve", [in_doubt], [0.0])
    assert (depths["service"], depths["domain"]) == ("resolve", "person")
    assert (depths["OutboxDepth"], depths["OutboxAge"]) == (5, 2.5)


def test_an_attempt_that_raises_counts_as_a_failed_batch(pipes: Pipes, capsys: pytest.CaptureFixture[str]) -> None:
    """On Lambda it would be an error of the function; here no one else counts it."""
    hand_over(pipes, 1, checkpoints=1)
    work_off(pipes, process_of(pipes, ScriptedResolver(RuntimeError("Wilhelmina"))))
    lines = metrics_in(capsys)
    assert [line["BatchesFailed"] for line in lines] == [[1.0], [0.0]]
    assert "Wilhelmina" not in repr(lines)


def metrics_in(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the metrics that were written."""
    return [orjson.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]


def test_an_end_of_the_process_names_no_value(pipes: Pipes, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged by type and place, or by what our own errors say; what no restart can mend ends it with 2."""

    def build_that_raises(error: Exception) -> Any:
        def build(*_: object) -> Any:
            raise error

        return build

    environment = {"MDM_KCL_STREAM": "changes"}
    assert serve(environment, pipes.daemon, build_that_raises(KeyError("Wilhelmina"))) == EXIT_FAULT
    assert serve(environment, pipes.daemon, build_that_raises(ConfigurationError("set MDM_RULES"))) == EXIT_TERMINAL
    causes = [record.__dict__["cause"] for record in caplog.records]
    assert causes[0].startswith("KeyError at ")
    assert causes[1:] == ["set MDM_RULES"]
    assert "Wilhelmina" not in caplog.text + causes[0]


def test_a_place_is_that_of_unpacking() -> None:
    """A user record that the KCL took out of an aggregate has the place that it has when we take it out."""
    inner = [b'{"a": 1}', b'{"b": 2}']
    whole = record_of(aggregate_of([UserRecord(each, "key") for each in inner]), 7)
    ours = [part for each in deliveries_of([whole], "changes", SHARD) for part in unpack(each)]
    theirs = deliveries_of([record_of(each, 7, number) for number, each in enumerate(inner)], "changes", SHARD)
    assert [part for each in theirs for part in unpack(each)] == ours
    assert [each.place[-7:] for each in ours[1:]] == [".000001"]


@pytest.mark.parametrize("number", [0, 1])
def test_an_aggregate_within_an_aggregate_is_rejected(number: int) -> None:
    """As it is from Lambda: its parts would have the places of its neighbours."""
    contents = [b"{}", b"{}"]
    contents[number] = aggregate_of([UserRecord(b"{}", "key"), UserRecord(b"{}", "key")])
    records = [record_of(each, 7, place) for place, each in enumerate(contents)]
    delivery = deliveries_of(records, "changes", SHARD)[number]
    with pytest.raises(RejectedEventError, match="holds another aggregate"):
        unpack(delivery)
    assert delivery.subsequence == number
