"""The command publish, against a real local Kinesis API."""

import base64
import csv
import http.server
import os
import subprocess
import sys
import threading
from dataclasses import replace
from typing import ClassVar

import orjson
import pytest

from mdm_stream.aws.loopback import LoopbackKeys
from mdm_stream.cli.main import run
from mdm_stream.contracts.signature import SigningKey, is_signed_by
from mdm_stream.decode import Delivery
from mdm_stream.decode.decoder import Decoder
from mdm_stream.decode.files.event_files import file_events
from mdm_stream.decode.unpacking import unpack
from mdm_stream.deployment import RunningStack, read_stack, remove_stack, write_stack
from mdm_stream.errors import ConfigurationError
from mdm_stream.rules import load_rulesets
from mdm_stream.simulate import EVENT_FILES, write_population

FORMATS = {"crm": "debezium", "erp": "dms", "web": "canonical"}


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    """A small population's folder."""
    folder = tmp_path_factory.mktemp("population")
    write_population(folder, 40, 3)
    return folder


@pytest.fixture
def stream(server, request):
    """A fresh stream of two shards, by name."""
    name = f"changes-{abs(hash(request.node.name))}"
    server.client().create_stream(StreamName=name, ShardCount=2)
    return name


@pytest.fixture
def state(tmp_path, server, stream, population):
    """The state directory of a running stack whose change stream is ``stream``."""
    rules = (str(population / "rules.yaml"),)
    write_stack(
        tmp_path,
        RunningStack(server.endpoint_url, stream, "golden", "redis://127.0.0.1:1/0", "none", rules, server.keys),
    )
    return tmp_path


def stack_at(address):
    """A stack that says that it is there, with keys of its own."""
    return RunningStack(address, "changes", "golden", "redis://127.0.0.1:1/0", "x", ("person",), LoopbackKeys.new())


def records_of(server, stream):
    """Every record on the stream as (partition key, bytes), shard by shard in order."""
    client, found = server.client(), []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        position = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = client.get_shard_iterator(**position)["ShardIterator"]
        while page := (answer := client.get_records(ShardIterator=iterator))["Records"]:
            found += [(record["PartitionKey"], record["Data"]) for record in page]
            iterator = answer["NextShardIterator"]
    return found


@pytest.mark.parametrize("source", sorted(FORMATS))
def test_event_files_arrive_as_they_are(server, state, stream, population, source, capsys):
    """Every event of a file reaches the stack's stream with its own bytes, in order within a record."""
    path = population / EVENT_FILES[source]
    assert run(["publish", str(path), "--format", FORMATS[source], "--state", str(state), "--json"]) == 0
    sent = [line for line in path.read_bytes().splitlines() if b'"record-type":"control"' not in line]
    arrived = records_of(server, stream)
    assert orjson.loads(capsys.readouterr().out) == {
        "stream": stream,
        "sent": len(sent),
        "unreadable": 0,
        "too_large": 0,
    }
    assert sorted(data for _, data in arrived) == sorted(sent)
    rulesets = load_rulesets([population / "rules.yaml"])
    expected, by_key = {}, {}
    for raw, event in file_events(path, None, None, rulesets):
        expected.setdefault(f"person/{event.ref}", []).append(raw)
    for key, data in arrived:
        by_key.setdefault(key, []).append(data)
    assert by_key == expected


def test_csv_rows_become_canonical_events(server, state, stream, tmp_path, population, capsys):
    """A CSV row is sent as the canonical event that it means, version and time included; --source names its source."""
    path = tmp_path / "people.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("record_id", "given_name", "family_name"), ("1", "Ada", "Doe"), ("2", "Bo", "Roe")]
        )
    loaded_ns = path.stat().st_mtime_ns // 1_000 * 1_000
    argv = ["publish", str(path), "--format", "csv", "--source", "web", "--state", str(state)]
    assert run(argv) == 0
    assert "2 events sent" in capsys.readouterr().out
    decoder = Decoder(load_rulesets([population / "rules.yaml"]))
    decoded = [decoder.decode(Delivery.unplaced(data))[0] for _, data in records_of(server, stream)]
    assert sorted((event.record_id, event.version, event.attributes["given_name"]) for event in decoded) == [
        ("1", loaded_ns + 1, "Ada"),
        ("2", loaded_ns + 2, "Bo"),
    ]


def test_aggregated_events_are_the_same_events_in_fewer_records(server, state, stream, population):
    """With --aggregate every record of the stream holds several, and a consumer reads what it would read without."""
    events = population / EVENT_FILES["web"]
    assert run(["publish", str(events), "--format", "canonical", "--aggregate", "--state", str(state)]) == 0
    records = records_of(server, stream)
    unpacked = [each.raw for _, data in records for each in unpack(Delivery.from_row(data, 1))]
    lines = [line for line in events.read_bytes().splitlines() if line.strip()]
    assert sorted(map(orjson.dumps, map(orjson.loads, unpacked))) == sorted(map(orjson.dumps, map(orjson.loads, lines)))
    assert len(records) < len(lines) / 2


def test_standard_input_is_read_as_a_file_is(server, state, stream, population):
    """- publishes what is piped in."""
    path = population / EVENT_FILES["web"]
    program = [sys.executable, "-m", "mdm_stream.cli.main", "publish", "-", "--format", "canonical"]
    done = subprocess.run(
        [*program, "--state", str(state)], input=path.read_bytes(), capture_output=True, check=True, timeout=60
    )
    assert done.stderr == b""
    assert sorted(data for _, data in records_of(server, stream)) == sorted(path.read_bytes().splitlines())


def test_what_cannot_be_read_is_sent_for_quarantine_and_what_is_too_large_is_told(
    server, state, stream, tmp_path, capsys
):
    """Unreadable lines go to the consumer with their bytes; a line above the stream's limit is exit code 1."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"truncated":\n\xff\xfe\n' + b'{"x":"' + b"a" * 1_100_000 + b'"}\n')
    assert run(["publish", str(path), "--format", "canonical", "--state", str(state), "--json"]) == 1
    out, err = capsys.readouterr()
    assert orjson.loads(out) == {"stream": stream, "sent": 2, "unreadable": 2, "too_large": 1}
    assert "larger than the stream takes" in err
    assert sorted(data for _, data in records_of(server, stream)) == [b'{"truncated":', b"\xff\xfe"]


def test_an_endpoint_can_be_named_instead_of_a_stack(server, stream, population, capsys):
    """--endpoint, --stream and --rules do without a state directory."""
    argv = ["publish", str(population / EVENT_FILES["web"]), "--format", "canonical", "--stream", stream]
    assert run([*argv, "--endpoint", server.endpoint_url, "--rules", str(population / "rules.yaml")]) == 0
    assert run([*argv, "--endpoint", server.endpoint_url]) == 2
    assert "--stream needs --rules" in capsys.readouterr().err


def test_no_stack_and_no_file_are_explained(tmp_path, state, capsys):
    """A missing stack or event file is a sentence that says what to do, exit code 2."""
    assert run(["publish", "x.jsonl", "--format", "canonical", "--state", str(tmp_path / "absent")]) == 2
    assert "mdm-stream up" in capsys.readouterr().err
    assert run(["publish", str(tmp_path / "x.jsonl"), "--format", "canonical", "--state", str(state)]) == 2
    assert "x.jsonl" in capsys.readouterr().err


def test_a_stack_that_died_is_noticed_at_once(tmp_path, capsys):
    """A left-over stack file does not make a client wait."""
    write_stack(tmp_path, stack_at("http://127.0.0.1:1"))
    assert run(["publish", "x.jsonl", "--format", "canonical", "--state", str(tmp_path)]) == 2
    assert "does not answer any more" in capsys.readouterr().err


def test_nothing_is_sent_to_another_program_on_the_port_of_a_stack_that_died(tmp_path, server, stream, capsys):
    """What has taken its place cannot prove to be it, whether it speaks Kinesis or says yes to everything."""

    class Agreeable(http.server.BaseHTTPRequestHandler):
        heard: ClassVar[list[bytes]] = []

        def do_POST(self) -> None:
            self.heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"0" * 64)

        def log_message(self, *_: object) -> None:
            pass

    events = tmp_path / "events.jsonl"
    events.write_text('{"domain": "person", "source": "crm", "record_id": "1", "op": "delete", "version": 1}')
    with http.server.HTTPServer(("127.0.0.1", 0), Agreeable) as impostor:
        threading.Thread(target=impostor.serve_forever, daemon=True).start()
        for address in (f"http://127.0.0.1:{impostor.server_port}", server.endpoint_url):
            write_stack(tmp_path, replace(stack_at(address), changes_stream=stream))
            assert run(["publish", str(events), "--format", "canonical", "--state", str(tmp_path)]) == 2
            assert "another program" in capsys.readouterr().err
        impostor.shutdown()
    assert len(Agreeable.heard) == 1
    assert b"crm" not in Agreeable.heard[0]
    assert records_of(server, stream) == []


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_stack_in_a_folder_that_others_can_write_to_is_not_trusted(tmp_path, mode, capsys):
    """They could have put the file there that leads to an address of theirs."""
    write_stack(tmp_path / "state", stack_at("http://127.0.0.1:1"))
    (tmp_path / "state").chmod(mode)
    if os.geteuid() == 0:
        os.chown(tmp_path / "state", 0, 65534)
    elif mode == 0o775:
        pytest.skip("only root can give a folder to a group that is not the user's")
    assert run(["publish", "x.jsonl", "--format", "canonical", "--state", str(tmp_path / "state")]) == 2
    assert "other users can write" in capsys.readouterr().err


def test_the_stack_file_reads_back_and_is_private(tmp_path):
    """What was written is read; its owner alone can; damage and absence are configuration errors."""
    stack = stack_at("http://127.0.0.1:1")
    write_stack(tmp_path, stack)
    assert read_stack(tmp_path) == stack
    assert stack.keys.secret_access_key not in repr(stack)
    assert (tmp_path / "stack.json").stat().st_mode & 0o077 == 0
    (tmp_path / "stack.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="damaged"):
        read_stack(tmp_path)
    remove_stack(tmp_path)
    remove_stack(tmp_path)
    with pytest.raises(ConfigurationError, match="no local stack runs"):
        read_stack(tmp_path)


def test_decisions_go_on_the_steward_stream_and_may_be_signed(server, stream, state, tmp_path, capsys):
    """Records go on the change stream; each signed with the key in the file, whose name is the key's id."""
    steward = stream.replace("changes", "steward")
    server.client().create_stream(StreamName=steward, ShardCount=1)
    key = tmp_path / "web-2026"
    key.touch(mode=0o600)
    key.write_bytes(base64.b64encode(b"k" * 32))
    common = {"domain": "person", "source": "web", "record_id": "1", "event_time": "2026-01-01T00:00:00Z"}
    record = {**common, "op": "upsert", "version": 1, "attributes": {"city": "Leeds"}}
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(each) for each in (record, {**common, "op": "erase"})))
    argv = ["publish", str(file), "--format", "canonical", "--rules", "person", "--endpoint", server.endpoint_url]
    argv += ["--stream", stream, "--steward-stream", steward, "--signing-key", str(key)]
    assert run(argv) == 0
    ((_, changed),), ((_, decided),) = records_of(server, stream), records_of(server, steward)
    for raw, op in ((changed, "upsert"), (decided, "erase")):
        sent = orjson.loads(raw)
        assert sent["op"] == op
        assert is_signed_by(sent, sent["signature"]["value"], SigningKey("web-2026", b"k" * 32))
