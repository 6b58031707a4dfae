"""The Redis and Kinesis servers of the local stack: real processes, killed for real."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time

import boto3
import pytest
import redis
from botocore.exceptions import ClientError

from mdm_stream.aws.loopback import loopback_client, loopback_environment
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.local.kinesis.journal import Journal
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer, find_program


def read_all(server: KinesisServer, stream: str) -> list[tuple]:
    """Every record of a stream as (shard, sequence, key, data, arrival)."""
    client, found = server.client(), []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = client.get_shard_iterator(**place)["ShardIterator"]
        while True:
            page = client.get_records(ShardIterator=iterator)
            if not page["Records"]:
                break
            iterator = page["NextShardIterator"]
            for r in page["Records"]:
                arrived = r["ApproximateArrivalTimestamp"]
                found.append((shard["ShardId"], r["SequenceNumber"], r["PartitionKey"], r["Data"], arrived))
    return found


def put(server: KinesisServer, stream: str, numbers: range) -> None:
    """Put numbers on a stream, each under its own key."""
    records = [{"Data": str(n).encode(), "PartitionKey": f"k{n}"} for n in numbers]
    assert server.client().put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0


def is_gone(pid: int) -> bool:
    """Whether a process has ended (a zombie that nobody has reaped yet counts)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_redis_keeps_data_over_a_kill(tmp_path):
    """What was acknowledged survives SIGKILL and a restart."""
    server = RedisServer(tmp_path).start()
    server.client().set("a", "1")
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with server:
        assert server.client().get("a") == b"1"
        assert server.client().config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_redis_in_memory_starts_empty_and_leaves_nothing():
    """Without a folder nothing is kept, and the process ends with the context."""
    with RedisServer() as server:
        pid = server.pid
        server.client().set("a", "1")
    assert is_gone(pid)
    with RedisServer() as server:
        assert server.client().dbsize() == 0


def test_redis_serves_a_unix_socket(tmp_path):
    """A socket is served where it is wanted; a path that no system could bind is refused before the start."""
    with RedisServer(socket_path=tmp_path / "s") as server:
        assert server.running
        assert redis.Redis(unix_socket_path=str(tmp_path / "s")).ping()
    with pytest.raises(ConfigurationError, match="shorter"):
        RedisServer(socket_path=tmp_path / ("x" * 120))


def test_redis_listens_on_no_port_and_its_socket_is_its_users_alone(tmp_path):
    """The socket lies with the data, or, where that path is too long to be bound, in a folder that is as private."""
    for folder in (tmp_path / "data", tmp_path / ("long" * 25), None):
        with RedisServer(folder) as server:
            assert server.client().config_get("port") == {"port": "0"}
            assert stat.S_IMODE(server.socket_path.stat().st_mode) == 0o600
            assert stat.S_IMODE(server.socket_path.parent.stat().st_mode) == 0o700
            assert (server.socket_path.parent == folder) == (folder == tmp_path / "data")


def test_redis_program_can_be_chosen(monkeypatch):
    """Each program can be forced; where there is none the error says what to install."""
    if installed := shutil.which("redis-server"):
        assert str(find_program("redis-server")) == installed
    monkeypatch.setenv("PATH", "")
    assert find_program("auto").name == "valkey-server"
    with pytest.raises(ConfigurationError, match="local"):
        find_program("redis-server")


def test_broken_redis_data_is_reported_with_the_log(tmp_path):
    """A server that cannot load its data is an error that shows why."""
    with RedisServer(tmp_path) as server:
        server.client().set("a", "1")
    [manifest] = tmp_path.rglob("*.manifest")
    manifest.write_text("nonsense\n")
    with pytest.raises(TransientError, match=r"(?i)manifest|format"):
        RedisServer(tmp_path).start()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the death signal is Linux's")
def test_children_die_with_a_killed_parent(tmp_path):
    """SIGKILL of the process that started a server ends the server too, even one started from a finished thread."""
    script = (
        "import sys, threading, time\n"
        "from pathlib import Path\n"
        "from mdm_stream.local.servers.redis import RedisServer\n"
        "server = RedisServer(Path(sys.argv[1]))\n"
        "thread = threading.Thread(target=server.start)\n"
        "thread.start(); thread.join(); time.sleep(0.2)\n"
        "assert server.running\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert os.getsid(pid) == pid  # the terminal's Ctrl-C does not reach it
        parent.kill()
    deadline_s = time.monotonic() + 10
    while not is_gone(pid) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert is_gone(pid)


def test_kinesis_keeps_records_numbers_and_times_over_a_kill(tmp_path):
    """After SIGKILL streams, shards, sequence numbers, order and times are as before; numbering goes on above them."""
    server = KinesisServer(tmp_path).start()
    server.client().create_stream(StreamName="s", ShardCount=2)
    server.client().create_stream(StreamName="deleted", ShardCount=1)
    server.client().delete_stream(StreamName="deleted")
    put(server, "s", range(300))
    before = read_all(server, "s")
    assert len(before) == 300
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with server:
        assert server.client().list_streams()["StreamNames"] == ["s"]
        assert read_all(server, "s") == before
        put(server, "s", range(300, 310))
        after = read_all(server, "s")
    assert [r for r in after if r in set(before)] == before
    highest = {shard: max(int(r[1]) for r in before if r[0] == shard) for shard in {r[0] for r in before}}
    assert all(int(r[1]) > highest[r[0]] for r in set(after) - set(before))


def test_kinesis_never_gives_a_number_twice_after_a_lost_tail(tmp_path):
    """Records that a power cut took from the journal do not have their sequence numbers given to others."""
    with KinesisServer(tmp_path) as server:
        server.client().create_stream(StreamName="s", ShardCount=1)
        put(server, "s", range(3))
        size = (tmp_path / "journal.jsonl").stat().st_size
        put(server, "s", range(3, 6))
        lost = {r[1] for r in read_all(server, "s")[3:]}
    os.truncate(tmp_path / "journal.jsonl", size)
    for _ in range(2):
        with KinesisServer(tmp_path) as server:
            put(server, "s", range(6, 9))
            assert not lost & {r[1] for r in read_all(server, "s")}


def test_kinesis_trims_without_renumbering(tmp_path):
    """Trimmed records are gone, the newest stay, numbers go on, and the journal shrinks."""
    with KinesisServer(tmp_path) as server:
        server.client().create_stream(StreamName="s", ShardCount=1)
        for start in range(0, 11_000, 500):
            put(server, "s", range(start, start + 500))
        size = (tmp_path / "journal.jsonl").stat().st_size
        assert server.trim("s", {"shardId-000000000000": "500"}, 10_900) == 100
        assert server.trim("s", {"shardId-000000000000": "10990"}, 0) == 10_890
        assert server.trim("nowhere", {"shardId-000000000000": "1"}, 0) == 0
        kept = read_all(server, "s")
        assert [r[1] for r in kept] == [str(n) for n in range(10_991, 11_001)]
        assert (tmp_path / "journal.jsonl").stat().st_size < size / 10
    with KinesisServer(tmp_path) as server:
        assert read_all(server, "s") == kept
        put(server, "s", range(1))
        assert int(read_all(server, "s")[-1][1]) > 11_000


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A server for the tests that do not restart it; each has streams of its own."""
    with KinesisServer(tmp_path_factory.mktemp("journal")) as server:
        yield server


def test_kinesis_numbers_concurrent_writers(shared):
    """Writers at the same time lose nothing and share no sequence number."""
    shared.client().create_stream(StreamName="writers", ShardCount=1)
    ranges = [range(n * 100, n * 100 + 100) for n in range(4)]
    threads = [threading.Thread(target=put, args=(shared, "writers", numbers)) for numbers in ranges]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_all(shared, "writers")
    assert [int(r[1]) for r in found] == list(range(1, 401))
    assert {int(r[3]) for r in found} == set(range(400))


def test_kinesis_refuses_what_it_cannot_keep(shared):
    """Resharding and foreign regions are refused in words; a missing stream is Kinesis' own error."""
    client = shared.client()
    client.create_stream(StreamName="fixed", ShardCount=1)
    with pytest.raises(ClientError, match="more shards"):
        client.update_shard_count(StreamName="fixed", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        client.put_record(StreamName="missing", Data=b"", PartitionKey="k")
    with pytest.raises(ClientError):
        client.get_records(ShardIterator="bm9uc2Vuc2U=")
    keys = {"aws_access_key_id": shared.keys.access_key_id, "aws_secret_access_key": shared.keys.secret_access_key}
    abroad = boto3.client("kinesis", region_name="eu-west-1", endpoint_url=shared.endpoint_url, **keys)
    with pytest.raises(ClientError, match="us-east-1"):
        abroad.create_stream(StreamName="abroad", ShardCount=1)


def test_kinesis_refuses_records_that_a_stream_does_not_take(shared):
    """A record over 1 MiB with its key makes the call fail that it is in, alone or among others, as on AWS."""
    client = shared.client()
    client.create_stream(StreamName="strict", ShardCount=1)
    fits, large = b"x" * (2**20 - 1), b"x" * 2**20
    client.put_record(StreamName="strict", Data=fits, PartitionKey="k")
    with pytest.raises(ClientError, match="ValidationException"):
        client.put_record(StreamName="strict", Data=large, PartitionKey="k")
    records = [{"Data": data, "PartitionKey": "k"} for data in (b"small", large, b"small")]
    with pytest.raises(ClientError, match="ValidationException"):
        client.put_records(StreamName="strict", Records=records)


def test_s3_is_served_beside_kinesis(shared):
    """The same endpoint answers S3, with any name of an object."""
    s3 = shared.client("s3")
    s3.create_bucket(Bucket="quarantine")
    s3.put_object(Bucket="quarantine", Key="a b/é", Body=b"1")
    assert s3.get_object(Bucket="quarantine", Key="a b/é")["Body"].read() == b"1"


def test_torn_journal_line_is_dropped_and_damage_is_not(tmp_path):
    """The half line of a crash is cut off; damage before the end stops the start and leaves the file alone."""
    path = tmp_path / "journal.jsonl"
    for torn in (b'{"op":"pu', b'{"op":"pu\n'):
        path.write_bytes(b'{"op":"create","stream":"s","shards":1}\n' + torn)
        journal = Journal(path)
        assert [entry["op"] for entry in journal.entries()] == ["create"]
        journal.append([{"op": "delete", "stream": "s"}])
        journal.close()
        assert path.read_bytes().count(b"\n") == 2
    damaged = b'{"op":"create","str\x00\n{"op":"delete","stream":"s"}\n'
    path.write_bytes(damaged)
    with pytest.raises(TransientError, match="damaged at byte 0"):
        KinesisServer(tmp_path).start()
    assert path.read_bytes() == damaged


def test_clients_ignore_the_machines_aws_settings(monkeypatch, shared):
    """A profile, proxy or endpoint in the environment changes nothing about a local client."""
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "theirs")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "theirs")
    assert "HasMoreStreams" in loopback_client("kinesis", shared.endpoint_url, shared.keys).list_streams()
    inherited = {"AWS_PROFILE": "p", "AWS_SESSION_TOKEN": "t", "PATH": "/bin"}
    environment = loopback_environment("http://127.0.0.1:9", shared.keys, inherited)
    assert environment["PATH"] == "/bin"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & environment.keys()
