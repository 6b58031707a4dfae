"""The canary's journey through both runtimes on real servers, and the search of all that they wrote.

``BY_DESIGN`` is what may hold a value. Everything else is looked through: logs, metrics, traces, answers, unhandled
errors, names of objects, files and keys, attributes of messages, and what is kept beside the index.
"""

from __future__ import annotations

import base64
import gzip
import os
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from bytes_of_redis import keys_with_content
from canary_events import RULES
from canary_runtimes import Function, ShardRuntime, TraceDaemon
from canary_values import EMAIL, GIVEN, Search, values_in
from end_state import stream_records
from multilang_daemon import FIRST_SEQUENCE
from otlp_receiver import OtlpReceiver
from source_tree import ROOT

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.local.event_source.lanes import Discard
from mdm_stream.local.event_source.mapping import ShardRecord, kinesis_event
from mdm_stream.local.event_source.on_failure import OnFailure, put_into
from mdm_stream.local.file_places import DROP_BUCKET, FilePlaces, make_places, queue_arn
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, STEWARD_STREAM
from mdm_stream.metrics.exposition import metrics_endpoint
from mdm_stream.metrics.lines import add_line
from mdm_stream.metrics.totals import MetricTotals

BY_DESIGN: Final[Mapping[str, str]] = {
    "change streams": "what source systems and stewards send, and its partition keys, which hold record ids",
    "dropped files": "what vendors send, under names that vendors give",
    "archive": "every accepted event, as it came",
    "quarantine": "every rejected event, as it came, and what it claims to be of",
    "loads of files": "rows in chunks, reasons by column, and the object's name",
    "index": "records, blocking keys (the names of blocks), golden records and the outbox, in Redis",
    "golden feed": "golden records, evidence, and reasons of what was quarantined",
    "claims": "golden records that are too large for the feed",
    "warehouse": "what the feed said",
    "dead letters": "the payload of batches that were discarded",
    "notices of files": "the name of the object that a load is about, in the message and never in its attributes",
}
"""What may hold a personal value, and why: it is there to hold it, is encrypted, and is erased from."""

ARCHIVES, QUARANTINES, LOADS = "mdm-archive", "mdm-quarantine", "mdm-loads"
TOPIC_QUEUE = "mdm-canary-attributes"
INDEX_KEYS = ("rec", "block", "of", "comp", "page", "es", "xw", "gold", "review", "since", "pend", "exp", "out")
"""The keys of an epoch whose content may hold a value; ``b:KEY`` and ``e:REF`` are others."""
ARN = "arn:aws:kinesis:us-east-1:123456789012:stream"
SHARD = "shardId-000000000000"


@dataclass(slots=True)
class World:
    """The servers of the journey, and what was found on it."""

    folder: Path
    redis: RedisServer
    kinesis: KinesisServer
    places: FilePlaces
    traces: TraceDaemon
    spans: OtlpReceiver
    search: Search = field(default_factory=Search)
    paths: dict[str, list[str]] = field(default_factory=dict)
    held: dict[str, set[str]] = field(default_factory=dict)
    errors: int = 0
    ends: int = 0
    names: dict[str, int] = field(default_factory=dict)
    _sent: int = 0

    def settings(self, name: str, **more: str) -> dict[str, str]:
        """Return the environment of a runtime, with an index and stores of its own."""
        endpoint = self.kinesis.endpoint_url
        return loopback_environment(endpoint, self.kinesis.keys, os.environ) | {
            "PYTHONPATH": str(ROOT),
            "MDM_RULES": str(self.folder / "rules.yaml"),
            "MDM_REDIS_URL": self.redis.url,
            "MDM_REDIS_TIMEOUT_S": "1",
            "MDM_AWS_TIMEOUT_S": "1",
            "MDM_NAMESPACE": name,
            "MDM_GOLDEN_STREAM": GOLDEN_STREAM,
            "MDM_CHANGES_STREAM": CHANGES_STREAM,
            "MDM_STEWARD_STREAM": STEWARD_STREAM,
            "MDM_KINESIS_ENDPOINT_URL": endpoint,
            "MDM_ARCHIVE_URL": f"s3://{ARCHIVES}/{name}",
            "MDM_QUARANTINE_URL": f"s3://{QUARANTINES}/{name}",
            "MDM_GOLDEN_BYTES_WARN": "4096",
            "MDM_TRANSIENT_ATTEMPTS_MAX": "2",
            **more,
        }

    @contextmanager
    def function(self, name: str, module: str, **more: str) -> Iterator[Function]:
        """Run a function of Lambda."""
        function = Function(
            name, self.folder, self.settings(name, **more), self.search, self.traces, self.spans, module=module
        )
        with function:
            yield function
        self.paths[name] = function.paths
        self.errors += function.errors

    @contextmanager
    def shard(self, **more: str) -> Iterator[ShardRuntime]:
        """Run a shard's process of the KCL, on the steward stream, which may bring everything."""
        settings = self.settings("kcl", MDM_KCL_STREAM=STEWARD_STREAM, **more)
        shard = ShardRuntime("kcl", self.folder, settings, self.search, self.traces, self.spans)
        with shard:
            yield shard
        self.paths.setdefault("kcl", []).extend(shard.paths)
        self.ends += shard.ends

    def batch(self, *raws: bytes, stream: str = CHANGES_STREAM) -> dict[str, Any]:
        """Return the event of a batch; its partition keys are personal, too."""
        records = []
        for raw in raws:
            self._sent += 1
            records.append(ShardRecord(str(FIRST_SEQUENCE + self._sent), EMAIL, raw, time.time()))
        return kinesis_event(records, SHARD, f"{ARN}/{stream}")

    def feed(self) -> list[bytes]:
        """Return what is on the golden feed."""
        return [record["Data"] for record in stream_records(self.kinesis.client(), GOLDEN_STREAM)]

    def discard(self, raws: list[bytes]) -> None:
        """Write a discarded batch to the on-failure destination, as the event source does; look at all but payload."""
        put = put_into(str(self.folder / "on-failure"), lambda: None)
        records = tuple(ShardRecord(str(n), EMAIL, raw, time.time()) for n, raw in enumerate(raws, 1))
        OnFailure(put, function_name="resolve", stream_arn=f"{ARN}/{CHANGES_STREAM}").write(
            Discard(records, "RetryAttemptsExhausted", 3), SHARD, time.time()
        )
        for file in (self.folder / "on-failure").rglob("*.json"):
            document = orjson.loads(file.read_bytes())
            self._note_held(
                "dead letters", base64.b64decode(orjson.loads(document.pop("payload"))["Records"][0]["kinesis"]["data"])
            )
            self.search.look("dead letters, but for their payload", "discarded batch", orjson.dumps(document))

    def look_at_stores(self) -> None:
        """Look at the names of all that is kept, at attributes of messages, and at what lies beside the index."""
        self._look_at_objects()
        self.look_at_redis()
        keys = [record["PartitionKey"] for record in stream_records(self.kinesis.client(), GOLDEN_STREAM)]
        self.search.look("golden feed: partition keys", "all", "\n".join(keys).encode())
        self._note_held("golden feed", b"\n".join(self.feed()))
        names = "\n".join(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))
        self.search.look("names of files", "all", names.encode())
        self._note_held(
            "warehouse", b"".join(path.read_bytes() for path in self.folder.glob("warehouse.duckdb*") if path.is_file())
        )
        self._look_at_notices()
        self._look_at_what_prometheus_reads()

    def _look_at_what_prometheus_reads(self) -> None:
        """Look at the metrics that an endpoint would offer of all logs."""
        totals = MetricTotals()
        for log in sorted(self.folder.glob("*.log")):
            for line in log.read_bytes().splitlines():
                add_line(totals, line)
        with metrics_endpoint(totals, 0) as url, urllib.request.urlopen(url, timeout=10) as answer:
            self.search.look("what Prometheus reads", "all", answer.read())

    def _look_at_objects(self) -> None:
        s3 = self.kinesis.client("s3")
        for bucket, what in ((ARCHIVES, "archive"), (QUARANTINES, "quarantine"), (LOADS, "loads of files")):
            names: list[str] = []
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                names += [each["Key"] for each in page.get("Contents", ())]
            self.search.look(f"{what}: names of objects", "all", "\n".join(names).encode())
            for name in names:
                if len(self.held.get(what, ())) > 2:
                    break
                content = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
                self._note_held(what, gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)

    def look_at_redis(self) -> None:
        """Look at names of keys, and at what is kept beside the index."""
        for key, content in keys_with_content(self.redis.client()):
            tail = key.rpartition(b"}:")[2].decode()
            name = tail.partition(":")[2] or tail
            # A block's name is its blocking key; no command of ours logs, counts or reports one.
            self.search.look("redis: names of keys", "all", b"" if name.startswith("b:") else key)
            if name in INDEX_KEYS or name.startswith(("b:", "e:")):
                self._note_held("index", content)
            else:
                self.search.look("redis: content beside the index", key.decode(errors="replace"), content)

    def _look_at_notices(self) -> None:
        sqs = self.kinesis.client("sqs")
        url = sqs.get_queue_url(QueueName=TOPIC_QUEUE)["QueueUrl"]
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
            "Messages"
        ):
            for message in found:
                told = orjson.loads(message.pop("Body"))
                self._note_held("notices of files", str(told.pop("Message", "")).encode())
                self.search.look("notices of files: attributes", "all", orjson.dumps([told, str(message)]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _note_held(self, what: str, content: bytes) -> None:
        self.held.setdefault(what, set()).update(values_in(content))


@contextmanager
def world_in(folder: Path) -> Iterator[World]:
    """Start the servers, and make all that a deployment has."""
    with ExitStack() as stack:
        short = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mdm-canary-")))
        redis = stack.enter_context(RedisServer(short / "redis", socket_path=short / "redis.sock"))
        kinesis = stack.enter_context(KinesisServer(log=folder / "aws.out"))
        traces = TraceDaemon()
        stack.callback(traces.close)
        spans = stack.enter_context(OtlpReceiver())
        client, s3 = kinesis.client(), kinesis.client("s3")
        for stream in (CHANGES_STREAM, GOLDEN_STREAM, STEWARD_STREAM):
            client.create_stream(StreamName=stream, ShardCount=1)
        for bucket in (ARCHIVES, QUARANTINES, LOADS):
            s3.create_bucket(Bucket=bucket)
        places = make_places(kinesis)
        sqs = kinesis.client("sqs")
        attributes = sqs.create_queue(QueueName=TOPIC_QUEUE)["QueueUrl"]
        kinesis.client("sns").subscribe(TopicArn=places.topic_arn, Protocol="sqs", Endpoint=queue_arn(sqs, attributes))
        (folder / "rules.yaml").write_text(RULES, "utf-8")
        yield World(folder, redis, kinesis, places, traces, spans)


def drop(world: World, key: str, content: bytes) -> None:
    """Put a file into the drop bucket, with metadata that are personal, too."""
    metadata = {"sender": GIVEN.encode("ascii", "replace").decode(), "contact": EMAIL}
    world.kinesis.client("s3").put_object(Bucket=DROP_BUCKET, Key=key, Body=content, Metadata=metadata)
