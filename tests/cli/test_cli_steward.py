"""The commands review, override, hold and release, on a real Redis and a real local Kinesis API."""

from __future__ import annotations

import io

import orjson
import pytest

from mdm_stream.cli.main import run
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.deployment import RunningStack, write_stack
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rules import load_ruleset
from producers.partition_key import partition_key_of

pytestmark = pytest.mark.one_redis

ANN = {"given_name": "Ann", "family_name": "Okonkwo", "birth_date": "1980-01-02", "city": "Leeds"}
IN_2030 = "2030-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def rules():
    """The person pack."""
    return load_ruleset("person")


class World:
    """An index, a change stream, and the state directory of a stack that has them."""

    def __init__(self, client, url, server, rules, folder, stream):
        self.index = RedisIndex(client, rules)
        self.engine = Engine(rules, self.index)
        self.decoder = Decoder({"person": rules})
        self.kinesis, self.stream, self.redis_url, self.endpoint = server.client(), stream, url, server.endpoint_url
        self.kinesis.create_stream(StreamName=stream, ShardCount=1)
        self.read = 0
        stack = RunningStack(server.endpoint_url, stream, "golden", url, "none", ("person",), server.keys, stream)
        write_stack(folder, stack)
        self.state = ["--state", str(folder)]

    def apply(self, *events):
        """Apply events, as the resolve consumer would."""
        assert not self.engine.process(events).failed

    def sent(self):
        """Return what has come on the stream since the last time: (partition key, document, event)."""
        (shard,) = self.kinesis.list_shards(StreamName=self.stream)["Shards"]
        position = {"StreamName": self.stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        records = self.kinesis.get_records(ShardIterator=self.kinesis.get_shard_iterator(**position)["ShardIterator"])
        new = records["Records"][self.read :]
        self.read += len(new)
        return [
            (r["PartitionKey"], orjson.loads(r["Data"]), self.decoder.decode(Delivery.unplaced(r["Data"]))[0])
            for r in new
        ]

    def apply_sent(self):
        """Apply what was sent; return the events."""
        events = [event for _, _, event in self.sent()]
        self.apply(*events)
        return events


@pytest.fixture
def world(redis_client, redis_url, server, rules, tmp_path, request):
    """Two records of one person, and a namesake whom a steward keeps apart."""
    world = World(redis_client, redis_url, server, rules, tmp_path, f"changes-{abs(hash(request.node.name))}")
    world.apply(
        RecordEvent("person", "crm", "1", "upsert", 1, 0, ANN),
        RecordEvent("person", "erp", "2", "upsert", 1, 1, ANN),
        RecordEvent("person", "web", "3", "upsert", 1, 2, ANN),
        VerdictEvent("person", "crm/1", "web/3", "separate", 4, 4, "steward-1"),
    )
    return world


def called(capsys, *argv):
    """Run a command; return its exit code, stdout and stderr, white space made single."""
    code = run([str(word) for word in argv])
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), " ".join(err.split())


def test_review_list_shows_the_queue(world, capsys, monkeypatch):
    """People see pairs, evidence, worth, and the verdicts in the way; JSON has the same; no value is in either."""
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = called(capsys, "review", "list", *world.state)
    assert code == 0
    for said in ("1 of 1 items: 1 separated", "erp/2 web/3", "2 x 1", "by score", "verdict separate by steward-1"):
        assert said in out
    assert run(["review", "list", "--json", *world.state]) == 0
    shown = capsys.readouterr().out
    found = orjson.loads(shown)
    assert (found["total"], found["held"], len(found["items"])) == (1, None, 1)
    assert found["items"][0]["separated"][0]["verdict"]["version"] == 4
    assert "Okonkwo" not in out + shown
    assert called(capsys, "review", "list", "--reason", "score", *world.state)[1] == "The review queue is empty."


def test_review_decide_is_a_verdict_that_counts(world, capsys):
    """A decision is newer than what stands, goes under the pair's partition key, and does what it says."""
    assert world.index.golden_of(["crm/1", "web/3"])["crm/1"] != world.index.golden_of(["web/3"])["web/3"]
    argv = ["review", "decide", "web/3", "crm/1", "none", "--steward", "s-2", "--json", *world.state]
    assert run(argv) == 0
    told = orjson.loads(capsys.readouterr().out)
    ((key, document, event),) = world.sent()
    assert told == {"stream": world.stream, "sent": document}
    assert key == partition_key_of(document)
    assert (event.a, event.b, event.verdict, event.steward) == ("crm/1", "web/3", "none", "s-2")
    world.apply(event)
    assert len(set(world.index.golden_of(["crm/1", "erp/2", "web/3"]).values())) == 1
    assert (
        "no record crm/77;"
        in called(capsys, "review", "decide", "crm/77", "crm/1", "link", "--steward", "s-2", *world.state)[2]
    )
    assert len(world.sent()) == 1
    argv = ["review", "decide", "crm/1", "erp/2", "separate", "--steward", "s-2", "--version", "9"]
    assert run([*argv, *world.state]) == 0
    ((_, _, event),) = world.sent()
    assert event.version == 9


def test_an_override_is_sent_without_being_said_again(world, capsys, monkeypatch):
    """Values come from the command line or from standard input, and are not in what is printed."""
    monkeypatch.setattr("sys.stdin", io.StringIO("Annabel\nann@example.org\n"))
    argv = ["override", "crm/1", "given_name=-", "city=York", "email=-", "email=a@example.org", "--steward", "s-2"]
    code, out, err = called(capsys, *argv, "--expires", IN_2030, "--json", *world.state)
    assert (code, err) == (0, "")
    assert orjson.loads(out)["sent"]["attributes"] == ["city", "email", "given_name"]
    assert not [value for value in ("Annabel", "York", "example") if value in out]
    (event,) = world.apply_sent()
    assert event.attributes == {
        "given_name": "Annabel", "city": "York", "email": ("ann@example.org", "a@example.org"),
    }  # fmt: skip
    golden = world.index.golden_record(world.index.golden_of(["crm/1"])["crm/1"])
    assert (golden["values"]["given_name"], golden["values"]["city"]) == ("Annabel", "York")
    assert golden["provenance"]["city"][0]["source"] == "steward"


def test_an_override_is_taken_back(world, capsys):
    """--clear lets survivorship decide again, however fast it follows, and leaves other overrides alone."""
    assert run(["override", "crm/1", "city=York", "given_name=Anna", "--steward", "s", *world.state]) == 0
    world.apply_sent()
    assert run(["override", "crm/1", "--clear", "city", "--steward", "s", *world.state]) == 0
    world.apply_sent()
    golden = world.index.golden_record(world.index.golden_of(["crm/1"])["crm/1"])
    assert (golden["values"]["city"], golden["values"]["given_name"]) == ("Leeds", "Anna")
    capsys.readouterr()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["review", "decide", "crm/1", "crm/1", "link"], "two different ones"),
        (["review", "decide", "crm", "crm/1", "link"], "not SOURCE/ID"),
        (["review", "decide", "crm/1", "b d/2", "link"], "a.source does not have the form"),
        (["review", "decide", "crm/1", "crm/" + "2" * 300, "link"], "longer than allowed"),
        (["override", "crm/1"], "name what to set"),
        (["override", "crm/1", "Annabel"], "assignment 1 is not ATTRIBUTE=VALUE"),
        (["override", "crm/1", "sur_name=Annabel"], "no attribute 'sur_name'"),
        (["override", "crm/1", "city=York", "city=Annabel"], "city has one value"),
        (["override", "crm/1", "city=York", "--clear", "city"], "set and taken back at once"),
        (["override", "crm/1", "city=York", "--expires", "tomorrow"], "RFC 3339"),
        (["override", "crm/1", "city=York", "--expires", "2001-01-01T00:00:00Z"], "end before it begins"),
        (["override", "crm/1", "birth_date=Annabel"], "value for birth_date is not valid"),
        (["override", "crm/1", "birth_date=1970-01-01"], "a placeholder, which would have no effect"),
        (["override", "crm/1", "email=Annabel@x.org", "email=n/a"], "a placeholder, which would have no effect"),
        (["override", "crm/1", "email=Annabel@x.org; b@x.org"], "several values; give each by itself"),
    ],
)
def test_slips_are_told_and_nothing_is_sent(world, capsys, argv, said):
    """What a consumer would reject, or what could have no effect, is exit code 2 before it is sent."""
    code, out, err = called(capsys, *argv, "--steward", "s-2", *world.state)
    assert (code, out) == (2, "")
    assert said in err
    assert "Annabel" not in err
    assert world.sent() == []


def test_a_stream_and_a_redis_can_be_named_instead_of_a_stack(world, capsys):
    """Without a local stack the options name everything; what is missing is said."""
    argv = ["review", "decide", "crm/1", "erp/2", "separate", "--steward", "s-2", "--stream", world.stream]
    assert run([*argv, "--endpoint", world.endpoint, "--redis", world.redis_url, "--rules", "person"]) == 0
    assert len(world.apply_sent()) == 1
    for missing, said in ([["--rules", "person"], "needs --redis"], [["--redis", world.redis_url], "needs --rules"]):
        code, _, err = called(capsys, *argv, "--endpoint", world.endpoint, *missing)
        assert code == 2
        assert said in err


def test_hold_and_release(world, capsys):
    """A held domain takes no write until it is released, and everybody who asks is told why."""
    held = ["hold", "person", "--reason", "merge storm, s-2 looks"]
    assert called(capsys, *held, *world.state) == (0, "domain person is held back: merge storm, s-2 looks", "")
    event = RecordEvent("person", "crm", "9", "upsert", 1, 0, ANN)
    report = world.engine.process([event])
    assert report.failed == [0]
    assert "merge storm, s-2 looks" in report.cause
    assert "merge storm" in called(capsys, "hold", "person", "--show", *world.state)[1]
    assert "held back: merge storm" in called(capsys, "review", "list", *world.state)[1]
    assert called(capsys, "release", "person", *world.state)[1] == "domain person is not held back"
    assert called(capsys, "release", "person", *world.state)[1] == "domain person was not held back"
    world.apply(event)
    assert run(["hold", "person", "--show", "--json", "--redis", world.redis_url]) == 0
    assert orjson.loads(capsys.readouterr().out) == {"domain": "person", "held": None}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["hold", "persons", "--reason", "x"], "no index of domain 'persons'"),
        (["release", "persons"], "no index of domain 'persons'"),
        (["hold", "person"], "say why with --reason"),
        (["hold", "person", "--reason", " "], "1 to 256"),
        (["hold", "person", "--reason", "a\nb"], "one line"),
    ],
)
def test_a_hold_that_is_a_slip_holds_nothing(world, capsys, argv, said):
    """A misspelt domain is not held in silence, and a hold has a reason."""
    code, _, err = called(capsys, *argv, *world.state)
    assert code == 2
    assert said in err
    assert world.index.epochs.held_because() is None
