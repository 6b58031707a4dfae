"""The command dlq, against a real local Kinesis API, a folder and an S3 bucket."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from mdm_stream.cli.main import cli, run
from mdm_stream.cli.redelivery import NOT_SENT, change_key_of, deliver_with
from mdm_stream.dead_letters import Message
from mdm_stream.dead_letters.quarantine import QuarantineEntry, QuarantineStore, open_quarantine
from mdm_stream.decode import Delivery, claimed_identity
from mdm_stream.decode.redrive_envelope import unwrap
from mdm_stream.deployment import ON_FAILURE_FOLDER, QUARANTINE_FOLDER, RunningStack, write_stack
from mdm_stream.errors import Reason
from mdm_stream.local.event_source.lanes import Discard
from mdm_stream.local.event_source.mapping import ShardRecord
from mdm_stream.local.event_source.on_failure import OnFailure, put_into
from mdm_stream.objects.opening import open_object_store
from producers.delivery import PublisherSettings
from producers.partition_key import partition_key

SECRET = "Wilhelmina"
"""A value of the events, which is shown on request alone."""


def change(record_id, source="crm"):
    """A canonical event without a version."""
    event = {"domain": "person", "source": source, "record_id": record_id, "op": "upsert"}
    return orjson.dumps(event | {"attributes": {"given_name": SECRET}})


def delivered(raw, number):
    """The n-th event of the stream."""
    return Delivery.from_kinesis(raw, str(number), float(number), f"changes/s:{number}")


def reject(quarantine: QuarantineStore, raw, number, code="unknown_source"):
    """Quarantine an event; return its id."""
    claimed = claimed_identity(raw)
    reasons = (Reason(code, "source", "is not known"),)
    entry = QuarantineEntry(delivered(raw, number), reasons, 0, claimed.domain, claimed.source, claimed.record_id)
    quarantine.put([entry])
    return entry.quarantine_id


def give_up(url, stream, raws, first, s3_client=None):
    """Write a batch to an on-failure destination."""
    arn = f"arn:aws:kinesis:us-east-1:123456789012:stream/{stream}"
    records = tuple(ShardRecord(str(n), f"key-{n}", raw, float(n)) for n, raw in enumerate(raws, start=first))
    writer = OnFailure(put_into(url, lambda: s3_client), function_name="resolve", stream_arn=arn)
    writer.write(Discard(records, "RecordAgeExceeded", 1), "shardId-000000000000", datetime.now(UTC).timestamp())


@pytest.fixture
def stream(server, request):
    """A fresh stream by name."""
    name = f"changes-{abs(hash(request.node.name))}"
    server.client().create_stream(StreamName=name, ShardCount=1)
    return name


@pytest.fixture
def steward(server, stream):
    """A fresh steward stream by name."""
    name = stream.replace("changes", "steward")
    server.client().create_stream(StreamName=name, ShardCount=1)
    return name


@pytest.fixture
def state(tmp_path, server, stream, steward):
    """The state directory of a running stack, with two rejected events and a batch that was given up."""
    write_stack(
        tmp_path,
        RunningStack(server.endpoint_url, stream, "golden", "redis://127.0.0.1:1/0", "none", (), server.keys, steward),
    )
    quarantine = open_quarantine((tmp_path / QUARANTINE_FOLDER).as_uri())
    reject(quarantine, change("1"), 1)
    reject(quarantine, b"\xff\x1b[2J", 2, code="not_utf8")
    give_up(str(tmp_path / ON_FAILURE_FOLDER), stream, [change("3"), change("4", "erp")], 3)
    return tmp_path


def arrived(server, stream):
    """Every record on the stream: (partition key, bytes)."""
    client = server.client()
    position = {"StreamName": stream, "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    records = client.get_records(ShardIterator=client.get_shard_iterator(**position)["ShardIterator"])["Records"]
    return [(record["PartitionKey"], record["Data"]) for record in records]


def listed(state, capsys, *more):
    """What dlq list says."""
    assert run(["dlq", "list", "--state", str(state), "--json", *more]) == 0
    return orjson.loads(capsys.readouterr().out)["dead_letters"]


def test_list_shows_what_is_there_and_no_value(state, capsys):
    """Both kinds, in order of arrival, for machines and for people; selected as the options say."""
    letters = listed(state, capsys)
    assert [(letter["kind"], letter["events"], letter["causes"]) for letter in letters] == [
        ("quarantine", 1, ["unknown_source"]),
        ("quarantine", 1, ["not_utf8"]),
        ("on_failure", 2, ["RecordAgeExceeded"]),
    ]
    assert [letter["causes"] for letter in listed(state, capsys, "--reason", "not_utf8")] == [["not_utf8"]]
    assert [letter["source"] for letter in listed(state, capsys, "--domain", "person", "--source", "crm")] == ["crm"]
    result = CliRunner().invoke(cli, ["dlq", "list", "--state", str(state)])
    assert "3 dead letters with 4 events" in result.output
    assert SECRET not in result.output


def test_list_of_nothing(tmp_path, capsys):
    """A stack without dead letters has none; a directory that is not there is a usage error."""
    assert listed(tmp_path, capsys) == []
    assert run(["dlq", "list", "--state", str(tmp_path / "absent")]) == 2
    assert "no local stack" in capsys.readouterr().err


def test_show_tells_why_and_the_bytes_on_request(state, capsys):
    """Reasons, place and claims are always shown; text as text, and what a terminal would obey as hexadecimal."""
    event, binary, batch = (letter["id"] for letter in listed(state, capsys))
    for letter_id, shown in ((event, SECRET), (binary, "ff1b5b324a"), (batch, SECRET)):
        argv = ["dlq", "show", letter_id, "--state", str(state)]
        for more in ([], ["--json"]):
            assert run([*argv, *more]) == 0
            assert shown not in capsys.readouterr().out
            assert run([*argv, *more, "--raw"]) == 0
            out = capsys.readouterr().out
            assert shown in out
            assert "\x1b" not in out
    assert run(["dlq", "show", event, "--state", str(state)]) == 0
    assert "unknown_source at source: is not known" in capsys.readouterr().out
    assert run(["dlq", "show", batch, "--state", str(state), "--json"]) == 0
    document = orjson.loads(capsys.readouterr().out)
    assert [int(each["position"]) for each in document["events"]] == [3, 4]
    assert document["condition"] == "RecordAgeExceeded"


def test_redrive_sends_everything_as_what_it_was(server, stream, steward, state, capsys):
    """All events are on the stream again with their places, under their records' keys; nothing is left."""
    assert run(["dlq", "redrive", "--all", "--yes", "--state", str(state), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out) == {"stream": steward, "redriven": 3, "events": 4, "left": {}}
    redriven = {key: unwrap(data) for key, data in arrived(server, steward)}
    assert arrived(server, stream) == []
    assert sorted(int(each.position) for each in redriven.values()) == [1, 2, 3, 4]
    assert redriven[partition_key("person", "crm", "1")].raw == change("1")
    assert redriven["key-3"].raw == change("3")
    assert listed(state, capsys) == []
    assert run(["dlq", "redrive", "--all", "--yes", "--state", str(state)]) == 0
    assert "0 dead letters" in capsys.readouterr().out


def test_redrive_and_drop_of_what_is_selected(server, steward, state, capsys):
    """By id and by reason: only that is sent, only that is dropped."""
    event = listed(state, capsys)[0]["id"]
    assert run(["dlq", "redrive", event, "--yes", "--state", str(state)]) == 0
    assert len(arrived(server, steward)) == 1
    assert run(["dlq", "drop", "--reason", "not_utf8", "--yes", "--state", str(state), "--json"]) == 0
    capsys.readouterr()
    assert [letter["kind"] for letter in listed(state, capsys)] == ["on_failure"]
    assert len(arrived(server, steward)) == 1


@pytest.mark.parametrize("command", ["redrive", "drop"])
def test_nothing_happens_unasked(server, stream, state, command, capsys):
    """Without --yes there is a question that tells what will happen; no is no, and so is no answer at all."""
    for answer in ("n\n", ""):
        result = CliRunner().invoke(cli, ["dlq", command, "--all", "--state", str(state)], input=answer)
        assert "3 dead letters with 4 events" in result.output
        assert result.exit_code != 0
    assert len(listed(state, capsys)) == 3
    assert arrived(server, stream) == []
    result = CliRunner().invoke(cli, ["dlq", command, "--all", "--state", str(state)], input="y\n")
    assert result.exit_code == 0
    assert listed(state, capsys) == []


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["redrive"], "say which"),
        (["drop"], "say which"),
        (["redrive", "--all", "--domain", "person"], "--all alone"),
        (["drop", "no-such-id", "--yes"], "no-such-id"),
        (["show", "no-such-id"], "no-such-id"),
        (["redrive", "--all", "--endpoint", "http://127.0.0.1:1"], "--golden-stream need --stream"),
        (["list", "--quarantine", "ftp://x"], "file:///folder or s3://bucket"),
    ],
)
def test_wrong_usage_is_exit_code_2(state, argv, said, capsys):
    """What cannot be meant is refused before anything is touched."""
    assert run(["dlq", *argv, "--state", str(state)]) == 2
    assert said in capsys.readouterr().err
    assert len(listed(state, capsys)) == 3


def test_what_could_not_be_sent_is_exit_code_1(server, stream, state, capsys):
    """A batch of a stream that was not named is still there, and said; so is everything if the stream is not there."""
    places = ["--quarantine", str(state / QUARANTINE_FOLDER), "--on-failure", str(state / ON_FAILURE_FOLDER)]
    give_up(str(state / ON_FAILURE_FOLDER), "elsewhere", [b"{}"], 9)
    argv = ["dlq", "redrive", "--all", "--yes", *places, "--endpoint", server.endpoint_url]
    assert run([*argv, "--stream", stream, "--json"]) == 1
    out, err = capsys.readouterr()
    assert list(orjson.loads(out)["left"].values()) == [
        "its events belong to stream elsewhere, which this redrive does not send to"
    ]
    assert "1 dead letters could not be sent" in err
    assert run([*argv, "--stream", "elsewhere"]) == 1
    assert "ResourceNotFoundException" in capsys.readouterr().out
    (letter,) = listed(state, capsys)
    assert letter["redriving"]
    server.client().create_stream(StreamName="elsewhere", ShardCount=1)
    assert run([*argv, "--stream", "elsewhere"]) == 0
    assert unwrap(arrived(server, "elsewhere")[0][1]).raw == b"{}"


def test_dead_letters_in_s3(server, stream, tmp_path, capsys):
    """Addresses of buckets do as folders do: Lambda's keys have no prefix, the quarantine's have one."""
    client = server.client("s3")
    client.create_bucket(Bucket="dead")
    reject(QuarantineStore(open_object_store("s3://dead/rejected", s3_client=client)), change("1"), 1)
    give_up("s3://dead", stream, [change("2")], 2, client)
    places = ["--quarantine", "s3://dead/rejected", "--on-failure", "s3://dead", "--s3-endpoint", server.endpoint_url]
    assert len(listed(tmp_path, capsys, *places)) == 2
    argv = ["dlq", "redrive", "--all", "--yes", *places, "--stream", stream, "--endpoint", server.endpoint_url]
    assert run(argv) == 0
    assert [unwrap(data).raw for _, data in arrived(server, stream)] == [change("1"), change("2")]
    assert client.list_objects_v2(Bucket="dead")["KeyCount"] == 0


class Throttled:
    """A client whose stream never takes the records of one key."""

    def __init__(self, client, key):
        self._client = client
        self._key = key

    def put_records(self, *, StreamName, Records):  # noqa: N803
        """Take the other records."""
        fine = [record for record in Records if record["PartitionKey"] != self._key]
        if fine:
            self._client.put_records(StreamName=StreamName, Records=fine)
        code = "ProvisionedThroughputExceededException"
        return {"Records": [{"ErrorCode": code} if r["PartitionKey"] == self._key else {} for r in Records]}


QUICK = PublisherSettings(attempts_max=2, linger_s=0, backoff_base_s=0.001, backoff_max_s=0.001, failures_max=1)


def test_delivery_tells_what_was_not_taken(server, stream):
    """Of several streams and keys, those that were given up are named by their places, with Kinesis's code."""
    server.client().create_stream(StreamName=f"{stream}-b", ShardCount=1)
    messages = [Message(stream, "a", b"1"), Message(f"{stream}-b", "full", b"2"), Message(stream, "a", b"3")]
    failures = deliver_with(Throttled(server.client(), "full"), QUICK)(messages)
    assert failures == {1: "ProvisionedThroughputExceededException"}
    assert arrived(server, stream) == [("a", b"1"), ("a", b"3")]


def test_how_large_a_record_may_be_is_left_to_its_stream(server, stream):
    """One that its stream takes is sent; one that it refuses is named, and holds back none of its neighbours."""

    class Larger:
        def __init__(self) -> None:
            self.taken: list[int] = []

        def put_records(self, **request):
            self.taken += [len(record["Data"]) for record in request["Records"]]
            return {"FailedRecordCount": 0, "Records": [{} for _ in request["Records"]]}

    two = b"x" * (2 * 1024 * 1024)
    larger = Larger()
    assert deliver_with(larger)([Message("golden", "a", two)]) == {}
    assert larger.taken == [len(two)]
    messages = [Message(stream, "a", b"1"), Message(stream, "b", two), Message(stream, "c", b"3")]
    assert deliver_with(server.client())(messages).keys() == {1}
    assert arrived(server, stream) == [("a", b"1"), ("c", b"3")]


def test_delivery_counts_as_failed_what_it_never_tried():
    """After too many failures the publisher takes nothing more: that is said of each message, not passed over."""

    class Away:
        def put_records(self, **_request):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "PutRecords")

    messages = [Message("x", str(number), str(number).encode()) for number in range(400)]
    failures = deliver_with(Away(), QUICK)(messages)
    assert failures.keys() == set(range(400))
    assert set(failures.values()) <= {"ResourceNotFoundException", "Closed", NOT_SENT}


def test_partition_keys_of_changes():
    """Whatever has the parts of a key gets it, also if it is otherwise wrong; the rest has none."""
    assert change_key_of(change("7")) == partition_key("person", "crm", "7")
    for raw in (b"", b"\xff", b"[]", b"7", b'{"op":"upsert"}', b'{"op":"verdict","domain":"d","a":1,"b":[]}'):
        assert change_key_of(raw) is None
