"""Kinesis streams in memory whose shards can be split, for the KCL: HTTP/2 without TLS, which its client speaks.

``build/kcl/bin/python tests/support/kinesis_double.py FILE`` writes its address to FILE and answers until SIGTERM.

As Kinesis documents it: a key goes to the open shard that has its MD5; sequence numbers rise over the whole stream; a
parent is closed by a split, is read to its end, and its last page names the shards that come after it. There are no
limits of rate, no keys are asked for, and nothing is forgotten. Needs hypercorn (``make kcl``).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import importlib
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

HASHES = 2**128
FIRST_SEQUENCE = 10**20
"""Long enough to be no Java long, and short enough to be none of the forms that the KCL takes apart."""
RECORDS_A_READ_MAX = 10_000
BYTES_A_READ_MAX = 10 * 1024 * 1024
CONTENT_TYPE = b"application/x-amz-json-1.1"

Request = Mapping[str, Any]


class RefusedRequestError(Exception):
    """The request is wrong; the first argument is the name of Kinesis' exception."""


@dataclass(slots=True)
class Shard:
    """A range of hashes, its records in order, and the shards around it. ``ending`` is None while it is open."""

    shard_id: str
    low: int
    high: int
    starting: int
    parent: str = ""
    children: list[Shard] = field(default_factory=list)
    ending: int | None = None
    records: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def hash_range(self) -> dict[str, str]:
        """The range as the API has it."""
        return {"StartingHashKey": str(self.low), "EndingHashKey": str(self.high)}

    def described(self) -> dict[str, Any]:
        """Return the shard as ListShards has it."""
        numbers = {"StartingSequenceNumber": str(self.starting)}
        if self.ending is not None:
            numbers["EndingSequenceNumber"] = str(self.ending)
        parent = {"ParentShardId": self.parent} if self.parent else {}
        return {"ShardId": self.shard_id, "HashKeyRange": self.hash_range, "SequenceNumberRange": numbers, **parent}


class Stream:
    """One stream."""

    def __init__(self, name: str, shards: int) -> None:
        """Begin with shards of equal ranges."""
        self.name = name
        self.created_s = time.time()
        self.shards: dict[str, Shard] = {}
        self._last = FIRST_SEQUENCE
        for number in range(shards):
            self._add(HASHES * number // shards, HASHES * (number + 1) // shards - 1)

    @property
    def arn(self) -> str:
        """Its name in the whole of AWS."""
        return f"arn:aws:kinesis:us-east-1:123456789012:stream/{self.name}"

    @property
    def open_shards(self) -> list[Shard]:
        """Those that take records."""
        return [shard for shard in self.shards.values() if shard.ending is None]

    def put(self, key: str, data: str) -> dict[str, str]:
        """Store a record, base64 as it came; return where it lies."""
        place = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
        [shard] = [each for each in self.open_shards if each.low <= place <= each.high]
        number = self._next()
        record = {"Data": data, "PartitionKey": key, "SequenceNumber": str(number)}
        shard.records.append(record | {"ApproximateArrivalTimestamp": round(time.time(), 3)})
        shard.numbers.append(number)
        return {"ShardId": shard.shard_id, "SequenceNumber": str(number)}

    def split(self, shard_id: str, at: int) -> None:
        """Close a shard; two come after it."""
        parent = self.shards[shard_id]
        if parent.ending is not None:
            raise RefusedRequestError("ResourceInUseException")
        parent.ending = self._next()
        parent.children = [self._add(parent.low, at - 1, shard_id), self._add(at, parent.high, shard_id)]

    def _add(self, low: int, high: int, parent: str = "") -> Shard:
        shard = Shard(f"shardId-{len(self.shards):012}", low, high, self._next(), parent)
        self.shards[shard.shard_id] = shard
        return shard

    def _next(self) -> int:
        self._last += 1
        return self._last


class KinesisDouble:
    """The API: the part of it that the KCL and boto3's producers call."""

    def __init__(self) -> None:
        """Begin without streams."""
        self.streams: dict[str, Stream] = {}
        self._actions: dict[str, Callable[[Request], dict[str, Any]]] = {
            "CreateStream": self._create,
            "DescribeStreamSummary": self._summary,
            "ListShards": self._list_shards,
            "GetShardIterator": self._iterator,
            "GetRecords": self._read,
            "PutRecords": self._put,
            "SplitShard": self._split,
        }

    async def __call__(self, scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        """Answer one request of ASGI."""
        if scope["type"] == "lifespan":
            return
        body = bytearray()
        while (event := await receive())["type"] == "http.request":
            body += event["body"]
            if not event.get("more_body"):
                break
        target = dict(scope["headers"]).get(b"x-amz-target", b"").decode()
        status, answer = self.answer(target.rpartition(".")[2], bytes(body))
        headers = [(b"content-type", CONTENT_TYPE), (b"content-length", str(len(answer)).encode())]
        headers.append((b"x-amzn-requestid", b"00000000-0000-0000-0000-000000000000"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def answer(self, action: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body for a request."""
        found = self._actions.get(action)
        if found is None:
            return 400, orjson.dumps({"__type": "UnknownOperationException", "message": action})
        try:
            return 200, orjson.dumps(found(orjson.loads(body)))
        except KeyError as error:
            return 400, orjson.dumps({"__type": "ResourceNotFoundException", "message": f"there is no {error}"})
        except RefusedRequestError as error:
            return 400, orjson.dumps({"__type": str(error), "message": f"{action} was refused"})

    def _stream(self, request: Request) -> Stream:
        return self.streams[request.get("StreamName") or str(request["StreamARN"]).rpartition("/")[2]]

    def _create(self, request: Request) -> dict[str, Any]:
        name = request["StreamName"]
        if name in self.streams:
            raise RefusedRequestError("ResourceInUseException")
        self.streams[name] = Stream(name, request["ShardCount"])
        return {}

    def _summary(self, request: Request) -> dict[str, Any]:
        stream = self._stream(request)
        return {
            "StreamDescriptionSummary": {
                "StreamName": stream.name,
                "StreamARN": stream.arn,
                "StreamStatus": "ACTIVE",
                "StreamModeDetails": {"StreamMode": "PROVISIONED"},
                "RetentionPeriodHours": 24,
                "StreamCreationTimestamp": stream.created_s,
                "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
                "EncryptionType": "NONE",
                "OpenShardCount": len(stream.open_shards),
                "ConsumerCount": 0,
            }
        }

    def _list_shards(self, request: Request) -> dict[str, Any]:
        stream = self._stream(request)
        shards = list(stream.shards.values())
        kind = (request.get("ShardFilter") or {}).get("Type")
        if kind == "AT_TRIM_HORIZON":  # nothing is forgotten: those that the stream began with
            shards = [shard for shard in shards if not shard.parent]
        elif kind == "AT_LATEST":
            shards = stream.open_shards
        elif kind not in (None, "FROM_TRIM_HORIZON"):
            raise RefusedRequestError("InvalidArgumentException")
        return {"Shards": [shard.described() for shard in shards]}

    def _iterator(self, request: Request) -> dict[str, Any]:
        stream = self._stream(request)
        shard = stream.shards[request["ShardId"]]
        match request["ShardIteratorType"]:
            case "TRIM_HORIZON":
                start = 0
            case "LATEST":
                start = len(shard.records)
            case "AT_SEQUENCE_NUMBER":
                start = sum(number < int(request["StartingSequenceNumber"]) for number in shard.numbers)
            case "AFTER_SEQUENCE_NUMBER":
                start = sum(number <= int(request["StartingSequenceNumber"]) for number in shard.numbers)
            case _:
                raise RefusedRequestError("InvalidArgumentException")
        return {"ShardIterator": _iterator_at(stream, shard, start)}

    def _read(self, request: Request) -> dict[str, Any]:
        name, shard_id, start = orjson.loads(base64.b64decode(request["ShardIterator"]))
        stream = self.streams[name]
        shard = stream.shards[shard_id]
        page: list[dict[str, Any]] = []
        size = 0
        for record in shard.records[start : start + min(request.get("Limit", RECORDS_A_READ_MAX), RECORDS_A_READ_MAX)]:
            size += len(record["Data"]) * 3 // 4
            if page and size > BYTES_A_READ_MAX:
                break
            page.append(record)
        end = start + len(page)
        behind_s = time.time() - page[-1]["ApproximateArrivalTimestamp"] if end < len(shard.records) and page else 0
        answer: dict[str, Any] = {"Records": page, "MillisBehindLatest": round(behind_s * 1_000)}
        if shard.ending is None or end < len(shard.records):
            return answer | {"NextShardIterator": _iterator_at(stream, shard, end)}
        children = [
            {"ShardId": child.shard_id, "ParentShards": [child.parent], "HashKeyRange": child.hash_range}
            for child in shard.children
        ]
        return answer | {"ChildShards": children}

    def _put(self, request: Request) -> dict[str, Any]:
        stream = self._stream(request)
        return {
            "FailedRecordCount": 0,
            "Records": [stream.put(each["PartitionKey"], each["Data"]) for each in request["Records"]],
        }

    def _split(self, request: Request) -> dict[str, Any]:
        self._stream(request).split(request["ShardToSplit"], int(request["NewStartingHashKey"]))
        return {}


def _iterator_at(stream: Stream, shard: Shard, start: int) -> str:
    return base64.b64encode(orjson.dumps([stream.name, shard.shard_id, start])).decode()


async def _answer(listening: socket.socket, ready: Path) -> None:
    config = importlib.import_module("hypercorn.config").Config()  # of the environment of the KCL alone
    serve = importlib.import_module("hypercorn.asyncio").serve
    config.bind = [f"fd://{listening.fileno()}"]
    config.accesslog = None
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    part = ready.with_suffix(".part")
    part.write_text("http://{}:{}".format(*listening.getsockname()))
    part.rename(ready)
    await serve(KinesisDouble(), config, shutdown_trigger=stopping.wait)


def main() -> None:
    """Answer at a free port of this machine alone."""
    listening = socket.socket()  # hypercorn closes it
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    asyncio.run(_answer(listening, Path(sys.argv[1])))
    listening.detach()


if __name__ == "__main__":
    main()
