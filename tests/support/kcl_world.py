"""The resolve consumer under the KCL's own daemon on one machine: Kinesis, DynamoDB, Redis and ``mdm-stream kcl``.

Leases lie in moto's DynamoDB, the golden feed goes to the local Kinesis API, and the change stream is that of
``kinesis_double``. The command runs in the environment that ``make kcl`` installs.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import boto3
import orjson
from end_state import stream_records
from moto.server import ThreadedMotoServer
from source_tree import ROOT

from consumers.resolve.kcl import deliveries_of
from mdm_stream.archive import open_archive
from mdm_stream.aws.loopback import REGION, loopback_client, loopback_environment
from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.index.redis.epochs import domain_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.children import log_tail, spawn, stop_process
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM
from mdm_stream.rules import load_ruleset

PYTHON = ROOT / "build" / "kcl" / "bin" / "python"
APPLICATION = "kcl-under-java"
PUT_RECORDS = 500
STOP_S = 60.0
POLL_S = 0.25
END_OF_SHARD = "SHARD_END"
NO_RECORD_YET = ("TRIM_HORIZON", "LATEST")
JAVA_OPTIONS = "-Xmx512m -XX:+UseSerialGC"


def missing() -> str:
    """Return what this machine lacks for it, or an empty text."""
    if shutil.which("java") is None:
        return "there is no java"
    if not PYTHON.exists():
        return "the KCL is not installed; `make kcl` does it"
    return ""


@dataclass(slots=True)
class Shard:
    """What a shard held in the end, and where its lease's checkpoint stands."""

    shard_id: str
    records: list[dict[str, Any]]
    checkpoint: str = ""

    @property
    def covered(self) -> int:
        """How many of the first records the checkpoint covers."""
        if self.checkpoint == END_OF_SHARD:
            return len(self.records)
        at = int(self.checkpoint) if self.checkpoint.isdigit() else -1
        return sum(int(record["SequenceNumber"]) <= at for record in self.records)


@dataclass(slots=True)
class KclWorld:
    """All of it, in a folder. ``settings`` go to the command."""

    folder: Path
    rules_file: Path
    shards: int
    settings: dict[str, str] = field(default_factory=dict)
    rules: Ruleset = field(init=False)
    redis: RedisServer = field(init=False)
    feed: KinesisServer = field(init=False)
    endpoint_url: str = ""
    process: subprocess.Popen[bytes] | None = None
    _closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _leases: Any = None
    _ends: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Start everything but the command."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rules = load_ruleset(self.rules_file)
        with contextlib.ExitStack() as closing:
            self.redis = closing.enter_context(RedisServer(self.folder / "redis"))
            self.feed = closing.enter_context(KinesisServer(log=self.folder / "feed.log"))
            self.feed.client().create_stream(StreamName=GOLDEN_STREAM, ShardCount=1)
            logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line a request
            leases = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
            leases.start()
            closing.callback(leases.stop)
            host, port = leases.get_host_and_port()
            self._leases = boto3.client(
                "dynamodb", endpoint_url=f"http://{host}:{port}", region_name=REGION,
                aws_access_key_id="local", aws_secret_access_key="local",
            )  # fmt: skip
            ready = self.folder / "kinesis.address"
            command = [str(PYTHON), str(ROOT / "tests" / "support" / "kinesis_double.py"), str(ready)]
            double = spawn(command, log=self.folder / "kinesis.log")
            closing.callback(stop_process, double, 5.0)
            wait_for(ready.exists, 60.0, lambda: log_tail(self.folder / "kinesis.log"))
            self.endpoint_url = ready.read_text()
            self.client.create_stream(StreamName=CHANGES_STREAM, ShardCount=self.shards)
            closing.callback(self.stop)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self._closing.close()

    @property
    def client(self) -> Any:
        """A client of the change stream's Kinesis."""
        return loopback_client("kinesis", self.endpoint_url)

    @property
    def log(self) -> Path:
        """What the command, the daemon and its children say."""
        return self.folder / "kcl.log"

    def environment(self) -> dict[str, str]:
        """Return the command's environment."""
        url = self.folder.absolute().as_uri()
        return loopback_environment(self.feed.endpoint_url, self.feed.keys, os.environ) | {
            "AWS_REGION": REGION,
            "PYTHONPATH": str(ROOT),
            "JAVA_TOOL_OPTIONS": JAVA_OPTIONS,
            "MDM_RULES": str(self.rules_file),
            "MDM_REDIS_URL": self.redis.url,
            "MDM_CHANGES_STREAM": CHANGES_STREAM,
            "MDM_GOLDEN_STREAM": GOLDEN_STREAM,
            "MDM_KINESIS_ENDPOINT_URL": self.feed.endpoint_url,
            "MDM_ARCHIVE_URL": f"{url}/archive",
            "MDM_QUARANTINE_URL": f"{url}/quarantine",
            "MDM_KCL_APPLICATION": APPLICATION,
            "MDM_KCL_KINESIS_ENDPOINT_URL": self.endpoint_url,
            "MDM_KCL_DYNAMODB_ENDPOINT_URL": self._leases.meta.endpoint_url,
            "MDM_KCL_METRICS_LEVEL": "NONE",
            "MDM_KCL_IDLE_MS": "200",
            "MDM_KCL_HEALTH_FOLDER": str(self.folder / "health"),
        } | self.settings  # fmt: skip

    def start(self) -> None:
        """Start the command."""
        command = [str(PYTHON), "-m", "mdm_stream.cli.main", "kcl"]
        self.process = spawn(command, log=self.log, environment=self.environment())

    def stop(self) -> int:
        """Stop the command in order, and return its exit code."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        return stop_process(process, STOP_S)

    def put(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Put records on the stream, each with its partition key."""
        client = self.client
        for start in range(0, len(records), PUT_RECORDS):
            some = records[start : start + PUT_RECORDS]
            answer = client.put_records(
                StreamName=CHANGES_STREAM, Records=[{"Data": wire, "PartitionKey": key} for key, wire in some]
            )
            self._ends |= {each["ShardId"]: int(each["SequenceNumber"]) for each in answer["Records"]}

    def split(self, shard_id: str) -> None:
        """Split an open shard in the middle."""
        [shard] = [each for each in self._shards() if each["ShardId"] == shard_id]
        low, high = (int(shard["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
        self.client.split_shard(
            StreamName=CHANGES_STREAM, ShardToSplit=shard_id, NewStartingHashKey=str((low + high) // 2 + 1)
        )

    def daemon(self) -> int:
        """Return the process id of the Java daemon, or 0 between two."""
        return (
            next((pid for pid in children_of(self.process.pid) if "java" in command_of(pid)), 0) if self.process else 0
        )

    def children(self) -> list[int]:
        """Return the process ids of the shards' processes."""
        daemon = self.daemon()
        return [pid for pid in descendants_of(daemon) if "consumers.resolve.kcl" in command_of(pid)] if daemon else []

    def committed(self) -> int:
        """Return how many commits the index has taken."""
        key = domain_prefix("main", self.rules.domain) + "1:meta"
        return int(self.redis.client().hget(key, "clock") or 0)

    def shards_now(self) -> list[Shard]:
        """Return all shards with their records and checkpoints, those that are closed too."""
        client, checkpoints = self.client, self.checkpoints()
        found = []
        for shard in self._shards():
            place = {"StreamName": CHANGES_STREAM, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator, records = client.get_shard_iterator(**place)["ShardIterator"], []
            while iterator and (answer := client.get_records(ShardIterator=iterator))["Records"]:
                records += answer["Records"]
                iterator = answer.get("NextShardIterator")
            found.append(Shard(shard["ShardId"], records, checkpoints.get(shard["ShardId"], "")))
        return found

    def checkpoints(self) -> dict[str, str]:
        """Return the checkpoint of each lease.

        The KCL drops the lease of a shard that has ended once all of those that come after it have begun.
        """
        try:
            items = self._leases.scan(TableName=APPLICATION, ConsistentRead=True)["Items"]
        except self._leases.exceptions.ResourceNotFoundException:
            return {}
        leases = [item for item in items if "checkpoint" in item]
        begun = [item for item in leases if item["checkpoint"]["S"] not in NO_RECORD_YET]
        ended = {parent for item in begun for parent in item.get("parentShardId", {}).get("SS", ())}
        return dict.fromkeys(ended, END_OF_SHARD) | {item["leaseKey"]["S"]: item["checkpoint"]["S"] for item in leases}

    def is_done(self) -> bool:
        """Whether every shard's checkpoint covers its last record, and nothing waits in the index."""
        now = self.checkpoints()
        for shard_id, last in self._ends.items():
            at = now.get(shard_id, "")
            if at != END_OF_SHARD and not (at.isdigit() and int(at) >= last):
                return False
        index = self.index()
        return not index.pending(1) and not index.read(1)

    def index(self) -> RedisIndex:
        """Return the index that the command writes."""
        return RedisIndex(self.redis.client(), self.rules)

    def not_committed(self, shards: Iterable[Shard]) -> list[str]:
        """Return the places of records that a checkpoint covers and the index does not hold."""
        covered = [said for shard in shards for said in events_of(self.rules, shard)[: shard.covered]]
        refs = sorted({ref for _, events in covered for event in events for ref in event.refs})
        states = {ref: record.state for ref, record in self.index().read_records(refs).items()}
        return [
            delivery.origin
            for delivery, events in covered
            for event in events
            for ref in event.refs
            if fold(states.get(ref, EMPTY), event, ref).state != states.get(ref)
        ]

    def not_archived(self, shards: Iterable[Shard]) -> list[str]:
        """Return the places of records that the archive does not have."""
        archive = open_archive(self.environment()["MDM_ARCHIVE_URL"])
        kept = {row.position for row in archive.read_new(self.rules.domain, set())}
        said = [each for shard in shards for each in events_of(self.rules, shard)]
        return [delivery.origin for delivery, _ in said if delivery.position not in kept]

    def not_published(self) -> int:
        """Return how many changes of the golden feed are missing from the first to the last one."""
        changes = (orjson.loads(each["Data"])["data"] for each in stream_records(self.feed.client(), GOLDEN_STREAM))
        sequences = {change["sequence"] for change in changes}
        return self.index().reached().sequence - len(sequences)

    def _shards(self) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = self.client.list_shards(StreamName=CHANGES_STREAM)["Shards"]
        return shards


def events_of(rules: Ruleset, shard: Shard) -> list[tuple[Delivery, Sequence[ChangeEvent]]]:
    """Return the deliveries of a shard's records, each with its events, as the consumer decodes them."""
    decoder = Decoder({rules.domain: rules})
    deliveries = deliveries_of([_as_told(record) for record in shard.records], CHANGES_STREAM, shard.shard_id)
    return [(delivery, decoder.decode(delivery)) for delivery in deliveries]


def expected_state(rules: Ruleset, shards: Iterable[Shard]) -> Resolution:
    """Return F of everything on the shards, by the slow reference."""
    return resolve(rules, (event for shard in shards for _, events in events_of(rules, shard) for event in events))


def _as_told(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as the daemon tells a child of it."""
    return {
        "data": base64.b64encode(record["Data"]).decode(),
        "partitionKey": record["PartitionKey"],
        "sequenceNumber": record["SequenceNumber"],
        "subSequenceNumber": 0,
        "approximateArrivalTimestamp": round(record["ApproximateArrivalTimestamp"].timestamp() * 1_000),
    }


def wait_for(condition: Callable[[], object], timeout_s: float, told: Callable[[], str] = lambda: "") -> float:
    """Wait until a condition holds, and return for how many seconds; ``TimeoutError`` with what ``told`` says."""
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > timeout_s:
            raise TimeoutError(f"it did not happen within {timeout_s:g} s\n{told()}")
        time.sleep(POLL_S)
    return time.monotonic() - began_s


def kill(pid: int) -> None:
    """Kill a process with SIGKILL; ``ValueError`` for what is no process of ours, as 0 is where there is none."""
    if pid <= 1:
        raise ValueError("there is no process to kill")
    os.kill(pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """Return the process ids of a process' children."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return []


def descendants_of(pid: int) -> list[int]:
    """Return the process ids of a process' children, theirs, and so on."""
    found = children_of(pid)
    return [*found, *(other for child in found for other in descendants_of(child))]


def command_of(pid: int) -> str:
    """Return a process' command line, or an empty text once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
